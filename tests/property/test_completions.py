"""What completes what was typed: the texts that have it, however many there are."""

from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from aisle.retrieve import completions
from aisle.retrieve.completions import Completions

WORDS = ["red", "reed", "rod", "shoe", "shoes", "hat"]


@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), max_size=30),
    st.lists(st.sampled_from(["r", "re", "red", "rod", "shoe", "shoes", "ha", "zz"]), min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from([0, 1000]),
)
@trying(deadline=None, max_examples=150)
def test_completions_are_the_texts_that_have_what_was_typed(texts, typed, last_whole, few):
    before, completions.FEW = completions.FEW, few  # sifted or not, the same
    try:
        index = Completions(texts, [0.0] * len(texts))
        found = index.search(typed, last_whole=last_whole, top_k=100)
    finally:
        completions.FEW = before
    known = {word for words in texts for word in words}

    def has(words, at):
        whole = (last_whole or at + 1 < len(typed)) and typed[at] in known
        return any(word == typed[at] if whole else word.startswith(typed[at]) for word in words)

    expected = {row for row, words in enumerate(texts) if all(has(words, at) for at in range(len(typed)))}
    as_typed = {m.row for m in found if m.words == tuple(typed)}
    assert as_typed == expected or not expected
    best = [m for m in found if m.words == tuple(typed)]
    assert [m.score for m in best] == sorted((m.score for m in best), reverse=True)
