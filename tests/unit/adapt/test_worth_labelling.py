"""The queue begins with what the model hesitates over, holds no copies, and says why."""

import numpy as np
import pytest

from aisle.errors import InvalidRequest
from aisle.learn.adapt.linear import fit_linear
from aisle.learn.adapt.worth_labelling import worth_labelling

DIM = 16


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


PLACES = unit(np.random.default_rng(0).normal(size=(5, DIM)))


def texts_of(n, seed=0, noise=0.1, part=None):
    rng = np.random.default_rng(seed)
    labels = rng.choice(5, n, p=part).astype(np.int32)
    return unit(PLACES[labels] + noise * rng.normal(size=(n, DIM))), labels


def test_without_any_label_each_group_of_texts_comes_up_before_one_comes_up_twice():
    vectors, labels = texts_of(500, part=[0.6, 0.2, 0.1, 0.05, 0.05])
    queue = worth_labelling(vectors, top_k=5)
    assert {labels[worth.row] for worth in queue} == set(range(5))
    assert all(worth.between == () for worth in queue)


def test_a_text_between_two_labels_comes_first_and_says_between_which():
    vectors, labels = texts_of(200, noise=0.05)
    head = fit_linear(vectors, labels, 5, strengths=(10.0,))
    doubtful = unit(PLACES[1] + PLACES[3])
    pool = np.concatenate([vectors[:50], doubtful[None]])
    names = ["a", "b", "c", "d", "e"]
    first = worth_labelling(pool, chances=head.chances(pool), names=names, labelled=vectors, top_k=3)[0]
    assert first.row == 50
    assert {name for name, _ in first.between} == {"b", "d"}
    assert first.reason.startswith("the model hesitates between")
    assert " b (" in first.reason
    assert " d (" in first.reason


def test_copies_are_not_asked_for_twice():
    vectors, _ = texts_of(40, noise=0.3)
    pool = np.repeat(vectors, 5, axis=0)
    rows = [worth.row // 5 for worth in worth_labelling(pool, top_k=20)]
    assert len(set(rows)) == 20


def test_values_fall_and_no_text_is_named_twice():
    vectors, _ = texts_of(60)
    queue = worth_labelling(vectors, top_k=100)
    assert sorted(worth.row for worth in queue) == list(range(60))
    values = [worth.value for worth in queue]
    assert values == sorted(values, reverse=True)
    assert 0 <= values[-1] <= values[0] <= 1


def test_it_says_when_nothing_like_it_has_a_label():
    vectors, labels = texts_of(300)
    queue = worth_labelling(vectors, labelled=vectors[labels != 2], top_k=1)
    assert labels[queue[0].row] == 2
    assert "no labelled text is like it" in queue[0].reason
    assert "stands for" in queue[0].reason


def test_rare_kinds_are_found_with_fewer_labels_than_by_chance():
    part = [0.55, 0.3, 0.1, 0.03, 0.02]
    asked, wanted = texts_of(1000, seed=8, noise=0.3)
    reached = {"worth": [], "random": []}
    for seed in range(4):
        pool, labels = texts_of(600, seed=seed, noise=0.3, part=part)
        begin = np.arange(5)
        head = fit_linear(pool[begin], labels[begin], 5, strengths=(30.0,))
        rest = np.arange(5, 600)
        queue = worth_labelling(
            pool[rest], chances=head.chances(pool[rest]), names=list("abcde"), labelled=pool[begin], top_k=15
        )
        for way, more in (("worth", rest[[worth.row for worth in queue]]), ("random", np.arange(5, 20))):
            rows = np.concatenate([begin, more])
            found = fit_linear(pool[rows], labels[rows], 5, strengths=(30.0,)).predict(asked)
            reached[way].append(float((found == wanted).mean()))
    assert np.mean(reached["worth"]) > np.mean(reached["random"]) + 0.05


def test_what_does_not_fit_is_said():
    vectors, _ = texts_of(10)
    assert worth_labelling(vectors[:0]) == []
    with pytest.raises(InvalidRequest, match="10 texts and 3 labels"):
        worth_labelling(vectors, chances=np.ones((10, 2), np.float32), names=["a", "b", "c"])
    with pytest.raises(InvalidRequest, match="at least one"):
        worth_labelling(vectors, top_k=0)
