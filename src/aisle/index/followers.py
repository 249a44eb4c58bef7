"""Followers: threads that bring an index up to the catalogue's newest change.

Writers only write to the store. Each process that serves runs followers over
its `seq`; the process that owns the indexes also writes them, the others
reload what the owner committed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from aisle.errors import AisleError
from aisle.index.columns import Columns
from aisle.ports import CatalogStore, DenseIndex, LexicalIndex
from aisle.types import Group, Vectors

log = logging.getLogger("aisle.index")

Embed = Callable[[Sequence[Group], bool], dict[int, Vectors]]
"""Vectors by ord of those groups that have one; the flag allows encoding what the store lacks."""

_SLOWEST_S = 30.0


class Follower:
    """Calls `step` until nothing is left, then waits for a nudge or the next poll."""

    name = "follower"

    def __init__(self, poll_s: float) -> None:
        self._poll_s = poll_s
        self._nudge = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: str = ""
        self.n_failures = 0

    def step(self) -> bool:
        """Do one bounded piece of work; True when there may be more."""
        raise NotImplementedError

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"aisle-{self.name}", daemon=True)
        self._thread.start()

    def restart(self) -> None:
        """Start again after a stop; one that runs goes on."""
        if self._thread is None:
            self._stopping.clear()
            self.start()

    def nudge(self) -> None:
        """Look for changes now rather than at the next poll."""
        self._nudge.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Finish the piece of work in hand, then end."""
        self._stopping.set()
        self._nudge.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        wait = self._poll_s
        while not self._stopping.is_set():
            try:
                while not self._stopping.is_set() and self.step():
                    pass
                self.error, wait = "", self._poll_s
            except BaseException as error:
                # A follower must outlive a full disk, a locked file and a library's panic (which is no Exception):
                # without it the shop would never change again. Say it once, retry ever slower.
                told = str(error) or type(error).__name__
                if told != self.error:
                    expected = isinstance(error, AisleError | OSError)
                    log.error("%s: %s", self.name, told, exc_info=None if expected else error)
                self.error, wait = told, min(wait * 2, _SLOWEST_S)
                self.n_failures += 1
            self._nudge.wait(wait)
            self._nudge.clear()


class Calls(Follower):
    """A follower of one function."""

    def __init__(self, name: str, poll_s: float, call: Callable[[], bool]) -> None:
        super().__init__(poll_s)
        self.name, self._call = name, call

    def step(self) -> bool:
        return self._call()


class LexicalFollower(Follower):
    """Keeps the lexical index and the columns at the catalogue's `seq`.

    `owner` says whether this process writes the index, and may put another
    index into `lexical` when a new version was switched to. `on_change` is
    called with the groups of each applied batch, after they are visible;
    without groups when only the words changed.
    """

    name = "lexical"

    def __init__(
        self,
        catalog: CatalogStore,
        lexical: LexicalIndex,
        columns: Columns,
        *,
        owner: Callable[[], bool],
        on_change: Callable[[Sequence[Group]], None],
        poll_s: float,
        batch: int = 4000,
    ) -> None:
        super().__init__(poll_s)
        self._catalog, self.lexical, self._columns = catalog, lexical, columns
        self._owner, self._on_change, self._batch = owner, on_change, batch
        self._columns_seq = 0
        self._lexical_seq = lexical.applied_seq()

    @property
    def seq(self) -> int:
        """The newest change that searches see."""
        return min(self._columns_seq, self._lexical_seq)

    def step(self) -> bool:
        owner = self._owner()
        if not owner:
            self.lexical.reload()
        shown, self._lexical_seq = self._lexical_seq, self.lexical.applied_seq()
        # Who took over from another process may find words that are behind the columns it followed by itself.
        after = min(self._columns_seq, self._lexical_seq) if owner else self._columns_seq
        groups = self._catalog.changed(after, self._batch)
        if groups:
            newest = max(g.seq for g in groups)
            if owner and newest > self._lexical_seq:
                self.lexical.upsert([g for g in groups if g.seq > self._lexical_seq])
                self.lexical.commit(newest)
                self._lexical_seq = newest
            if newest > self._columns_seq:
                self._columns.apply(groups)
                self._columns_seq = newest
        if groups or self._lexical_seq != shown:
            self._on_change(groups)
        return len(groups) >= self._batch


def build(
    fresh: LexicalIndex, catalog: CatalogStore, progress: Callable[[str, int, int], None] | None, batch: int = 4000
) -> None:
    """Fill an empty lexical index from the whole catalogue."""
    _, n_groups = catalog.count()
    seq = done = 0
    fresh.commit(0)
    while groups := catalog.changed(seq, batch):
        fresh.upsert(groups)
        seq, done = max(g.seq for g in groups), done + len(groups)
        fresh.commit(seq)
        if progress is not None:
            progress("rebuilding", min(done, n_groups), n_groups)


class DenseFollower(Follower):
    """Keeps the dense index at the catalogue's `seq`; only the owner encodes.

    `embed` is slow for new text, so `batch` bounds how long a stop waits. While
    `hold()` is true nothing is done: encoding takes every core, and products
    should be found by their words first.
    """

    name = "dense"

    def __init__(
        self,
        catalog: CatalogStore,
        dense: DenseIndex,
        *,
        seq: int,
        embed: Embed,
        owner: Callable[[], bool],
        save: Callable[[int], None],
        poll_s: float,
        batch: int = 512,
        save_every_s: float = 60.0,
    ) -> None:
        super().__init__(poll_s)
        self._catalog, self.dense, self._embed, self._owner, self._save = catalog, dense, embed, owner, save
        self._batch, self._save_every_s = batch, save_every_s
        self.seq = self._saved_seq = seq
        self._saved_at = time.monotonic()
        self._waiting: dict[int, Group] = {}
        self.hold: Callable[[], bool] = lambda: False
        self.version = 0

    @property
    def n_waiting(self) -> int:
        """Groups whose vectors another process has not encoded yet."""
        return len(self._waiting)

    def step(self) -> bool:
        if self.hold():
            return False
        groups = self._catalog.changed(self.seq, self._batch)
        if groups:
            self._take(groups)
            self.seq = max(g.seq for g in groups)
        elif self._waiting:
            self._take(list(self._waiting.values())[: self._batch])
        if len(groups) < self._batch:
            self.snapshot(force=False)
        return len(groups) >= self._batch

    def _take(self, groups: Sequence[Group]) -> None:
        gone = np.array([g.ord for g in groups if not g.products], np.int32)
        if len(gone):
            self.dense.remove(gone)
        living = [g for g in groups if g.products]
        vectors = self._embed(living, self._owner()) if living else {}
        for group in groups:
            self._waiting.pop(group.ord, None)
        self._waiting.update((g.ord, g) for g in living if g.ord not in vectors)
        if vectors:
            self.dense.upsert(np.fromiter(vectors, np.int32, len(vectors)), np.stack(list(vectors.values())))
        if vectors or len(gone):
            self.version += 1

    def moved(self) -> None:
        """The place of snapshots is another one, and empty."""
        self._saved_seq = -1

    def snapshot(self, *, force: bool) -> None:
        """Save when this process owns the indexes and something changed since the last time."""
        due = force or time.monotonic() - self._saved_at > self._save_every_s
        if due and self._owner() and self.seq > self._saved_seq and not self._waiting:
            self._save(self.seq)
            self._saved_seq, self._saved_at = self.seq, time.monotonic()
