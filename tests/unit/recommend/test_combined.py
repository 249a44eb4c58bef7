"""The learned combination as a source: what a shopper sees of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aisle.ports import Shopper
from aisle.rank.combine import Combination, column_names
from aisle.retrieve.combined import Combined
from aisle.types import Candidates, Ords


class Fixed:
    """Always proposes the same, because of the same."""

    def __init__(self, name: str, ords: list[int], because: list[int] | None = None) -> None:
        self.name = name
        scores = np.linspace(1, 0.1, len(ords), dtype=np.float32)
        led = None if because is None else np.array(because, np.int32)
        self._candidates = Candidates(name, np.array(ords, np.int32), scores, led)

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        return self._candidates


def combination(weights: Mapping[str, float]) -> Combination:
    names = column_names(("a", "b"))
    return Combination(("a", "b"), np.array([weights.get(n, 0.0) for n in names], np.float32), np.zeros(50, np.float32))


NOTHING = np.empty(0, np.int32)
SHOPPER = Shopper.of_sequence(np.array([1, 2], np.int32))
SOURCES = {"a": Fixed("a", [10, 11, 2], [1, 2, 1]), "b": Fixed("b", [11, 12, 10])}
PLACE = {"a.place": 1.0, "b.place": 2.0}


def test_it_follows_the_weights_and_never_shows_what_is_open_just_now() -> None:
    found = Combined(combination(PLACE), SOURCES).recommend(SHOPPER, NOTHING, 10)
    assert found.source == "for_you"
    assert found.ords.tolist() == [11, 10, 12]
    assert (found.scores > 0).all()
    assert found.scores.sum() <= 1


def test_each_product_names_the_step_that_led_to_it() -> None:
    found = Combined(combination(PLACE), SOURCES).recommend(SHOPPER, NOTHING, 10)
    assert found.because is not None
    assert found.because.tolist() == [2, 1, -1]


def test_it_does_without_a_source_that_is_missing() -> None:
    found = Combined(combination(PLACE), {"b": SOURCES["b"]}).recommend(SHOPPER, NOTHING, 10)
    assert found.ords.tolist() == [11, 12, 10]
    assert len(Combined(combination(PLACE), {}).recommend(SHOPPER, NOTHING, 10)) == 0


def test_a_new_shopper_has_no_next_step_yet() -> None:
    nobody = Shopper.of_sequence(NOTHING)
    asked = Combined(combination(PLACE), SOURCES)
    assert len(asked.recommend(nobody, NOTHING, 10)) == 0
    assert asked.recommend(nobody, np.array([11], np.int32), 10).ords.tolist() == [10, 12, 2]
