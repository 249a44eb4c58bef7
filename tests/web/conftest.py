"""A small real shop behind the real application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_live import Live, Window, launched, serve, window
from playwright.sync_api import Browser
from small_shop import PASSWORD, Api, small_catalogue
from starlette.testclient import TestClient

from aisle.settings import Settings
from aisle.shop import Shop
from aisle.web.app import create_app


@pytest.fixture(scope="session")
def make_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Api]]:
    """Opens shops with settings of one's own; closes them at the end."""
    opened: list[Api] = []

    def make(**server: Any) -> Api:
        folder: Path = tmp_path_factory.mktemp("shop")
        settings = Settings(encoder={"model": ""}, server=server)  # type: ignore[arg-type]
        shop = Shop.open(folder / "s", create=True, settings=settings)
        shop.upsert_products(small_catalogue())
        shop.wait_indexed()
        shop.admin_password.set(PASSWORD)
        app = create_app(shop, keys=shop.keys, password=shop.admin_password, secret=shop.secret)
        client = TestClient(app, raise_server_exceptions=False, follow_redirects=False)
        client.__enter__()
        keys = {name: {"X-Aisle-Key": shop.keys.create(name, [name])} for name in ("search", "events", "admin")}
        storefront = {"X-Aisle-Key": shop.keys.storefront_key}
        opened.append(Api(shop, app, client, keys["search"], keys["events"], keys["admin"], storefront))
        return opened[-1]

    yield make
    for api in opened:
        api.client.__exit__(None, None, None)
        api.shop.close()


@pytest.fixture(scope="session")
def api(make_api: Callable[..., Api]) -> Api:
    """The shop that tests share: they add to it, and none counts on what another added."""
    return make_api()


@pytest.fixture(scope="session")
def live(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A shop with photos behind a real server."""
    with serve(tmp_path_factory.mktemp("live")) as one:
        yield one


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launched() as one:
        yield one


@pytest.fixture
def shopper(browser: Browser, live: Live) -> Iterator[Window]:
    """A new shopper at a desk; an error on a page they open fails their test."""
    with window(browser, live) as one:
        yield one


@pytest.fixture
def phone(browser: Browser, live: Live) -> Iterator[Window]:
    """The same on a phone."""
    with window(browser, live, phone=True) as one:
        yield one
