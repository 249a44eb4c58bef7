"""Texts without labels are learned from when they help texts that were held out, and not otherwise."""

import numpy as np

from aisle.learn.adapt.linear import fit_linear
from aisle.learn.adapt.self_training import fit_self_training

N_LABELS, DIM = 6, 40


def texts_of(n, seed, noise):
    rng = np.random.default_rng(seed)
    places = np.random.default_rng(99).normal(size=(N_LABELS, DIM)) / np.sqrt(DIM)
    labels = (np.arange(n) % N_LABELS).astype(np.int32)
    vectors = places[labels] + noise * rng.normal(size=(n, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def test_many_texts_without_labels_help_few_with():
    vectors, labels = texts_of(5 * N_LABELS, 0, 0.3)
    unlabelled, _ = texts_of(1500, 1, 0.3)
    asked, wanted = texts_of(3000, 2, 0.3)
    alone = fit_linear(vectors, labels, N_LABELS)
    found = fit_self_training(vectors, labels, N_LABELS, unlabelled, base=alone)
    assert (found.head.predict(asked) == wanted).mean() > (alone.predict(asked) == wanted).mean() + 0.03
    assert found.after > found.before
    assert 0 < found.n_taken <= found.n_unlabelled == 1500
    assert 0 < found.confidence < 1
    assert f"{found.n_taken} of 1500" in str(found)


def test_texts_of_something_else_are_not_learned_from():
    vectors, labels = texts_of(20 * N_LABELS, 0, 0.12)
    rng = np.random.default_rng(4)
    other = rng.normal(size=(600, DIM)).astype(np.float32)
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    alone = fit_linear(vectors, labels, N_LABELS)
    found = fit_self_training(vectors, labels, N_LABELS, other, base=alone)
    assert found.n_taken == 0
    assert found.head is alone
    assert "no unlabelled text of 600" in str(found)


def test_nothing_to_choose_by_is_nothing_taken():
    vectors, labels = texts_of(N_LABELS, 0, 0.1)  # one text a label: none can be held out
    unlabelled, _ = texts_of(100, 1, 0.1)
    assert fit_self_training(vectors, labels, N_LABELS, unlabelled).n_taken == 0
    assert fit_self_training(vectors, labels, N_LABELS, unlabelled[:0]).n_unlabelled == 0
