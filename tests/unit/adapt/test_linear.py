"""Logistic regression finds what there is to find, and chooses how hard to try by texts it did not learn from."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from aisle.errors import InvalidRequest
from aisle.learn.adapt.linear import fit_linear, folds_of, softmax


def clusters(n, n_labels=6, dim=24, noise=0.25, seed=0):
    """Unit vectors around a place of each label."""
    rng = np.random.default_rng(seed)
    places = np.random.default_rng(99).normal(size=(n_labels, dim))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    labels = (np.arange(n) % n_labels).astype(np.int32)
    vectors = places[labels] + noise * rng.normal(size=(n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def loss_of(weights, bias, vectors, labels, strength):
    scores = vectors @ weights + bias
    log_chances = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return -log_chances[np.arange(len(labels)), labels].sum() + (weights**2).sum() / (2 * strength)


def test_it_is_the_minimum_of_its_formula():
    vectors, labels = clusters(300)
    vectors += 2.0  # a common part, which the bias has to bear
    found = fit_linear(vectors, labels, 6, strengths=(3.0,))
    here = loss_of(found.weights, found.bias, vectors, labels, 3.0)
    rng = np.random.default_rng(1)
    for _ in range(50):
        moved = found.weights + rng.normal(size=found.weights.shape) * 0.1
        assert loss_of(moved, found.bias, vectors, labels, 3.0) > here
    assert loss_of(found.weights * 1.1, found.bias * 1.1, vectors, labels, 3.0) > here
    assert loss_of(found.weights * 0.9, found.bias * 0.9, vectors, labels, 3.0) > here


def test_noisy_texts_get_the_plainer_model():
    clear, noisy = (fit_linear(*clusters(240, noise=noise), 6) for noise in (0.1, 0.9))
    assert noisy.strength < 100.0
    assert clear.held > 0.99 > noisy.held > 1 / 6
    asked, wanted = clusters(600, noise=0.9, seed=5)
    worst = fit_linear(*clusters(240, noise=0.9), 6, strengths=(1000.0,))
    chosen = fit_linear(*clusters(240, noise=0.9), 6, strengths=(1.0, 3.0, 1000.0))
    assert (chosen.predict(asked) == wanted).mean() >= (worst.predict(asked) == wanted).mean()


def test_what_cross_validation_promises_is_what_new_texts_get():
    found = fit_linear(*clusters(600, noise=0.5), 6)
    asked, wanted = clusters(2000, noise=0.5, seed=7)
    assert (found.predict(asked) == wanted).mean() == pytest.approx(found.held, abs=0.05)
    assert_allclose(found.chances(asked).sum(1), 1.0, atol=1e-5)


def test_a_text_without_weight_teaches_nothing():
    vectors, labels = clusters(200)
    wrong = (labels + 1) % 6
    both, of_both = np.concatenate([vectors, vectors]), np.concatenate([labels, wrong]).astype(np.int32)
    weight = np.concatenate([np.ones(200), np.zeros(200)]).astype(np.float32)
    asked, _ = clusters(300, seed=3)
    alone = fit_linear(vectors, labels, 6, strengths=(10.0,)).predict(asked)
    assert (fit_linear(both, of_both, 6, strengths=(10.0,), weight=weight).predict(asked) == alone).mean() > 0.99


def test_folds_hold_out_each_text_once_but_never_a_labels_only_one():
    labels = np.array([0] * 11 + [1] * 5 + [2], np.int32)
    held = np.concatenate([out for _, out in folds_of(labels, np.random.default_rng(0))])
    assert sorted(held.tolist()) == list(range(16))
    for learned, out in folds_of(labels, np.random.default_rng(0)):
        assert not set(learned) & set(out)
        assert set(labels[learned]) == {0, 1, 2}


def test_one_text_a_label_is_enough_to_begin():
    vectors, labels = clusters(6)
    found = fit_linear(vectors, labels, 6)
    assert found.predict(vectors).tolist() == labels.tolist()
    assert np.isnan(found.held)


def test_what_cannot_be_learned_from_is_said():
    vectors, labels = clusters(12)
    with pytest.raises(InvalidRequest, match="one each"):
        fit_linear(vectors, labels[:5], 6)
    with pytest.raises(InvalidRequest, match="above 0"):
        fit_linear(vectors, labels, 6, strengths=(0.0,))
    vectors[3, 2] = np.nan
    with pytest.raises(InvalidRequest, match="not finite"):
        fit_linear(vectors, labels, 6)


def test_softmax_bears_large_scores():
    assert_allclose(softmax(np.array([[1000.0, 999.0]], np.float32)), [[0.7310586, 0.2689414]], rtol=1e-5)
