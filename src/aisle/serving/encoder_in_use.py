"""The encoder that search reads queries with, and the index of what it made of the products: always a pair.

Tuned on the shop, an encoder has another space: its queries fit its own vectors
only. So a version that is promoted first reads the whole catalogue while the
pair before it answers, and both halves are switched in one step. Vectors are
kept by content and encoder: what a killed process had read is not read again,
and a version that is gone back to is there at once. Recommendations keep the
vectors of the settings' encoder, for their models were fitted on those.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from aisle.errors import AisleError, ModelDamaged
from aisle.index.followers import DenseFollower
from aisle.learn.bi_encoder import BI_ENCODER
from aisle.ports import LexicalIndex, ModelStore, TextEncoder
from aisle.retrieve.hybrid import HybridRetriever
from aisle.serving.models_in_use import stored
from aisle.settings import SearchSettings

log = logging.getLogger("aisle")

_WIDER = 2
"""Times as many neighbours may join the hit set when they come of an encoder that was tuned on the shop."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An encoder with the follower of its index.

    `version` is the one of the model `bi_encoder`, empty for the settings' own;
    `cut` is the least cosine for a neighbour to join the hit set (None: the settings' own).
    """

    encoder: TextEncoder
    dense: DenseFollower
    version: str = ""
    cut: float | None = None


OpenPair = Callable[[Path], tuple[TextEncoder, DenseFollower]]
"""The encoder of a version's folder and a follower of its index, which begins at the last snapshot."""


class EncoderInUse:
    """Takes up the tuned encoder that is promoted. One thread follows, any number read `now`.

    `base` is the pair of the settings' encoder; without one, search goes on by
    words. `newest()` is the catalogue's newest change; `switched()` is called
    after another pair began to serve, with the names of the encoders that may
    be needed again.
    """

    def __init__(
        self,
        store: ModelStore,
        base: Pair | None,
        open_pair: OpenPair | None,
        newest: Callable[[], int],
        switched: Callable[[set[str]], None],
    ) -> None:
        self._store, self._base, self._open, self._newest, self._switched = store, base, open_pair, newest, switched
        self._next: Pair | None = None
        self._broken: dict[str, str] = {}
        self.hold: Callable[[], bool] = lambda: False
        self.now = base

    @property
    def tuned(self) -> bool:
        """Whether what serves is another encoder than the one in the settings."""
        return self.now is not None and self._base is not None and self.now.encoder.name != self._base.encoder.name

    @property
    def building(self) -> str:
        """The version whose index is being made; empty when there is none."""
        return self._next.version if self._next is not None else ""

    @property
    def behind(self) -> bool:
        """Whether a version that was promoted does not serve yet, and may."""
        promoted = self._store.promoted(BI_ENCODER)[:1]
        serving = self.now.version if self.now is not None else ""
        return bool(promoted) and promoted[0] != serving and promoted[0] not in self._broken

    @property
    def progress(self) -> tuple[int, int]:
        """How many products the next encoder has read, and of how many."""
        if self._next is None or self._base is None:
            return 0, 0
        return len(self._next.dense.dense), len(self._base.dense.dense)

    @property
    def followers(self) -> list[DenseFollower]:
        """What keeps vectors at the newest change: of the settings' encoder and, after it, of the one that serves."""
        if self._base is None or self.now is None:
            return []
        return [self._base.dense, *([self.now.dense] if self.now.dense is not self._base.dense else [])]

    def follow(self, *, read: bool = True) -> bool:
        """Do one bounded piece of work; True when there is more.

        Without `read` no product is read: what is complete already is switched to, and the rest is left to the next
        call. Raises ModelDamaged for a version that cannot be used, after everything else was done: the last good
        one serves.
        """
        if self._base is None or self._open is None:
            return False
        faults = self._look()
        more = False
        if read and self.now is not None and self.now.dense is not self._base.dense:
            more = self.now.dense.step()
        if self._next is not None:
            more = (read and self._next.dense.step()) or more
            if not more and complete(self._next.dense, self._newest()):
                self._switch(self._next)
        if faults:
            raise ModelDamaged("; ".join(faults))
        return more

    def snapshot(self, *, moved: bool = False) -> None:
        """Save the index of the tuned encoder; `moved` when snapshots have another, empty place now."""
        if self.now is not None and self._base is not None and self.now.dense is not self._base.dense:
            if moved:
                self.now.dense.moved()
            self.now.dense.snapshot(force=True)

    def _look(self) -> list[str]:
        """See what is promoted; a version that cannot be used leaves the one before it. Returns what is wrong."""
        try:
            promoted = self._store.promoted(BI_ENCODER)
        except (AisleError, OSError) as error:
            return [str(error)]
        self._broken = {version: why for version, why in self._broken.items() if version in promoted}
        serving = self.now.version if self.now is not None else ""
        for version in promoted:
            if version in self._broken:
                continue
            if version == serving:
                self._next = None
                break
            if version == self.building:
                break
            try:
                self._begin(version)
                break
            except (AisleError, OSError, KeyError, TypeError, ValueError) as error:
                self._broken[version] = f"model {BI_ENCODER} {version}: {error}"
        return list(self._broken.values())

    def _begin(self, version: str) -> None:
        fitted = stored(self._store, BI_ENCODER, version)  # its files are compared with their checksums
        cut = fitted.params.get("neighbour_cut")
        assert self._base is not None
        assert self._open is not None
        encoder, dense = self._open(self._store.folder(BI_ENCODER, version))
        if encoder.name == self._base.encoder.name:
            self._switch(replace(self._base, version=version))  # gone back to where the shop began
            return
        dense.hold = self.hold
        self._next = Pair(encoder, dense, version, None if cut is None else float(cut))
        log.info("encoder %s: reading the catalogue; the one before it serves until then", version)

    def _switch(self, pair: Pair) -> None:
        before, self.now, self._next = self.now, pair, None
        log.info("encoder %s serves: %s", pair.version, pair.encoder.name)
        pairs = (self._base, before, pair)
        self._switched({one.encoder.name for one in pairs if one is not None})
        self.snapshot()


def complete(follower: DenseFollower, newest: int) -> bool:
    """Whether the index holds every product as it is at the catalogue's change `newest`."""
    return follower.seq >= newest and not follower.n_waiting


def retriever_of(
    pair: Pair | None, lexical: LexicalIndex, encoder: TextEncoder | None, settings: SearchSettings
) -> HybridRetriever:
    """Search by words and by that pair's meaning; without one, by words and with an encoder that has no index."""
    if pair is None:
        return HybridRetriever(lexical, None, encoder, settings)
    if pair.cut is not None:
        wider = {"neighbour_cut": pair.cut, "neighbours": _WIDER * settings.neighbours}
        settings = settings.model_copy(update=wider)
    return HybridRetriever(lexical, pair.dense.dense, pair.encoder, settings)
