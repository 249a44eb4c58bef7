"""Training: what is measured, what is promoted, what fails without harm."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aisle.commands.training_table import models_table, source_names, sources_table
from aisle.errors import InvalidRequest, ShopBusy, TrainingFailed
from aisle.learn.fitted import Fitted
from aisle.learn.workbench import Workbench
from aisle.ports import Recommender, Shopper
from aisle.settings import Settings
from aisle.shelf import SHELF, Model, Surroundings, Task
from aisle.shop import Shop
from aisle.training.recommendations import train
from aisle.training.search import SEARCH_MODELS
from aisle.types import Candidates, Event, EventItem, ModelVersion, Money, Ords, Product

SETTINGS = Settings(encoder={"model": ""}, train={"max_cases": 300})  # type: ignore[arg-type]
N = 200


@pytest.fixture(scope="module")
def history() -> list[Event]:
    """Shoppers who step from a product to the one after it, now and then anywhere."""
    rng = random.Random(1)
    events = []
    for visit in range(300):
        at = rng.randrange(N)
        for step in range(5):
            at = (at + 1) % N if rng.random() < 0.8 else rng.randrange(N)
            time_ms = 1_700_000_000_000 + visit * 3_600_000 + step * 20_000
            events.append(Event("view_item", f"v{visit % 90}", (EventItem(f"P{at}"),), time_ms, f"e{visit}-{step}"))
    return events


@pytest.fixture
def shop(tmp_path: Path, history: list[Event]) -> Shop:
    opened = Shop.open(tmp_path / "shop", settings=SETTINGS)
    opened.upsert_products([Product(f"P{n}", f"Thing {n}", price=Money.parse("5 USD")) for n in range(N)])
    assert opened.wait_indexed(60)
    opened.record_many(history)
    yield opened  # type: ignore[misc]
    opened.close()


class Next:
    """Proposes the product after the last one, as a fitted table says."""

    def __init__(self, name: str, after: np.ndarray) -> None:
        self.name, self._after = name, after

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        if not len(shopper.recent):
            return Candidates.none(self.name)
        ords = self._after[shopper.recent[:1]].astype(np.int32)[:top_k]
        return Candidates(self.name, ords, np.ones(len(ords), np.float32))


def next_model(name: str = "next", *, by: int = 1, fits: list[bool] | None = None) -> Model:
    def fit(task: Task) -> Fitted:
        if fits is not None:
            fits.append(task.final)
        note = task.work / "note.bin"
        note.write_bytes(b"a file of the model")
        return Fitted(name, {"after": (np.arange(N) + by) % N}, {"note.bin": note}, {"by": by})

    def sources(fitted: Fitted, around: Surroundings) -> Sequence[Recommender]:
        assert fitted.files["note.bin"].read_bytes() == b"a file of the model"
        return [Next(name, fitted.arrays["after"])]

    return Model(name, fit, sources)


def failing(name: str, error: Exception) -> Model:
    def fit(task: Task) -> Fitted:
        raise error

    return Model(name, fit, lambda fitted, around: [])


def trained(shop: Shop, *models: Model) -> dict[str, ModelVersion]:
    """Train these alone, by name: without the combination, which has tests of its own."""
    made = train(shop._parts, only=[one.name for one in models], shelf=[*models, next_model("never asked for")])
    return by_name(made)


def by_name(versions: list[ModelVersion]) -> dict[str, ModelVersion]:
    return {version.name: version for version in versions}


def test_what_beats_popularity_serves_and_what_does_not_is_kept_with_the_reason(shop: Shop) -> None:
    made = trained(shop, next_model(), next_model("far", by=100))
    assert made["next"].active
    assert made["next"].metrics["next.recall@20"] > 0.5
    assert made["next"].metrics["next.gain_low"] > 0
    assert made["next"].metrics["cases"] > 100
    assert not made["far"].active
    assert "does not beat popularity" in made["far"].note
    serving = shop._parts.stores.models
    assert serving.promoted("far") == []
    assert [one.version for one in shop.models() if one.active] == [made["next"].version]


def test_the_model_that_serves_has_learned_from_everything(shop: Shop) -> None:
    fits: list[bool] = []
    seen: list[int] = []

    def fit(task: Task) -> Fitted | None:
        seen.append(len(task.past))
        return next_model(fits=fits).fit(task)

    trained(shop, replace(next_model(), fit=fit))
    assert fits == [False, True]
    assert seen[0] < seen[1] == 1500


def test_one_that_fails_harms_no_other(shop: Shop) -> None:
    before = trained(shop, next_model())["next"]
    shelf = [
        failing("next", TrainingFailed("the loss is no number")), failing("odd", ZeroDivisionError("by zero")),
        replace(next_model("poor"), fit=lambda task: None), next_model("other"),
    ]  # fmt: skip
    made = trained(shop, *shelf)
    assert made["next"].note == "failed: the loss is no number"
    assert made["odd"].note == "failed: ZeroDivisionError: by zero"
    assert made["poor"].note == "not trained: there is too little to learn from"
    assert [made[name].version for name in ("next", "odd", "poor")] == ["", "", ""]
    assert made["other"].active
    assert shop._parts.stores.models.promoted("next") == [before.version]


def test_a_model_that_is_no_number_is_never_saved(shop: Shop) -> None:
    def fit(task: Task) -> Fitted:
        return Fitted("next", {"after": np.array([1.0, np.nan])})

    made = trained(shop, Model("next", fit, lambda fitted, around: []))["next"]
    assert (made.version, made.active) == ("", False)
    assert "not finite" in made.note
    assert shop.models() == []


def test_a_training_that_was_stopped_is_taken_up(shop: Shop) -> None:
    fits: list[bool] = []
    stopped = failing("slow", ZeroDivisionError())

    def interrupted(task: Task) -> Fitted:
        (task.work / "checkpoint").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(shop, next_model(fits=fits), replace(stopped, fit=interrupted))
    assert fits == [False]

    def resumed(task: Task) -> Fitted:
        assert task.final or (task.work / "checkpoint").read_text() == "half"
        return next_model("slow").fit(task)

    shop.record(Event("view_item", "late", (EventItem("P1"),)))  # traffic goes on meanwhile
    made = trained(shop, next_model(fits=fits), replace(next_model("slow"), fit=resumed))
    assert fits == [False, True]  # what was fitted was not fitted again
    assert made["next"].active
    assert made["slow"].active
    work = shop.path / "models" / ".work"
    assert [entry.name for entry in work.iterdir()] == ["lock"]


def test_a_stopped_training_of_another_catalogue_begins_anew(shop: Shop) -> None:
    fits: list[bool] = []

    def interrupted(task: Task) -> Fitted:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(shop, next_model(fits=fits), replace(next_model("slow"), fit=interrupted))
    shop.upsert_products([Product("new", "A new thing")])
    assert shop.wait_indexed(60)
    trained(shop, next_model(fits=fits))
    assert fits == [False, False, True]


def test_versions_made_before_the_stop_are_not_made_again(shop: Shop) -> None:
    def interrupted(task: Task) -> Fitted:
        if task.final:
            raise KeyboardInterrupt
        return next_model("slow").fit(task)

    with pytest.raises(KeyboardInterrupt):
        trained(shop, next_model(), replace(next_model("slow"), fit=interrupted))
    (first,) = shop.models()
    made = trained(shop, next_model(), next_model("slow"))
    assert made["next"].version == first.version
    assert made["next"].active
    assert len(shop.models()) == 2


def test_two_trainings_at_once_are_refused(shop: Shop) -> None:
    with Workbench(shop.path / "models"), pytest.raises(ShopBusy, match="being trained already"):
        shop.train()
    assert trained(shop, next_model())["next"].active


def test_only_what_is_named_is_trained(shop: Shop) -> None:
    made = train(shop._parts, only=["other"], shelf=[next_model(), next_model("other")])
    assert [one.name for one in made] == ["other"]
    with pytest.raises(InvalidRequest, match="use one of covisitation"):
        shop.train(only=["nonsense"])


def test_when_the_time_is_up_the_rest_is_left_as_it_is(shop: Shop) -> None:
    shop._parts.settings = SETTINGS.model_copy(
        update={"train": SETTINGS.train.model_copy(update={"max_minutes": 1e-9})}
    )
    made = trained(shop, next_model())["next"]
    assert "the time was up" in made.note
    assert shop.models() == []


def test_a_shop_with_hardly_any_events_promotes_nothing_and_says_why(tmp_path: Path) -> None:
    with Shop.open(tmp_path / "shop", settings=SETTINGS) as opened:
        opened.upsert_products([Product(f"P{n}", f"Thing {n}") for n in range(5)])
        assert opened.wait_indexed(60)
        made = opened.train()
        assert len(made) == len(SHELF) + len(SEARCH_MODELS)
        assert not any(one.active for one in made)
        assert all(one.note.startswith("not ") for one in made)
        opened.record(Event("view_item", "v", (EventItem("P1"),)))
        made = opened.train()
        assert len(made) == len(SHELF) + len(SEARCH_MODELS)
        assert not any(one.active for one in made)
        assert all(one.note for one in made)
        assert opened.recommend("home", visitor_id="v").hits


def test_interactions_with_unknown_products_alone_teach_nothing(tmp_path: Path, history: list[Event]) -> None:
    with Shop.open(tmp_path / "shop", settings=SETTINGS) as opened:
        opened.upsert_products([Product(f"new{n}", f"Brand new thing {n}") for n in range(30)])
        assert opened.wait_indexed(60)
        opened.record_many(history)  # of products that this catalogue has never seen
        assert not any(one.active for one in opened.train())
        assert opened.recommend("home", visitor_id="v1").hits


def test_the_sources_are_combined_and_each_is_told_what_it_adds(shop: Shop) -> None:
    made = by_name(train(shop._parts, shelf=[next_model(), next_model("far", by=100)]))
    found = made["combination"]
    assert found.metrics["combination.recall@20"] >= made["next"].metrics["next.recall@20"] - 0.1
    assert found.metrics["next.adds_low"] > 0
    assert found.metrics["far.adds_low"] <= 0
    assert "far" not in found.params["sources"]  # it does not serve
    assert "next" in found.params["sources"]
    out = sources_table(list(made.values()))
    assert out is not None
    assert out.columns[-1].header == "MRR it adds"
    if found.active:
        shop._parts.models.follow()
        assert shop._parts.models.now.combination is not None
        assert shop.recommend("home", visitor_id="v1").model_versions["combination"] == found.version


def test_the_tables_say_what_each_source_finds(shop: Shop) -> None:
    from io import StringIO

    from rich.console import Console

    made = list(trained(shop, next_model(), next_model("far", by=100)).values())
    out = Console(file=StringIO(), width=200)
    out.print(models_table(made))
    measured = sources_table(made)
    assert measured is not None
    out.print(measured)
    assert isinstance(out.file, StringIO)
    text = out.file.getvalue()
    assert "does not beat popularity" in text
    assert source_names({k: v for one in made for k, v in one.metrics.items()})[:2] == ["popularity", "next"]
    assert sources_table([]) is None
