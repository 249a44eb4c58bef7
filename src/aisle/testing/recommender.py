"""What every source of recommendations must hold to.

class TestMine(RecommenderContract):
    @pytest.fixture
    def recommender(self): return Mine(...)
    @pytest.fixture
    def known(self): return np.array([3, 5], np.int32)   # ords that the source has something to say about
"""

from __future__ import annotations

import numpy as np
import pytest

from aisle.ports import Recommender, Shopper
from aisle.types import Candidates, Ords


def new_shopper(visitor_id: str = "unknown") -> Shopper:
    """A visitor of whom nothing is known."""
    return Shopper(visitor_id, _none(), np.empty(0, np.float32), _none(), _none(), _none(), _none())


def shopper_after(recent: Ords) -> Shopper:
    """A visitor who looked at these, newest first, in the session going on."""
    weights = np.linspace(1, 0.5, len(recent), dtype=np.float32)
    return Shopper("known", recent, weights, recent, _none(), _none(), _none())


def _none() -> Ords:
    return np.empty(0, np.int32)


class RecommenderContract:
    """Override the two fixtures; inherit the tests."""

    @pytest.fixture
    def recommender(self) -> Recommender:
        raise NotImplementedError("give the recommender to test")

    @pytest.fixture
    def known(self) -> Ords:
        raise NotImplementedError("give ords that it has something to say about")

    @staticmethod
    def check(found: Candidates, recommender: Recommender, seeds: Ords, top_k: int) -> None:
        assert found.source == recommender.name
        assert found.ords.dtype == np.int32
        assert found.scores.dtype == np.float32
        assert len(found.ords) == len(found.scores) <= top_k
        assert len(set(found.ords.tolist())) == len(found), "an item is proposed once"
        assert (np.diff(found.scores) <= 0).all(), "best first"
        assert np.isfinite(found.scores).all()
        assert not np.isin(found.ords, seeds).any(), "a seed is never proposed for itself"
        assert (found.ords >= 0).all()
        if found.because is not None:
            assert found.because.dtype == np.int32
            assert len(found.because) == len(found)

    def test_fulfils_the_port(self, recommender: Recommender) -> None:
        assert isinstance(recommender, Recommender)
        assert recommender.name

    @pytest.mark.parametrize("top_k", [1, 5, 300])
    def test_has_something_to_say_about_what_it_knows(self, recommender: Recommender, known: Ords, top_k: int) -> None:
        found = recommender.recommend(shopper_after(known), known, top_k)
        assert len(found) > 0
        self.check(found, recommender, known, top_k)

    def test_history_alone_will_do(self, recommender: Recommender, known: Ords) -> None:
        self.check(recommender.recommend(shopper_after(known), _none(), 10), recommender, _none(), 10)

    def test_a_new_shopper_and_no_seed_is_no_error(self, recommender: Recommender) -> None:
        self.check(recommender.recommend(new_shopper(), _none(), 10), recommender, _none(), 10)

    @pytest.mark.parametrize("stranger", [-1, 10**6, 2**31 - 1])
    def test_unknown_ords_are_no_error(self, recommender: Recommender, known: Ords, stranger: int) -> None:
        odd = np.array([stranger], np.int32)
        both = np.concatenate([odd, known]).astype(np.int32)
        self.check(recommender.recommend(shopper_after(odd), odd, 10), recommender, odd, 10)
        self.check(recommender.recommend(shopper_after(both), both, 10), recommender, both, 10)

    def test_the_same_question_has_the_same_answer(self, recommender: Recommender, known: Ords) -> None:
        one, two = (recommender.recommend(shopper_after(known), known, 20) for _ in range(2))
        assert one.ords.tolist() == two.ords.tolist()
        assert one.scores.tolist() == two.scores.tolist()

    def test_an_answer_is_the_callers_own(self, recommender: Recommender, known: Ords) -> None:
        shopper, seeds = shopper_after(known), known.copy()
        before = recommender.recommend(shopper, seeds, 20)
        assert seeds.tolist() == known.tolist()
        kept = before.ords.tolist()
        recommender.recommend(new_shopper(), _none(), 3)
        assert before.ords.tolist() == kept
