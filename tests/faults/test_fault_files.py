"""Files that are damaged, missing or old: the shop opens, says so, and answers."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from faulty import WORDS_ONLY, answers, copied, damaged, found, made, product, viewed

from aisle.errors import ShopNotFound
from aisle.settings import Settings
from aisle.shop import Shop

READS = Settings()


@pytest.fixture(scope="module")
def worded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("worded") / "shop")


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose encoder reads."""
    return made(tmp_path_factory.mktemp("reading") / "shop", READS, n=24)


def current(shop: Path) -> Path:
    return shop / "indexes" / (shop / "indexes" / "current").read_text()


# ------------------------------------------------------------------- indexes


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty", "gone"])
@pytest.mark.parametrize("which", ["*.term", "*.idx", "*.store", "*.fast", "meta.json", ".managed.json"])
def test_a_damaged_lexical_index_is_built_anew(worded: Path, tmp_path: Path, which: str, how: str) -> None:
    shop = copied(worded, tmp_path / "s")
    for file in (current(shop) / "lexical").glob(which):
        damaged(file, how)
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        answers(opened)
        opened.upsert_products([product("new", "Brand newthing")])
        answers(opened, 61)
        assert found(opened.search("newthing")) == ["new"]


def _no_indexes(shop: Path) -> None:
    shutil.rmtree(shop / "indexes")


def _no_pointer(shop: Path) -> None:
    (shop / "indexes" / "current").unlink()


def _senseless_pointer(shop: Path) -> None:
    (shop / "indexes" / "current").write_bytes(b"\xff\xfe\x00../../etc")


def _pointer_to_nothing(shop: Path) -> None:
    (shop / "indexes" / "current").write_text("v999999")


def _no_applied(shop: Path) -> None:
    (current(shop) / "lexical" / "applied.json").unlink()


def _index_from_the_future(shop: Path) -> None:
    (current(shop) / "lexical" / "applied.json").write_text('{"seq": 999999}')


def _killed_build(shop: Path) -> None:
    shutil.copytree(current(shop), shop / "indexes" / "v000099")
    (shop / "indexes" / "current.new").write_text("v0000")


@pytest.mark.parametrize(
    "fault",
    [
        _no_indexes, _no_pointer, _senseless_pointer, _pointer_to_nothing,
        _no_applied, _index_from_the_future, _killed_build,
    ],
)  # fmt: skip
def test_what_is_missing_beside_the_index_is_made_anew(
    worded: Path, tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    shop = copied(worded, tmp_path / "s")
    fault(shop)
    for _ in range(2):
        with Shop.open(shop, settings=WORDS_ONLY) as opened:
            answers(opened)
    assert len(list((shop / "indexes").glob("v*"))) == 1


def test_an_older_catalogue_under_a_newer_index(worded: Path, tmp_path: Path) -> None:
    """A database restored from a backup: the index must not show what it does not have."""
    shop = copied(worded, tmp_path / "s")
    shutil.copy(shop / "aisle.db", tmp_path / "backup.db")
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        opened.upsert_products([product("later", "Later thing")])
        answers(opened, 61)
    for leftover in shop.glob("aisle.db-*"):
        leftover.unlink()
    shutil.copy(tmp_path / "backup.db", shop / "aisle.db")
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        answers(opened)


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty", "gone"])
def test_a_damaged_snapshot_of_vectors_is_read_from_the_store(reading: Path, tmp_path: Path, how: str) -> None:
    with Shop.open(copied(reading, tmp_path / "whole"), settings=READS) as opened:
        before = found(opened.search("something to wear on cold evenings"))
    shop = copied(reading, tmp_path / "s")
    files = [f for f in current(shop).glob("dense-*/*") if f.is_file()]
    assert len(files) >= 3
    for file in files:
        damaged(file, how)
    with Shop.open(shop, settings=READS) as opened:
        answers(opened, 24)
        assert found(opened.search("something to wear on cold evenings")) == before
        assert opened.health()["degraded"] == []


# ------------------------------------------------------------------- encoder


def test_an_encoder_that_is_not_on_this_machine_leaves_the_words(reading: Path, tmp_path: Path) -> None:
    shop = copied(reading, tmp_path / "s")
    with Shop.open(shop, settings=Settings(encoder={"model": "nobody/has-this-encoder"})) as opened:  # type: ignore[arg-type]
        answers(opened, 24)
        (told,) = opened.status()["degraded"]
        assert "nobody/has-this-encoder" in told
        assert opened.search("hoodie").degraded == ("encoder",)


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "card.json"])
@pytest.mark.parametrize("how", ["truncated", "flipped", "gone"])
def test_a_damaged_encoder_leaves_the_words(reading: Path, tmp_path: Path, file: str, how: str) -> None:
    shop = copied(reading, tmp_path / "s")
    (place,) = [f for f in (shop / "models" / "encoder").iterdir() if f.is_dir()]
    damaged(place / file, how)
    with Shop.open(shop, settings=READS) as opened:
        answers(opened, 24)
        degraded = opened.status()["degraded"]
        # Without its card the folder is no encoder, and is linked anew.
        assert degraded == [] if (file, how) == ("card.json", "gone") else "encoder" in degraded[0]


# -------------------------------------------------------------------- models


def _trained(worded: Path, to: Path, n: int = 1) -> Path:
    shop = copied(worded, to)
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        models = opened._parts.stores.models
        for k in range(n):
            version = models.create("covisitation", _pairs(k), note="made by hand")
            models.promote("covisitation", version.version)
    return shop


def _pairs(k: int) -> dict[str, np.ndarray]:
    from aisle.learn.covisitation import train_covisitation
    from aisle.types import LoggedEvent

    rng = random.Random(k)
    events = [
        viewed(f"s{i // 4}", f"P{rng.randrange(60)}", f"m{k}-{i}", time_ms=1_700_000_000_000 + i * 60_000)
        for i in range(400)
    ]
    return train_covisitation([LoggedEvent(i, e) for i, e in enumerate(events, 1)], lambda i: int(i[1:]))


@pytest.mark.parametrize("how", ["truncated", "flipped", "gone"])
@pytest.mark.parametrize("file", ["arrays.safetensors", "card.json"])
def test_a_damaged_model_gives_the_last_good_one(worded: Path, tmp_path: Path, file: str, how: str) -> None:
    shop = _trained(worded, tmp_path / "s", 2)
    damaged(shop / "models" / "covisitation" / "v000002" / file, how)
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        answers(opened)
        assert opened.recommend("home").model_versions["covisitation"] == "v000001"
        assert opened.status()["products"] == 60


@pytest.mark.parametrize("how", ["flipped", "gone"])
def test_without_a_good_model_answers_are_plainer(worded: Path, tmp_path: Path, how: str) -> None:
    shop = _trained(worded, tmp_path / "s")
    damaged(shop / "models" / "covisitation" / "v000001" / "arrays.safetensors", how)
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        answers(opened)
        assert "covisitation" not in opened.recommend("home").model_versions
        assert opened.together(["P1"]).hits


def test_a_model_that_is_damaged_while_it_serves_goes_on(worded: Path, tmp_path: Path) -> None:
    from faulty import until

    shop = _trained(worded, tmp_path / "s")
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        models = opened._parts.stores.models
        version = models.create("covisitation", _pairs(5)).version
        models.promote("covisitation", version)
        damaged(shop / "models" / "covisitation" / version / "arrays.safetensors", "truncated")
        serving = opened._parts.models
        serving.now = replace(serving.now, versions={"covisitation": "v000001"})  # as if it had not looked in between
        opened._parts.nudge()
        until(lambda: any("models" in told for told in opened.health()["degraded"]))
        answers(opened)
        assert opened.recommend("home").model_versions["covisitation"] == "v000001"
        # Trained again, it recovers by itself.
        models.promote("covisitation", models.create("covisitation", _pairs(6)).version)
        opened._parts.nudge()
        until(lambda: not opened.health()["degraded"])


# --------------------------------------------------------------------- state


def _dumps(shop: Shop) -> dict[str, bytes]:
    return {name: fold.dump() for name, fold in shop._parts.replay.folds.items()}


@pytest.mark.parametrize("fault", ["deleted", "corrupt", "cut", "one deleted", "senseless"])
def test_state_without_its_snapshot_is_the_same(worded: Path, tmp_path: Path, fault: str) -> None:
    shop = copied(worded, tmp_path / "s")
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        opened.record_many([viewed("v1", f"P{i}", f"live{i}", name="add_to_cart") for i in range(5)])
        live = _dumps(opened)
    with sqlite3.connect(shop / "aisle.db") as database:
        assert database.execute("SELECT count(*) FROM states").fetchone()[0] >= 3
        if fault == "deleted":
            database.execute("DELETE FROM states")
        elif fault == "one deleted":
            database.execute("DELETE FROM states WHERE name = 'trending'")
        elif fault == "cut":
            database.execute("UPDATE states SET data = substr(data, 1, length(data) / 2)")
        elif fault == "senseless":
            database.execute("UPDATE states SET data = ?, seq = 3", (b"[1, 2]",))
        else:
            for name, data in database.execute("SELECT name, data FROM states").fetchall():
                spoilt = bytearray(data)
                spoilt[len(data) // 2] ^= 1
                database.execute("UPDATE states SET data = ? WHERE name = ?", (bytes(spoilt), name))
    database.close()
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        assert _dumps(opened) == live
        answers(opened)


def test_history_imported_late_is_as_if_it_came_in_time(worded: Path, tmp_path: Path) -> None:
    events = [
        viewed(f"h{i % 5}", f"P{i * 7 % 60}", f"h{i}", time_ms=1_750_000_000_000 + i * 100_000, name=name)
        for i in range(150)
        for name in (("view_item", "add_to_cart", "remove_from_cart", "purchase")[i * 7 % 4],)
    ]
    late = random.Random(3).sample(events, len(events))
    dumps = []
    for n, order in enumerate((events, late)):
        with Shop.open(copied(worded, tmp_path / f"s{n}"), settings=WORDS_ONLY) as opened:
            for at in range(0, len(order), 40):
                opened.record_many(order[at : at + 40])
            opened.record_many(order[:60])  # once more: nothing may count twice
            dumps.append(_dumps(opened))
            home = [found(opened.recommend("home", visitor_id=f"h{v}")) for v in range(5)]
        dumps.append({"home": repr(home).encode()})
    assert dumps[0] == dumps[2]
    assert dumps[1] == dumps[3]


def test_no_shop_there(tmp_path: Path) -> None:
    with pytest.raises(ShopNotFound):
        Shop.open(tmp_path / "none", create=False)
