"""Exploration: rare, at the end of the page, and with the odds that it says."""

import numpy as np
import pytest

from aisle.rank.explore import HOUR_MS, explore, n_wanted


def pages(share, *, top_k=12, n=2000):
    ranked = n_wanted(top_k, "home", share)
    return [explore(ranked, top_k, share, f"visitor {number}", 0) for number in range(n)]


def test_the_first_places_are_never_given_away():
    for places, odds in pages(0.5):
        assert places[:8].tolist() == list(range(8))
        assert odds[:8] == (1.0,) * 8
        assert len(set(places.tolist())) == 12


def test_logged_odds_are_those_of_the_lot():
    found = pages(0.3)
    for place in range(8, 12):
        kept = np.mean([places[place] == place for places, _ in found])
        assert kept == pytest.approx(0.7, abs=0.04)
    weights = [sum(1 / odd for odd in odds) for _, odds in found]
    # Weighing by inverse odds counts every product that could have stood there: once for the page, once a candidate.
    assert np.mean(weights) == pytest.approx(8 + 4 * (1 + 4), rel=0.05)


def test_a_page_read_again_is_the_page_that_was_read_and_changes_with_the_hour():
    first = [explore(28, 12, 0.5, "v", hour * HOUR_MS)[0].tolist() for hour in range(30)]
    again = [explore(28, 12, 0.5, "v", hour * HOUR_MS + 1000)[0].tolist() for hour in range(30)]
    assert first == again
    assert len({tuple(page) for page in first}) > 5


@pytest.mark.parametrize(
    ("share", "visitor", "n_ranked"), [(0.0, "v", 40), (0.5, "", 40), (0.5, "v", 12), (0.5, "v", 3)]
)
def test_nothing_is_explored_without_leave_a_visitor_or_candidates(share, visitor, n_ranked):
    places, odds = explore(n_ranked, 12, share, visitor, 0)
    assert places.tolist() == list(range(min(12, n_ranked)))
    assert odds == (1.0,) * len(places)


def test_only_the_home_page_explores():
    assert n_wanted(12, "home", 0.1) > 12
    assert n_wanted(12, "similar", 0.1) == n_wanted(12, "home", 0) == 12
