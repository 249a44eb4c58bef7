"""Neighbours by cosine: exact while the shop is small, an HNSW graph once it is not.

One copy of every vector is kept. While exact, it is an array; afterwards the
graph's own storage, read through a view. A row is never changed: an upsert adds
one and buries the old, and once the buried are a fair share of all the index is
rebuilt from the living.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import faiss as _typed_faiss
import numpy as np
from numpy.typing import NDArray

from aisle.adapters.faiss.snapshot import read_snapshot, write_snapshot
from aisle.errors import ModelDamaged
from aisle.types import Ords, Scores, Vectors

faiss: Any = _typed_faiss  # its shipped types lack half of what it exports

_LINKS = 32
_EF_CONSTRUCTION = 40
_SLICE = 64
"""Vectors added to the graph before searches get their turn again: some 10 ms of one core.

Slices are added by one thread: at this size a second one is slower than none on a busy machine.
"""


class FaissDenseIndex:
    """HNSW (Malkov and Yashunin, 2016) over unit vectors, with upserts and removals.

    `exact_below` living vectors the index compares with every one; `ef_search`
    is the beam of a graph search (at least `top_k`); `max_buried` the share of
    buried rows that starts a rebuild. Every method may be called from any
    thread: searches wait for a slice of an upsert at most, never for a rebuild.
    """

    def __init__(self, dim: int, *, exact_below: int = 5000, ef_search: int = 200, max_buried: float = 0.25) -> None:
        self.dim = dim
        self._exact_below, self._ef_search, self._max_buried = exact_below, ef_search, max_buried
        self._writer = threading.RLock()  # one upsert, removal, save or load at a time
        self._reader = threading.Lock()  # held for a search, a slice of an upsert, a swap
        self._array: Vectors = np.empty((0, dim), np.float32)  # while exact: rows beyond _n are spare
        self._graph: Any = None
        self._n = 0
        self._n_living = 0
        self._ord_of_row: Ords = np.empty(0, np.int32)  # -1: buried
        self._row_of_ord: Ords = np.empty(0, np.int32)  # -1: unknown
        self._living_filter: Any = None  # made when a graph with buried rows is first searched

    def __len__(self) -> int:
        return self._n_living

    # ------------------------------------------------------------------ reading

    def search(
        self, vector: Vectors, top_k: int, allowed: Ords | None = None, *, beam: int | None = None
    ) -> tuple[Ords, Scores]:
        """The nearest living, best first: int32[k], float32[k] with k <= top_k."""
        query = np.ascontiguousarray(vector, np.float32).reshape(self.dim)
        with self._reader:
            if top_k < 1 or self._n_living == 0:
                return np.empty(0, np.int32), np.empty(0, np.float32)
            if allowed is not None:
                rows = self._rows(np.unique(allowed))
                return self._exact(query, rows[rows >= 0], top_k)
            if self._graph is None:
                all_live = self._n_living == self._n
                living = None if all_live else np.flatnonzero(self._ord_of_row[: self._n] >= 0)
                return self._exact(query, living, top_k)
            return self._search_graph(query, min(top_k, self._n_living), self._ef_search if beam is None else beam)

    def vectors(self, ords: Ords) -> Vectors:
        """float32[n, dim]; a row of zeros for an unknown ord."""
        with self._reader:
            rows = self._rows(ords)
            if len(rows) and rows.min() >= 0:
                return self._view()[rows]
            found = np.zeros((len(rows), self.dim), np.float32)
            known = rows >= 0
            found[known] = self._view()[rows[known]]
            return found

    def _rows(self, ords: Ords) -> NDArray[np.int32]:
        """The row of each ord, -1 for unknown ones."""
        ords = np.asarray(ords, np.int32)
        inside = (ords >= 0) & (ords < len(self._row_of_ord))
        if inside.all():
            return self._row_of_ord[ords]
        rows = np.full(len(ords), -1, np.int32)
        rows[inside] = self._row_of_ord[ords[inside]]
        return rows

    def _view(self) -> Vectors:
        """All rows, without a copy; valid only while `_reader` is held, for growth moves them."""
        if self._graph is None:
            return self._array[: self._n]
        storage = faiss.downcast_index(self._graph.storage)
        view: Vectors = faiss.rev_swig_ptr(storage.get_xb(), self._n * self.dim).reshape(self._n, self.dim)
        return view

    def _exact(self, query: Vectors, rows: NDArray[Any] | None, top_k: int) -> tuple[Ords, Scores]:
        """Compare with those rows, or with all."""
        view = self._view()
        if rows is None or 2 * len(rows) > self._n:  # a product with everything beats gathering most of it
            scores = view @ query
            scores = scores if rows is None else scores[rows]
        else:
            scores = view[rows] @ query
        if len(scores) > top_k:
            best = np.argpartition(scores, len(scores) - top_k)[-top_k:]
            best = best[np.argsort(-scores[best], kind="stable")]
        else:
            best = np.argsort(-scores, kind="stable")
        return self._ord_of_row[best if rows is None else rows[best]], scores[best].astype(np.float32, copy=False)

    def _search_graph(self, query: Vectors, top_k: int, beam: int) -> tuple[Ords, Scores]:
        faiss.omp_set_num_threads(1)  # a setting of the calling thread; waking others costs more than a search
        options = faiss.SearchParametersHNSW(efSearch=max(beam, top_k))
        if self._n_living < self._n:
            if self._living_filter is None:
                bits = np.packbits(self._ord_of_row[: self._n] >= 0, bitorder="little")
                self._living_filter = faiss.IDSelectorBitmap(bits)
            options.sel = self._living_filter
        scores, rows = self._graph.search(query[None], top_k, params=options)
        found = rows[0] >= 0
        return self._ord_of_row[rows[0][found]], scores[0][found]

    # ------------------------------------------------------------------ writing

    def upsert(self, ords: Ords, vectors: Vectors) -> None:
        """Set the vectors float32[n, dim] of the ords int32[n]; the last of a repeated ord counts.

        A vector that is already there costs nothing.
        """
        vectors = np.ascontiguousarray(vectors, np.float32)
        ords = np.asarray(ords, np.int32)
        if vectors.shape != (len(ords), self.dim):
            raise ValueError(f"{len(ords)} ords need vectors of shape ({len(ords)}, {self.dim}), not {vectors.shape}")
        if not len(ords):
            return
        if ords.min() < 0:
            raise ValueError("an ord is never negative")
        with self._writer:
            last = len(ords) - 1 - np.unique(ords[::-1], return_index=True)[1]
            last.sort()
            ords, vectors = ords[last], vectors[last]
            changed = (self._rows(ords) < 0) | (self.vectors(ords) != vectors).any(axis=1)
            ords, vectors = ords[changed], vectors[changed]
            if self._graph is None and self._n_living + len(ords) >= self._exact_below:
                self._build_graph()
            self._make_room(len(ords), int(ords.max(initial=-1)) + 1)
            for start in range(0, len(ords), _SLICE):
                self._add(ords[start : start + _SLICE], vectors[start : start + _SLICE])
            self._rebuild_if_due()

    def remove(self, ords: Ords) -> None:
        """Forget those ords; unknown ones are ignored."""
        with self._writer:
            with self._reader:
                self._bury(np.unique(np.asarray(ords, np.int32)))
            self._rebuild_if_due()

    def _add(self, ords: Ords, vectors: Vectors) -> None:
        """Append rows; distinct ords only."""
        with self._reader:
            self._bury(ords)
            stop = self._n + len(ords)
            if self._graph is None:
                self._array[self._n : stop] = vectors
            else:
                faiss.omp_set_num_threads(1)
                self._graph.add(vectors)
            self._ord_of_row[self._n : stop] = ords
            self._row_of_ord[ords] = np.arange(self._n, stop, dtype=np.int32)
            self._n, self._n_living = stop, self._n_living + len(ords)
            self._living_filter = None

    def _bury(self, ords: Ords) -> None:
        rows = self._rows(ords)
        known = rows >= 0
        self._ord_of_row[rows[known]] = -1
        self._row_of_ord[ords[known]] = -1
        self._n_living -= int(known.sum())
        self._living_filter = None

    def _make_room(self, n_new: int, n_ords: int) -> None:
        with self._reader:
            if self._n + n_new > len(self._ord_of_row):
                capacity = max(self._n + n_new, len(self._ord_of_row) * 3 // 2, 64)
                self._ord_of_row = _grown(self._ord_of_row, capacity)
            if self._graph is None and self._n + n_new > len(self._array):
                array = np.empty((len(self._ord_of_row), self.dim), np.float32)
                array[: self._n] = self._array[: self._n]
                self._array = array
            if n_ords > len(self._row_of_ord):
                self._row_of_ord = _grown(self._row_of_ord, max(n_ords, len(self._row_of_ord) * 3 // 2))

    def _rebuild_if_due(self) -> None:
        n_buried = self._n - self._n_living
        if n_buried > 256 and n_buried > self._max_buried * self._n:
            if self._graph is not None and self._n_living >= self._exact_below:
                self._build_graph()
            else:
                self._build_array()

    def _build_graph(self) -> None:
        """A new graph of the living, made beside the present index and swapped in."""
        rows = np.flatnonzero(self._ord_of_row[: self._n] >= 0)
        graph = faiss.IndexHNSWFlat(self.dim, _LINKS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = _EF_CONSTRUCTION
        faiss.omp_set_num_threads(os.cpu_count() or 1)
        for start in range(0, len(rows), 4096):
            graph.add(self._view()[rows[start : start + 4096]])  # only this writer moves rows
        self._swap(graph, np.empty((0, self.dim), np.float32), self._ord_of_row[rows])

    def _build_array(self) -> None:
        rows = np.flatnonzero(self._ord_of_row[: self._n] >= 0)
        self._swap(None, self._view()[rows], self._ord_of_row[rows])

    def _swap(self, graph: Any, array: Vectors, ord_of_row: Ords) -> None:
        row_of_ord = np.full(max(len(self._row_of_ord), int(ord_of_row.max(initial=-1)) + 1), -1, np.int32)
        living = ord_of_row >= 0
        row_of_ord[ord_of_row[living]] = np.flatnonzero(living)
        with self._reader:
            self._graph, self._array = graph, array
            self._ord_of_row, self._row_of_ord = ord_of_row, row_of_ord
            self._n, self._n_living, self._living_filter = len(ord_of_row), int(living.sum()), None

    # ---------------------------------------------------------------- snapshots

    def save(self, folder: Path, seq: int) -> None:
        """Write a snapshot; the one that was there stays until the new one is whole. Raises StorageError."""
        with self._writer:  # searches go on: writing changes nothing
            array = None if self._graph is not None else self._array[: self._n]
            write_snapshot(folder, seq, self.dim, self._graph, array, self._ord_of_row[: self._n])

    def load(self, folder: Path) -> int:
        """Replace everything by a snapshot; returns its seq.

        Raises ModelDamaged when there is none, or it is truncated, altered or of another dimension;
        the index is then as it was.
        """
        with self._writer:
            snapshot = read_snapshot(folder)
            if snapshot.dim != self.dim:
                raise ModelDamaged(f"{folder}: vectors of {snapshot.dim} dimensions, but the encoder has {self.dim}")
            array = snapshot.array if snapshot.array is not None else np.empty((0, self.dim), np.float32)
            self._swap(snapshot.graph, array, snapshot.ord_of_row)
            return snapshot.seq


def _grown(array: Ords, size: int) -> Ords:
    wider = np.full(size, -1, np.int32)
    wider[: len(array)] = array
    return wider
