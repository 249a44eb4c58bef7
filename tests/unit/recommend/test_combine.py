"""The learned combination of sources."""

from __future__ import annotations

import numpy as np
import pytest

from aisle.evaluate.next_item import Cases
from aisle.learn.blending import Moments, fit_weights
from aisle.ports import Shopper
from aisle.rank.combine import OF_A_SOURCE, Combination, certainty, column_names, n_columns, tabulate
from aisle.training.combining import combine
from aisle.types import Candidates

POPULARITY = np.zeros(100, np.float32)


def proposed(source: str, *ords: int, scores: list[float] | None = None) -> Candidates:
    values = scores if scores is not None else [1.0 / (place + 1) for place in range(len(ords))]
    return Candidates(source, np.array(ords, np.int32), np.array(values, np.float32))


def shopper(*ords: int) -> Shopper:
    return Shopper.of_sequence(np.array(ords, np.int32))


def world(n: int = 600, seed: int = 0) -> tuple[dict[str, list[Candidates]], Cases]:
    """A good source that often has the target first, a weak one that has it somewhere, and noise."""
    rng = np.random.default_rng(seed)
    proposals: dict[str, list[Candidates]] = {"good": [], "weak": [], "noise": []}
    targets = rng.integers(0, 100, n)
    for target in targets.tolist():
        for source, hit in (("good", 0.5), ("weak", 0.3), ("noise", 0.05)):
            ords = rng.permutation(100)[:10]
            ords = ords[ords != target][:9]
            if rng.random() < hit:
                place = int(rng.integers(0, 2 if source == "good" else 9))
                ords = np.insert(ords, place, target)
            proposals[source].append(proposed(source, *ords.tolist()))
    shoppers = tuple(shopper(int(o)) for o in rng.integers(0, 100, n))
    return proposals, Cases(shoppers, targets.astype(np.int32), np.arange(n, dtype=np.int32), np.zeros(n, np.int64))


def test_it_beats_every_source_alone_and_says_what_each_adds() -> None:
    proposals, cases = world()
    found = combine(proposals, cases, POPULARITY)
    assert found is not None
    assert found.best_alone == "good"
    assert found.gain_over_best.low > 0
    adds = {share.source: share.gain_in_mrr for share in found.shares}
    assert adds["good"].mean > max(adds["weak"].mean, adds["noise"].mean)
    assert adds["good"].low > 0
    assert adds["noise"].low < 0.005


def test_it_goes_on_without_a_source() -> None:
    proposals, cases = world()
    found = combine(proposals, cases, POPULARITY, shares=False)
    assert found is not None
    row = 3
    whole = {source: lists[row] for source, lists in proposals.items()}
    for gone in whole:
        rest = {source: candidates for source, candidates in whole.items() if source != gone}
        ords, scores = found.combination.rank(rest, cases.shoppers[row])
        assert set(ords.tolist()) == set(np.concatenate([c.ords for c in rest.values()]).tolist())
        assert np.isfinite(scores).all()
    assert len(found.combination.rank({}, cases.shoppers[row])[0]) == 0


def test_scores_are_calibrated_probabilities() -> None:
    proposals, cases = world(1500)
    found = combine(proposals, cases.take(np.arange(len(cases)) >= 0), POPULARITY, shares=False)
    assert found is not None
    later, unseen = world(1500, seed=1)
    expected, happened = [], []
    for row in range(len(unseen)):
        ords, scores = found.combination.rank({s: lists[row] for s, lists in later.items()}, unseen.shoppers[row])
        if unseen.targets[row] in ords:
            expected.append(float(np.exp(scores[0])))
            happened.append(float(ords[0] == unseen.targets[row]))
    assert np.mean(expected) == pytest.approx(np.mean(happened), abs=0.05)


def test_where_nobody_goes_back_what_is_known_falls_to_the_end() -> None:
    rng = np.random.default_rng(0)
    lists, targets, shoppers = [], [], []
    for _ in range(400):
        own, new = rng.choice(100, 2, replace=False).tolist()
        lists.append(proposed("one", own, new))
        shoppers.append(shopper(own))
        targets.append(new)
    cases = Cases(tuple(shoppers), np.array(targets, np.int32), np.arange(400, dtype=np.int32), np.zeros(400, np.int64))
    found = combine({"one": lists}, cases, POPULARITY)
    assert found is not None
    assert found.combination.rank({"one": proposed("one", 5, 6)}, shopper(5))[0].tolist() == [6, 5]


def test_of_two_sources_that_say_the_same_one_stays() -> None:
    """Shoppers go back to what they had, or on to 99: each of two sources knows the way back, and nothing else does."""
    rng = np.random.default_rng(0)
    lists: dict[str, list[Candidates]] = {"back": [], "again": [], "on": []}
    targets, shoppers = [], []
    for _ in range(600):
        own, other = rng.choice(90, 2, replace=False).tolist()
        lists["back"].append(proposed("back", own))
        lists["again"].append(proposed("again", own))
        lists["on"].append(proposed("on", 99, other))
        shoppers.append(shopper(own))
        targets.append(own if rng.random() < 0.6 else 99)
    cases = Cases(tuple(shoppers), np.array(targets, np.int32), np.arange(600, dtype=np.int32), np.zeros(600, np.int64))
    found = combine(lists, cases, POPULARITY)
    assert found is not None
    assert len({"back", "again"} & set(found.combination.sources)) == 1
    assert "on" in found.combination.sources
    assert found.recall == 1.0


def test_too_few_moments_make_no_combination() -> None:
    proposals, cases = world(60)
    assert combine(proposals, cases, POPULARITY) is None


def test_a_table_holds_what_each_source_says() -> None:
    table = tabulate(
        {"a": proposed("a", 7, 3), "b": proposed("b", 3, scores=[-0.5])}, ("a", "b"), shopper(3, 3, 9), POPULARITY
    )
    assert table.ords.tolist() == [3, 7]
    columns = dict(zip(column_names(("a", "b")), table.columns.T.tolist(), strict=True))
    assert columns["a.place"] == [0.5, 1.0]
    assert columns["b.present"] == [1.0, 0.0]
    assert columns["known"] == [1.0, 0.0]
    assert columns["known_back"] == [0.5, 0.0]
    assert columns["known_often"] == pytest.approx([np.log(2), 0.0])
    assert table.columns.shape == (2, n_columns(("a", "b")))


def test_certainty_is_the_same_for_shares_and_their_logarithms() -> None:
    shares = np.array([0.6, 0.3, 0.1], np.float32)
    assert np.allclose(certainty(shares), certainty(np.log(shares)), atol=1e-5)
    assert np.allclose(certainty(shares), certainty(shares * 37), atol=1e-5)
    assert len(certainty(np.empty(0, np.float32))) == 0


def test_items_that_came_after_training_are_ranked_too() -> None:
    combination = Combination(("a",), np.ones(n_columns(("a",)), np.float32), np.zeros(3, np.float32))
    assert combination.rank({"a": proposed("a", 50, 1)}, shopper(2))[0].tolist() == [50, 1]


def test_weights_find_the_column_that_tells() -> None:
    rng = np.random.default_rng(0)
    tables = [rng.random((8, 3)).astype(np.float32) for _ in range(300)]
    weights = fit_weights(Moments.of(tables, [int(table[:, 1].argmax()) for table in tables]))
    assert weights[1] > 5 * max(abs(weights[0]), abs(weights[2]))
    assert fit_weights(Moments.of([], [])).shape == (0,)


def test_columns_of_a_source_stand_together() -> None:
    names = column_names(("x", "y"))
    assert [name for name in names if name.startswith("y.")] == list(names[len(OF_A_SOURCE) : 2 * len(OF_A_SOURCE)])
