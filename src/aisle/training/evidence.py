"""What a training knows: the log, the catalogue, and the shop as it was when held-out traffic began."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from aisle.errors import ModelError
from aisle.evaluate.next_item import HELD_OUT, TOP_K, Cases, Clock, Places, Popular, places, propose
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.neighbours import Neighbourhood
from aisle.learn.sequence_training import Held
from aisle.learn.session_index import Finding
from aisle.shelf import Surroundings
from aisle.types import Group, LoggedEvent, Progress, Scores, Vectors

if TYPE_CHECKING:
    from aisle.parts import Parts

log = logging.getLogger("aisle.training")

_BATCH: Final = 20_000
_WATCHED: Final = 3000
"""Cases that a model may look at while it is fitted."""


class Evidence:
    """Each part is read or made when it is first asked for, and once.

    `last_seq` is how far the log is read; `photos_work` is a folder for the checkpoints of the network of the photos.
    """

    def __init__(self, parts: Parts, last_seq: int, photos_work: Path, progress: Progress) -> None:
        self._parts, self._settings = parts, parts.settings
        self.last_seq, self._photos_work, self._progress = last_seq, photos_work, progress
        self.clock = Clock()

    def events(self, stage: str, until_ms: int | None = None) -> Iterator[LoggedEvent]:
        """The log as far as this training goes, telling how far it is; before `until_ms` if given."""
        seq, events = 0, self._parts.stores.events
        while logged := events.read(seq, _BATCH):
            for entry in logged:
                if entry.seq > self.last_seq:
                    return
                if until_ms is None or entry.event.time_ms < until_ms:
                    yield entry
            seq = logged[-1].seq
            self._progress(stage, min(seq, self.last_seq), self.last_seq)

    @cached_property
    def items(self) -> ItemTable:
        stores, dense = self._parts.stores, self._parts.indexes.dense
        facts = self._parts.columns.facts
        text = dense.dense.vectors(np.arange(len(facts.alive), dtype=np.int32)) if dense else None
        groups = list(_groups(stores.catalog.changed))
        image = self._images(groups, len(facts.alive))
        return ItemTable.of(groups, text, image, ratings=stores.content.ratings())

    def _images(self, groups: list[Group], n: int) -> Vectors | None:
        """Vectors of the photos; without a pretrained encoder the shop's own network is learned first."""
        photos, train = self._parts.indexes.photos, self._settings.train
        if photos is None:
            return None
        try:
            photos.learn(
                groups, work=self._photos_work, progress=self._progress, seed=train.seed,
                minutes=0.1 * train.max_minutes,
            )  # fmt: skip
            return photos.rows(groups, n, progress=self._progress)
        except (ModelError, OSError) as error:
            log.warning("photos are left out: %s", error)
            return None

    @cached_property
    def whole(self) -> Interactions:
        gap = self._settings.recommend.session_gap_minutes
        return Interactions.read(self.events("reading the log"), self._parts.ord_of, session_gap_minutes=gap)

    @cached_property
    def held_out(self) -> np.ndarray:
        return self.whole.newest(self._settings.train.held_out)

    @cached_property
    def past(self) -> Interactions:
        return self.whole.take(np.flatnonzero(~self.held_out))

    @cached_property
    def cut_ms(self) -> int:
        """When held-out traffic begins."""
        return int(self.whole.time_ms[self.held_out].min()) if self.held_out.any() else 2**62

    @cached_property
    def cases(self) -> Cases:
        recommend = self._settings.recommend
        return Cases.of(
            self.whole,
            self.held_out,
            most=self._settings.train.max_cases,
            history_length=recommend.history_length,
            half_life_days=recommend.history_half_life_days,
            seed=self._settings.train.seed,
        )

    @cached_property
    def held(self) -> Held | None:
        """Cases to stop by, for models that watch how they do while they are fitted.

        Of the half of the visitors that the combination is fitted on: nothing is watched on the other.
        """
        watched = self.cases.take(self.cases.first_half)
        few = slice(None, None, max(1, len(watched) // _WATCHED))
        histories, targets = [shopper.sequence for shopper in watched.shoppers[few]], watched.targets[few]
        return Held(histories, targets) if len(targets) >= 10 else None

    @cached_property
    def around(self) -> Surroundings:
        """The shop as it was when held-out traffic began."""
        trending = Popular.of(self.past, self._settings.recommend.trending_half_life_days, self.cut_ms)

        def neighbourhood(how: Finding, whole_histories: bool) -> Neighbourhood:
            among = Neighbourhood.of(self.past, how, whole_histories=whole_histories)
            return replace(among, owner_of=lambda visitor_id: int(visitor_id.removeprefix(HELD_OUT)))

        return replace(
            self._parts.surroundings(),
            popular=trending.top,
            neighbourhood=neighbourhood,
            sessions_of=None,
            now=self.clock,
        )

    @cached_property
    def popularity(self) -> Places:
        """Of all time or of the last days, whichever predicts better here."""
        lists = (Popular.of(self.past), Popular(*self.around.popular()))
        return max((places(propose(one, self.cases, TOP_K), self.cases) for one in lists), key=_recall)


def _recall(found: Places) -> float:
    return found.recall


def log_counts(steps: Interactions) -> Scores:
    """float32[n_ords]: the logarithm of 1 + how many took each product."""
    return np.log1p(np.bincount(steps.ords, minlength=steps.n_ords)).astype(np.float32)


def _groups(changed: Callable[[int, int], list[Group]]) -> Iterator[Group]:
    """The whole catalogue, a piece at a time."""
    seq = 0
    while groups := changed(seq, 4000):
        yield from groups
        seq = max(group.seq for group in groups)
