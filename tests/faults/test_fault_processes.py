"""Several processes on one shop: they see each other's work, and outlive each other."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from faulty import AISLE, WORDS_ONLY, answers, copied, found, made, product, serving, until, viewed

from aisle.errors import ShopBusy
from aisle.shop import Shop

pytestmark = pytest.mark.crash

EVENT = {"name": "view_item", "visitor_id": "v1", "items": [{"item_id": "P3"}]}


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("made") / "shop")


@pytest.fixture
def shop(made_once: Path, tmp_path: Path) -> Path:
    return copied(made_once, tmp_path / "s")


def key_of(shop: Path) -> dict[str, str]:
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        return {"X-Aisle-Key": opened.keys.create("test", ("search", "events", "admin"))}


def feed(folder: Path, n: int, title: str = "Imported") -> Path:
    rows = [
        f"I{i}\t{title} thing{i}\t{3 + i % 90}.00 USD\tin_stock\tShop > Imports\thttps://e.com/{i}" for i in range(n)
    ]
    file = folder / "feed.tsv"
    file.write_text("\n".join(["id\ttitle\tprice\tavailability\tproduct_type\tlink", *rows]) + "\n")
    return file


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*AISLE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def counted(client: httpx.Client, query: str = "") -> int:
    answer = client.get("/v1/search", params={"query": query})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["n_hits"])


def test_two_imports_at_once_and_a_server_that_follows(shop: Path, tmp_path: Path) -> None:
    file, key = feed(tmp_path, 300), key_of(shop)
    with serving(shop) as (_, base), httpx.Client(base_url=base, headers=key, timeout=20) as client:
        assert counted(client) == 60
        imports = [started("import", str(shop), "--products", str(file), "--json") for _ in range(2)]
        for process in imports:
            ended(process)
        # Both waited until the server had indexed what they brought.
        until(lambda: counted(client) == 360, 5)
        assert counted(client, "thing7") >= 1
        assert client.get("/v1/items/I7").json()["title"] == "Imported thing7"
        more = "\n".join(f'{{"name": "view_item", "visitor_id": "w", "event_id": "x{i}", "time_ms": '
                         f'{1_750_000_000_000 + i}, "items": [{{"item_id": "I{i}"}}]}}' for i in range(50))  # fmt: skip
        (tmp_path / "events.jsonl").write_text(more)
        ended(started("import", str(shop), "--events", str(tmp_path / "events.jsonl")))
        until(lambda: client.get("/health/ready").json()["event_seq"] == 250, 5)
        home = client.get("/v1/recommend/home", params={"visitor_id": "w"}).json()
        assert home["hits"]


def test_a_killed_import_resumes(shop: Path, tmp_path: Path) -> None:
    n = 4000
    file = feed(tmp_path, n)
    for wait_s in (0.9, 1.3):
        process = started("import", str(shop), "--products", str(file))
        time.sleep(wait_s)
        process.kill()
        process.communicate()
    ended(started("import", str(shop), "--products", str(file)))
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        answers_n = opened.search("", hits_per_page=1).n_hits
        assert answers_n == n + 60
        assert opened.status()["products"] == n + 60


def test_two_servers_see_each_other_and_one_takes_over(shop: Path) -> None:
    key = key_of(shop)
    with serving(shop) as (first, a), serving(shop) as (_, b):
        one, two = (httpx.Client(base_url=base, headers=key, timeout=20) for base in (a, b))
        with one, two:
            one.put("/v1/products", json={"id": "A1", "title": "Astrolabe", "price": "5 USD"}).raise_for_status()
            two.put("/v1/products", json={"id": "B1", "title": "Barometer", "price": "5 USD"}).raise_for_status()
            for client in (one, two):
                until(lambda c=client: counted(c, "astrolabe") == counted(c, "barometer") == 1, 5)
            one.post("/v1/events", json=EVENT | {"visitor_id": "x", "event_id": "both"}).raise_for_status()
            until(lambda: two.get("/health/ready").json()["event_seq"] == 201, 5)
            again = two.post("/v1/events", json=EVENT | {"visitor_id": "x", "event_id": "both"}).json()
            assert again["duplicate"]
            # Changes right before the owner dies: whoever is left applies what it left undone, once.
            for n in range(30):
                two.put("/v1/products", json={"id": "B1", "title": f"Barometer {n}", "price": "5 USD"})
                two.put("/v1/products", json={"id": f"L{n}", "title": f"Lantern{n}", "price": "5 USD"})
            first.send_signal(signal.SIGKILL)
            first.wait()
            until(lambda: counted(two) == 92, 10)
            assert counted(two, "barometer") == counted(two, "lantern29") == 1
            two.delete("/v1/products/A1").raise_for_status()
            until(lambda: counted(two, "astrolabe") == 0, 5)
            assert two.get("/health/ready").json()["index_lag"] == 0


def test_an_answer_of_a_process_that_only_reads_is_never_stale(shop: Path) -> None:
    """Its columns know of a change before the words do: what was answered in between must not be kept."""
    with Shop.open(shop, settings=WORDS_ONLY) as owner, Shop.open(shop, settings=WORDS_ONLY) as reader:
        assert not reader._parts.indexes.folder.owned
        for n in range(5):
            owner._parts._lexical_follower.stop()
            owner._parts.stores.catalog.upsert([product("N", f"Novelty{n}")])
            reader._parts.nudge()
            until(lambda: reader._parts._lexical_follower._columns_seq == reader._parts.stores.catalog.seq(), 5)
            assert reader.search(f"novelty{n}").n_hits == 0
            owner._parts._lexical_follower.restart()
            until(lambda word=f"novelty{n}": reader.search(word).n_hits == 1, 5)


def test_a_rebuild_beside_readers(shop: Path) -> None:
    with Shop.open(shop, settings=WORDS_ONLY) as owner, Shop.open(shop, settings=WORDS_ONLY) as reader:
        with pytest.raises(ShopBusy):
            reader.rebuild_indexes()
        for n in range(3):
            owner.upsert_products([product(f"R{n}", f"Rebuilt{n}")])
            owner.rebuild_indexes()
            owner.upsert_products([product(f"S{n}", f"Since{n}")])
            assert owner.wait_indexed(20)
            assert reader.wait_indexed(20)
            for one in (owner, reader):
                assert one.search("").n_hits == 60 + 2 * (n + 1)
                assert found(one.search(f"since{n}")) == [f"S{n}"]
        assert len(list((shop / "indexes").glob("v*"))) == 1
        owner.close()
        # Nobody writes: the reader takes over.
        reader.upsert_products([product("T", "Takeover")])
        assert reader.wait_indexed(20)
        assert found(reader.search("takeover")) == ["T"]
        assert reader.search("").n_hits == 67
        assert reader.health()["degraded"] == []


REBUILD = """
import sys
from aisle.shop import Shop
with Shop.open(sys.argv[1]) as shop:
    print("open", flush=True)
    while True:
        shop.rebuild_indexes(progress=lambda *_: print("building", flush=True))
"""


def test_a_killed_rebuild_leaves_an_index_that_serves(shop: Path) -> None:
    for n in range(4):
        process = subprocess.Popen([sys.executable, "-c", REBUILD, str(shop)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        assert process.stdout.readline() == "building\n"
        time.sleep(0.03 * n)
        process.kill()
        process.wait()
        process.stdout.close()
        with Shop.open(shop, settings=WORDS_ONLY) as opened:
            answers(opened)
    assert len(list((shop / "indexes").glob("v*"))) == 1


def test_a_full_disk_is_told_and_overcome(shop: Path) -> None:
    key = key_of(shop)
    acked: list[str] = []

    def send(client: httpx.Client, n: int) -> httpx.Response:
        body = [EVENT | {"event_id": f"full{n}-{k}", "query": "x" * 400} for k in range(50)]
        answer = client.post("/v1/events", json=body)
        if answer.status_code == 202:
            acked.extend(event["event_id"] for event in body)
        return answer

    with serving(shop) as (process, base), httpx.Client(base_url=base, headers=key, timeout=20) as client:
        assert counted(client) == 60
        limit = max(f.stat().st_size for f in shop.glob("aisle.db*")) + 200_000
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        refused: Any = None
        for n in range(200):
            refused = send(client, n)
            if refused.status_code != 202:
                break
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        big = [{"id": f"F{n}", "title": f"Filler{n} " + "word " * 500, "price": "5 USD"} for n in range(300)]
        answer = client.put("/v1/products", json=big)
        assert answer.status_code == 503
        assert counted(client) == 60
        assert client.get("/v1/recommend/home", params={"visitor_id": "v1"}).json()["hits"]
        assert client.get("/health/live").status_code == 200
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert send(client, 1000).status_code == 202
        client.put("/v1/products", json=big).raise_for_status()
        until(lambda: counted(client) == 360)
        until(lambda: client.get("/health/ready").json()["degraded"] == [])
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        kept = {logged.event.event_id for logged in opened.recent_events(100_000)}
        assert set(acked) <= kept
        assert opened.search("").n_hits == 360


def test_an_index_without_room_catches_up_once_there_is_some(shop: Path) -> None:
    """The store has room, the index not: words lag behind, and come."""
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        opened._parts._lexical_follower.stop()
        opened.upsert_products(product(f"Z{n}", f"Zither{n} " + "tune " * 50) for n in range(50))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            opened._parts._lexical_follower.restart()
            until(lambda: opened.health()["degraded"])
            assert opened.search("").n_hits == 60
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert opened.wait_indexed(20)
        assert opened.search("").n_hits == 110
        assert opened.search("zither7").n_hits == 1
        opened.upsert_products([product("Z7", "Sitar seven")])
        assert opened.wait_indexed(20)
        assert opened.search("").n_hits == 110
        assert opened.search("zither7").n_hits == 0


ERASE = "import sys\nfrom aisle.shop import Shop\nwith Shop.open(sys.argv[1]) as shop: print(shop.erase('v1'))"


def test_an_erasure_by_another_process_reaches_a_server(shop: Path) -> None:
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        opened.record(viewed("v1", "P9", name="add_to_cart"))
        assert len(opened._parts.shoppers.view("v1", 2**42).cart)
        subprocess.run([sys.executable, "-c", ERASE, str(shop)], check=True, capture_output=True, timeout=60)
        until(lambda: not len(opened._parts.shoppers.view("v1", 2**42).cart), 5)
        opened.record(viewed("v2", "P9"))
    with Shop.open(shop, settings=WORDS_ONLY) as opened:
        assert not len(opened._parts.shoppers.view("v1", 2**42).recent)
        assert opened.export("v1")["events"] == []
        assert b"v1" not in b"".join(fold.dump() for fold in opened._parts.replay.folds.values())
