"""The knowledge graph: related products, readable paths, a place for what is new."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from aisle.errors import ModelDamaged, TrainingFailed
from aisle.explain.reasons import reason_for_step, sentence
from aisle.learn.fitted import Fitted
from aisle.learn.graph import fit_graph
from aisle.learn.interactions import Interactions
from aisle.learn.items import Codes, ItemTable
from aisle.learn.knowledge import BOUGHT, HeldOutLinks, KnowledgeGraph
from aisle.ports import Recommender, Shopper
from aisle.retrieve.graph import Graph
from aisle.retrieve.paths import Step
from aisle.testing.recommender import RecommenderContract
from aisle.types import Ords

N, SIDES = 60, 4
COLD = 3  # the last of each side: shoppers never touch it
NONE = np.empty(0, np.int32)
NAMES = ("material: Wool", "material: Cotton", "color: Red", "color: Blue", "size: M")


def side(ords: Ords) -> Ords:
    return np.asarray(ords) * SIDES // N


def catalogue() -> ItemTable:
    """Four sides of fifteen: each a category below one, a brand for two sides, a material, and text of its own."""
    ords = np.arange(N)
    rng = np.random.default_rng(0)
    text = np.eye(SIDES, 8, dtype=np.float32)[side(ords)] + rng.normal(0, 0.1, (N, 8)).astype(np.float32)
    return ItemTable.blank(
        N,
        category=(side(ords) + 1).astype(np.int32),
        categories=("Shop", *(f"Shop > Side {s}" for s in range(SIDES))),
        ancestors=Codes.of([[0, s + 1] for s in side(ords).tolist()]),
        brand=(side(ords) // 2).astype(np.int32),
        brands=("Nord", "Sud"),
        attributes=Codes.of([[s % 2, 2 + o % 2, 4] for o, s in zip(ords.tolist(), side(ords).tolist(), strict=True)]),
        attribute_names=NAMES,
        text=text,
    )


def traffic(n: int = 300, seed: int = 1) -> Interactions:
    """Sessions within a side; products that are the last of their side stay untouched."""
    rng = np.random.default_rng(seed)
    width = N // SIDES
    return Interactions.of_sequences(
        (rng.choice(width - COLD, 5, replace=False) + width * (who % SIDES)).tolist() for who in range(n)
    )


def silent(stage: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    made = fit_graph(traffic(), catalogue(), work=tmp_path_factory.mktemp("work"), progress=silent, seed=2)
    assert made is not None
    return made


class TestGraph(RecommenderContract):
    @pytest.fixture
    def recommender(self, model: Fitted) -> Recommender:
        return Graph(model.arrays)

    @pytest.fixture
    def known(self) -> Ords:
        return np.array([3, 20], np.int32)


def test_related_products_are_of_the_same_side(model: Fitted) -> None:
    found = Graph(model.arrays).recommend(Shopper.of_sequence(NONE), np.array([2], np.int32), 8)
    assert (side(found.ords) == 0).all()
    assert found.because is not None
    assert (found.because == 2).all()


def test_a_product_nobody_touched_is_placed_by_its_content(model: Fitted) -> None:
    width = N // SIDES
    cold = width * 2 - 1
    found = Graph(model.arrays).recommend(Shopper.of_sequence(NONE), np.array([cold], np.int32), 8)
    assert (side(found.ords) == 1).mean() > 0.7
    assert model.arrays["nearest"].shape == (N, 50)
    of_warm = Graph(model.arrays).recommend(Shopper.of_sequence(NONE), np.array([width], np.int32), 14)
    assert np.isin(np.arange(cold - COLD + 1, cold + 1), of_warm.ords).any(), "and it is proposed"


def test_link_prediction_is_measured_and_the_best_serves(model: Fitted) -> None:
    measured = {kind: model.metrics[f"{kind}.heldout_mrr"] for kind in ("transe", "rotate", "complex")}
    assert measured[model.params["kind"]] == max(measured.values()) > 0.1
    assert model.metrics["sage.heldout_hits@10"] > 0.5


def test_the_same_seed_gives_the_same_model(model: Fitted, tmp_path: Path) -> None:
    kept, again = (
        fit_graph(traffic(), catalogue(), work=tmp_path, progress=silent, seed=2, before=model) for _ in range(2)
    )
    assert kept is not None
    assert again is not None
    assert kept.params["kind"] == model.params["kind"]
    assert all((again.arrays[name] == array).all() for name, array in kept.arrays.items())


# -------------------------------------------------------------------- paths


@pytest.fixture(scope="module")
def source(model: Fitted) -> Graph:
    return Graph(model.arrays)


def test_paths_lead_from_one_to_the_other_in_three_steps_at_most(source: Graph) -> None:
    for seed in range(0, N, 7):
        for candidate in range(N):
            path = source.path(seed, candidate)
            assert len(path) <= 3
            if path:
                assert path[-1].ord == candidate
                assert all(step.name or step.ord >= 0 for step in path)
    assert source.path(3, 3) == ()
    assert source.path(-1, 10**6) == ()


def test_facts_are_true(source: Graph, model: Fitted) -> None:
    items = catalogue()
    for candidate in range(1, N):
        for step in source.facts([0], candidate):
            assert step.ord == 0
            if step.relation == "by":
                assert items.brands[items.brand[candidate]] == items.brands[items.brand[0]] == step.name
            elif step.relation == "has_attribute":
                code = NAMES.index(step.name)
                assert code in items.attributes.row(candidate).tolist()
                assert code in items.attributes.row(0).tolist()
            elif step.relation == "has_category":
                assert items.categories[items.category[candidate]].startswith(step.name)
            else:
                assert step.relation == "viewed_with"


def test_what_few_share_is_told_before_what_many_share() -> None:
    items = ItemTable.blank(
        40,
        brand=np.array([0, 0, 0] + [1] * 37, np.int32),
        brands=("Rare", "Common"),
        attributes=Codes.of([[0]] * 5 + [[1]] * 35),
        attribute_names=("material: Silk", "material: Wool"),
    )
    made = KnowledgeGraph.of(traffic_of(40), items)
    arrays = {
        "told_indptr": made.told.indptr, "told_names": made.told.codes, "alive": items.alive,
        "bought_indptr": np.zeros(41, np.int64), "bought_indices": NONE,
        "viewed_indptr": np.zeros(41, np.int64), "viewed_indices": NONE,
        "name_kinds": made.kinds, "name_sizes": np.bincount(made.told.codes),
    }  # fmt: skip
    from aisle.retrieve.paths import Paths

    paths = Paths(arrays, made.names)
    assert paths.path(0, 1) == (Step("by", "Rare"), Step("by", ord=1))
    assert paths.path(0, 4) == (Step("has_attribute", "material: Silk"), Step("has_attribute", ord=4))
    assert paths.path(0, 30) == ()
    assert paths.path(20, 30) == (), "what nearly all share is no reason"


def traffic_of(n: int) -> Interactions:
    return Interactions.of_sequences([[o, (o + 1) % n] for o in range(n)])


def test_orders_link_products_as_bought() -> None:
    past = Interactions(
        np.array([0, 0, 1, 1], np.int32), np.array([1, 1, 2, 2]), np.array([0, 1, 2, 3], np.int32),
        np.array([5, 5, 5, 5]), np.ones(4, np.float32), np.array([True, True, False, False]),
    )  # fmt: skip
    graph = KnowledgeGraph.of(past, ItemTable.blank(4))
    assert graph.bought.pairs().tolist() == [[0, 1], [1, 0]]
    assert graph.viewed.pairs().tolist() == [[0, 1], [1, 0], [2, 3], [3, 2]]
    assert graph.links()[0].tolist() == [0, BOUGHT, 1]


def test_a_held_out_pair_is_in_training_in_neither_direction() -> None:
    links = KnowledgeGraph.of(traffic(), catalogue()).links()
    held = HeldOutLinks.of(links, share=0.2, most=50, seed=1)
    trained = {tuple(sorted(pair)) for pair in held.train[:, [0, 2]].tolist()}
    assert 0 < len(held.cases) <= 50
    assert not any(tuple(sorted(pair)) in trained for pair in held.cases[:, [0, 2]].tolist())


# ---------------------------------------------------------------- newcomers


@dataclass
class Facts:
    """A catalogue that has grown by one product of side 2 and one of which nothing is known."""

    version: int = 1
    alive = np.ones(N + 2, bool)


def content(ords: Ords) -> tuple[np.ndarray, list[list[str]]]:
    assert ords.tolist() == [N, N + 1]
    text = np.eye(2, 8, 2, dtype=np.float32)
    text[1] = 0
    return text, [["category: Shop", "category: Shop > Side 2", "brand: Sud", "unheard of"], []]


def test_a_product_that_came_after_training_takes_part_at_once(model: Fitted) -> None:
    facts = Facts()
    source = Graph(model.arrays, lambda: facts, content)  # type: ignore[arg-type, return-value]
    one = np.array([N], np.int32)
    assert len(source.recommend(Shopper.of_sequence(NONE), one, 8)) == 0, "it has not come yet"
    source.keep_up()
    of_new = source.recommend(Shopper.of_sequence(NONE), one, 8)
    assert (side(of_new.ords) == 2).mean() > 0.7
    shown = [
        N in source.recommend(Shopper.of_sequence(NONE), np.array([seed], np.int32), 50).ords for seed in range(30, 42)
    ]
    assert sum(shown) > 6, "and is proposed to those who look at its like"
    unknown = source.recommend(Shopper.of_sequence(NONE), np.array([N + 1], np.int32), 8)
    assert len(unknown) == 0, "nothing is known of it"


def test_text_of_another_encoder_counts_as_none(model: Fitted) -> None:
    source = Graph(model.arrays)
    words = [["category: Shop > Side 2", "brand: Sud"]]
    assert np.allclose(source.encode(np.ones((1, 5), np.float32), words), source.encode(np.zeros((1, 8)), words))


# ---------------------------------------------------------------- bad input


def test_tiny_shops_have_no_graph(tmp_path: Path) -> None:
    five = ItemTable.blank(5)
    for past in (Interactions.of_sequences([]), Interactions.of_sequences([[0, 1, 2, 3, 4]])):
        assert fit_graph(past, five, work=tmp_path, progress=silent) is None
    assert fit_graph(Interactions.of_sequences([]), ItemTable.blank(0), work=tmp_path, progress=silent) is None


def test_a_shop_that_tells_nothing_of_its_products_still_has_links(tmp_path: Path) -> None:
    made = fit_graph(traffic(), ItemTable.blank(N), work=tmp_path, progress=silent, kinds=("transe",))
    assert made is not None
    found = Graph(made.arrays).recommend(Shopper.of_sequence(NONE), np.array([2], np.int32), 5)
    assert (side(found.ords) == 0).all()


def test_dead_products_are_not_proposed(tmp_path: Path) -> None:
    items = catalogue()
    items.alive[[4, 5]] = False
    made = fit_graph(traffic(), items, work=tmp_path, progress=silent, kinds=("transe",))
    assert made is not None
    found = Graph(made.arrays).recommend(Shopper.of_sequence(NONE), np.array([2], np.int32), 50)
    assert not np.isin(found.ords, [4, 5]).any()


def test_numbers_that_run_away_are_never_saved(tmp_path: Path) -> None:
    items = catalogue()
    items.text[:] = np.nan
    with pytest.raises(TrainingFailed):
        fit_graph(traffic(), items, work=tmp_path, progress=silent)


def test_arrays_of_another_model_are_told() -> None:
    with pytest.raises(ModelDamaged, match="train again"):
        Graph({"ords": NONE})


def test_what_relates_products_is_told_in_both_languages(source: Graph) -> None:
    steps = [step for candidate in range(1, N) for step in source.facts([0], candidate)]
    told = {
        sentence(reason_for_step(step.relation, step.name, "the Tee", item_id="t"), language)
        for step in steps
        for language in ("en", "zh")
    }
    assert {"Same category as the Tee", "Viewed with the Tee"} <= told
    assert any("同类" in one for one in told)
    assert sentence(reason_for_step("has_attribute", "material: Wool", "the Tee")) == "Same material as the Tee"
    assert sentence(reason_for_step("has_attribute", "climate: Cold", "the Tee")) == "Has much in common with the Tee"
