"""Clusters: what belongs together is together, is called by what tells it apart, and speaks for a new shopper."""

import numpy as np
import pytest

from aisle.learn.clusters import fit_clusters, k_means
from aisle.learn.interactions import Interactions
from aisle.learn.items import Codes, ItemTable
from aisle.ports import Shopper
from aisle.retrieve.groups import Groups

from .conftest import ords

KINDS = ("Mugs", "Tents", "Lamps", "Hats")


def catalogue(each=20):
    n = each * len(KINDS)
    kind = (np.arange(n) % len(KINDS)).astype(np.int32)
    return ItemTable.blank(
        n,
        category=kind,
        ancestors=Codes.of([[int(k)] for k in kind]),
        categories=KINDS,
    )


def sequences(n_visitors=80):
    rng = np.random.default_rng(3)
    return Interactions.of_sequences(
        [(visitor % 4 + 4 * rng.integers(0, 20, 6)).tolist() for visitor in range(n_visitors)]
    )


@pytest.fixture(scope="module")
def fitted():
    return fit_clusters(sequences(), catalogue())


def test_each_kind_is_a_group_called_by_its_name(fitted):
    groups = Groups.of(fitted.arrays)
    assert set(groups.names) == set(KINDS)
    for number, name in enumerate(groups.names):
        members = groups.members(number)
        assert len(members) == 20
        assert {KINDS[m % 4] for m in members.tolist()} == {name}


def test_one_click_brings_what_shoppers_of_that_taste_like(fitted):
    groups = Groups.of(fitted.arrays)
    found = groups.recommend(Shopper.of_sequence(ords(5)), ords(), 10)
    assert len(found) == 10
    assert all(o % 4 == 1 for o in found.ords.tolist())
    assert 5 not in found.ords
    assert not len(groups.recommend(Shopper.of_sequence(ords()), ords(), 10))
    assert not len(groups.recommend(Shopper.of_sequence(ords(*range(12))), ords(), 10))
    assert not len(groups.recommend(Shopper.of_sequence(ords(10**6)), ords(), 10))


def test_the_same_log_gives_the_same_groups(fitted):
    again = fit_clusters(sequences(), catalogue())
    for name, array in fitted.arrays.items():
        assert np.array_equal(array, again.arrays[name]), name


def test_a_tiny_catalogue_is_not_grouped_and_a_shop_without_shoppers_is():
    assert fit_clusters(sequences(4), catalogue(1)) is None
    found = fit_clusters(Interactions.of_sequences([]), catalogue())
    assert not len(Groups.of(found.arrays).recommend(Shopper.of_sequence(ords(5)), ords(), 10))
    nothing_known = ItemTable.blank(80)
    assert fit_clusters(sequences(), nothing_known) is None


def test_groups_never_come_out_empty():
    rng = np.random.default_rng(0)
    rows = np.repeat(np.eye(3, 8, dtype=np.float32), 10, axis=0)
    centres = k_means(rows, 3, rng)
    assert sorted(np.bincount((rows @ centres.T).argmax(axis=1), minlength=3).tolist()) == [10, 10, 10]
