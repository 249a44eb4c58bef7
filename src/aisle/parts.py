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

import numpy as np

from aisle.answers import AnswerCache, Latencies
from aisle.errors import AisleError, ShopBusy, StorageError
from aisle.holdings import Doors, Indexes, Stores
from aisle.index.followers import Calls, Follower, LexicalFollower
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
from aisle.models_in_use import ModelsInUse
from aisle.ports import LexicalIndex, Recommender
from aisle.rank.mix import SURFACES
from aisle.represent.categories import CategoryVectors
from aisle.retrieve.hybrid import HybridRetriever
from aisle.retrieve.suggest import Entry, Suggester, category_entries
from aisle.settings import Settings
from aisle.shelf import Surroundings
from aisle.slate import HitMaker, group_title
from aisle.types import NOTHING, Clause, Group, Ords, Scores, Vectors, now_ms
from aisle.understand.lexicon import Lexicon
from aisle.understand.query import Understander

log = logging.getLogger("aisle")

_WORDS_PATIENCE_S = 5.0
"""Seconds that the reading of the catalogue's words waits for an import to end."""
_SUGGESTIONS_EVERY_S = 900.0
"""Seconds between looks at what shoppers have searched for."""


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
        self.suggester = Suggester()
        self._entries: dict[int, Entry] = {}
        self._words_changed = threading.Event()
        self._words_due = -_WORDS_PATIENCE_S
        self._categories = CategoryVectors(indexes.encoder) if indexes.encoder else None
        self._suggestions_at, self._suggestions_seq = -_SUGGESTIONS_EVERY_S, -1
        self.understander = Understander(Lexicon.empty(), max_chars=settings.server.max_query_chars)
        self._whole_histories = False
        self._whole_histories = False
        self.replay = Replay(
            stores.events, stores.state, self._new_folds, snapshot_events=settings.storage.snapshot_events
        )
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
            indexes.dense.hold = self._words_first
        self.retriever = self._new_retriever()
        self.models = ModelsInUse(stores.models, self.surroundings())
        self._rebuilding = threading.Lock()
        self._followers: list[Follower] = [
            self._lexical_follower,
            *([indexes.dense] if indexes.dense else []),
            Calls("events", poll_s, self._follow_events),
            Calls("models", poll_s, self._follow_models),
            Calls("words", poll_s, self._follow_words),
        ]
        self._closed = False

    # ------------------------------------------------------------ life cycle

    def start(self) -> None:
        """Bring everything but new embeddings up to date, then follow in the background."""
        while self._lexical_follower.step():
            pass
        self.replay.restore()
        for name, follow in (("models", partial(self.models.follow, keep_up=False)), ("words", self._follow_words)):
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
        except (AisleError, OSError) as error:
            # Snapshots only save time: the log and the catalogue hold everything.
            log.warning("closing: %s", error)
        finally:
            self.indexes.lexical.close()
            self.indexes.folder.release()
            self.stores.close()

    def nudge(self) -> None:
        """Look for changes now."""
        for follower in self._followers:
            follower.nudge()

    def wait_indexed(self, timeout_s: float, progress: Callable[[str, int, int], None] | None) -> bool:
        """Until words and meaning have the newest change; False when the time is up."""
        deadline = time.monotonic() + timeout_s
        target = self.stores.catalog.seq()
        dense = self.indexes.dense
        indexing: list[Follower] = [self._lexical_follower, *([dense] if dense else [])]
        failed_before = [f.n_failures for f in indexing]
        self.nudge()
        while time.monotonic() < deadline:
            words = self._lexical_follower.seq >= target
            meaning = dense is None or (dense.seq >= target and not dense.n_waiting)
            if progress is not None:
                _, n_groups = self.stores.catalog.count()
                alive = int(self.columns.facts.alive.sum())
                progress("searchable by words", min(alive, n_groups), n_groups)
                if dense is not None:
                    progress("searchable by meaning", min(len(dense.dense), n_groups), n_groups)
            if words and meaning:
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
                self._build(fresh, progress)
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
            folder.clean()

    def _build(self, fresh: LexicalIndex, progress: Callable[[str, int, int], None] | None) -> None:
        _, n_groups = self.stores.catalog.count()
        seq = done = 0
        fresh.commit(0)
        while groups := self.stores.catalog.changed(seq, 4000):
            fresh.upsert(groups)
            seq, done = max(g.seq for g in groups), done + len(groups)
            fresh.commit(seq)
            if progress is not None:
                progress("rebuilding", min(done, n_groups), n_groups)

    def _serve(self, lexical: LexicalIndex, version: Path) -> None:
        """Let another lexical index answer from now on; requests under way finish on the old one."""
        old, self.indexes.lexical, self.indexes.version = self.indexes.lexical, lexical, version
        self._lexical_follower.lexical = lexical
        self.retriever = self._new_retriever()
        old.close()

    # --------------------------------------------------------- what is asked

    @property
    def lacking(self) -> tuple[str, ...]:
        """What every search does without, though the settings name it."""
        return ("encoder",) if self.indexes.missing else ()

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

    def popular(self) -> tuple[Ords, Scores]:
        return self.trending.top(now_ms())

    def versions(self) -> tuple[object, ...]:
        """Everything that an answer to a search depends on beside the request."""
        dense = self.indexes.dense
        # The words' own number too: where another process writes them, they come later than the columns.
        return (
            self.columns.facts.version,
            self.indexes.lexical.applied_seq(),
            dense.version if dense else 0,
            self.stores.content.version(),
            self.understander.number,
        )

    def model_versions(self) -> dict[str, str]:
        """What made this answer, for the slate log."""
        return {**self.models.now.versions} | ({"encoder": self.indexes.encoder.name} if self.indexes.encoder else {})

    def sources(self, surface: str, instead: Mapping[str, Recommender] = NOTHING) -> list[tuple[Recommender, float]]:
        """The sources of a surface with their weights; those of `instead` take the place of their namesakes."""
        chosen = {**self.models.now.sources, **instead}
        return [(chosen[name], weight) for name, weight in SURFACES[surface].items() if name in chosen]

    def category_affinity(self, vector: Vectors | None, ords: Ords) -> Scores:
        """float32[n]: how near a query's meaning is to the name of each product's category."""
        if vector is None or self._categories is None:
            return np.zeros(len(ords), np.float32)
        return self._categories.affinity(vector, self.columns.facts.category[ords])

    def health(self) -> dict[str, Any]:
        """How far the indexes are, and what cannot help now."""
        seq, dense = self.stores.catalog.seq(), self.indexes.dense
        degraded = [self.indexes.missing] if self.indexes.missing else []
        degraded += [f"{f.name}: {f.error}" for f in self._followers if f.error]
        return {
            "seq": seq,
            "index_seq": self._lexical_follower.seq,
            "index_lag": max(0, seq - self._lexical_follower.seq),
            "dense_seq": dense.seq if dense else 0,
            "event_seq": self.replay.seq,
            "degraded": degraded,
        }

    # ------------------------------------------------------------- following

    @property
    def encoder_name(self) -> str:
        return self.indexes.encoder.name if self.indexes.encoder else ""

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

    def _words_first(self) -> bool:
        behind = self.stores.catalog.seq() > self._lexical_follower.seq and not self._lexical_follower.error
        return self._n_importing > 0 or behind

    def _facts(self) -> Any:
        return self.columns.facts

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

    def _new_retriever(self) -> HybridRetriever:
        dense = self.indexes.dense.dense if self.indexes.dense else None
        return HybridRetriever(self.indexes.lexical, dense, self.indexes.encoder, self.settings.search)

    def surroundings(self) -> Surroundings:
        """What sources look at besides their models, as the shop is now."""
        dense = self.indexes.dense
        return Surroundings(
            facts=self._facts,
            popular=self.popular,
            settings=self.settings,
            dense=dense.dense if dense else None,
            dense_version=(lambda: dense.version) if dense else None,
            neighbourhood=self._neighbourhood,
            sessions_of=lambda relation: (self.sessions if relation == "viewed" else self.orders).index(),
            new_index=self.indexes.new_dense,
            items_of=self._items_of,
            seen=lambda visitor_id: self.replay.folds["seen"].view(visitor_id),  # type: ignore[attr-defined]
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
        fresh = {g.ord: _suggestable(g) for g in groups if g.products}
        gone = [g.ord for g in groups if not g.products]
        self._entries.update(fresh)
        for ord_ in gone:
            self._entries.pop(ord_, None)
        self.suggester.upsert(fresh.values())
        self.suggester.remove(str(o) for o in gone)
        self._words_changed.set()

    def _titles(self) -> list[tuple[str, str]]:
        """Every product's title with its category."""
        facts, entries = self.columns.facts, list(self._entries.items())
        return [(e.text, facts.categories[c] if (c := int(facts.category[o])) >= 0 else "") for o, e in entries]

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

    def _follow_words(self) -> bool:
        """The catalogue's words for understanding, and what may be suggested."""
        if self._words_first() and time.monotonic() < self._words_due + _WORDS_PATIENCE_S:
            return False
        if self._words_changed.is_set() and time.monotonic() >= self._words_due:
            started = time.monotonic()
            self._words_changed.clear()
            if self._categories is not None:
                self._categories.follow(self.columns.facts.categories)
            self.understander = Understander(
                Lexicon.of(self.indexes.lexical, self._titles(), self.queries.popular(), self.indexes.encoder),
                max_chars=self.settings.server.max_query_chars,
            )
            # A twentieth of one core at most, however often products change.
            self._words_due = time.monotonic() + max(1.0, 20 * (time.monotonic() - started))
        due = time.monotonic() - self._suggestions_at > _SUGGESTIONS_EVERY_S and self.replay.seq > self._suggestions_seq
        if self.suggester.stale or due:
            self._suggestions_at, self._suggestions_seq = time.monotonic(), self.replay.seq
            categories = dict(self.indexes.lexical.vocabulary("product_type"))
            entries = [*list(self._entries.values()), *category_entries(categories)]
            self.suggester.rebuild(entries, self.queries.popular())
        return False


def _suggestable(group: Group) -> Entry:
    lead = group.lead
    return Entry(group_title(group), item_id=lead.item_id, image_link=lead.image_link, key=str(group.ord))
