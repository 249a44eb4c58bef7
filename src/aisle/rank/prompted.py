"""The best candidates of a shopper in the order that a language model gives them, in time or not at all.

The model sees titles, numbered and quoted, and only numbers are read back:
whatever it says, every candidate comes back exactly once. A thread of its own
asks it; a page waits for its time, then shows the order it had, and the
answer, once there, serves the next page.
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aisle.errors import AisleError, LanguageFailed, LanguageNonsense
from aisle.ports import LanguageModel, Message, Shopper
from aisle.types import Candidates, Ords, Scores

log = logging.getLogger("aisle.ranking")

HISTORY: Final = 10
"""The last products of a shopper that the model is told of."""

QUERIES: Final = 3
THREADS: Final = 4
MOST_WAITING: Final = 16
"""Orders under way at once; whoever asks for more goes on with the order there is."""

KEPT: Final = 2048
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
"""Seconds without the model after it failed: doubled each time, until it answers again."""

_LIST: Final = re.compile(r"\d+(?:\s*[\s,;>、，；]\s*\d+)*")
_LINES: Final = re.compile(r"^\s*(\d+)[.):、]\s+\D", re.MULTILINE)
_Key: TypeAlias = bytes
_Job: TypeAlias = tuple["Future[Ords]", _Key, Ords, tuple[str, ...], Ords]


class Ranks(Protocol):
    """`rank.combine.Combination`, or another that takes its place: one order of several sources' candidates."""

    @property
    def sources(self) -> tuple[str, ...]: ...

    def rank(self, proposals: Mapping[str, Candidates], shopper: Shopper) -> tuple[Ords, Scores]: ...


Prompt: TypeAlias = Callable[[Sequence[str], Sequence[str], Sequence[str]], Sequence[Message]]
"""Titles of a history, oldest first, searches, and titles of candidates to what the model is asked."""

Titles: TypeAlias = Callable[[Ords], Sequence[str]]


def read_order(answer: str, n: int) -> NDArray[np.intp]:
    """The numbers 1 to n of an answer as places int[n] from 0, each exactly once.

    Only the longest list of numbers counts, for a sentence may have some too:
    numbers after each other, or one at the head of each line. Numbers that are
    none of a candidate, or come again, are left out, and candidates that are
    not named follow in the order they had. Raises LanguageNonsense where not
    one is named.
    """
    lists = [*(re.findall(r"\d+", found) for found in _LIST.findall(answer)), _LINES.findall(answer)]
    longest = max(lists, key=len, default=[])
    named = dict.fromkeys(int(number) - 1 for number in longest if len(number) < 6)
    found = [place for place in named if 0 <= place < n]
    if not found:
        raise LanguageNonsense(f"{answer[:80]!r} is no list of the numbers 1 to {n}")
    left = [place for place in range(n) if place not in named]
    return np.array(found + left, np.intp)


class PromptedOrder:
    """A language model's order of candidates: `order` asks and waits. Raises LanguageFailed."""

    def __init__(self, model: LanguageModel, prompt: Prompt, titles: Titles) -> None:
        self._model, self._prompt, self._titles = model, prompt, titles

    def order(
        self, history: Ords, queries: Sequence[str], candidates: Ords, timeout_s: float | None = None
    ) -> NDArray[np.intp]:
        """Places int[n] of the candidates int32[n], best first. `history` int32[m], oldest first."""
        n, steps = len(candidates), history[-HISTORY:]
        if n < 2:
            return np.arange(n, dtype=np.intp)
        titles = list(self._titles(np.concatenate([steps, candidates]).astype(np.int32)))
        asked = self._prompt(titles[: len(steps)], queries[:QUERIES], titles[len(steps) :])
        # No number needs more than a token for each of its digits, a comma and a space.
        most = 16 + n * (len(str(n)) + 2)
        return read_order(self._model.complete(asked, max_tokens=most, timeout_s=timeout_s), n)


class InTime:
    """Orders of `ordered`, each waited for at most `within_s`, by threads of its own.

    What the model said of a history and candidates is kept, so that a page that
    comes again has it at once. After a failure the model rests; then one page
    tries it again, while the others do without, until it answers.
    """

    def __init__(self, ordered: PromptedOrder, within_s: float) -> None:
        self._ordered, self._within_s = ordered, within_s
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, Ords] = OrderedDict()
        self._under_way: dict[_Key, Future[Ords]] = {}
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._n_threads = 0
        self._n_failed = 0
        self._resting_until = 0.0

    def of(self, shopper: Shopper, candidates: Ords) -> Ords | None:
        """The candidates int32[n], best first; None where the model is not in time, or failed."""
        history, queries = shopper.sequence[-HISTORY:], tuple(shopper.queries[:QUERIES])
        # By the candidates whatever their order: what the model made of them is the same. A digest, so that nothing
        # of what a shopper searched for is kept here.
        told = (history.tolist(), queries, np.sort(candidates).tolist())
        key = hashlib.blake2b(repr(told).encode(errors="replace"), digest_size=16).digest()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
            future = self._under_way.get(key) or self._begin(key, history, queries, candidates)
        if future is None:
            return None
        try:
            return future.result(self._within_s)
        except (TimeoutError, AisleError):
            return None

    def close(self) -> None:
        """Let the threads end when they have done what they are at; what nobody has begun is dropped."""
        with self._lock:
            while not self._jobs.empty():
                self._jobs.get()
            for future in self._under_way.values():
                future.cancel()
            for _ in range(self._n_threads):
                self._jobs.put(None)
            self._n_threads = 0

    # ---------------------------------------------------------------- inside

    def _begin(self, key: _Key, history: Ords, queries: tuple[str, ...], candidates: Ords) -> Future[Ords] | None:
        """Hand it to a thread; None while the model rests or has too much to do. Called with the lock."""
        now = time.monotonic()
        if len(self._under_way) >= MOST_WAITING or (self._n_failed and now < self._resting_until):
            return None
        if self._n_failed:
            self._resting_until = now + LONGEST_PAUSE_S  # one tries, the others do without
        future: Future[Ords] = Future()
        self._under_way[key] = future
        self._jobs.put((future, key, history, queries, candidates))
        if self._n_threads < THREADS:
            self._n_threads += 1
            # Daemons: a model that never comes back must not keep the process from ending.
            threading.Thread(target=self._live, name="aisle-prompting", daemon=True).start()
        return future

    def _live(self) -> None:
        """A thread's life: one order after the other, until None."""
        while (job := self._jobs.get()) is not None:
            future, key, history, queries, candidates = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                found = candidates[self._ordered.order(history, queries, candidates)]
            except Exception as error:
                self._ended(key, None)
                if isinstance(error, AisleError):
                    log.warning("ordering by prompt: %s", error)
                else:
                    log.exception("ordering by prompt failed")
                future.set_exception(LanguageFailed(str(error)))
            else:
                self._ended(key, found)
                future.set_result(found)

    def _ended(self, key: _Key, found: Ords | None) -> None:
        with self._lock:
            self._under_way.pop(key, None)
            if found is None:
                pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._n_failed, 10))
                self._n_failed += 1
                self._resting_until = time.monotonic() + pause
                return
            self._n_failed = 0
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


class PromptedRanking:
    """Takes the place of the ranking it is made of: the same sources, the best `top_n` in the model's order.

    The scores stay, the highest with who is now first, so that they are best first as before.
    """

    def __init__(self, ranks: Ranks, in_time: InTime, top_n: int = 20) -> None:
        self._ranks, self._in_time, self._top_n = ranks, in_time, top_n

    @property
    def sources(self) -> tuple[str, ...]:
        return self._ranks.sources

    def rank(self, proposals: Mapping[str, Candidates], shopper: Shopper) -> tuple[Ords, Scores]:
        """Every candidate, best first; in the order of the ranking it is made of where the model is not in time."""
        ords, scores = self._ranks.rank(proposals, shopper)
        # The step just taken is never recommended: it must not take the place of what may be.
        top = np.flatnonzero(~np.isin(ords, shopper.sequence[-1:]))[: self._top_n]
        if len(top) < 2 or not len(shopper.sequence):
            return ords, scores
        best = self._in_time.of(shopper, ords[top])
        if best is None:
            return ords, scores
        moved = ords.copy()
        moved[top] = best
        return moved, scores
