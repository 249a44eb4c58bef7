"""Products that come and go after a model was fitted."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from aisle.adapters.faiss.index import FaissDenseIndex
from aisle.ports import Shopper
from aisle.retrieve.arriving import Arriving
from aisle.retrieve.content import Content
from aisle.types import Ords, Vectors

NOBODY = Shopper.of_sequence(np.array([0], np.int32))
NONE = np.empty(0, np.int32)


def unit(ords: Ords) -> Vectors:
    """Neighbouring numbers lie near each other."""
    angle = np.asarray(ords, np.float32) / 50
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


class Catalogue:
    def __init__(self, n: int) -> None:
        self.alive, self.version, self.unread = np.ones(n, bool), 1, set[int]()
        self.index = FaissDenseIndex(2)
        self.index.upsert(np.arange(n, dtype=np.int32), unit(np.arange(n)))
        self.source = Arriving(Content(self.index), self.index, lambda: self, self.encode, lambda: self.version)  # type: ignore[arg-type, return-value]
        self.n_encoded = 0

    def encode(self, ords: Ords) -> Vectors:
        self.n_encoded += len(ords)
        return unit(ords) * np.array([o not in self.unread for o in ords.tolist()])[:, None]

    def found(self) -> list[int]:
        return sorted(self.source.recommend(NOBODY, NONE, 50).ords.tolist())


@pytest.fixture
def catalogue() -> Catalogue:
    made = Catalogue(4)
    made.source.keep_up()
    return made


def test_a_product_that_came_later_is_proposed(catalogue: Catalogue) -> None:
    assert catalogue.found() == [1, 2, 3]
    catalogue.alive, catalogue.version = np.ones(6, bool), 2
    catalogue.source.keep_up()
    assert catalogue.found() == [1, 2, 3, 4, 5]
    assert catalogue.n_encoded == 2
    catalogue.source.keep_up()
    assert catalogue.n_encoded == 2


def test_one_that_went_is_not(catalogue: Catalogue) -> None:
    catalogue.alive[2], catalogue.version = False, 2
    catalogue.source.keep_up()
    assert catalogue.found() == [1, 3]


def test_one_that_cannot_be_read_yet_is_tried_again(catalogue: Catalogue) -> None:
    catalogue.alive, catalogue.version, catalogue.unread = np.ones(5, bool), 2, {4}
    catalogue.source.keep_up()
    assert catalogue.found() == [1, 2, 3]
    catalogue.version, catalogue.unread = 3, set()
    catalogue.source.keep_up()
    assert catalogue.found() == [1, 2, 3, 4]


def test_what_takes_long_to_load_is_silent_until_then() -> None:
    index = FaissDenseIndex(2)
    facts = SimpleNamespace(alive=np.ones(4, bool))

    def load() -> None:
        index.upsert(np.arange(4, dtype=np.int32), unit(np.arange(4)))

    source = Arriving(Content(index), index, lambda: facts, unit, lambda: 1, load)  # type: ignore[arg-type, return-value]
    assert len(source.recommend(NOBODY, NONE, 10)) == 0
    source.keep_up()
    assert sorted(source.recommend(NOBODY, NONE, 10).ords.tolist()) == [1, 2, 3]
