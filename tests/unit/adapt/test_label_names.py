"""Texts find their label by its name alone, the better the more texts without labels there are."""

import json

import numpy as np
import pytest

from aisle.errors import InvalidRequest
from aisle.learn.adapt.label_names import PHRASINGS, fit_names, phrased, plain_name, read_descriptions

N_LABELS, DIM = 8, 32
NAMES = tuple(f"label_{n}" for n in range(N_LABELS))


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


PLACES = unit(np.random.default_rng(5).normal(size=(N_LABELS, DIM)))
SAID = unit(PLACES + 0.75 * unit(np.random.default_rng(6).normal(size=(N_LABELS, DIM))))
"""Where a name lies: not quite where the texts are."""


def encode(texts):
    return np.stack([SAID[int(text.rstrip("?").split()[-1])] for text in texts])


def texts_of(n, seed=0, common=1.0, uneven=False):
    rng = np.random.default_rng(seed)
    part = np.arange(1, N_LABELS + 1) / np.arange(1, N_LABELS + 1).sum() if uneven else None
    labels = rng.choice(N_LABELS, n, p=part)
    return unit(PLACES[labels] + 0.2 * rng.normal(size=(n, DIM)) + common * np.ones(DIM) / np.sqrt(DIM)), labels


def right(model, vectors, labels):
    return float((model.predict(vectors) == labels).mean())


def test_a_name_is_said_in_words():
    assert plain_name("reverted_card_payment?") == "reverted card payment"
    assert plain_name("cardPayment-Declined") == "card payment declined"
    assert plain_name("退款") == "退款"
    assert plain_name("?") == "?"
    said = phrased("age_limit", "How old must one be?")
    assert len(said) == len(PHRASINGS) + 1
    assert all("age limit" in text for text in said[:-1])
    assert said[-1] == "How old must one be?"


def test_texts_without_labels_teach_where_labels_are():
    asked, wanted = texts_of(2000, seed=9)
    unlabelled, _ = texts_of(800)
    nearest = fit_names(NAMES, encode)
    middle = fit_names(NAMES, encode, unlabelled=unlabelled, train=False)
    learned = fit_names(NAMES, encode, unlabelled=unlabelled)
    assert right(learned, asked, wanted) > right(middle, asked, wanted) + 0.03
    assert right(middle, asked, wanted) > right(nearest, asked, wanted)
    assert learned.n_unlabelled == 800
    assert 350 < learned.n_taken < 450  # the surer half


def test_labels_need_not_be_equally_frequent():
    asked, wanted = texts_of(2000, seed=9, uneven=True)
    unlabelled, _ = texts_of(800, uneven=True)
    middle = fit_names(NAMES, encode, unlabelled=unlabelled, train=False)
    learned = fit_names(NAMES, encode, unlabelled=unlabelled)
    assert right(learned, asked, wanted) > right(middle, asked, wanted)


def test_a_few_texts_are_too_few_to_learn_from():
    unlabelled, _ = texts_of(3 * N_LABELS)
    found = fit_names(NAMES, encode, unlabelled=unlabelled)
    assert found.n_taken == 0
    assert found.n_unlabelled == len(unlabelled)


def test_a_label_that_no_text_has_is_known_all_the_same():
    unlabelled, labels = texts_of(800)
    found = fit_names(NAMES, encode, unlabelled=unlabelled[labels != 3])
    asked, wanted = texts_of(1000, seed=2)
    assert (found.predict(asked)[wanted == 3] == 3).mean() > 0.3


def test_a_description_moves_its_label():
    def described(texts):
        known = [t for t in texts if t.startswith("the texts of")]
        vectors = iter(PLACES[[int(t.split()[-1]) for t in known]])
        return np.stack([next(vectors) if t in known else encode([t])[0] for t in texts])

    told = {name: f"the texts of {n}" for n, name in enumerate(NAMES)}
    asked, wanted = texts_of(1000, seed=2, common=0.0)
    with_them, without = fit_names(NAMES, described, descriptions=told), fit_names(NAMES, described)
    assert right(with_them, asked, wanted) > right(without, asked, wanted)


def test_one_label_takes_all_and_none_is_an_error():
    unlabelled, _ = texts_of(100)
    assert set(fit_names(NAMES[:1], encode, unlabelled=unlabelled).predict(unlabelled)) == {0}
    with pytest.raises(InvalidRequest, match="no label"):
        fit_names([], encode)


def test_a_file_of_descriptions_is_checked(tmp_path):
    file = tmp_path / "told.json"
    file.write_text(json.dumps({"label_1": " what it means ", "label_2": ""}))
    assert read_descriptions(file, NAMES) == {"label_1": "what it means"}
    for wrong, said in (('{"lable_1": "x"}', "no label is called lable_1"), ("[1]", "one object"), ("{", "JSON")):
        file.write_text(wrong)
        with pytest.raises(InvalidRequest, match=said):
            read_descriptions(file, NAMES)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_descriptions(tmp_path / "nowhere.json", NAMES)
