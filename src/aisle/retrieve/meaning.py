"""The meaning of queries as vectors: remembered, and in time or not at all.

An encoder runs in a library, where nothing can interrupt it. So threads of its
own ask it, and who waits for an answer goes on without one when it is late.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Final, NoReturn, TypeAlias

import numpy as np

from aisle.errors import ModelError
from aisle.ports import TextEncoder
from aisle.types import Vectors

log = logging.getLogger("aisle.retrieve")

THREADS: Final = 4
"""Queries that are encoded at once; more than the cores only share them."""

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
"""Seconds without the encoder after it was late: doubled each time, until it is in time again."""

_Job: TypeAlias = tuple["Future[Vectors]", str]


class QueryVectors:
    """What `encoder` makes of queries, each waited for at most `timeout_s` (0: as long as it takes).

    Once it is late it is left alone for a while; then one query tries it
    again, while the others do without, until it is in time. The vectors of the
    last `size` queries are kept: an encoder's answer never goes stale.
    """

    def __init__(self, encoder: TextEncoder, size: int, timeout_s: float) -> None:
        self._encoder, self._size, self._timeout_s = encoder, size, timeout_s
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Vectors] = OrderedDict()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._n_threads = 0
        self._n_late = 0
        self._resting_until = 0.0

    def of(self, text: str) -> Callable[[], Vectors]:
        """Begins to encode; what it returns waits for float32[dim], of length 1.

        That raises ModelError when there is none in time or it is no unit vector, and what the encoder raises.
        """
        with self._lock:
            vector = self._kept.get(text)
            if vector is not None:
                self._kept.move_to_end(text)
                return lambda: vector
        if not self._timeout_s:
            return lambda: self._keep(text, self._encoder.encode([text])[0])
        if self._is_resting():
            return _rests
        future: Future[Vectors] = Future()
        if self._n_threads < THREADS:
            self._begin_thread()
        self._jobs.put((future, text))
        return partial(self._waited_for, text, future, time.monotonic() + self._timeout_s)

    def _is_resting(self) -> bool:
        if not self._n_late:
            return False
        with self._lock:
            now = time.monotonic()
            if now < self._resting_until:
                return True
            self._resting_until = now + self._timeout_s  # one tries, the others do without
        return False

    def _waited_for(self, text: str, future: Future[Vectors], until: float) -> Vectors:
        try:
            vector = future.result(max(0.0, until - time.monotonic()))
        except TimeoutError:
            if future.done():
                raise  # in time, but an error of its own
            future.cancel()  # what no thread has begun need not be done
            self._late()
            future.add_done_callback(lambda done: self._arrived(text, done))
            raise ModelError(f"the encoder took more than {1000 * self._timeout_s:.0f} ms") from None
        if self._n_late:
            with self._lock:
                self._n_late = 0
            log.info("the encoder is in time again")
        return self._keep(text, vector)

    def _late(self) -> None:
        with self._lock:
            pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._n_late, 10))
            self._n_late += 1
            self._resting_until = time.monotonic() + pause

    def _arrived(self, text: str, done: Future[Vectors]) -> None:
        """What was late came after all: it is kept, and the next query may try."""
        if done.cancelled() or done.exception() is not None:
            return
        try:
            self._keep(text, done.result())
        except ModelError:
            return
        with self._lock:
            self._resting_until = 0.0

    def _keep(self, text: str, vector: Vectors) -> Vectors:
        vector = np.asarray(vector, np.float32)
        # Not a number fails every comparison.
        if vector.shape != (self._encoder.dim,) or not 0.5 < float(vector @ vector) < 2.0:
            raise ModelError("the encoder gave no unit vector")
        if self._size:
            with self._lock:
                self._kept[text] = vector
                self._kept.move_to_end(text)
                if len(self._kept) > self._size:
                    self._kept.popitem(last=False)
        return vector

    def _begin_thread(self) -> None:
        with self._lock:
            if self._n_threads == THREADS:
                return
            self._n_threads += 1
        # Daemons: an encoder that never comes back must not keep the process from ending.
        threading.Thread(target=_encode, args=(self._encoder, self._jobs), name="aisle-encoder", daemon=True).start()
        weakref.finalize(self, self._jobs.put, None)


def _rests() -> NoReturn:
    raise ModelError("the encoder was late, and is tried again in a while")


def _encode(encoder: TextEncoder, jobs: SimpleQueue[_Job | None]) -> None:
    """A thread's life: one query after the other, until None."""
    while (job := jobs.get()) is not None:
        future, text = job
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(encoder.encode([text])[0])
        except Exception as error:
            future.set_exception(error)
        except BaseException as error:  # a library's panic
            future.set_exception(ModelError(f"the encoder failed: {error!r}"))
        del job, future
