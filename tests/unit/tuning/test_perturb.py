"""Perturbed queries stay the query that somebody meant."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aisle.learn.perturb import dropped, mistyped, perturbed, swapped

QUERY = "stainless steel sink 33 x 22"


def drawn(change, query=QUERY, n=200):
    return {change(query, np.random.default_rng(seed)) for seed in range(n)}


def test_a_typing_error_is_in_one_word_and_leaves_its_first_letter_and_numbers():
    found = drawn(mistyped)
    assert len(found) > 20
    for query in found:
        words = query.split()
        changed = [(old, new) for old, new in zip(QUERY.split(), words, strict=True) if old != new]
        assert len(changed) <= 1
        for old, new in changed:
            assert old.isalpha()
            assert new[0] == old[0]
            assert abs(len(new) - len(old)) <= 1


def test_a_word_is_left_out_of_three_or_more_only():
    assert all(len(query.split()) == 5 for query in drawn(dropped))
    assert len(drawn(dropped)) == 6
    assert drawn(dropped, "steel sink") == {"steel sink"}


def test_neighbouring_words_change_places():
    for query in drawn(swapped):
        assert sorted(query.split()) == sorted(QUERY.split())
        assert query != QUERY
    assert drawn(swapped, "sink") == {"sink"}


def test_a_seed_says_everything():
    one, other = (perturbed(QUERY, np.random.default_rng(4)) for _ in range(2))
    assert one == other


@given(st.text(max_size=40), st.integers(0, 2**32))
def test_any_text_can_be_perturbed(query, seed):
    assert isinstance(perturbed(query, np.random.default_rng(seed)), str)
