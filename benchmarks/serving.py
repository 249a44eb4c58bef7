"""How fast a shop serves, in process and over HTTP, and what each ingredient of a search costs.

    python benchmarks/serving.py --shop DIR

Works on a copy of the shop beside it, removed at the end, so that the events it
sends stay out of the shop's log. Queries are distinct, made from the catalogue's
own titles and categories with typing errors and price limits, and never asked
before; facets and slate recording are on. A search and the ingredients of another
take turns, so that both meet the same machine. The last line is JSON; times in
milliseconds.

    search_ratio   p50 of a search / (p50 of encoding + BM25 top-k + vector search)
    http_extra     p50 over HTTP − p50 in process, over the same queries
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np

from aisle.shop import Shop
from aisle.types import Product, Query

_WORD = re.compile(r"[^\W\d_]{3,}")
_START_S = 180.0
# The command line of the very aisle that is imported here, wherever scripts are installed.
AISLE = (sys.executable, "-c", "from aisle.cli import main; main()")
_LUA = """
local thread_id = 0
function setup(thread) thread:set("id", thread_id); thread_id = thread_id + 1 end
function init(args) math.randomseed(id * 7919 + tonumber("%(seed)d")); n = 0 end
items = { %(items)s }
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-Aisle-Key"] = "%(key)s"
function request()
  n = n + 1
  local visitor = "bench" .. math.random(5000)
  return wrk.format(nil, nil, nil, '{"name":"view_item","visitor_id":"' .. visitor .. '","session_id":"' .. visitor ..
    's","items":[{"item_id":"' .. items[math.random(#items)] .. '","price":9.5,"quantity":1}]}')
end
function done(summary, latency, requests)
  io.write(string.format('\\nRESULT {"n":%%d,"us":%%d,"p50":%%.3f,"p99":%%.3f,"errors":%%d}\\n', summary.requests,
    summary.duration, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shop", type=Path, required=True, help="a shop's folder, with products imported")
    parser.add_argument("--queries", type=int, default=400, help="searches timed, and as many for the ingredients")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each measure of event throughput")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--bulk-events", type=int, default=60_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not (options.shop / "aisle.db").exists():
        parser.error(f"{options.shop} is not a shop: make one with aisle init and aisle import")
    with copied(options.shop) as folder:
        figures = measure(folder, options)
    print(json.dumps(figures))


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    rng = random.Random(options.seed)
    with Shop.open(folder, create=False) as shop:
        shop.wait_indexed(timeout_s=_START_S)
        products = catalogue(shop, rng)
        say(f"{len(products)} products sampled")
        made = distinct_queries(products, rng, 2 * options.queries + 60)
        warm, timed, others = made[:60], made[60 : 60 + options.queries], made[60 + options.queries :]
        figures: dict[str, Any] = {"n_groups": shop.search("", hits_per_page=1, record=False).n_hits}
        figures |= in_process(shop, warm, timed, others)
        figures |= suggestions(shop, products, rng, options.queries)
        admin_key = shop.keys.create("serving benchmark", ["search", "events", "admin"])
    items = [p.item_id for p in products if re.fullmatch(r"[\w .:-]+", p.item_id)][:500]
    with served(folder) as (port, pid):
        client = Client(port, admin_key)
        figures |= over_http(client, warm, timed, figures["search_p50"])
        figures |= events(folder, client, items, admin_key, options)
        figures |= bulk(folder, client, items, rng, options)
        figures["rss_mb"] = round(resident_mb(pid), 1)
        client.close()
    return figures


# --------------------------------------------------------------- in process


def in_process(shop: Shop, warm: list[str], timed: list[str], others: list[str]) -> dict[str, Any]:
    """Whole searches and, in turn with them, the ingredients of other queries."""
    parts = shop._parts  # the ingredients have no door of their own: shops need none
    indexes, search = parts.indexes, shop.settings.search
    dense = indexes.dense.dense if indexes.dense else None
    for query in warm:
        shop.search(query)
        _ingredients(parts.understander.understand(query), indexes.encoder, indexes.lexical, dense, search)
    whole: list[float] = []
    pieces: list[tuple[float, float, float]] = []
    n_degraded = 0
    for query, other in zip(timed, others, strict=False):
        started = time.perf_counter()
        slate = shop.search(query)
        whole.append(ms_since(started))
        n_degraded += bool(slate.degraded)
        understood = parts.understander.understand(other)
        pieces.append(_ingredients(understood, indexes.encoder, indexes.lexical, dense, search))
    encode, lexical, vector = (p50(column) for column in zip(*pieces, strict=True))
    total = encode + lexical + vector
    say(f"search p50 {p50(whole):.2f} ms = {p50(whole) / total:.2f} x (encode {encode:.2f} + BM25 {lexical:.2f} + ")
    say(f"    vectors {vector:.2f}); p99 {p99(whole):.2f} ms; {n_degraded} degraded")
    return {
        "search_p50": p50(whole), "search_p99": p99(whole), "search_p99_over_p50": round(p99(whole) / p50(whole), 2),
        "encode_p50": encode, "bm25_p50": lexical, "vector_p50": vector,
        "search_ratio": round(p50(whole) / total, 3), "search_degraded": n_degraded,
    }  # fmt: skip


def _ingredients(query: Query, encoder: Any, lexical: Any, dense: Any, search: Any) -> tuple[float, float, float]:
    """Milliseconds of encoding, of BM25 top-k without facets, and of the nearest vectors."""
    started = time.perf_counter()
    vector = encoder.encode([query.semantic_text or query.text]) if encoder else None
    encode = ms_since(started)
    started = time.perf_counter()
    lexical.search(query, top_k=search.top_k)
    words = ms_since(started)
    if dense is None or vector is None:
        return encode, words, 0.0
    started = time.perf_counter()
    dense.search(vector[0], search.neighbours)
    return encode, words, ms_since(started)


def suggestions(shop: Shop, products: list[Product], rng: random.Random, n: int) -> dict[str, Any]:
    """Beginnings of titles; and how often one typing error still leads to the words meant."""
    titles = [p.title for p in products if len(p.title) >= 6]
    took = []
    for title in rng.choices(titles, k=n + 50):
        prefix = title[: rng.randint(2, min(20, len(title)))]
        if rng.random() < 0.3:
            prefix = mistyped(prefix, rng)
        started = time.perf_counter()
        shop.suggest(prefix)
        took.append(ms_since(started))
    found = asked = 0
    for title in rng.sample(titles, min(n, len(titles))):
        words = _WORD.findall(title)[:2]
        if len(words) < 2 or len(words[1]) < 5:
            continue
        asked += 1
        wanted = " ".join(words).casefold()
        shown = shop.suggest(f"{words[0]} {mistyped(words[1], rng)}")[:5]
        found += any(all(w in s.text.casefold() for w in wanted.split()) for s in shown)
    share = found / asked if asked else float("nan")
    say(f"suggest p50 {p50(took[50:]):.3f} ms, p99 {p99(took[50:]):.3f} ms; one typing error: {share:.1%} of {asked}")
    return {
        "suggest_p50": p50(took[50:]), "suggest_p99": p99(took[50:]),
        "suggest_typo_at_5": round(share, 3) if asked else None, "suggest_typo_n": asked,
    }  # fmt: skip


# --------------------------------------------------------------------- HTTP


class Client:
    """One kept connection; http.client costs a fifth of a millisecond, httpx several times that."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.key = key
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.connect()
        assert self._connection.sock is not None
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, path: str) -> bytes:
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        self._connection.request(method, path, body, {"X-Aisle-Key": self.key})
        response = self._connection.getresponse()
        data = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {data[:300]!r}")
        return data

    def close(self) -> None:
        self._connection.close()


def over_http(client: Client, warm: list[str], timed: list[str], in_process_p50: float) -> dict[str, Any]:
    """The same queries to a fresh process: its caches are cold too."""
    for query in warm:
        client.get("/v1/search?" + urlencode({"query": query}))
    took = []
    for query in timed:
        started = time.perf_counter()
        client.get("/v1/search?" + urlencode({"query": query}))
        took.append(ms_since(started))
    recommended, suggested = [], []
    for i, query in enumerate(timed[:200]):
        started = time.perf_counter()
        client.get(f"/v1/recommend/home?visitor_id=bench-rec-{i % 40}")
        recommended.append(ms_since(started))
        started = time.perf_counter()
        client.get(f"/v1/suggest?query={quote(query[:12])}")
        suggested.append(ms_since(started))
    extra = p50(took) - in_process_p50
    say(f"over HTTP: search p50 {p50(took):.2f} ms ({extra:+.2f}), p99 {p99(took):.2f} ms")
    return {
        "http_search_p50": p50(took), "http_search_p99": p99(took), "http_extra": round(extra, 3),
        "http_recommend_p50": p50(recommended), "http_suggest_p50": p50(suggested),
    }  # fmt: skip


def events(folder: Path, client: Client, items: list[str], key: str, options: argparse.Namespace) -> dict[str, Any]:
    """Single events, each acknowledged once durable; then the same while searches run."""
    logged = last_seq(folder)
    alone = shoot(client.port, items, key, options)
    with searching(client.port, key) as rates:
        beside = shoot(client.port, items, key, options)
    acknowledged = alone["n"] + beside["n"]
    # wrk stops with requests in flight: those may be logged without having been counted.
    written = last_seq(folder) - logged
    lost = max(0, acknowledged - alone["errors"] - beside["errors"] - written)
    say(f"events: {alone['per_s']:.0f}/s alone, {beside['per_s']:.0f}/s beside {rates['per_s']:.0f} searches/s; "
        f"{lost} lost")  # fmt: skip
    return {
        "events_client": alone["client"], "events_per_s": alone["per_s"], "event_ack_p50": alone["p50"],
        "event_ack_p99": alone["p99"], "events_per_s_beside_searches": beside["per_s"],
        "event_ack_p50_beside_searches": beside["p50"], "event_ack_p99_beside_searches": beside["p99"],
        "searches_per_s_beside_events": round(rates["per_s"], 1), "search_p50_beside_events": rates["p50"],
        "event_errors": alone["errors"] + beside["errors"], "events_lost": lost,
    }  # fmt: skip


def shoot(port: int, items: list[str], key: str, options: argparse.Namespace) -> dict[str, Any]:
    """Events as fast as `connections` can, by wrk, or aloud without it by a Python client."""
    if shutil.which("wrk") is None:
        say("wrk is absent: events are sent by a Python client, which is the limit before the server is")
        return _shoot_in_python(port, items, key, options)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_LUA % {"key": key, "items": ",".join(f'"{i}"' for i in items), "seed": options.seed})
        script.flush()
        done = subprocess.run(
            ["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds:.0f}s", "-s", script.name,
             f"http://127.0.0.1:{port}/v1/events"],
            capture_output=True, text=True, timeout=options.seconds + 60, check=True,
        )  # fmt: skip
    result = json.loads(done.stdout.rpartition("RESULT ")[2])
    return {**result, "client": "wrk", "per_s": round(result["n"] / result["us"] * 1e6, 1)}


def _shoot_in_python(port: int, items: list[str], key: str, options: argparse.Namespace) -> dict[str, Any]:
    took: list[float] = []
    stop = time.perf_counter() + options.seconds

    def shooter(number: int) -> None:
        rng, client = random.Random(number), Client(port, key)
        while time.perf_counter() < stop:
            event = {
                "name": "view_item",
                "visitor_id": f"bench{rng.randrange(5000)}",
                "items": [{"item_id": rng.choice(items)}],
            }
            started = time.perf_counter()
            client.ask("POST", "/v1/events", json.dumps(event).encode())
            took.append(ms_since(started))
        client.close()

    threads = [threading.Thread(target=shooter, args=(i,)) for i in range(options.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    per_s = round(len(took) / options.seconds, 1)
    return {"client": "python", "n": len(took), "errors": 0, "per_s": per_s, "p50": p50(took), "p99": p99(took)}


def bulk(
    folder: Path, client: Client, items: list[str], rng: random.Random, options: argparse.Namespace
) -> dict[str, Any]:
    """`aisle import --events` in a process of its own, while the server answers searches."""
    now = int(time.time() * 1000)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "events.jsonl"
        with file.open("w") as out:
            for i in range(options.bulk_events):
                event = {
                    "name": rng.choice(["view_item", "view_item", "view_item", "add_to_cart"]),
                    "visitor_id": f"bulk{rng.randrange(8000)}",
                    "event_id": f"bulk-{options.seed}-{now}-{i}",
                    "time_ms": now - rng.randrange(20 * 86_400_000),
                    "items": [{"item_id": rng.choice(items), "price": 9.5}],
                }
                out.write(json.dumps(event) + "\n")
        command = [*AISLE, "import", str(folder), "--events", str(file), "--no-wait", "--json"]
        with searching(client.port, client.key) as rates:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise RuntimeError(f"the import failed: {done.stderr[-2000:]}")
    summary = json.loads(done.stdout)[0]
    per_s = summary["n_added"] / summary["seconds"]
    say(f"bulk import: {per_s:.0f} events/s beside {rates['per_s']:.0f} searches/s")
    return {
        "bulk_events_per_s": round(per_s, 1), "bulk_n_added": summary["n_added"],
        "searches_per_s_beside_bulk": round(rates["per_s"], 1), "search_p50_beside_bulk": rates["p50"],
    }  # fmt: skip


@contextlib.contextmanager
def searching(port: int, key: str, pause_s: float = 0.05) -> Iterator[dict[str, float]]:
    """Distinct searches, one after another with a pause between, on a connection of their own."""
    stop = threading.Event()
    took: list[float] = []
    rates: dict[str, float] = {"per_s": 0.0, "p50": 0.0}

    def searcher() -> None:
        client = Client(port, key)
        number = 0
        while not stop.wait(pause_s):
            number += 1
            started = time.perf_counter()
            client.get(f"/v1/search?query=beside+{number}+{time.time_ns() % 100_000}")
            took.append(ms_since(started))
        client.close()

    thread = threading.Thread(target=searcher)
    started = time.perf_counter()
    thread.start()
    try:
        yield rates
    finally:
        stop.set()
        thread.join()
        rates["per_s"] = len(took) / (time.perf_counter() - started)
        rates["p50"] = p50(took) if took else 0.0


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[int, int]]:
    """`aisle serve` on a free port: its port and process id; ended whatever happens."""
    command = [*AISLE, "serve", str(folder), "--port", "0", "--for", "1500"]
    with tempfile.TemporaryFile() as noise:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, text=True)
        try:
            assert process.stdout is not None
            address = re.search(r"http://[^:]+:(\d+)", process.stdout.readline())
            if address is None:
                noise.seek(0)
                raise RuntimeError(f"the server did not start: {noise.read().decode()[-2000:]}")
            port = int(address[1])
            wait_ready(port)
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_ready(port: int) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"the server was not ready within {_START_S:.0f} s")


# ------------------------------------------------------------------ material


@contextlib.contextmanager
def copied(shop: Path) -> Iterator[Path]:
    """A copy on the same disk (another would not have its fsync), with the database copied consistently."""
    shop = shop.resolve()
    folder = Path(tempfile.mkdtemp(prefix=f".{shop.name}-serving-", dir=shop.parent))
    try:
        ignored = shutil.ignore_patterns("aisle.db*", "*.lock", "media", ".*.lock")
        shutil.copytree(shop, folder, dirs_exist_ok=True, ignore=ignored)
        with (
            contextlib.closing(sqlite3.connect(shop / "aisle.db")) as source,
            contextlib.closing(sqlite3.connect(folder / "aisle.db")) as target,
        ):
            source.backup(target)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def catalogue(shop: Shop, rng: random.Random, limit: int = 5000) -> list[Product]:
    """The leading product of as many groups as asked for, drawn from all of them."""
    catalog = shop._parts.stores.catalog
    ords = sorted({ord_ for _, ord_ in catalog.item_ords()})
    groups = catalog.groups(rng.sample(ords, min(limit, len(ords))))
    return [group.lead for group in groups if group is not None and group.products]


def distinct_queries(products: Sequence[Product], rng: random.Random, n: int) -> list[str]:
    """Words of titles and categories, as shoppers type them; each once."""
    made: dict[str, None] = {}
    for _ in range(n * 50):
        if len(made) == n:
            break
        made.setdefault(_query(rng.choice(products), rng))
    return list(made)


def _query(product: Product, rng: random.Random) -> str:
    words = _WORD.findall(product.title.lower()) or [product.title.lower()[:20]]
    first = rng.randrange(len(words))
    query = words[first : first + rng.randint(1, 4)]
    if product.product_type and rng.random() < 0.2:
        query.append(product.product_type.rsplit(">", 1)[-1].strip().lower())
    if product.color and rng.random() < 0.2:
        query.insert(0, product.color.lower())
    if rng.random() < 0.2:
        place = rng.randrange(len(query))
        query[place] = mistyped(query[place], rng)
    if rng.random() < 0.1:
        query.append(f"under ${rng.randint(10, 500)}")
    return " ".join(query)


def mistyped(word: str, rng: random.Random) -> str:
    """One slip of the fingers, not in the first letter."""
    if len(word) < 4:
        return word
    i = rng.randrange(1, len(word) - 1)
    slip: Callable[[], str] = rng.choice(
        [
            lambda: word[:i] + word[i + 1 :],
            lambda: word[:i] + word[i + 1] + word[i] + word[i + 2 :],
            lambda: word[:i] + rng.choice("etaoinsr") + word[i + 1 :],
            lambda: word[:i] + word[i] + word[i:],
        ]
    )
    return slip()


def last_seq(folder: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{folder}/aisle.db?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def p50(values: Sequence[float]) -> float:
    return round(float(np.percentile(values, 50)), 4)


def p99(values: Sequence[float]) -> float:
    return round(float(np.percentile(values, 99)), 4)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
