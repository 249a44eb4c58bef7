"""Serve a shop: open it, listen, and on SIGTERM or SIGINT finish what was begun.

uvicorn (uvloop, httptools) because it was measured: with the same lean event
path over the same log, 7,400 durable acknowledgements a second on two cores
against granian's 5,600.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from aisle.errors import SettingsError
from aisle.web.app import create_app

if TYPE_CHECKING:
    from fastapi import FastAPI

    from aisle.shop import Shop

_GRACE_S = 10
_BACKLOG = 2048
# A thread that computes gives way to the loop after this; Python's 5 ms would be felt in every event's latency.
_SWITCH_S = 0.001


def serve(folder: Path, *, host: str | None = None, port: int | None = None, for_s: float = 0) -> None:
    """Serve the shop in `folder` until a signal, or for `for_s` seconds; prints the address when it listens.

    `host` and `port` default to the settings; port 0 takes a free one.
    Raises ShopNotFound, SettingsError when the address cannot be had.
    """
    from aisle.shop import Shop

    with Shop.open(folder, create=False) as shop:
        serve_open_shop(shop, host=host, port=port, for_s=for_s)


def serve_open_shop(shop: Shop, *, host: str | None = None, port: int | None = None, for_s: float = 0) -> None:
    """The same for a shop that is open already, which stays open."""
    settings = shop.settings.server
    listener = listen(settings.host if host is None else host, settings.port if port is None else port)
    with contextlib.closing(listener):
        app = create_app(shop, keys=shop.keys, password=shop.admin_password, secret=shop.secret)
        print(f"{shop.settings.shop.name} is open at {address(listener)}", flush=True)
        run(app, listener, for_s=for_s)


def run(app: FastAPI, listener: socket.socket, *, for_s: float = 0) -> None:
    """Serve an application on a listening socket until SIGTERM, SIGINT, or `for_s` seconds have passed."""
    if not logging.getLogger().handlers:
        logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            loop="auto",
            http="auto",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )
    timer = threading.Timer(for_s, lambda: setattr(server, "should_exit", True))
    timer.daemon = True
    # What is open now stays: the collector need not look through the whole catalogue during requests.
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(_SWITCH_S)
    with _signals_end_quietly():
        if for_s > 0:
            timer.start()
        try:
            server.run(sockets=[listener])
        finally:
            timer.cancel()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SettingsError when the address is taken or not ours."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"cannot listen on {host}: {error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port") from error
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


@contextlib.contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """uvicorn raises a signal again once it has shut down; the shop must still be closed after that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
