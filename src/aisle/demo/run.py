"""`aisle demo`: build the simulated shop, serve it while it trains; or check all that in a minute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aisle.demo.files import write_demo_files
from aisle.demo.live import LiveTraffic
from aisle.demo.world import World, WorldConfig
from aisle.errors import AisleError
from aisle.shop import Shop
from aisle.types import Progress, now_ms
from aisle.wiring import create_shop

CURRENCIES = {"en": "USD", "zh": "CNY"}
"""What the demo's catalogue is priced in, by its language."""

_WORLD_FILE = "world.json"
_TRAINED_FILE = "trained"
_FEED_FOLDER = "demo"


@dataclass(frozen=True, slots=True)
class DemoShop:
    """A built demo shop. `secrets` are what was shown once; empty when it was there already."""

    folder: Path
    world: World
    secrets: dict[str, str]

    def serve(self, *, port: int, traffic: bool = True, for_s: float = 0) -> None:
        """Serve until a signal or for `for_s` seconds, with simulated shoppers about.

        A shop that is not trained yet trains meanwhile, in a process of its own: its pages get better as they are used.
        """
        from aisle.web.app import create_app
        from aisle.web.server import address, listen, run

        with Shop.open(self.folder, create=False) as shop:
            listener = listen(shop.settings.server.host, port)
            with closing(listener):
                app = create_app(shop, keys=shop.keys, password=shop.admin_password, secret=shop.secret)
                url = address(listener)
                print(f"\n{shop.settings.shop.name} is open at {url}\nThe admin page is at {url}/admin", flush=True)
                if self.secrets:
                    print(f"The admin password is {self.secrets['admin password']} (shown only now)", flush=True)
                else:
                    print(f"A forgotten admin password is replaced with: aisle password {self.folder}", flush=True)
                live = LiveTraffic(self.world, url, shop.keys.storefront_key) if traffic else None
                if live:
                    live.start()
                try:
                    with _trained_meanwhile(self.folder):
                        run(app, listener, for_s=for_s)
                finally:
                    if live:
                        live.stop()


def run_demo(
    folder: Path,
    config: WorldConfig,
    *,
    train: bool = False,
    train_minutes: float = 4.0,
    progress: Progress | None = None,
) -> DemoShop:
    """The demo shop in `folder`: opened when it is there, otherwise built; and trained here if `train`.

    Its settings bound the fitting of a training to `train_minutes`: a demo must not keep anyone waiting.
    A build that was killed is taken up again: what is written twice is the same.
    """
    stamp = folder / _WORLD_FILE
    if stamp.exists():
        kept = WorldConfig(**json.loads(stamp.read_text("utf-8")))
        return DemoShop(folder, World(kept), {})
    world = World(config)
    secrets: dict[str, str] = {}
    if not (folder / "aisle.db").exists():
        name = "Aisle & Co" if config.language == "en" else "一道好物"
        secrets = create_shop(folder, name=name, currency=config.currency, language=config.language, progress=progress)
        with (folder / "aisle.toml").open("a", encoding="utf-8") as settings:
            settings.write(f"\n[train]\nmax_minutes = {train_minutes}\nmax_cases = 1500\n")
    feed = folder / _FEED_FOLDER
    write_demo_files(feed, world, progress=progress)
    with Shop.open(folder, create=False) as shop:
        shop.import_products(feed / "feed.tsv", full=True, progress=progress)
        shop.import_reviews(feed / "reviews.csv", progress=progress)
        shop.import_promotions(feed / "promotions.csv", progress=progress)
        shop.import_pages(feed / "pages", progress=progress)
        shop.import_events(feed / "events.jsonl", progress=progress)
        shop.wait_indexed(progress=progress)
        if train:
            shop.train(progress=progress)
            (feed / _TRAINED_FILE).touch()
    stamp.write_text(json.dumps(asdict(config)), "utf-8")
    return DemoShop(folder, world, secrets)


@contextmanager
def _trained_meanwhile(folder: Path) -> Iterator[None]:
    """A training beside the server, as `aisle train` does it; one that is stopped with the server goes on next time."""
    trained, log = folder / _FEED_FOLDER / _TRAINED_FILE, folder / _FEED_FOLDER / "training.log"
    if trained.exists():
        yield
        return
    command = [sys.executable, "-m", "aisle.cli", "train", str(folder)]
    with log.open("w") as out:
        # In a session of its own: Ctrl-C is for the server, which stops the training in order.
        training = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, training.pid, 10)  # a shopper's request comes first

    def told() -> None:
        if training.wait() == 0:
            trained.touch()
            print("\nThe models are trained; each that beat what is simpler serves now.", flush=True)
        elif not stopping.is_set():
            print(f"\nThe training failed: {log} says why. Try again with: aisle train {folder}", flush=True)

    stopping = threading.Event()
    waiter = threading.Thread(target=told, name="aisle-demo-training", daemon=True)
    waiter.start()
    print("Its models are being trained meanwhile, for some minutes: pages get better as they take over.", flush=True)
    try:
        yield
    finally:
        stopping.set()
        training.terminate()
        waiter.join(30)
        if training.poll() is None:
            training.kill()


# ------------------------------------------------------------------ the check


def check_demo(seed: int, language: str = "en") -> dict[str, Any]:
    """Build a small demo shop, serve it on a free port, and use it over HTTP as a shopper would.

    Raises AisleError when an answer is not what a shopper would need.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="aisle-demo-") as temporary:
        folder = Path(temporary) / "shop"
        config = WorldConfig(
            n_groups=150,
            n_shoppers=300,
            days=5,
            seed=seed,
            language=language,
            currency=CURRENCIES[language],
            end_ms=now_ms(),
        )
        made = run_demo(folder, config, train=True, train_minutes=0.5)
        with Shop.open(folder, create=False) as shop:
            key = shop.keys.storefront_key
            status = shop.status()
        built_s = time.perf_counter() - started
        with _served(folder) as url:
            facts = _try_it(url, key, made.world)
    return {
        "ok": True,
        "products": status["products"],
        "groups": status["groups"],
        "events": status["events"],
        "models": status["models"],
        "built_s": round(built_s, 1),
        **facts,
    }


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """A real server in a process of its own, which ends by itself whatever happens here."""
    command = [sys.executable, "-m", "aisle.cli", "serve", str(folder), "--port", "0", "--for", "120"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        watchdog = threading.Timer(60, server.kill)
        watchdog.start()
        try:
            assert server.stdout is not None
            line = next((text for text in server.stdout if "http" in text), "")
            if not line:
                raise AisleError("the server did not start")
            yield line[line.index("http") :].strip()
        finally:
            watchdog.cancel()
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def _try_it(url: str, key: str, world: World) -> dict[str, Any]:
    visitor = "demo-check"

    def call(path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        headers = {"X-Aisle-Key": key, "Content-Type": "application/json"}
        request = urllib.request.Request(url + path, data=data, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise AisleError(f"{path} answered {error.code}: {error.read().decode(errors='replace')[:300]}") from error

    deadline = time.monotonic() + 30
    while True:
        try:
            call("/health/ready")
            break
        except AisleError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    before = call(f"/v1/recommend/home?visitor_id={visitor}")
    title = before["hits"][0]["title"]
    words = urllib.parse.quote(title)
    found = call(f"/v1/search?query={words}&visitor_id={visitor}")
    if not found["hits"] or title not in [hit["title"] for hit in found["hits"][:5]]:
        raise AisleError(f"searching for {title!r} did not find it")
    chosen = found["hits"][0]
    event = {"name": "view_item", "visitor_id": visitor, "list_id": found["list_id"]}
    ack = call("/v1/events", {**event, "items": [{"item_id": chosen["item_id"]}]})
    after = call(f"/v1/recommend/home?visitor_id={visitor}")
    if [h["item_id"] for h in after["hits"]] == [h["item_id"] for h in before["hits"]]:
        raise AisleError("the home page did not react to the click")
    with urllib.request.urlopen(url + "/", timeout=20) as page:  # noqa: S310
        storefront = page.status
    return {
        "search": {"query": title, "n_hits": found["n_hits"], "first": chosen["title"], "took_ms": found["took_ms"]},
        "event": {"seq": ack["seq"]},
        "recommend": {"first": after["hits"][0]["title"], "why": after["hits"][0]["reasons"][0]["text"]},
        "storefront": storefront,
    }
