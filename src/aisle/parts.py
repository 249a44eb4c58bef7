"""The open parts of one shop and the threads that keep them fresh.

`aisle.wiring` chooses the adapters; this module only knows their ports.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from aisle.errors import AisleError, ShopBusy, StorageError
from aisle.holdings import Doors, Indexes, Stores
from aisle.index.followers import Calls, Follower, LexicalFollower, build
from aisle.learn.circumstances import CircumstanceCounts
from aisle.learn.items import ItemTable
from aisle.learn.neighbours import Neighbourhood
from aisle.learn.queries import QueryCounts
from aisle.learn.replay import Replay
from aisle.learn.seen import SeenStates
from aisle.learn.session_index import Finding
from aisle.learn.sessions import RecentSessions, owner_of
from aisle.learn.shoppers import ShopperStates
from aisle.learn.trending import TrendingCounts
from aisle.ports import LexicalIndex, Recommender, Shopper
from aisle.rank.mix import SURFACES
from aisle.retrieve.hybrid import HybridRetriever
from aisle.retrieve.reading import Library
from aisle.serving.answers import AnswerCache, Latencies
from aisle.serving.classifiers import Classifiers
from aisle.serving.encoder_in_use import EncoderInUse, Pair, complete, retriever_of
from aisle.serving.intents import Intents
from aisle.serving.models_in_use import ModelsInUse
from aisle.serving.prompted import Prompted
from aisle.serving.search_ranking import SearchRanking
from aisle.serving.slate import HitMaker
from aisle.serving.suggestions import Suggestions
from aisle.serving.vocabulary import Vocabulary
from aisle.settings import Settings
from aisle.shelf import Surroundings
from aisle.types import NOTHING, Clause, Group, Ords, Scores, now_ms
from aisle.understand.query import Understander

log = logging.getLogger("aisle")


class Parts:
    """A shop's parts, running.

    Followers keep indexes, folds and models at the newest change, whichever
    process made it; `close` leaves snapshots behind that make the next start quick.
    """

    def __init__(self, path: Path, settings: Settings, stores: Stores, indexes: Indexes, doors: Doors) -> None:
        self.path, self.settings, self.stores, self.doors = path, settings, stores, doors
        self.indexes = indexes
        self.columns = indexes.columns
        self.answers = AnswerCache(settings.search.cache_size)
        self.latencies = Latencies()
        self.hits = HitMaker(stores.catalog, stores.content)
        self.suggestions = Suggestions()
        self.vocabulary = Vocabulary(self)
        self._whole_histories = False
        every = settings.storage.snapshot_events
        self.replay = Replay(stores.events, stores.state, self._new_folds, snapshot_events=every)
        poll_s = settings.storage.poll_ms / 1000
        self._lexical_follower = LexicalFollower(
            stores.catalog,
            indexes.lexical,
            indexes.columns,
            owner=self._owner,
            on_change=self._catalogue_changed,
            poll_s=poll_s,
        )
        self._n_importing = 0
        if indexes.dense is not None:
            indexes.dense.hold = lambda: self.importing_words
        self._switching = threading.Lock()
        base = Pair(indexes.encoder, indexes.dense) if indexes.encoder and indexes.dense else None
        self.meaning = EncoderInUse(stores.models, base, indexes.open_tuned, stores.catalog.seq, self._encoder_switched)
        self.meaning.hold = lambda: self.importing_words
        self.retriever = self._new_retriever()
        language = indexes.language if settings.language.rank_ms else None
        self.prompted = Prompted(language, settings, stores.catalog) if language is not None else None
        self.models = ModelsInUse(stores.models, self.surroundings())
        self.ranking = SearchRanking(self)
        self.library = Library(stores.content, indexes.encoder, settings.shop.language, indexes.embed_texts)
        self.classifiers = Classifiers(stores.models, indexes.open_classifier)
        self.intents = Intents(stores.models, self.classifiers)
        self._rebuilding = threading.Lock()
        self._followers: list[Follower] = [
            self._lexical_follower,
            *([indexes.dense] if indexes.dense else []),
            Calls("events", poll_s, self._follow_events),
            Calls("models", poll_s, self._follow_models),
            Calls("encoder", poll_s, self.meaning.follow),
            Calls("words", poll_s, self.vocabulary.follow),
            Calls("ranking", poll_s, self.ranking.follow),
            Calls("reviews", poll_s, self.hits.follow),
            Calls("pages", poll_s, self.library.follow),
            Calls("intents", poll_s, self.intents.follow),
        ]
        self._closed = False

    # ------------------------------------------------------------ life cycle

    def start(self) -> None:
        """Bring everything but new embeddings up to date, then follow in the background."""
        while self._lexical_follower.step():
            pass
        self.replay.restore()
        opening: list[tuple[str, Callable[[], object]]] = [
            ("models", partial(self.models.follow, keep_up=False)),
            ("encoder", partial(self.meaning.follow, read=False)),
            ("words", self.vocabulary.follow),
            ("reviews", self.hits.follow),
            ("pages", partial(self.library.follow, encode=False)),
            ("intents", self.intents.follow),
            ("ranking", self.ranking.catch_up),  # an answer without it would be remembered
        ]
        for name, follow in opening:
            try:
                follow()
            except (AisleError, OSError) as error:
                # Its follower tries again, and its error shows in health(); the shop is plainer until then.
                log.warning("%s: %s", name, error)
        for follower in self._followers:
            follower.start()

    def close(self) -> None:
        """Stop following, save snapshots, release the folder; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        for follower in self._followers:
            follower.stop()
        try:
            self.stores.slates.flush()
            self.replay.snapshot(force=True)
            if self.indexes.dense is not None:
                self.indexes.dense.snapshot(force=True)
            self.meaning.snapshot()
        except (AisleError, OSError) as error:
            # Snapshots only save time: the log and the catalogue hold everything.
            log.warning("closing: %s", error)
        finally:
            for one in (self.prompted, self.indexes.language):
                if one is not None:
                    one.close()
            self.indexes.lexical.close()
            self.indexes.folder.release()
            self.stores.close()

    def nudge(self) -> None:
        """Look for changes now."""
        for follower in self._followers:
            follower.nudge()

    def wait_indexed(self, timeout_s: float, progress: Callable[[str, int, int], None] | None) -> bool:
        """Until words, reviews, pages and meaning have the newest change; False when the time is up."""
        deadline = time.monotonic() + timeout_s
        target, version = self.stores.catalog.seq(), self.stores.content.version()
        content = [one for one in self._followers if one.name in ("reviews", "pages")]
        indexing: list[Follower] = [self._lexical_follower, *content, *self.meaning.followers]
        failed_before = [f.n_failures for f in indexing]
        self.nudge()
        while time.monotonic() < deadline:
            words = self._lexical_follower.seq >= target
            meaning = all(complete(one, target) for one in self.meaning.followers)
            if progress is not None:
                _, n_groups = self.stores.catalog.count()
                alive = int(self.columns.facts.alive.sum())
                progress("searchable by words", min(alive, n_groups), n_groups)
                for one in self.meaning.followers[-1:]:
                    progress("searchable by meaning", min(len(one.dense), n_groups), n_groups)
            if words and meaning and self.library.has(version) and self.hits.version >= version:
                return True
            for follower, n_failures in zip(indexing, failed_before, strict=True):
                if follower.error and follower.n_failures > n_failures:
                    raise StorageError(f"indexing stopped: {follower.error}")
            time.sleep(0.02)
        return False

    def rebuild(self, progress: Callable[[str, int, int], None] | None = None) -> None:
        """Build the lexical index anew beside the one that serves, then switch in one rename."""
        folder, dense = self.indexes.folder, self.indexes.dense
        if not folder.owned:
            raise ShopBusy(f"another process writes the indexes of {self.path}: stop it, then rebuild")
        with self._rebuilding:
            version = folder.create()
            fresh: LexicalIndex | None = None
            try:
                fresh = self.indexes.open_lexical(version / "lexical", True)
                build(fresh, self.stores.catalog, progress)
                self._lexical_follower.stop()
                folder.switch(version)
            except BaseException:
                if fresh is not None:
                    fresh.close()
                folder.discard(version)
                self._lexical_follower.restart()
                raise
            self._serve(fresh, version)
            # What changed since the last look is applied by the follower, which begins where this index ends.
            self._lexical_follower.restart()
            if dense is not None:
                dense.moved()
                dense.snapshot(force=True)
            self.meaning.snapshot(moved=True)
            folder.clean()

    def _serve(self, lexical: LexicalIndex, version: Path) -> None:
        """Let another lexical index answer from now on; requests under way finish on the old one."""
        old, self.indexes.lexical, self.indexes.version = self.indexes.lexical, lexical, version
        self._lexical_follower.lexical = lexical
        self._renew_retriever()
        old.close()

    def _encoder_switched(self, names: set[str]) -> None:
        """Let the encoder in use answer from now on; only encoders of these names may be needed again."""
        self._renew_retriever()
        self.indexes.keep_encoders(names)

    # --------------------------------------------------------- what is asked

    @property
    def lacking(self) -> tuple[str, ...]:
        """What every search does without, though the settings name it."""
        return ("encoder",) if self.indexes.missing else ()

    @property
    def understander(self) -> Understander:
        """What reads queries now."""
        return self.vocabulary.understander

    @property
    def shoppers(self) -> ShopperStates:
        return self.replay.folds["shoppers"]  # type: ignore[return-value]

    @property
    def trending(self) -> TrendingCounts:
        return self.replay.folds["trending"]  # type: ignore[return-value]

    @property
    def sessions(self) -> RecentSessions:
        return self.replay.folds["sessions"]  # type: ignore[return-value]

    @property
    def orders(self) -> RecentSessions:
        return self.replay.folds["orders"]  # type: ignore[return-value]

    @property
    def queries(self) -> QueryCounts:
        return self.replay.folds["queries"]  # type: ignore[return-value]

    @property
    def circumstances(self) -> CircumstanceCounts:
        return self.replay.folds["circumstances"]  # type: ignore[return-value]

    def known_shopper(self, visitor_id: str) -> Shopper | None:
        """Who asks; None for somebody of whom nothing is known."""
        if not visitor_id:
            return None
        shopper = self.shoppers.view(visitor_id, now_ms())
        return None if shopper.is_new else shopper

    def popular(self) -> tuple[Ords, Scores]:
        return self.trending.top(now_ms())

    def versions(self) -> tuple[object, ...]:
        """Everything that an answer to a search depends on beside the request."""
        pair = self.meaning.now
        # The words' own number too: where another process writes them, they come later than the columns.
        return (
            self.columns.facts.version,
            self.indexes.lexical.applied_seq(),
            (pair.version, pair.dense.version) if pair else 0,
            self.hits.version,
            self.ranking.rated,
            *self.ranking.versions.values(),
            self.understander.number,
        )

    def model_versions(self) -> dict[str, str]:
        """What made this answer, for the slate log."""
        of_meaning = {"encoder": self.encoder_name} if self.encoder_name else {}
        prompted = {"language": self.prompted.name} if self.prompted is not None else {}
        return {**self.models.now.versions, **self.ranking.versions, **of_meaning, **prompted}

    def sources(self, surface: str, instead: Mapping[str, Recommender] = NOTHING) -> list[tuple[Recommender, float]]:
        """The sources of a surface with their weights; those of `instead` take the place of their namesakes."""
        chosen = {**self.models.now.sources, **instead}
        return [(chosen[name], weight) for name, weight in SURFACES[surface].items() if name in chosen]

    def health(self) -> dict[str, Any]:
        """How far the indexes are, what cannot help now, and what never does."""
        seq, dense = self.stores.catalog.seq(), self.indexes.dense
        degraded = [self.indexes.missing] if self.indexes.missing else []
        degraded += [f"{f.name}: {f.error}" for f in self._followers if f.error] + self.ranking.faults
        return {
            "seq": seq,
            "index_seq": self._lexical_follower.seq,
            "index_lag": max(0, seq - self._lexical_follower.seq),
            "dense_seq": dense.seq if dense else 0,
            "event_seq": self.replay.seq,
            "degraded": degraded,
            "notes": self._notes(),
        }

    def _notes(self) -> list[str]:
        """What is as the settings say, and yet less than could be."""
        encoder, language = self.indexes.encoder, self.settings.shop.language
        if encoder is None or encoder.covers(language):
            return []
        reads = ", ".join(self.settings.encoder.languages)
        return [
            f"the encoder {encoder.name} reads {reads}: searches in {language} go by words only "
            "(a multilingual one is set with encoder.model and encoder.languages)"
        ]

    # ------------------------------------------------------------- following

    @property
    def encoder_name(self) -> str:
        return self.meaning.now.encoder.name if self.meaning.now else ""

    def _owner(self) -> bool:
        """Whether this process writes the indexes; it takes over when no other does."""
        folder = self.indexes.folder
        if folder.owned:
            return True
        claimed = folder.claim()
        try:
            # Whoever owned the indexes until now may have switched to another version.
            current = folder.current()
            if current is not None and current != self.indexes.version:
                self._serve(self.indexes.open_lexical(current / "lexical", False), current)
            if claimed:
                self.indexes.lexical.claim()
        except BaseException:
            folder.release()
            raise
        return claimed

    @contextmanager
    def importing(self) -> Iterator[None]:
        """While a feed is read: its products become searchable by words at once, by meaning afterwards."""
        self._n_importing += 1
        try:
            yield
        finally:
            self._n_importing -= 1
            self.nudge()

    @property
    def importing_words(self) -> bool:
        """Whether products are still to become searchable by words: what takes every core waits for that."""
        behind = self.stores.catalog.seq() > self._lexical_follower.seq and not self._lexical_follower.error
        return self._n_importing > 0 or behind

    def ord_of(self, item_id: str) -> int:
        return self.columns.facts.ord_of.get(item_id, -1)

    def group_clause(self, item_id: str) -> Clause:
        """The condition that only the group of a known item meets."""
        (group,) = self.stores.catalog.groups([self.ord_of(item_id)])
        return Clause("group_id", (group.group_id if group else item_id,))

    def _new_folds(self) -> dict[str, Any]:
        recommend = self.settings.recommend
        gap = recommend.session_gap_minutes
        sessions = partial(RecentSessions, recommend.neighbour_steps, self.ord_of, gap_minutes=gap)
        return {
            "shoppers": ShopperStates(recommend, self.ord_of),
            "trending": TrendingCounts(recommend.trending_half_life_days, self.ord_of),
            "queries": QueryCounts(),
            "seen": SeenStates(self.ord_of),
            "circumstances": CircumstanceCounts(self.ord_of),
            "sessions": sessions(whole_histories=self._whole_histories),
            "orders": sessions(names=("purchase",)),
        }

    def _renew_retriever(self) -> None:
        with self._switching:  # words and meaning may be switched at once: neither must bring back the other's old half
            self.retriever = self._new_retriever()

    def _new_retriever(self) -> HybridRetriever:
        return retriever_of(self.meaning.now, self.indexes.lexical, self.indexes.encoder, self.settings.search)

    def surroundings(self) -> Surroundings:
        """What sources look at besides their models, as the shop is now."""
        dense = self.indexes.dense
        return Surroundings(
            facts=lambda: self.columns.facts,
            popular=self.popular,
            settings=self.settings,
            dense=dense.dense if dense else None,
            dense_version=(lambda: dense.version) if dense else None,
            neighbourhood=self._neighbourhood,
            sessions_of=lambda relation: (self.sessions if relation == "viewed" else self.orders).index(),
            new_index=self.indexes.new_dense,
            items_of=self._items_of,
            seen=lambda visitor_id: self.replay.folds["seen"].view(visitor_id),  # type: ignore[attr-defined]
            prompted=self.prompted,
        )

    def _neighbourhood(self, how: Finding, whole_histories: bool) -> Neighbourhood:
        """What the source `neighbours` asks: the fold as it is then, also after a shopper was erased."""
        self._whole_histories = whole_histories
        self.sessions.take_for_sessions(whole_histories=whole_histories)
        return Neighbourhood(lambda: self.sessions.index(), how, owner_of)

    def _items_of(self, ords: Ords) -> ItemTable:
        """What the catalogue knows of those products, a row each."""
        groups = self.stores.catalog.groups(ords.tolist())
        known = [replace(group, ord=row) for row, group in enumerate(groups) if group is not None]
        text = self.indexes.dense.dense.vectors(ords) if self.indexes.dense else None
        photos = self.indexes.photos
        image = photos.rows(known, len(ords), may_encode=self.indexes.folder.owned) if photos is not None else None
        return ItemTable.of(known, text, image, ratings=self.stores.content.ratings(), n=len(ords))

    def _catalogue_changed(self, groups: Sequence[Group]) -> None:
        self.shoppers.catalogue_changed()
        self.trending.catalogue_changed()
        self.sessions.catalogue_changed()
        self.orders.catalogue_changed()
        self.suggestions.changed(groups)
        self.vocabulary.changed()

    def _follow_events(self) -> bool:
        self.replay.keep_up()
        self.sessions.refresh()
        self.orders.refresh()
        return False

    def _follow_models(self) -> bool:
        try:
            self.models.follow()
        finally:
            if "neighbours" in self.models.now.versions:  # no shopper should wait for the index to be made
                self.sessions.index()
        return False
