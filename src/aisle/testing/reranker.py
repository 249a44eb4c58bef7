"""What every reranker must hold to.

class TestMine(RerankerContract):
    @pytest.fixture
    def reranker(self): return Mine(...)
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from aisle.ports import Reranker

TEXTS = (
    "red hoodie",
    "",
    "watch",
    "\x00\x07\u202e control",
    "half an emoji \ud83d",
    "café 红色连帽衫",
    "blue hoodie for men",
)


class RerankerContract:
    """Override the fixture; inherit the tests."""

    tolerance = 1e-3
    """Largest difference of a score between a text scored alone and among others."""

    @pytest.fixture
    def reranker(self) -> Reranker:
        raise NotImplementedError("give the reranker to test")

    def test_gives_a_finite_score_a_text(self, reranker: Reranker) -> None:
        assert isinstance(reranker, Reranker)
        for query in ("hoodie", "", "half an emoji \ud83d", "x" * 100_000):
            scores = reranker.score(query, TEXTS)
            assert scores.shape == (len(TEXTS),)
            assert scores.dtype == np.float32
            assert np.isfinite(scores).all()

    def test_no_texts_give_no_scores(self, reranker: Reranker) -> None:
        assert reranker.score("hoodie", []).shape == (0,)

    def test_a_text_has_the_same_score_in_any_company(self, reranker: Reranker) -> None:
        together = reranker.score("red hoodie", TEXTS)
        alone = np.concatenate([reranker.score("red hoodie", [text]) for text in TEXTS])
        np.testing.assert_allclose(together, alone, atol=self.tolerance)

    def test_what_stands_beyond_its_reach_changes_nothing(self, reranker: Reranker) -> None:
        long, longer = reranker.score("red hoodie", ["blue watch " * 20_000, "blue watch " * 40_000])
        assert abs(long - longer) <= self.tolerance

    def test_is_the_same_from_many_threads(self, reranker: Reranker) -> None:
        expected = reranker.score("red hoodie", TEXTS)
        with ThreadPoolExecutor(4) as threads:
            for found in threads.map(lambda _: reranker.score("red hoodie", TEXTS), range(8)):
                np.testing.assert_allclose(found, expected, atol=self.tolerance)
