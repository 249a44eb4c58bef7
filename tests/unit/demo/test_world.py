"""The truth: probabilities, the oracle, the score."""

import numpy as np
import pytest

from aisle.demo.score import score_slates
from aisle.demo.world import DAY_MS, Need, examination
from aisle.errors import NotFound


def test_probabilities_are_probabilities(world):
    everything = np.arange(240)
    for p in (world.p_click(3, everything), world.p_cart(3, everything), world.p_purchase(3, everything)):
        assert p.shape == (240,)
        assert p.dtype == np.float32
        assert ((p >= 0) & (p <= 1)).all()
    assert (world.p_purchase(3, everything) <= world.p_cart(3, everything)).all()


def test_places_further_down_are_looked_at_less(world):
    seen = examination(np.arange(24))
    assert seen[0] == 1
    assert (np.diff(seen) < 0).all()
    ids = [world.group_id(n) for n in (4, 9)]
    first = world.p_click("shopper-00001", ids, position=np.array([0, 0]))
    later = world.p_click("shopper-00001", ids, position=np.array([8, 8]))
    assert (later < first).all()


def test_matched_tastes_click_more(world):
    """Shoppers click what fits their style more than the same kind of thing that does not."""
    goods, who = world.goods, world.shoppers
    fit = who.styles @ goods.styles.T
    p = np.stack([world.p_click(v, np.arange(240), world.start_ms) for v in range(300)])
    assert p[fit > np.quantile(fit, 0.9)].mean() > 1.5 * p[fit < np.quantile(fit, 0.1)].mean()


def test_a_need_directs_attention(world):
    kind = int(world.goods.kind[0])
    same, other = world.by_kind[kind], np.flatnonzero(world.goods.kind != kind)
    plain, needed = (np.mean(world.p_click(0, same, need=n)) for n in (None, Need(kind)))
    assert needed > plain
    assert np.mean(world.p_click(0, other, need=Need(kind))) < np.mean(world.p_click(0, other))


def test_ids_of_groups_and_variants_mean_the_same_thing(world):
    group = world.group_id(17)
    assert world.numbers([group, f"{group}-RED-M", "nonsense", "A99999"]).tolist() == [17, 17, -1, -1]
    assert world.p_click(0, ["nonsense"])[0] < 1e-6
    with pytest.raises(NotFound):
        world.p_click("somebody", [group])


def test_the_oracle_is_not_beaten(world):
    rng = np.random.default_rng(0)
    popular = world.popular_slate()
    for visitor in range(0, 300, 15):
        best = world.slate_value(visitor, world.oracle_slate(visitor))
        assert best >= world.slate_value(visitor, popular) - 1e-6
        in_stock = np.flatnonzero(world.goods.stock > 0)
        assert best >= world.slate_value(visitor, rng.choice(in_stock, 12, replace=False)) - 1e-6


def test_showing_the_same_thing_again_gains_nothing(world):
    one = world.oracle_slate(2, 1)
    assert world.slate_value(2, one * 5) == pytest.approx(world.slate_value(2, one))
    assert world.slate_value(2, []) == 0


def test_the_score_runs_from_popularity_to_the_oracle(world):
    popular = score_slates(world, lambda _: world.popular_slate(), n_shoppers=60)
    oracle = score_slates(world, world.oracle_slate, n_shoppers=60)
    nothing = score_slates(world, lambda _: [], n_shoppers=60)
    assert popular.score == pytest.approx(0, abs=1e-6)
    assert oracle.score == pytest.approx(1, abs=1e-6)
    assert nothing.score < 0
    assert oracle.n_shoppers == 60


def test_seasons_turn(world):
    winter, summer = (world.season(world.config.end_ms + days * DAY_MS) for days in (20, 230))
    kinds = world.goods.kind
    assert winter.shape == (62,)
    assert not np.allclose(winter, summer)
    assert np.isfinite(winter[kinds]).all()
