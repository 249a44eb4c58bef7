"""A shop with photos behind a real server, and a real browser to look at it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect, sync_playwright

from aisle.settings import Settings
from aisle.shop import Shop
from aisle.types import Event, LoggedEvent, Money, Product
from aisle.web.app import create_app

PASSWORD = "morning coffee 7"
HOSTILE = "Mug <img src=x onerror=document.title='broken'> & more"
_COLORS = {"Red": "#c33", "Blue": "#36b", "Green": "#384"}
_CLOTHES = (
    ("Harbour Hoodie", "Clothing > Hoodies", "58.00"),
    ("Trail Hoodie", "Clothing > Hoodies", "64.00"),
    ("Loft Hoodie", "Clothing > Hoodies", "72.00"),
    ("Breeze Tee", "Clothing > Tees", "22.00"),
    ("Field Tee", "Clothing > Tees", "26.00"),
)
_CHROMIUM_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip


@dataclass
class Live:
    """A shop that is being served."""

    url: str
    shop: Shop

    def events(self, visitor_id: str, name: str = "") -> list[LoggedEvent]:
        """What the log holds of a visitor, oldest first."""
        found = [e for e in self.shop.recent_events(1000) if e.event.visitor_id == visitor_id]
        return sorted((e for e in found if name in ("", e.event.name)), key=lambda e: e.seq)

    def wait_for(self, visitor_id: str, name: str, n: int = 1, seconds: float = 20) -> list[LoggedEvent]:
        """The visitor's events of a name, once there are `n`."""
        until = time.monotonic() + seconds
        while len(found := self.events(visitor_id, name)) < n and time.monotonic() < until:
            time.sleep(0.05)
        return found


@dataclass
class Window:
    """A page of the browser, and what went wrong on it."""

    page: Page
    live: Live
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.live.url + path)
        return self.page

    @property
    def visitor_id(self) -> str:
        return str(self.page.evaluate("localStorage.getItem('aisle.visitor')"))


def catalogue() -> list[Product]:
    """Hoodies and tees in colours and sizes, mugs, lamps; one mug's title is an attack, one lamp has no photo."""
    # the second hoodie does not come in green, so that a facet has something to tell apart
    made = [
        Product(
            item_id=f"C{number}-{color}-{size}", group_id=f"C{number}", title=f"{title}-{size}-{color}",
            brand="Northing", color=color, size=size, price=Money.parse(f"{price} USD"), gender="unisex",
            product_type=kind, image_link=f"/media/{color.lower()}.png", material="Cotton",
            description=f"A {title.lower()} for every day.\n• Soft inside\n• Machine wash",
            sale_price=Money.parse("18.00 USD") if title == "Breeze Tee" else None,
            availability="out_of_stock" if (number, color, size) == (0, "Blue", "L") else "in_stock",
        )
        for number, (title, kind, price) in enumerate(_CLOTHES)
        for color in _COLORS
        for size in ("S", "M", "L")
        if (number, color) != (1, "Green")
    ]  # fmt: skip
    made += [
        Product(
            f"M{number}", title, product_type="Home > Mugs", price=Money.parse(f"{12 + number}.00 USD"),
            image_link="/media/mug.png", brand="Clay & Co", description="Holds coffee.",
        )
        for number, title in enumerate(["Morning Mug", "Camp Mug", "Tall Mug", HOSTILE])
    ]  # fmt: skip
    for number, title in enumerate(["Desk Lamp", "Floor Lamp", "Reading Lamp"]):
        picture = "" if number == 2 else "/media/lamp.png"
        price = Money.parse(f"{40 + 30 * number}.00 USD")
        made.append(Product(f"L{number}", title, product_type="Home > Lamps", price=price, image_link=picture))
    return made


def _draw(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, color in {**_COLORS, "mug": "#b96", "lamp": "#ea4"}.items():
        image = Image.new("RGB", (80, 100), "white")
        ImageDraw.Draw(image).rounded_rectangle((15, 20, 65, 85), 8, fill=color)
        image.save(folder / f"{name.lower()}.png")


@contextmanager
def serve(folder: Path) -> Iterator[Live]:
    """A small shop on a free port of this machine, in a thread."""
    # words alone decide what a search finds, so that counts are known; recommendations read the encoder
    settings = Settings(shop={"name": "Northing"}, search={"neighbours": 0})  # type: ignore[arg-type]
    with Shop.open(folder / "shop", create=True, settings=settings) as shop:
        _draw(folder / "shop" / "media")
        shop.upsert_products(catalogue())
        now = int(time.time() * 1000)
        # somebody was here before: popularity, and the admin's figures, have something to go on
        shop.record_many([Event(n, "earlier", time_ms=now - 3_600_000, **kw) for n, kw in _earlier()])  # type: ignore[arg-type]
        shop.wait_indexed()
        shop.search("unicorn", visitor_id="earlier", session_id="s0")
        shop.admin_password.set(PASSWORD)
        app = create_app(shop, keys=shop.keys, password=shop.admin_password, secret=shop.secret)
        config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none", lifespan="on")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            yield Live(f"http://127.0.0.1:{port}", shop)
        finally:
            server.should_exit = True
            thread.join(20)


def _earlier() -> Iterator[tuple[str, dict[str, object]]]:
    from aisle.types import EventItem

    for item in ("M0", "C0-Red-M", "C3-Blue-S", "L0"):
        yield "view_item", {"items": (EventItem(item),), "session_id": "s0"}
    yield "search", {"query": "unicorn", "session_id": "s0"}
    bought = EventItem("M0", Money.parse("12.00 USD"), 2)
    yield "purchase", {"items": (bought,), "value": Money.parse("24.00 USD"), "session_id": "s0"}


def chromium() -> str:
    """Debian's Chromium; without one the tests are skipped aloud, except in CI, where they fail."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("CI") == "true":
        pytest.fail("no Chromium: CI must have one (apt-get install chromium)")
    pytest.skip("no Chromium on this machine: install it (apt-get install chromium) to run the browser tests")


@contextmanager
def launched() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_CHROMIUM_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def window(browser: Browser, live: Live, *, phone: bool = False) -> Iterator[Window]:
    """A fresh shopper: storage and cookies of its own. Errors on the page fail the test."""
    size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 860}
    context = browser.new_context(viewport=size, has_touch=phone, is_mobile=phone)  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    expect.set_options(timeout=15_000)  # a machine may be busy with much else
    page = context.new_page()
    one = Window(page, live)
    page.on("pageerror", lambda error: one.errors.append(str(error)))
    page.on("console", lambda m: one.errors.append(m.text) if m.type in ("error", "warning") else None)
    try:
        yield one
        assert one.errors == []
    finally:
        context.close()
