"""A small shop to break, and ways to break it."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aisle.settings import Settings
from aisle.shop import Shop
from aisle.types import Event, EventItem, Money, Product, Slate

AISLE = (sys.executable, "-c", "from aisle.cli import main; main()")
NOUNS = ("Hoodie", "Backpack", "Watch", "Bottle", "Sneaker", "Lamp")
WORDS_ONLY = Settings(encoder={"model": ""})  # type: ignore[arg-type]


def catalogue(n: int = 60) -> list[Product]:
    return [
        Product(
            f"P{i}",
            f"{NOUNS[i % len(NOUNS)]} number{i}",
            price=Money.parse(f"{5 + i}.00 USD"),
            product_type=f"Shop > {NOUNS[i % len(NOUNS)]}s",
            color=("Red", "Blue", "Green")[i % 3],
            brand="Acme",
        )
        for i in range(n)
    ]


def product(item_id: str, title: str) -> Product:
    return Product(item_id, title, price=Money.parse("9.00 USD"), color="Red")


def viewed(visitor: str, item_id: str, event_id: str = "", *, name: str = "view_item", time_ms: int = 0) -> Event:
    return Event(name, visitor, (EventItem(item_id),), event_id=event_id, time_ms=time_ms)


def made(folder: Path, settings: Settings = WORDS_ONLY, n: int = 60) -> Path:
    """A shop with some history, closed."""
    with Shop.open(folder, settings=settings) as shop:
        shop.upsert_products(catalogue(n))
        assert shop.wait_indexed(120)
        shop.record_many([viewed(f"v{i % 7}", f"P{i * 5 % n}", f"e{i}") for i in range(200)])
    if not settings.encoder.model:
        (folder / "aisle.toml").write_text('[encoder]\nmodel = ""\n')
    return folder


def copied(shop: Path, to: Path) -> Path:
    shutil.copytree(shop, to, symlinks=True)
    return to


def found(slate: Slate) -> list[str]:
    return [hit.item_id for hit in slate.hits]


def answers(shop: Shop, n: int = 60) -> None:
    """The shop is whole: everything is there once, words find it, shoppers get something."""
    assert shop.wait_indexed(60)
    everything = shop.search("", hits_per_page=200)
    assert everything.n_hits == len(set(found(everything))) == n
    assert found(shop.search("number7"))[0] == "P7"
    facets = {v.value: v.count for v in everything.facets["color"]}
    assert sum(facets.values()) == n
    assert shop.recommend("home", visitor_id="v1").hits
    assert shop.suggest("hood")


def damaged(file: Path, how: str) -> None:
    """Break a file in its place, without touching other links to it."""
    data = bytearray(file.read_bytes())
    file.unlink()
    if how == "truncated":
        file.write_bytes(data[: len(data) // 2])
    elif how == "flipped":
        for at in {len(data) // 3, len(data) // 2}:
            data[at] ^= 0x5A
        file.write_bytes(data)
    elif how == "empty":
        file.write_bytes(b"")


def until(true: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait for something to become true; fails when it does not."""
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return value


@contextlib.contextmanager
def serving(folder: Path, *, code: str = "") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`aisle serve` and its address; `code` is run first in its process."""
    program = f"{code}\nfrom aisle.cli import main\nmain()"
    command = [sys.executable, "-c", program, "serve", str(folder), "--port", "0", "--for", "120"]
    with (folder / "server.log").open("a") as noise:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, text=True)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        place = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert place, said + (folder / "server.log").read_text()
        yield process, place[0]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
