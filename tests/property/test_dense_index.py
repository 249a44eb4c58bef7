"""Whatever is upserted and removed, the dense index holds what a dictionary would."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.adapters.faiss.index import FaissDenseIndex
from aisle.testing.dense import DIM, unit_vectors

STEPS = st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 60), max_size=40), st.integers(0, 99)), max_size=12)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.sampled_from([20, 10_000]))
def test_holds_what_a_dictionary_would(steps, exact_below):
    index, model = FaissDenseIndex(DIM, exact_below=exact_below), {}
    for upsert, numbers, seed in steps:
        if upsert:
            vectors = unit_vectors(len(numbers), seed)
            index.upsert(np.array(numbers, np.int32), vectors)
            model.update(zip(numbers, vectors, strict=True))
        else:
            index.remove(np.array(numbers, np.int32))
            for number in numbers:
                model.pop(number, None)
    assert len(index) == len(model)
    wanted = np.array([model.get(n, np.zeros(DIM, np.float32)) for n in range(61)], np.float32)
    np.testing.assert_array_equal(index.vectors(np.arange(61, dtype=np.int32)), wanted)
    found, scores = index.search(unit_vectors(1, 1000)[0], 5)
    assert set(found.tolist()) <= model.keys()
    assert len(found) == min(5, len(model))
    assert (np.diff(scores) <= 0).all()
