"""Each source keeps the contract and says what it should."""

import numpy as np
import pytest

from aisle.retrieve.for_you import ForYou
from aisle.retrieve.similar import Similar
from aisle.retrieve.together import Together
from aisle.retrieve.trending import Newest, Trending, TrendingCategory, within
from aisle.testing.recommender import RecommenderContract

from .conftest import Dense, csr, ords, shopper

POPULAR = (ords(8, 5, 1, 9, 13, 3), np.array([1, 0.8, 0.5, 0.4, 0.2, 0.1], np.float32))


class TestSimilar(RecommenderContract):
    @pytest.fixture
    def recommender(self, facts):
        return Similar(Dense(), lambda: facts)

    @pytest.fixture
    def known(self):
        return ords(3, 5)

    def test_the_nearest_of_the_same_category_comes_first(self, recommender):
        assert recommender.recommend(shopper(), ords(20), 3).ords[0] in {16, 24}

    def test_neighbours_are_kept_until_the_version_differs(self, facts):
        version, dense = [1], Dense()
        similar = Similar(dense, lambda: facts, version=lambda: version[0])
        similar.recommend(shopper(), ords(3), 5)
        similar.recommend(shopper(), ords(3), 5)
        assert dense.searches == 1
        version[0] = 2
        similar.recommend(shopper(), ords(3), 5)
        assert dense.searches == 2


class TestTogether(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        return Together("bought", *csr({3: [(5, 0.9), (7, 0.5)], 5: [(7, 0.6), (3, 0.2), (9, 0.1)]}))

    @pytest.fixture
    def known(self):
        return ords(3, 5)

    def test_adds_up_seeds_and_names_the_one_that_said_most(self, recommender):
        found = recommender.recommend(shopper(), ords(3, 5), 9)
        assert found.ords.tolist() == [7, 9]
        assert found.scores.tolist() == pytest.approx([1.1, 0.1])
        assert found.because.tolist() == [5, 5]

    def test_without_a_model_it_is_empty(self):
        assert len(Together.of("viewed", None).recommend(shopper([3]), ords(1), 5)) == 0
        assert len(Together.of("viewed", {}).recommend(shopper([3]), ords(1), 5)) == 0


class TestTrending(RecommenderContract):
    @pytest.fixture
    def recommender(self, facts):
        return Trending(lambda: POPULAR, lambda: facts)

    @pytest.fixture
    def known(self):
        return ords(8, 5)

    def test_is_filled_up_when_seeds_are_left_out(self, recommender):
        assert recommender.recommend(shopper(), ords(8), 2).ords.tolist() == [5, 1]


class TestTrendingCategory(RecommenderContract):
    @pytest.fixture
    def recommender(self, facts):
        return TrendingCategory(lambda: POPULAR, lambda: facts)

    @pytest.fixture
    def known(self):
        return ords(5, 8)

    def test_keeps_to_the_categories_of_the_seeds(self, recommender):
        found = recommender.recommend(shopper(), ords(5), 9).ords.tolist()
        assert found[:3] == [1, 9, 13]  # the popular ones first, then others of the same shelf
        assert {o % 4 for o in found} == {1}
        assert 5 not in found

    def test_a_named_category_takes_in_those_below_and_is_filled_with_quiet_products(self, facts):
        source = TrendingCategory(lambda: POPULAR, lambda: facts, "men>tops")
        found = source.recommend(shopper(), ords(), 12)
        assert found.ords.tolist()[:5] == [8, 5, 1, 9, 13]
        assert len(found) == 12
        assert set((found.ords % 4).tolist()) == {0, 1}
        RecommenderContract.check(found, source, ords(), 12)

    def test_an_unknown_category_is_empty(self, facts):
        assert len(TrendingCategory(lambda: POPULAR, lambda: facts, "Boats").recommend(shopper(), ords(), 5)) == 0
        assert within("Men > Top", facts).tolist() == []


class TestNewest(RecommenderContract):
    @pytest.fixture
    def recommender(self, facts):
        return Newest(lambda: facts)

    @pytest.fixture
    def known(self):
        return ords(3, 5)

    def test_takes_categories_in_turn_the_newest_of_each(self, recommender):
        assert sorted(recommender.recommend(shopper(), ords(), 4).ords.tolist()) == [36, 37, 38, 39]

    def test_shows_what_can_be_bought_and_has_a_picture_first(self, facts):
        facts.in_stock[39] = False
        facts.has_image[38] = False
        found = Newest(lambda: facts).recommend(shopper(), ords(), 40).ords.tolist()
        assert 39 not in found
        assert found[-1] == 38

    def test_follows_the_catalogue(self, facts, recommender):
        recommender.recommend(shopper(), ords(), 4)
        facts.alive[36:] = False
        facts.version += 1
        assert max(recommender.recommend(shopper(), ords(), 40).ords) == 35

    def test_an_empty_shop_shows_nothing(self, facts):
        facts.alive[:] = False
        assert len(Newest(lambda: facts).recommend(shopper(), ords(), 5)) == 0


class TestForYou(RecommenderContract):
    @pytest.fixture
    def recommender(self, facts):
        viewed = Together("viewed", *csr({3: [(30, 0.9), (5, 0.5)], 5: [(31, 0.6)]}))
        bought = Together("bought", *csr({3: [(32, 0.5)]}))
        return ForYou(viewed, bought, Similar(Dense(), lambda: facts))

    @pytest.fixture
    def known(self):
        return ords(3, 5)

    def test_leaves_out_what_the_shopper_knows_or_dislikes(self, recommender):
        known = shopper([3, 5], cart=[30], purchased=[31], disliked=[32])
        found = set(recommender.recommend(known, ords(), 50).ords.tolist())
        assert found
        assert not found & {3, 5, 30, 31, 32}

    def test_the_session_leads(self, facts):
        viewed = Together("viewed", *csr({3: [(30, 0.5)], 5: [(31, 0.5)]}))
        source = ForYou(viewed, Together.of("bought", None), None)
        assert source.recommend(shopper([3, 5], session=[3]), ords(), 5).ords.tolist() == [30, 31]
        assert source.recommend(shopper([5, 3], session=[5]), ords(), 5).ords.tolist() == [31, 30]
        assert source.recommend(shopper([5, 3], session=[5]), ords(), 5).because.tolist() == [5, 3]

    def test_a_shopper_without_history_gets_nothing_from_it(self, recommender):
        assert len(recommender.recommend(shopper(), ords(), 5)) == 0
