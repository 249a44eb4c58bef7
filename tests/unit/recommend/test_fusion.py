"""Fused vectors: learned from sessions, at home for products nobody has touched, robust to what is missing."""

import numpy as np
import pytest

from aisle.adapters.faiss.index import FaissDenseIndex
from aisle.learn.fitted import Fitted
from aisle.learn.fusion import WAYS, fit_fusion
from aisle.learn.interactions import Interactions
from aisle.learn.items import Codes, ItemTable
from aisle.learn.pairs import pairs_of
from aisle.learn.tower import Tower, behaviour_of
from aisle.ports import Shopper
from aisle.retrieve.content import Content
from aisle.testing.recommender import RecommenderContract

N, KINDS = 120, 6


def rows(ords):
    return np.array(ords, np.int32)


@pytest.fixture(scope="module")
def items():
    """Products of six kinds: the text tells the kind with noise, half have a photo, some a price."""
    rng = np.random.default_rng(0)
    kind = np.arange(N) % KINDS
    text = np.eye(KINDS, 16, dtype=np.float32)[kind] + 0.3 * rng.standard_normal((N, 16)).astype(np.float32)
    image = np.eye(KINDS, 12, dtype=np.float32)[kind] + 0.3 * rng.standard_normal((N, 12)).astype(np.float32)
    image[::2] = 0
    price = np.where(np.arange(N) % 5 == 0, np.nan, 2 + kind + 0.1 * rng.standard_normal(N)).astype(np.float32)
    names = tuple(f"color: {c}" for c in ("Red", "Blue", "Green"))
    return ItemTable.blank(
        N,
        text=text / np.linalg.norm(text, axis=1, keepdims=True),
        image=image,
        log_price=price,
        category=kind.astype(np.int32),
        ancestors=Codes.of([[k] for k in kind]),
        attributes=Codes.of([[i % 3] for i in range(N)]),
        categories=tuple(f"Kind {k}" for k in range(KINDS)),
        attribute_names=names,
    )


@pytest.fixture(scope="module")
def past():
    """Sessions that stay within one kind."""
    rng = np.random.default_rng(1)
    return Interactions.of_sequences(
        rng.choice(np.arange(k, N, KINDS), 5, replace=False).tolist() for k in rng.integers(0, KINDS, 1500)
    )


@pytest.fixture(scope="module", params=WAYS)
def fitted(request, past, items):
    found = fit_fusion(past, items, ways=(request.param,), minutes=5)
    assert found is not None
    return found


def test_a_product_nobody_touched_is_found_by_its_content(fitted):
    """Twenty of 120 are of the wanted kind: by chance 50 of 120 would hold .42 of the answers."""
    assert fitted.metrics["cold"] > 0.8
    assert fitted.metrics["warm"] > 0.6


def test_numpy_runs_what_torch_learned(fitted, items):
    """The vectors that serve come from numpy: the network itself must agree."""
    import torch

    from aisle.models.fusion import AttentiveFusion, JointFusion

    tower = Tower.of(fitted.arrays)
    blocks = {**tower.blocks(items), "behaviour": fitted.arrays["behaviour"]}
    if tower.way == "concatenation":
        return
    kind = AttentiveFusion if tower.way == "attention" else JointFusion
    sizes = {m: blocks[m].shape[1] for m in ("text", "image", "words", "price", "behaviour")}
    network = kind(sizes, fitted.arrays["vectors"].shape[1])
    network.load_state_dict({name: torch.from_numpy(fitted.arrays[name]) for name in network.state_dict()})
    with torch.no_grad():
        expected = network({name: torch.from_numpy(block) for name, block in blocks.items()}).numpy()
    np.testing.assert_allclose(fitted.arrays["vectors"], expected, atol=2e-5)


def test_vectors_are_of_length_one_and_the_same_again(fitted, items):
    tower = Tower.of(fitted.arrays)
    ords = np.arange(N, dtype=np.int32)
    again = tower.encode(items, behaviour_of(fitted.arrays, ords))
    np.testing.assert_allclose(again, fitted.arrays["vectors"], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(again, axis=1), 1, atol=1e-4)
    assert tower.dim == again.shape[1]


def test_a_new_product_has_a_vector_whatever_it_lacks(fitted, items):
    """Without photo, text of another encoder, unknown words, no price: near its kind as long as anything is known."""
    tower = Tower.of(fitted.arrays)
    kind = np.arange(N) % KINDS
    bare = ItemTable.blank(
        KINDS,
        ancestors=Codes.of([[k] for k in range(KINDS)]),
        attributes=Codes.of([[0]] * KINDS),
        categories=tuple(f"Kind {k}" for k in range(KINDS)),
        attribute_names=("never: seen",),
        text=np.ones((KINDS, 5), np.float32),
    )
    vectors = tower.encode(bare)
    nearest = (vectors @ fitted.arrays["vectors"].T).argsort(1)[:, -10:]
    assert (kind[nearest] == np.arange(KINDS)[:, None]).mean() > 0.8
    nothing = tower.encode(ItemTable.blank(2))
    assert not nothing.any()
    assert tower.encode(ItemTable.blank(0)).shape == (0, tower.dim)


def test_without_events_blocks_are_joined_by_default_weights(items):
    found = fit_fusion(Interactions.of_sequences([]), items)
    assert found is not None
    assert found.params["way"] == "concatenation"
    assert found.metrics["cold_cases"] == 0
    vectors, kind = found.arrays["vectors"], np.arange(N) % KINDS
    nearest = (vectors @ vectors.T - 2 * np.eye(N)).argmax(1)
    assert (kind[nearest] == kind).mean() > 0.9


def test_a_catalogue_that_says_nothing_has_no_fused_vectors(past):
    assert fit_fusion(past, ItemTable.blank(N)) is None


def test_a_catalogue_without_text_encoder_and_photos_will_do(past, items):
    words_only = ItemTable.blank(
        N, ancestors=items.ancestors, categories=items.categories, attributes=items.attributes,
        attribute_names=items.attribute_names,
    )  # fmt: skip
    found = fit_fusion(past, words_only, ways=("concatenation", "joint"), minutes=5)
    assert found is not None
    assert found.metrics["cold"] > 0.6


def test_the_same_seed_gives_the_same_vectors(past, items):
    one, two = (fit_fusion(past, items, ways=("concatenation",), seed=3) for _ in range(2))
    assert one is not None
    assert two is not None
    np.testing.assert_array_equal(one.arrays["vectors"], two.arrays["vectors"])


def test_ords_beyond_the_table_and_one_event_shoppers_are_no_error(items):
    odd = Interactions.of_sequences(
        [[5], [2, 2, 2], *([k % KINDS, N + 7, k % KINDS + KINDS, N + 50] for k in range(600))]
    )
    assert fit_fusion(odd, items) is not None


def test_pairs_stay_within_sessions_and_reach():
    pairs = pairs_of(Interactions.of_sequences([[1, 2, 1], [3, 4, 5, 6, 7]]))
    found = sorted(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    assert (1, 2) in found
    assert (2, 1) in found
    assert (3, 6) in found
    assert not {(3, 7), (1, 1), (1, 3)} & set(found)


def source_of(fitted: Fitted) -> Content:
    vectors = fitted.arrays["vectors"]
    dense = FaissDenseIndex(vectors.shape[1])
    dense.upsert(np.arange(len(vectors), dtype=np.int32), vectors)
    return Content(dense)


class TestContentSource(RecommenderContract):
    @pytest.fixture
    def recommender(self, fitted):
        return source_of(fitted)

    @pytest.fixture
    def known(self):
        return rows([3, 9])


def test_proposes_the_kind_looked_at_and_says_because_of_what(fitted):
    found = source_of(fitted).recommend(Shopper.of_sequence(rows([1, 2, 8, 14])), rows([]), 8)
    assert (found.ords % KINDS == 2).mean() > 0.7
    assert set(found.because.tolist()) <= {1, 2, 8, 14}
    assert not {1, 2, 8, 14} & set(found.ords.tolist())


def test_an_empty_index_says_nothing(fitted):
    empty = Content(FaissDenseIndex(8))
    assert len(empty.recommend(Shopper.of_sequence(rows([1])), rows([]), 5)) == 0
