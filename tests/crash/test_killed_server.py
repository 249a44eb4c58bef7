"""A real server under writes, killed at random moments: what it acknowledged is there after the restart, once.

AISLE_TEST_KILLS raises the number of kills.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from aisle.settings import Settings
from aisle.shop import Shop
from aisle.types import Money, Product

pytestmark = pytest.mark.crash

N_KILLS = int(os.environ.get("AISLE_TEST_KILLS", "8"))
N_PRODUCTS = 60
AISLE = (sys.executable, "-c", "from aisle.cli import main; main()")
GONE = (OSError, http.client.HTTPException, json.JSONDecodeError)
"""What a client sees of a server that is killed."""


class Client:
    """One kept connection to a server."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._key = key

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, {"X-Aisle-Key": self._key})
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def get(self, path: str, **parameters: Any) -> Any:
        status, answer = self.ask("GET", f"{path}?{urlencode(parameters)}" if parameters else path)
        assert status == 200, (path, status, answer)
        return answer

    def close(self) -> None:
        self._connection.close()


class Acknowledged:
    """What the server said yes to, and products whose last change may or may not have been taken."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.events: dict[str, int] = {}
        self.lists: set[str] = set()
        self.products: dict[str, str | None] = {}  # the title, None for a deleted one
        self.open: dict[str, set[str | None]] = {}  # asked for, never answered
        self.refused: list[tuple[int, Any]] = []


def product(item_id: str, title: str) -> dict[str, Any]:
    number = int(item_id[1:])
    return {
        "id": item_id,
        "item_group_id": f"G{number // 2}",
        "title": title,
        "price": f"{5 + number}.00 USD",
        "product_type": "Gear > Bags" if number % 3 else "Gear > Straps",
        "color": "red" if number % 2 else "blue",
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A shop without an encoder, and a key that may do everything."""
    folder = tmp_path_factory.mktemp("crash") / "shop"
    with Shop.open(folder, settings=Settings(encoder={"model": ""})) as opened:  # type: ignore[arg-type]
        opened.upsert_products(
            Product(f"P{n}", f"Bag first{n}", group_id=f"G{n // 2}", price=Money.parse("9.00 USD"))
            for n in range(N_PRODUCTS)
        )
        opened.wait_indexed()
        key = opened.keys.create("test", ("search", "events", "admin"))
    (folder / "aisle.toml").write_text('[encoder]\nmodel = ""\n[storage]\nsnapshot_events = 500\n')
    return folder, key


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The server and its port; killed at the end, whatever happens."""
    command = [*AISLE, "serve", str(folder), "--port", "0", "--for", "120"]
    with (folder / "server.log").open("a") as noise:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, text=True)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        port = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert port, said + (folder / "server.log").read_text()
        yield process, int(port[1])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def write_events(client: Client, name: str, rng: random.Random, said: Acknowledged) -> None:
    """Single events and batches; each names the list it follows from."""
    n = 0
    while True:
        n += 1
        visitor = f"v{rng.randrange(20)}"
        shown = client.get("/v1/search", query=rng.choice(("bag", "red", "first7", "")), visitor_id=visitor)
        ids = [f"{name}-{n}-{k}" for k in range(1 if n % 3 else rng.randint(2, 60))]
        events = [
            {
                "name": "view_item",
                "visitor_id": visitor,
                "event_id": one,
                "list_id": shown["list_id"],
                "items": [{"item_id": f"P{rng.randrange(N_PRODUCTS)}"}],
            }
            for one in ids
        ]
        status, answer = client.ask("POST", "/v1/events", events[0] if len(events) == 1 else {"events": events})
        with said.lock:
            if status != 202:
                said.refused.append((status, answer))
                continue
            acks = [answer] if len(events) == 1 else answer["acks"]
            said.events.update((ack["event_id"], ack["seq"]) for ack in acks)
            said.lists.add(shown["list_id"])


def write_products(client: Client, name: str, mine: list[str], rng: random.Random, said: Acknowledged) -> None:
    """Upserts and deletes of products that no other thread writes."""
    n = 0
    while True:
        n += 1
        chosen = rng.sample(mine, rng.randint(1, 5))
        wanted: dict[str, str | None]
        if n % 4 == 0:
            wanted = {chosen[0]: None}
            method, path, body = "DELETE", f"/v1/products/{quote(chosen[0])}", None
        else:
            wanted = {item_id: f"Bag {name}x{n}x{item_id}" for item_id in chosen}
            method, path, body = "PUT", "/v1/products", [product(i, str(title)) for i, title in wanted.items()]
        with said.lock:
            for item_id, title in wanted.items():
                said.open.setdefault(item_id, set()).add(title)
        status, answer = client.ask(method, path, body)
        with said.lock:
            for item_id in wanted:
                said.open.pop(item_id, None)
            if status == 200 or (method == "DELETE" and status == 404):
                said.products.update(wanted)
            else:
                said.refused.append((status, answer))


def until_killed(write: Callable[..., None], port: int, key: str, *rest: Any) -> None:
    client = Client(port, key)
    with contextlib.suppress(*GONE):
        write(client, *rest)
    client.close()


def test_what_the_server_acknowledged_survives_any_kill(shop: tuple[Path, str]) -> None:
    folder, key = shop
    rng = random.Random(11)
    said = Acknowledged()
    said.products = {f"P{n}": f"Bag first{n}" for n in range(N_PRODUCTS)}
    for run in range(N_KILLS + 1):
        with serving(folder) as (process, port):
            client = Client(port, key)
            check(folder, client, said)
            client.close()
            if run == N_KILLS:
                break
            threads = [
                threading.Thread(
                    target=until_killed,
                    args=(write_events, port, key, f"r{run}e{n}", random.Random(run * 10 + n), said),
                )
                for n in range(2)
            ] + [
                threading.Thread(
                    target=until_killed,
                    args=(
                        write_products, port, key, f"r{run}p{n}",
                        [f"P{i}" for i in range(N_PRODUCTS) if i // 2 % 2 == n], random.Random(run * 10 + 5 + n), said,
                    ),
                )
                for n in range(2)
            ]  # fmt: skip
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0.2, 1.5))
            os.kill(process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join(30)
                assert not thread.is_alive()
    assert said.refused == []
    assert len(said.events) > 10 * N_KILLS
    assert "Traceback" not in (folder / "server.log").read_text()


def check(folder: Path, client: Client, said: Acknowledged) -> None:
    """The server, just started, knows everything that was acknowledged, and nothing by halves."""
    with contextlib.closing(sqlite3.connect(f"file:{folder}/aisle.db?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        logged = database.execute("SELECT event_id, seq, list_id FROM events").fetchall()
        kept = {list_id for (list_id,) in database.execute("SELECT list_id FROM slates")}
    ids = [event_id for event_id, _, _ in logged]
    assert len(ids) == len(set(ids))
    assert said.events.items() <= {event_id: seq for event_id, seq, _ in logged}.items()
    assert said.lists <= {list_id for _, _, list_id in logged} <= kept

    for item_id, expected in sorted(said.products.items()):
        status, page = client.ask("GET", f"/v1/items/{item_id}")
        # The page of a variant that is gone shows what is left of its group.
        found = page["title"] if status == 200 and page["item_id"] == item_id else None
        assert found in {expected, *said.open.get(item_id, ())}, item_id
        said.products[item_id] = found
    said.open.clear()

    titles: dict[str, set[str]] = {}
    for item_id, title in said.products.items():
        if title is not None:
            titles.setdefault(f"G{int(item_id[1:]) // 2}", set()).add(title)
    everything = client.get("/v1/search", query="", hits_per_page=200)
    assert everything["n_hits"] == len(titles)
    assert {hit["group_id"] for hit in everything["hits"]} == titles.keys()
    for hit in everything["hits"][::3]:
        assert hit["title"] in titles[hit["group_id"]]
        found = client.get("/v1/search", query=hit["title"].split()[1], hits_per_page=5)["hits"]
        assert hit["group_id"] in {one["group_id"] for one in found}, hit["title"]
    assert client.get("/health/ready")["degraded"] == []
