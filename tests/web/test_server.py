"""The server as a process: it says where it is, ends when asked, and keeps what it acknowledged."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from small_shop import small_catalogue

from aisle.settings import Settings
from aisle.shop import Shop

AISLE = (sys.executable, "-c", "from aisle.cli import main; main()")
EVENT = {"name": "view_item", "visitor_id": "v", "items": [{"item_id": "G0"}]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "s"
    with Shop.open(path, create=True, settings=Settings(encoder={"model": ""})) as shop:  # type: ignore[arg-type]
        shop.upsert_products(small_catalogue())
        shop.wait_indexed()
    (path / "aisle.toml").write_text('[encoder]\nmodel = ""\n')
    return path


@pytest.fixture
def serve(folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*more: str) -> subprocess.Popen[str]:
        command = [*AISLE, "serve", str(folder), *more]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:[1-9]\d+", process.stdout.readline())
    assert found
    return found[0]


def key_of(folder: Path) -> dict[str, str]:
    from aisle.protect.keys import load_secret, storefront_key

    return {"X-Aisle-Key": storefront_key(load_secret(folder / "secret.key"))}


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_asked_and_keeps_what_it_acknowledged(
    folder: Path, serve: Callable[..., Any], stop: signal.Signals
) -> None:
    process = serve("--port", "0", "--for", "60")
    base = address(process)
    with httpx.Client(base_url=base, headers=key_of(folder), timeout=20) as client:
        acks = [client.post("/v1/events", json=EVENT).json()["event_id"] for _ in range(20)]
        assert client.get("/v1/search", params={"query": "strap"}).json()["n_hits"] == 2
        assert client.get("/health/live").headers.get("server") is None
    process.send_signal(stop)
    assert process.wait(20) == 0
    with Shop.open(folder, create=False) as shop:
        kept = {logged.event.event_id for logged in shop.recent_events(1000)}
    assert set(acks) <= kept


def test_it_ends_by_itself_after_its_time(serve: Callable[..., Any]) -> None:
    process = serve("--port", "0", "--for", "0.5")
    address(process)
    started = time.monotonic()
    assert process.wait(20) == 0
    assert time.monotonic() - started < 15


def test_a_port_that_is_taken_is_a_clear_error(serve: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = serve("--port", str(taken.getsockname()[1]), "--for", "5")
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "cannot listen" in errors
    assert "Traceback" not in errors
