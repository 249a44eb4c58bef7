"""Going back is learnt: in some shops everybody does, in others nobody."""

import numpy as np
import pytest

from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.repeats import Repeating, earns, fit_repeats
from aisle.learn.repurchase import Repurchasing, fit_repurchase
from aisle.ports import Shopper
from aisle.retrieve.repeats import BuyAgain, Repeats
from aisle.testing.recommender import RecommenderContract, new_shopper

from .conftest import ords

DAY = 86_400_000
NOW = 1_700_000_000_000


def after(*steps):
    return Shopper.of_sequence(ords(*steps))


def to_and_fro(n=1000, seed=0):
    """Half go back to the step before the last, the others on to something new; product 0 is never returned to."""
    rng = np.random.default_rng(seed)
    lists = []
    for _ in range(n):
        a, b, c, d = (rng.permutation(40)[:4] + 1).tolist()
        lists.append([0, a, b, a if rng.random() < 0.5 else c, d])
    return Interactions.of_sequences(lists)


@pytest.fixture(scope="module")
def model():
    return Repeating.of(fit_repeats(to_and_fro()).arrays)


class TestRepeats(RecommenderContract):
    @pytest.fixture
    def recommender(self, model):
        return Repeats(model)

    @pytest.fixture
    def known(self):
        return ords(3, 5)

    def test_has_something_to_say_about_what_it_knows(self, recommender, known):
        found = recommender.recommend(after(1, 3, 5), ords(5), 5)  # of seeds alone, which are never proposed, nothing
        assert found.ords.tolist()[0] == 3
        self.check(found, recommender, ords(5), 5)

    def test_scores_are_probabilities_of_the_next_step(self, recommender):
        found = recommender.recommend(after(0, 7, 8), ords(), 5)
        assert found.ords.tolist()[0] == 7
        assert found.scores[0] == pytest.approx(0.5, abs=0.12)
        assert recommender.rate(after(0, 7, 8)) == pytest.approx(float(found.scores.sum()), abs=0.01)
        assert recommender.rate(new_shopper()) == 0

    def test_a_product_nobody_returns_to_is_told_from_the_others(self, recommender):
        returned = recommender.recommend(after(1, 7, 8), ords(), 5).scores[0]
        never = recommender.recommend(after(1, 0, 8), ords(), 5)
        assert never.scores[never.ords == 0].sum() < returned / 2

    def test_without_a_model_it_is_empty(self):
        assert len(Repeats(None).recommend(after(1, 2), ords(), 5)) == 0
        assert Repeats(None).rate(after(1, 2)) == 0


def test_where_nobody_goes_back_nothing_is_proposed():
    rng = np.random.default_rng(1)
    fitted = fit_repeats(Interactions.of_sequences([rng.permutation(3000)[:5].tolist() for _ in range(2000)]))
    assert not earns(fitted.metrics)
    assert Repeats(Repeating.of(fitted.arrays)).rate(after(1, 2, 3)) < 0.005


def test_the_promised_share_is_the_real_one():
    metrics = fit_repeats(to_and_fro(2000)).metrics
    assert metrics["rate_foretold"] == pytest.approx(metrics["rate"], abs=0.03)
    assert earns(metrics)


def test_a_category_that_is_gone_back_to_lends_its_rate_to_a_new_product():
    rng = np.random.default_rng(2)
    lists = []
    for _ in range(600):
        often, seldom = int(rng.integers(0, 50)), int(rng.integers(60, 110))
        lists.append([often, seldom, often if rng.random() < 0.7 else int(rng.integers(200, 300))])
    category = np.full(300, -1, np.int32)
    category[:60], category[60:120] = 0, 1
    model = Repeating.of(fit_repeats(Interactions.of_sequences(lists), ItemTable.blank(300, category=category)).arrays)
    often = Repeats(model).recommend(after(55, 250), ords(), 5)
    seldom = Repeats(model).recommend(after(115, 250), ords(), 5)
    assert often.scores[often.ords == 55] > 2 * seldom.scores[seldom.ords == 115].sum()


def test_a_reload_is_no_return_unless_it_is_asked_for():
    rng = np.random.default_rng(3)
    lists = [[int(a), int(a), int(b)] for a, b in rng.integers(0, 500, (600, 2))]
    with_reloads = Repeating.of(fit_repeats(Interactions.of_sequences(lists)).arrays)
    without = Repeating.of(fit_repeats(Interactions.of_sequences(lists), reloads=False).arrays)
    assert Repeats(with_reloads).recommend(after(9), ords(), 5).ords.tolist() == [9]
    assert len(Repeats(without).recommend(after(9), ords(), 5)) == 0


def test_too_little_is_told():
    assert fit_repeats(Interactions.of_sequences([])) is None
    assert fit_repeats(Interactions.of_sequences([[1, 1]])) is None
    assert fit_repurchase(Interactions.of_sequences([])) is None
    assert fit_repurchase(Interactions.of_sequences([[1, 1]] * 100)) is None


# ----------------------------------------------------------------- buy again


def orders(rows):
    """Purchases from (visitor, ord, day), sorted."""
    rows = sorted(rows, key=lambda row: (row[0], row[2]))
    visitor, items, days = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    return Interactions(
        visitor.astype(np.int32), np.arange(n), items.astype(np.int32), (NOW + days * DAY).astype(np.int64),
        np.full(n, 5, np.float32), np.ones(n, bool),
    )  # fmt: skip


def coffee_and_kettles():
    """Coffee (1) every month, tea (2) every two months, kettles (3) once."""
    rows = []
    for visitor in range(60):
        rows += [(visitor, 1, visitor % 5 + 30 * n) for n in range(8)]
        rows += [(visitor, 2, visitor % 7 + 60 * n) for n in range(4)]
        rows += [(visitor, 3, visitor % 9)]
    return orders(rows)


def bought(*steps, now_day):
    """A shopper after purchases (ord, day), asked on a day."""
    items, days = (np.array(column) for column in zip(*steps, strict=True))
    shopper = Shopper(
        "v", ords(), np.empty(0, np.float32), ords(), ords(), ords(), ords(),
        sequence=items.astype(np.int32), sequence_ms=(NOW + days * DAY).astype(np.int64),
        strengths=np.full(len(items), 5, np.float32),
    )  # fmt: skip
    fitted = fit_repurchase(coffee_and_kettles())
    return BuyAgain(Repurchasing.of(fitted.arrays), lambda: NOW + now_day * DAY), shopper


def test_what_is_due_comes_first_and_what_is_bought_once_last():
    source, shopper = bought((1, 0), (2, 0), (3, 0), now_day=28)
    found = source.recommend(shopper, ords(), 5)
    assert found.ords.tolist()[0] == 1
    assert found.scores[0] > 0.3
    assert found.scores[found.ords == 3].sum() < 0.05
    source, shopper = bought((1, 55), (2, 0), (3, 0), now_day=58)
    assert source.recommend(shopper, ords(), 5).ords.tolist()[0] == 2
    RecommenderContract.check(source.recommend(shopper, ords(2), 5), source, ords(2), 5)


def test_a_view_is_no_purchase():
    source, shopper = bought((1, 0), now_day=30)
    viewed = Shopper.of_sequence(shopper.sequence)
    assert len(source.recommend(viewed, ords(), 5)) == 0
    assert len(source.recommend(new_shopper(), ords(), 5)) == 0
    assert len(BuyAgain(None).recommend(shopper, ords(), 5)) == 0
