"""Words and meaning together, and words alone when meaning cannot help."""

import numpy as np
import pytest

from aisle.errors import ModelError
from aisle.ports import LexicalResult
from aisle.rank.blend import blend
from aisle.retrieve.hybrid import HybridRetriever
from aisle.settings import SearchSettings
from aisle.types import Clause, Query, Understood


class Encoder:
    name, dim = "axes", 3

    def __init__(self):
        self.n_calls, self.error = 0, None

    def knows(self, word):
        return False

    def covers(self, language):
        return language == "en"

    def encode(self, texts):
        self.n_calls += 1
        if self.error:
            raise self.error
        return np.tile(np.array([1, 0, 0], np.float32), (len(texts), 1))


class Dense:
    rows = np.array([[1, 0, 0], [0.8, 0.6, 0], [0.3, 0.954, 0], [0, 0, 1]], np.float32)
    error = None

    def __len__(self):
        return len(self.rows)

    def search(self, vector, top_k, allowed=None, *, beam=None):
        if self.error:
            raise self.error
        scores = self.rows @ vector
        best = np.argsort(-scores)[:top_k].astype(np.int32)
        return best, scores[best]

    def vectors(self, ords):
        return self.rows[ords]


class Lexical:
    def search(self, query, **asked):
        if asked["neighbours"] is not None:
            asked["neighbours"] = asked["neighbours"]()
        self.asked = asked
        neighbours = asked["neighbours"] if asked["neighbours"] is not None else []
        found = np.unique([2, 3, *neighbours]).astype(np.int32)
        scores = np.where(found >= 2, 4.0, 0.0).astype(np.float32)
        return LexicalResult(found, scores, len(found), {"color": ()}, matched=found >= 2)


@pytest.fixture
def shop():
    lexical, dense, encoder = Lexical(), Dense(), Encoder()
    settings = SearchSettings(neighbours=3, neighbour_cut=0.5)
    return lexical, dense, encoder, HybridRetriever(lexical, dense, encoder, settings)


SOFA = Query("sofa", semantic_text="sofa")


def test_neighbours_above_the_cut_join_and_all_get_both_scores(shop):
    lexical, _, _, retriever = shop
    found = retriever.retrieve(SOFA, facets=("color",), top_k=50)
    assert lexical.asked["neighbours"].tolist() == [0, 1]
    assert found.ords.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.cosine, [1, 0.8, 0.3, 0], atol=1e-6)
    assert found.matched.tolist() == [False, False, True, True]
    assert (found.n_hits, found.vector is not None, found.degraded, lexical.asked["top_k"]) == (4, True, (), 50)


def test_what_was_understood_and_what_was_asked_both_filter(shop):
    lexical, _, _, retriever = shop
    price, color = Clause("price", high=60), Clause("color", ("Red",))
    query = Query("sofa", semantic_text="sofa", understood=(Understood("price", "under 60", price, hard=True),))
    retriever.retrieve(query, filters=(color,), sort="price_asc", offset=24)
    assert lexical.asked["filters"] == (price, color)
    assert (lexical.asked["sort"], lexical.asked["offset"]) == ("price_asc", 24)


def test_a_repeated_query_is_encoded_once(shop):
    _, _, encoder, retriever = shop
    for _ in range(3):
        retriever.retrieve(SOFA)
    assert encoder.n_calls == 1


@pytest.mark.parametrize(
    "query", [Query("沙发", "zh", semantic_text="沙发"), Query(""), Query("  ", semantic_text=" ")]
)
def test_meaning_stays_out_of_what_it_cannot_read(shop, query):
    lexical, _, encoder, retriever = shop
    found = retriever.retrieve(query)
    assert (encoder.n_calls, lexical.asked["neighbours"], found.vector, found.degraded) == (0, None, None, ())
    assert not found.cosine.any()


def test_without_encoder_or_vectors_search_is_lexical(shop):
    lexical, dense, encoder, _ = shop
    dense.rows = np.empty((0, 3), np.float32)
    for retriever in (
        HybridRetriever(lexical, dense, encoder, SearchSettings()),
        HybridRetriever(lexical, None, encoder, SearchSettings()),
        HybridRetriever(lexical, dense, None, SearchSettings()),
    ):
        found = retriever.retrieve(SOFA)
        assert (found.ords.tolist(), found.vector is None, found.degraded) == ([2, 3], True, ())


def test_a_failing_part_makes_a_plainer_answer(shop):
    _, dense, encoder, retriever = shop
    encoder.error = ModelError("broken")
    found = retriever.retrieve(SOFA)
    assert (found.ords.tolist(), found.degraded) == ([2, 3], ("encoder",))
    encoder.error, dense.error = None, RuntimeError("broken")
    found = retriever.retrieve(SOFA)
    assert (found.ords.tolist(), found.degraded) == ([2, 3], ("dense",))


def test_blending_weighs_words_against_meaning():
    bm25, cosine = np.array([8, 4, 0], np.float32), np.array([0.1, 0.9, 0.8], np.float32)
    assert np.argsort(-blend(bm25, cosine, weight=0.0)).tolist() == [0, 1, 2]
    assert np.argsort(-blend(bm25, cosine, weight=1.0)).tolist() == [1, 2, 0]
    np.testing.assert_allclose(blend(bm25, cosine, weight=0.5), [0.55, 0.7, 0.4], atol=1e-6)
    matched = np.array([True, False, True])
    found = blend(bm25, cosine, weight=0.5, matched=matched, bonus=0.2)
    np.testing.assert_allclose(found, [0.75, 0.7, 0.6], atol=1e-6)


def test_blending_ignores_the_scale_of_bm25_and_knows_nothing_of_nothing():
    bm25, cosine = np.array([8, 4, 0], np.float32), np.array([0.1, 0.9, 0.8], np.float32)
    np.testing.assert_allclose(blend(bm25, cosine, weight=0.3), blend(bm25 * 7, cosine, weight=0.3), atol=1e-6)
    nothing = np.zeros(3, np.float32)
    np.testing.assert_array_equal(blend(nothing, nothing, weight=0.5), nothing)
    assert blend(nothing[:0], nothing[:0], weight=0.5).shape == (0,)
