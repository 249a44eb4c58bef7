"""What every dense index must hold to.

class TestMine(DenseIndexContract):
    @pytest.fixture
    def index(self): return Mine(dim=DIM)      # empty
    @pytest.fixture
    def another(self): return Mine(dim=DIM)    # empty too: snapshots are loaded into it
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from aisle.errors import ModelDamaged
from aisle.ports import DenseIndex
from aisle.types import Ords, Vectors

DIM = 24


def unit_vectors(n: int, seed: int = 0, dim: int = DIM) -> Vectors:
    """float32[n, dim], rows of length 1 in random directions."""
    drawn = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return drawn


def ords(*values: int) -> Ords:
    return np.array(values, np.int32)


class DenseIndexContract:
    """Override the two fixtures; inherit the tests."""

    least_recall = 0.95
    """Share of the true neighbours that a search over everything must find."""

    @pytest.fixture
    def index(self) -> DenseIndex:
        raise NotImplementedError("give an empty index of dimension DIM")

    @pytest.fixture
    def another(self) -> DenseIndex:
        raise NotImplementedError("give a second empty index of dimension DIM")

    def test_is_empty_at_first(self, index: DenseIndex) -> None:
        assert isinstance(index, DenseIndex)
        found, scores = index.search(unit_vectors(1)[0], 5)
        assert (len(index), len(found), len(scores)) == (0, 0, 0)
        assert not index.vectors(ords(0, 7)).any()
        index.remove(ords(3))
        index.upsert(ords(), np.empty((0, DIM), np.float32))
        assert len(index) == 0

    def test_finds_the_nearest_best_first(self, index: DenseIndex) -> None:
        vectors = unit_vectors(1500)
        numbers = np.arange(1500, dtype=np.int32) * 3
        index.upsert(numbers, vectors)
        overlap = []
        for query in unit_vectors(20, seed=1):
            found, scores = index.search(query, 10)
            assert found.dtype == np.int32
            assert scores.dtype == np.float32
            assert len(found) == len(set(found.tolist())) == 10
            assert (np.diff(scores) <= 0).all()
            np.testing.assert_allclose(scores, vectors[found // 3] @ query, atol=1e-5)
            overlap.append(len(set(found.tolist()) & set(numbers[np.argsort(-(vectors @ query))[:10]].tolist())))
        assert np.mean(overlap) / 10 >= self.least_recall

    def test_gives_vectors_back_in_the_order_asked_for(self, index: DenseIndex) -> None:
        vectors = unit_vectors(300)
        index.upsert(np.arange(300, dtype=np.int32), vectors)
        np.testing.assert_array_equal(index.vectors(ords(7, 299, 7, 0)), vectors[[7, 299, 7, 0]])
        found = index.vectors(ords(5, 300, -1, 1_000_000))
        np.testing.assert_array_equal(found[0], vectors[5])
        assert not found[1:].any()

    def test_an_upsert_replaces(self, index: DenseIndex) -> None:
        vectors = unit_vectors(400)
        index.upsert(np.arange(400, dtype=np.int32), vectors)
        index.upsert(ords(3), -vectors[3:4])
        assert len(index) == 400
        np.testing.assert_array_equal(index.vectors(ords(3))[0], -vectors[3])
        assert index.search(vectors[3], 1)[0].tolist() != [3]
        assert index.search(-vectors[3], 1)[0].tolist() == [3]

    def test_the_last_of_a_repeated_ord_counts(self, index: DenseIndex) -> None:
        vectors = unit_vectors(3)
        index.upsert(ords(1, 2, 1), vectors)
        assert len(index) == 2
        np.testing.assert_array_equal(index.vectors(ords(1, 2)), vectors[[2, 1]])

    def test_what_is_removed_is_gone_and_may_come_back(self, index: DenseIndex) -> None:
        vectors = unit_vectors(500)
        index.upsert(np.arange(500, dtype=np.int32), vectors)
        index.remove(np.arange(0, 500, 2, dtype=np.int32))
        index.remove(ords(0, 9999))
        assert len(index) == 250
        for query in unit_vectors(10, seed=2):
            assert (index.search(query, 30)[0] % 2 == 1).all()
        assert not index.vectors(ords(10)).any()
        index.upsert(ords(10), vectors[10:11])
        assert index.search(vectors[10], 1)[0].tolist() == [10]

    def test_confined_search_is_exact(self, index: DenseIndex) -> None:
        vectors = unit_vectors(1200)
        index.upsert(np.arange(1200, dtype=np.int32), vectors)
        query = unit_vectors(1, seed=3)[0]
        for allowed in (np.arange(0, 1200, 40, dtype=np.int32), np.arange(1100, dtype=np.int32)):
            expected = allowed[np.argsort(-(vectors[allowed] @ query))[:7]]
            np.testing.assert_array_equal(index.search(query, 7, allowed)[0], expected)
        assert index.search(query, 7, ords())[0].tolist() == []
        assert index.search(query, 7, ords(5, 5, 77_777))[0].tolist() == [5]

    def test_asks_for_more_than_there_is(self, index: DenseIndex) -> None:
        index.upsert(ords(4, 5), unit_vectors(2))
        assert sorted(index.search(unit_vectors(1)[0], 100)[0].tolist()) == [4, 5]
        assert len(index.search(unit_vectors(1)[0], 0)[0]) == 0

    def test_many_changes_leave_the_newest_state(self, index: DenseIndex) -> None:
        numbers = np.arange(300, dtype=np.int32)
        for seed in range(12):
            index.upsert(numbers, unit_vectors(300, seed))
        newest = unit_vectors(300, 11)
        assert len(index) == 300
        np.testing.assert_array_equal(index.vectors(numbers), newest)
        assert [int(index.search(v, 1)[0][0]) for v in newest[:40]] == list(range(40))

    def test_searches_go_on_during_upserts(self, index: DenseIndex) -> None:
        vectors = unit_vectors(2000)
        index.upsert(np.arange(50, dtype=np.int32), vectors[:50])
        faults: list[BaseException] = []
        done = threading.Event()

        def search() -> None:
            try:
                while not done.is_set():
                    found, scores = index.search(vectors[7], 5)
                    assert found[0] == 7
                    assert scores[0] > 0.999
                    np.testing.assert_array_equal(index.vectors(ords(7))[0], vectors[7])
            except BaseException as fault:
                faults.append(fault)

        searchers = [threading.Thread(target=search) for _ in range(2)]
        for searcher in searchers:
            searcher.start()
        for start in range(50, 2000, 150):
            stop = min(start + 150, 2000)
            index.upsert(np.arange(start, stop, dtype=np.int32), vectors[start:stop])
            index.remove(np.arange(start, start + 60, dtype=np.int32))
        done.set()
        for searcher in searchers:
            searcher.join()
        assert faults == []

    # ------------------------------------------------------------- snapshots

    def test_a_snapshot_brings_everything_back(self, index: DenseIndex, another: DenseIndex, tmp_path: Path) -> None:
        vectors = unit_vectors(600)
        index.upsert(np.arange(600, dtype=np.int32), vectors)
        index.remove(ords(5))
        index.save(tmp_path / "dense", 41)
        index.upsert(ords(5), vectors[5:6])
        index.save(tmp_path / "dense", 42)
        index.remove(ords(6))
        another.upsert(ords(9000), vectors[:1])
        assert another.load(tmp_path / "dense") == 42
        assert len(another) == 600
        np.testing.assert_array_equal(another.vectors(ords(5, 6, 9000))[:2], vectors[5:7])
        assert not another.vectors(ords(9000)).any()
        another.upsert(ords(600), -vectors[:1])
        assert another.search(-vectors[0], 1)[0].tolist() == [600]

    def test_an_empty_index_can_be_saved(self, index: DenseIndex, another: DenseIndex, tmp_path: Path) -> None:
        index.save(tmp_path, 3)
        assert another.load(tmp_path) == 3
        assert len(another) == 0

    def test_a_damaged_snapshot_is_refused(self, index: DenseIndex, another: DenseIndex, tmp_path: Path) -> None:
        with pytest.raises(ModelDamaged):
            another.load(tmp_path / "nothing")
        index.upsert(np.arange(400, dtype=np.int32), unit_vectors(400))
        index.save(tmp_path / "dense", 1)
        another.upsert(ords(8), unit_vectors(1))
        for file in sorted((tmp_path / "dense").iterdir()):
            whole = file.read_bytes()
            for damaged in (whole[: len(whole) // 2], b"", whole[:-4] + b"\xff\x00\xff\x00"):
                file.write_bytes(damaged)
                with pytest.raises(ModelDamaged):
                    another.load(tmp_path / "dense")
            file.write_bytes(whole)
        assert index.vectors(ords(8)).any()
        assert len(another) == 1
        assert another.load(tmp_path / "dense") == 1
