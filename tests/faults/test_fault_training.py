"""Training that is killed, runs out of disk, or gets a strange log: what serves goes on serving."""

from __future__ import annotations

import json
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from faulty import WORDS_ONLY, answers, catalogue, copied, damaged, viewed

from aisle.adapters.files.models import FilesModelStore
from aisle.errors import ModelDamaged, StorageError
from aisle.learn.covisitation import COUNTING, Lines, count_relation
from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.neighbours import fit_neighbours
from aisle.ports import Recommender, Shopper
from aisle.serving.models_in_use import ModelsInUse
from aisle.shelf import SHELF, Model, Surroundings
from aisle.shop import Shop
from aisle.training.recommendations import train
from aisle.types import Candidates, Event, Ords

N = 120
COVISITATION = SHELF[0]


def walks(n: int = 260, seed: int = 1) -> list[Event]:
    """Shoppers who go on to the next product."""
    rng = random.Random(seed)
    events = []
    for visit in range(n):
        at = rng.randrange(N)
        for step in range(5):
            at = (at + 1) % N if rng.random() < 0.9 else rng.randrange(N)
            time_ms = 1_700_000_000_000 + visit * 3_600_000 + step * 20_000
            events.append(viewed(f"v{visit}", f"P{at}", f"w{seed}-{visit}-{step}", time_ms=time_ms))
    return events


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("walked") / "shop"
    with Shop.open(folder, settings=WORDS_ONLY) as shop:
        shop.upsert_products(catalogue(N))
        assert shop.wait_indexed(60)
        shop.record_many(walks())
        (made,) = train(shop._parts, only=[COVISITATION.name])
        assert made.active
    (folder / "aisle.toml").write_text('[encoder]\nmodel = ""\n')
    return folder


HALF_WAY = """
import sys, time
import aisle.training.recommendations
from aisle.shelf import SHELF, Model

def slow(task):
    checkpoint = task.work / "epoch-1"
    if not checkpoint.exists():
        checkpoint.write_text("half of it")
        print("half way", flush=True)
        time.sleep(300)
    print("resumed", file=sys.stderr, flush=True)

aisle.training.recommendations.SHELF = (SHELF[0], Model("slow", slow, lambda fitted, around: []))
from aisle.cli import main
main()
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_training_stopped_half_way_is_taken_up_by_the_next(walked: Path, tmp_path: Path, how: signal.Signals) -> None:
    shop = copied(walked, tmp_path / "s")
    before = (shop / "models" / "covisitation" / "active").read_text()
    command = [sys.executable, "-c", HALF_WAY, "train", str(shop), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "half way\n"
    second = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert second.returncode == 1
    assert "being trained already" in second.stderr
    process.send_signal(how)
    process.wait(60)
    said = process.stderr.read()
    if how is signal.SIGINT:
        assert "stopped" in said
        assert "Traceback" not in said
    process.stdout.close()
    process.stderr.close()
    assert (shop / "models" / "covisitation" / "active").read_text() == before
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        answers(opened, N)
        assert opened.recommend("home").model_versions["covisitation"] == before.split()[0]
    again = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert "resumed" in again.stderr
    made = {one["name"]: one for one in json.loads(again.stdout)}
    assert made["covisitation"]["active"]
    assert made["covisitation"]["version"] > before.split()[0]
    assert [entry.name for entry in (shop / "models" / ".work").iterdir()] == ["lock"]


def test_a_disk_that_is_full_while_a_version_is_written(walked: Path, tmp_path: Path) -> None:
    shop = copied(walked, tmp_path / "s")
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        before = opened._parts.stores.models.promoted("covisitation")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        for follower in opened._parts._followers:
            follower.stop()
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
        try:
            with pytest.raises(StorageError):
                train(opened._parts, only=["covisitation"])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert opened._parts.stores.models.promoted("covisitation") == before
        (made,) = train(opened._parts, only=["covisitation"])
        assert made.active


# ----------------------------------------------------------- models that serve


class Says:
    def __init__(self, text: str) -> None:
        self.name, self.text = "says", text

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        return Candidates.none(self.name)


def _sources(fitted: Fitted, around: Surroundings) -> list[Recommender]:
    if fitted.arrays["a"][0] < 0:
        raise KeyError("what an older release wrote")
    return [Says(fitted.files["words.txt"].read_text())]


SPEAKING = Model("speaking", lambda task: None, _sources)


@pytest.fixture
def store(tmp_path: Path) -> FilesModelStore:
    return FilesModelStore(tmp_path / "models")


@pytest.fixture
def serving(store: FilesModelStore) -> ModelsInUse:
    nothing = np.empty(0, np.int32), np.empty(0, np.float32)
    around = Surroundings(facts=lambda: None, popular=lambda: nothing, settings=WORDS_ONLY)  # type: ignore[arg-type, return-value]
    return ModelsInUse(store, around, [SPEAKING])


def promoted(store: FilesModelStore, tmp_path: Path, text: str, a: int = 1) -> str:
    words = tmp_path / "any name"
    words.write_text(text)
    version = store.create("speaking", {"a": np.array([a])}, files={"words.txt": words}).version
    store.promote("speaking", version)
    return version


@pytest.mark.parametrize("how", ["gone", "flipped", "truncated"])
def test_a_version_whose_file_is_damaged_leaves_the_last_good_one(
    store: FilesModelStore, serving: ModelsInUse, tmp_path: Path, how: str
) -> None:
    first = promoted(store, tmp_path, "the first of them")
    serving.follow()
    second = promoted(store, tmp_path, "the second of them")
    damaged(store.folder("speaking", second) / "words.txt", how)
    for one in (serving, ModelsInUse(store, serving._around, [SPEAKING])):  # going on, and opened anew
        with pytest.raises(ModelDamaged, match=r"words\.txt"):
            one.follow()
        assert one.now.versions == {"speaking": first}
        assert one.now.sources["says"].text == "the first of them"  # type: ignore[attr-defined]
    third = promoted(store, tmp_path, "the third of them")
    serving.follow()
    assert serving.now.versions == {"speaking": third}


def test_a_version_that_this_release_cannot_read_is_as_good_as_damaged(
    store: FilesModelStore, serving: ModelsInUse, tmp_path: Path
) -> None:
    first = promoted(store, tmp_path, "good")
    promoted(store, tmp_path, "strange", a=-1)
    with pytest.raises(ModelDamaged, match="roll back to another version or train again"):
        serving.follow()
    assert serving.now.versions == {"speaking": first}


def test_what_serves_is_replaced_as_a_whole(store: FilesModelStore, serving: ModelsInUse, tmp_path: Path) -> None:
    promoted(store, tmp_path, "one")
    serving.follow()
    before = serving.now
    promoted(store, tmp_path, "two")
    serving.follow()
    assert (before.sources["says"].text, before.versions) == ("one", {"speaking": "v000001"})  # type: ignore[attr-defined]
    assert (serving.now.sources["says"].text, serving.now.versions) == ("two", {"speaking": "v000002"})  # type: ignore[attr-defined]
    same = serving.now
    serving.follow()
    assert serving.now is same


# ------------------------------------------------------------- strange logs


def _one_event_each() -> list[Event]:
    return [viewed(f"once{n}", f"P{n % N}", f"o{n}", time_ms=1_700_000_000_000 + n * 60_000) for n in range(400)]


def _all_at_one_moment() -> list[Event]:
    return [viewed(f"m{n % 40}", f"P{n % N}", f"o{n}", time_ms=1_700_000_000_000) for n in range(400)]


def _all_of_one_product() -> list[Event]:
    return [viewed(f"m{n % 40}", "P1", f"o{n}", time_ms=1_700_000_000_000 + n * 60_000) for n in range(400)]


@pytest.mark.parametrize("log", [_one_event_each, _all_at_one_moment, _all_of_one_product])
def test_a_log_that_teaches_nothing_promotes_nothing(tmp_path: Path, log: Callable[[], list[Event]]) -> None:
    with Shop.open(tmp_path / "shop", settings=WORDS_ONLY) as opened:
        opened.upsert_products(catalogue(N))
        assert opened.wait_indexed(60)
        opened.record_many(log())
        made = opened.train()
        assert len(made) >= len(SHELF)
        assert [one.name for one in made if one.active and one.name != "clusters"] == []
        assert all(one.note for one in made if not one.active)
        assert not [one.note for one in made if "failed" in one.note]
        answers(opened, N)


def test_a_visitor_of_a_hundred_thousand_events_is_one_visitor() -> None:
    """What grows with the square of a history would not come back from this."""
    rng = np.random.default_rng(0)
    robot = rng.integers(0, 2000, 100_000)
    others = [list(np.arange(start, start + 6) % 2000) for start in rng.integers(0, 2000, 600)]
    past = Interactions.of_sequences([robot, *others])
    fitted = fit_neighbours(past, seconds=5.0)
    assert fitted is not None
    lines = Lines(past.session, past.session, past.ords, past.time_ms)
    indptr, _, _ = count_relation(lines, 2000, COUNTING["viewed"])
    assert len(indptr) == 2001
