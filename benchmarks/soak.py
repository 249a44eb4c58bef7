"""Whether a shop stays up, right and lean for hours: shoppers, changes, training and kills, all at once.

    python benchmarks/soak.py --shop DIR --minutes 30

Works on a copy of the shop beside it, removed at the end. A real server answers
searches, suggestions, recommendations, events and product changes at a steady
rate; every few minutes a model is trained in another process, and the server is
killed (SIGKILL) and started again; once it is asked to end (SIGTERM). After each
restart and at the end everything that was acknowledged must be there. The last
line is JSON:

    lost             events, lists they name, and products acknowledged but not found (must be 0)
    errors_5xx       answers of 500 and above while the server was up (must be 0)
    unreachable      connections that broke although nobody had ended the server (must be 0)
    rss_slope_mb_h   growth of resident memory, MB an hour, of each life of the server after its warm-up
    visible_s        seconds until a changed product was in the answers (median, most)
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from aisle.shop import Shop
from aisle.types import Product
from serving import AISLE, catalogue, copied, distinct_queries, resident_mb, wait_ready

BROKEN = (OSError, http.client.HTTPException, json.JSONDecodeError)
OWN_PRODUCTS = 60
"""Products that each client adds, changes and removes; nobody else touches them."""


class Server:
    """One shop's server over several lives."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds
        self._process: subprocess.Popen[str] | None = None
        self.up = threading.Event()
        self.port = 0
        self.lives: list[list[tuple[float, float]]] = []

    def start(self) -> None:
        command = [*AISLE, "serve", str(self._folder), "--port", "0", "--for", str(self._seconds)]
        with (self._folder / "server.log").open("a") as noise:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, text=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        address = re.search(r"http://[^:]+:(\d+)", said)
        if address is None:
            raise RuntimeError(f"the server did not start: {(self._folder / 'server.log').read_text()[-2000:]}")
        self.port = int(address[1])
        wait_ready(self.port)
        self.lives.append([])

    def end(self, how: signal.Signals) -> None:
        """Whoever was told that it is up learns first that it is not."""
        self.up.clear()
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(60)
            finally:
                self._process.kill()
                self._process.wait()
                assert self._process.stdout is not None
                self._process.stdout.close()
                self._process = None

    def sample(self, at: float) -> None:
        if self._process is not None and self._process.poll() is None:
            self.lives[-1].append((at, resident_mb(self._process.pid)))

    @property
    def died(self) -> bool:
        return self._process is not None and self._process.poll() is not None


class Books:
    """What was asked and acknowledged."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.events: dict[str, int] = {}
        self.lists: set[str] = set()
        self.products: dict[str, str | None] = {}  # the title, None for a removed one
        self.open: dict[str, set[str | None]] = {}  # asked for, not answered when the server was ended
        self.n_products_acknowledged = 0
        self.faults: Counter[str] = Counter()
        self.told: list[str] = []
        self.visible_s: list[float] = []
        self.search_ms: list[float] = []
        self.lost: set[str] = set()

    def fault(self, kind: str, what: str) -> None:
        with self.lock:
            self.faults[kind] += 1
            if len(self.told) < 20:
                self.told.append(f"{kind}: {what}")


class Shopper:
    """One client: a steady rate of every kind of request, until told to stop."""

    KINDS = (
        ("search", 32), ("suggest", 14), ("recommend", 20), ("event", 20), ("events", 4), ("upsert", 7), ("delete", 3),
    )  # fmt: skip

    def __init__(
        self, number: int, key: str, server: Server, books: Books, products: list[Product], queries: list[str],
        rate: float, stop: threading.Event,
    ) -> None:  # fmt: skip
        self._thread = threading.Thread(target=self._run, name=f"shopper-{number}", daemon=True)
        self._number, self._key, self._server, self._books = number, key, server, books
        self._products, self._queries, self._pause_s, self._over = products, queries, 1 / rate, stop
        self._rng = random.Random(number)
        self._connection: http.client.HTTPConnection | None = None
        self._port = 0
        self._n = 0
        self._list_id = ""
        self._idle = threading.Event()
        self._idle.set()

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        kinds, weights = zip(*self.KINDS, strict=True)
        due = time.monotonic()
        while not self._over.is_set():
            if not self._server.up.wait(0.2):
                due = time.monotonic()
                continue
            due = max(due + self._pause_s * self._rng.uniform(0.5, 1.5), time.monotonic() - 1)
            if self._over.wait(max(0.0, due - time.monotonic())):
                break
            self._idle.clear()
            try:
                if self._server.up.is_set():
                    self._one(self._rng.choices(kinds, weights)[0])
            except BROKEN as error:
                self._close()
                if self._server.up.is_set() and not self._over.is_set():
                    self._books.fault("unreachable", repr(error))
                    time.sleep(0.2)
            finally:
                self._idle.set()
        self._close()

    def rest(self) -> bool:
        """Wait until nothing of this client's is under way; the server's end has been announced."""
        return self._idle.wait(60)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, kind: str, method: str, path: str, body: Any = None, expect: tuple[int, ...] = (200,)) -> Any:
        if self._connection is None or self._port != self._server.port:
            self._close()
            # What a killed server showed last may not be on record: showing waits for no disk, only events do.
            self._port, self._list_id = self._server.port, ""
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, {"X-Aisle-Key": self._key, "Content-Type": "application/json"})
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        with self._books.lock:
            self._books.requests[kind] += 1
        if response.status in expect:
            return answer
        if self._server.up.is_set():
            kind = "5xx" if response.status >= 500 else "refused"
            self._books.fault(kind, f"{method} {path}: {response.status} {answer}")
        return None

    # ------------------------------------------------------------------ kinds

    def _one(self, kind: str) -> None:
        self._n += 1
        getattr(self, f"_{kind}")(self._rng, f"soak-{self._number}-{self._rng.randrange(200)}")

    def _search(self, rng: random.Random, visitor: str) -> None:
        parameters = {"query": rng.choice(self._queries), "visitor_id": visitor, "page": int(rng.random() < 0.1)}
        started = time.perf_counter()
        answer = self._ask("search", "GET", f"/v1/search?{urlencode(parameters)}")
        if answer:
            self._list_id = answer["list_id"]
            self._books.search_ms.append((time.perf_counter() - started) * 1000)

    def _suggest(self, rng: random.Random, visitor: str) -> None:
        self._ask("suggest", "GET", f"/v1/suggest?query={quote(rng.choice(self._queries)[: rng.randint(1, 10)])}")

    def _recommend(self, rng: random.Random, visitor: str) -> None:
        surface = rng.choice(("home", "home", "similar", "together", "viewed", "trending", "cart"))
        item = quote(rng.choice(self._products).item_id)
        answer = self._ask("recommend", "GET", f"/v1/recommend/{surface}?visitor_id={visitor}&item_id={item}")
        if answer:
            self._list_id = answer["list_id"]

    def _event(self, rng: random.Random, visitor: str, n: int = 1) -> None:
        list_id = self._list_id if self._port == self._server.port else ""
        events = [
            {
                "name": rng.choice(("view_item", "view_item", "select_item", "add_to_cart", "purchase", "search")),
                "event_id": f"soak-{self._number}-{self._n}-{k}",
                "visitor_id": visitor,
                "session_id": f"{visitor}-{self._n // 500}",
                "list_id": list_id,
                "query": rng.choice(self._queries),
                "items": [{"item_id": rng.choice(self._products).item_id, "price": 9.5, "quantity": 1}],
            }
            for k in range(n)
        ]
        answer = self._ask("event", "POST", "/v1/events", events[0] if n == 1 else {"events": events}, (202,))
        if answer:
            acks = [answer] if n == 1 else answer["acks"]
            with self._books.lock:
                self._books.events.update((ack["event_id"], ack["seq"]) for ack in acks)
                if list_id:
                    self._books.lists.add(list_id)

    def _events(self, rng: random.Random, visitor: str) -> None:
        self._event(rng, visitor, rng.randint(2, 40))

    def _upsert(self, rng: random.Random, visitor: str) -> None:
        wanted: dict[str, str | None] = {}
        rows = []
        for k in rng.sample(range(OWN_PRODUCTS), rng.randint(1, 3)):
            like, item_id = rng.choice(self._products), f"soak-{self._number}-{k}"
            wanted[item_id] = f"{like.title[:60]} zq{self._number}x{self._n}x{k}"
            rows.append(
                {"id": item_id, "title": wanted[item_id], "description": like.description, "brand": like.brand,
                 "price": f"{rng.randint(3, 300)}.00 USD", "product_type": like.product_type, "color": like.color}
            )  # fmt: skip
        if self._change(wanted, "PUT", "/v1/products", rows) and rng.random() < 0.1:
            self._until_visible(rows[0]["id"], str(rows[0]["title"]).rsplit(" ", 1)[-1])

    def _delete(self, rng: random.Random, visitor: str) -> None:
        item_id = f"soak-{self._number}-{rng.randrange(OWN_PRODUCTS)}"
        self._change({item_id: None}, "DELETE", f"/v1/products/{item_id}", None)

    def _change(self, wanted: dict[str, str | None], method: str, path: str, body: Any) -> bool:
        books = self._books
        with books.lock:
            for item_id, title in wanted.items():
                books.open.setdefault(item_id, set()).add(title)
        answer = self._ask("product", method, path, body, (200, 404) if method == "DELETE" else (200,))
        if answer is None:
            return False
        with books.lock:
            for item_id in wanted:
                books.open.pop(item_id, None)
            books.products.update(wanted)
            books.n_products_acknowledged += len(wanted)
        return True

    def _until_visible(self, item_id: str, word: str) -> None:
        started = time.monotonic()
        while self._server.up.is_set() and time.monotonic() - started < 30:
            answer = self._ask("search", "GET", f"/v1/search?{urlencode({'query': word, 'hits_per_page': 5})}")
            if answer and any(hit["item_id"] == item_id for hit in answer["hits"]):
                self._books.visible_s.append(time.monotonic() - started)
                return
            time.sleep(0.05)
        if self._server.up.is_set():
            self._books.fault("invisible", f"{item_id} {word}: not found within 30 s")


# ------------------------------------------------------------------- checking


def verify(folder: Path, server: Server, key: str, books: Books) -> None:
    """Compare the books with the shop; what is missing goes to `books.lost`."""
    with contextlib.closing(sqlite3.connect(f"file:{folder}/aisle.db?mode=ro", uri=True)) as database:
        if database.execute("PRAGMA quick_check").fetchall() != [("ok",)]:
            raise RuntimeError("the database is damaged")
        logged = dict(database.execute("SELECT event_id, seq FROM events WHERE event_id LIKE 'soak-%'"))
        slates = {list_id for (list_id,) in database.execute("SELECT list_id FROM slates")}
        (n_groups,) = database.execute("SELECT count(DISTINCT ord) FROM products WHERE deleted = 0").fetchone()
    books.lost.update(f"event {i}" for i, seq in books.events.items() if logged.get(i) != seq)
    books.lost.update(f"list {i}" for i in books.lists - slates)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def get(path: str) -> tuple[int, Any]:
        connection.request("GET", path, headers={"X-Aisle-Key": key})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    with contextlib.closing(connection):
        for item_id, expected in books.products.items():
            status, page = get(f"/v1/items/{item_id}")
            title = page["title"] if status == 200 else None
            if title not in {expected, *books.open.get(item_id, ())}:
                books.lost.add(f"product {item_id}: {expected!r}, found {title!r}")
            books.products[item_id] = title
        books.open.clear()
        _, everything = get("/v1/search?query=&hits_per_page=1")
        if everything["n_hits"] != n_groups:
            books.lost.add(f"index: {everything['n_hits']} groups are found, {n_groups} are in the catalogue")


def slope(life: list[tuple[float, float]], warm_up_s: float) -> float | None:
    """MB an hour by least squares after the warm-up; None when too little is left."""
    kept = [(at, mb) for at, mb in life if at >= life[0][0] + warm_up_s]
    if len(kept) < 6:
        return None
    at, mb = np.array(kept).T
    return round(float(np.polyfit(at / 3600, mb, 1)[0]), 1)


# -------------------------------------------------------------------- the run


def soak(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    rng = random.Random(options.seed)
    with Shop.open(folder, create=False) as shop:
        key = shop.keys.create("soak", ("search", "events", "admin"))
        products = catalogue(shop, rng, 2000)
        queries = distinct_queries(products, rng, 3000)
        shop.wait_indexed()
    total_s = options.minutes * 60
    server, books, stop = Server(folder, total_s + 1800), Books(), threading.Event()
    shoppers = [
        Shopper(n, key, server, books, products, queries, options.rate / options.clients, stop)
        for n in range(options.clients)
    ]
    kill_s = min(options.kill_every * 60, total_s / 3)
    sample_s = min(10.0, total_s / 30)
    train_s = min(options.train_every * 60, total_s / 3)
    plan = [(float(at), "train") for at in np.arange(train_s / 2, total_s, train_s)]
    plan += [(float(at), "kill") for at in np.arange(kill_s, total_s - kill_s / 4, kill_s)]
    plan = sorted([*plan, (total_s / 2 + kill_s / 4, "restart")])
    trainings: list[subprocess.Popen[bytes]] = []
    counts: Counter[str] = Counter()

    def again(how: signal.Signals) -> None:
        server.end(how)
        if not all(shopper.rest() for shopper in shoppers):
            raise RuntimeError("a client hangs")
        server.start()
        verify(folder, server, key, books)
        server.up.set()

    with watched(total_s) as tick:
        try:
            server.start()
            server.up.set()
            for shopper in shoppers:
                shopper.start()
            started = time.monotonic()
            while (at := time.monotonic() - started) < total_s:
                server.sample(at)
                while plan and plan[0][0] <= at:
                    what = plan.pop(0)[1]
                    counts[what] += 1
                    if what == "train":
                        trainings.append(train(folder))
                    else:
                        again(signal.SIGKILL if what == "kill" else signal.SIGTERM)
                if server.died:
                    raise RuntimeError(f"the server died: {(folder / 'server.log').read_text()[-2000:]}")
                tick(at, books, server, counts)
                time.sleep(min(sample_s, max(0.05, total_s - at)))
            stop.set()
            for shopper in shoppers:
                shopper.join(60)
            verify(folder, server, key, books)
        finally:
            stop.set()
            for process in trainings:
                if process.poll() is None:
                    process.kill()
                process.wait()
            server.end(signal.SIGTERM)
    n_failed = sum(process.returncode not in (0, -signal.SIGKILL) for process in trainings)
    return summary(options, books, server, counts, n_failed, (folder / "server.log").read_text())


def train(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*AISLE, "train", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def summary(
    options: argparse.Namespace, books: Books, server: Server, counts: Counter[str], n_failed: int, noise: str
) -> dict[str, Any]:
    mb = [value for life in server.lives for _, value in life]
    slopes = [slope(life, options.warm_up_s) for life in server.lives if life]
    lost_products = sorted(x for x in books.lost if x.startswith(("product", "index")))
    return {
        "minutes": options.minutes,
        "requests": sum(books.requests.values()),
        "requests_by_kind": dict(books.requests),
        "events_acknowledged": len(books.events),
        "products_acknowledged": books.n_products_acknowledged,
        "lost": len(books.lost),
        "products_lost": len(lost_products),
        "errors_5xx": books.faults["5xx"],
        "refused": books.faults["refused"],
        "unreachable": books.faults["unreachable"],
        "invisible": books.faults["invisible"],
        "tracebacks": noise.count("Traceback"),
        "kills": counts["kill"],
        "restarts": counts["restart"],
        "trainings": counts["train"],
        "trainings_failed": n_failed,
        "search_p50_ms": spread(books.search_ms)[0],
        "search_p99_ms": spread(books.search_ms)[1],
        "visible_s": {"p50": spread(books.visible_s)[0], "most": round(max(books.visible_s, default=0.0), 2)},
        "rss_mb": {"first": round(mb[0], 1), "last": round(mb[-1], 1), "max": round(max(mb), 1)},
        "rss_slope_mb_h": slopes,
        "told": [*sorted(books.lost)[:20], *books.told],
    }


def spread(values: list[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 0.0
    p50, p99 = np.percentile(values, (50, 99))
    return round(float(p50), 2), round(float(p99), 2)


@contextlib.contextmanager
def watched(total_s: float) -> Iterator[Any]:
    """A progress bar; call what is yielded with the time and what to show."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("soak", total=total_s)

        def tick(at: float, books: Books, server: Server, counts: Counter[str]) -> None:
            life = server.lives[-1]
            text = (
                f"{sum(books.requests.values()):,} requests, {len(books.events):,} events, {counts['kill']} kills, "
                f"{len(books.lost)} lost, {sum(books.faults.values())} faults, {life[-1][1] if life else 0:.0f} MB"
            )
            bar.update(task, completed=at, description=text)

        yield tick


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shop", type=Path, required=True, help="the shop whose copy is served")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=120.0, help="requests a second, all clients together")
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--kill-every", type=float, default=4.0, help="minutes between kills")
    parser.add_argument("--train-every", type=float, default=5.0, help="minutes between trainings")
    parser.add_argument("--warm-up-s", type=float, default=60.0, help="of each life, left out of the slope")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, help="also write the result there")
    options = parser.parse_args()

    def ended(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, ended)
    with copied(options.shop) as folder:
        result = soak(folder, options)
    line = json.dumps(result)
    if options.out:
        options.out.write_text(line + "\n", "utf-8")
    print(line)
    if result["lost"] or result["errors_5xx"] or result["unreachable"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
