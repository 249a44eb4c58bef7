"""faiss fulfils the dense port, exact and as a graph."""

import numpy as np
import pytest

from aisle.adapters.faiss.index import FaissDenseIndex
from aisle.errors import ModelDamaged
from aisle.testing.dense import DIM, DenseIndexContract, ords, unit_vectors


class TestExactFaissIndex(DenseIndexContract):
    least_recall = 1.0

    @pytest.fixture
    def index(self):
        return FaissDenseIndex(DIM)

    @pytest.fixture
    def another(self):
        return FaissDenseIndex(DIM)


class TestFaissGraph(DenseIndexContract):
    @pytest.fixture
    def index(self):
        return FaissDenseIndex(DIM, exact_below=100)

    @pytest.fixture
    def another(self):
        return FaissDenseIndex(DIM, exact_below=100)


def test_a_shop_that_shrinks_is_searched_exactly_again():
    index, vectors = FaissDenseIndex(DIM, exact_below=500), unit_vectors(2000)
    index.upsert(np.arange(2000, dtype=np.int32), vectors)
    index.remove(np.arange(100, 2000, dtype=np.int32))
    query = unit_vectors(1, seed=4)[0]
    np.testing.assert_array_equal(index.search(query, 10)[0], np.argsort(-(vectors[:100] @ query))[:10])


def test_an_unchanged_vector_costs_no_row(tmp_path):
    index, vectors = FaissDenseIndex(DIM), unit_vectors(100)
    numbers = np.arange(100, dtype=np.int32)
    for seq in (1, 2):
        index.upsert(numbers, vectors)
        index.save(tmp_path / str(seq), seq)
    sizes = [sum(f.stat().st_size for f in (tmp_path / s).glob("*-*")) for s in ("1", "2")]
    assert sizes[0] == sizes[1]


def test_wrong_shapes_and_other_encoders_snapshots_are_refused(tmp_path):
    index = FaissDenseIndex(DIM)
    with pytest.raises(ValueError, match="shape"):
        index.upsert(ords(1), unit_vectors(1, dim=DIM + 1))
    with pytest.raises(ValueError, match="negative"):
        index.upsert(ords(-1), unit_vectors(1))
    index.upsert(ords(1), unit_vectors(1))
    index.save(tmp_path, 1)
    with pytest.raises(ModelDamaged, match="dimensions"):
        FaissDenseIndex(DIM + 1).load(tmp_path)


def test_only_the_newest_snapshot_takes_up_room(tmp_path):
    index = FaissDenseIndex(DIM)
    for seq in range(4):
        index.upsert(ords(seq), unit_vectors(1, seed=seq))
        index.save(tmp_path, seq)
    assert len(list(tmp_path.iterdir())) == 3
