"""Gentle live traffic: simulated shoppers who use a running shop through its public API.

It behaves as a browser would: it asks for lists, clicks what the world's true probabilities
say, reads, fills carts, buys. It stops by itself, and a shop that answers with errors is left
in peace for a while.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from random import Random
from types import TracebackType
from typing import Any, Self

import numpy as np

from aisle.demo.queries import write_query
from aisle.demo.traffic import Traffic
from aisle.demo.world import P_CHECKOUT, P_PAY, World
from aisle.types import now_ms

log = logging.getLogger(__name__)

MAX_RATE_PER_S = 50.0
PATIENCE = 20
"""Failed requests in a row after which the shoppers go home."""


class LiveTraffic:
    """Shoppers in a thread of their own. `rate_per_s` bounds the requests a second.

    Use as a context manager, or start() and close(). It ends after `max_seconds` at the
    latest, and after twenty failures in a row.
    """

    def __init__(
        self,
        world: World,
        base_url: str,
        key: str,
        *,
        rate_per_s: float = 2.0,
        max_seconds: float = 3600.0,
        seed: int | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url must begin with http:// or https://, not {base_url[:40]!r}")
        if not 0 < rate_per_s <= MAX_RATE_PER_S:
            raise ValueError(f"rate_per_s must be above 0 and at most {MAX_RATE_PER_S:g}")
        self._world, self._base, self._key = world, base_url.rstrip("/"), key
        self._pause_s, self._max_seconds, self._timeout_s = 1 / rate_per_s, max_seconds, timeout_s
        self._rng = Random(seed)
        self._traffic = Traffic(world, seed=0)
        self._weights = np.cumsum(world.shoppers.activity).tolist()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._ends = 0.0
        self.n_requests = self.n_events = self.n_sessions = self.n_failed = 0

    # ------------------------------------------------------------ life cycle

    def start(self) -> Self:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="live-traffic", daemon=True)
            self._thread.start()
        return self

    def stop(self, timeout_s: float = 15.0) -> None:
        """Stop, and wait until the shopper in the shop has left. May be called twice."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    close = stop

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------- requests

    def _run(self) -> None:
        self._ends = time.monotonic() + self._max_seconds
        while not self._over():
            visitor = self._rng.choices(range(len(self._weights)), cum_weights=self._weights)[0]
            self.n_sessions += 1
            try:
                self._session(visitor)
            except (KeyError, TypeError, ValueError) as error:
                # an answer of an unexpected shape: not the shopper's business to crash on
                self._failed(error)
        if self._failures >= PATIENCE:
            log.warning("live traffic stopped: %d requests in a row failed", self._failures)

    def _over(self) -> bool:
        return self._stop.is_set() or time.monotonic() > self._ends or self._failures >= PATIENCE

    def _failed(self, error: Exception) -> None:
        self.n_failed += 1
        self._failures += 1
        log.debug("live traffic: %s", error)
        self._stop.wait(min(0.25 * 2 ** min(self._failures, 6), 10.0))

    def _call(self, path: str, query: Mapping[str, Any] | None = None, body: Any = None) -> dict[str, Any] | None:
        """One request at the agreed pace; None when it failed or it is time to go."""
        if self._stop.wait(self._pause_s * self._rng.uniform(0.6, 1.4)) or self._over():
            return None
        url = self._base + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-Aisle-Key": self._key, "Content-Type": "application/json", "User-Agent": "aisle-demo"}
        request = urllib.request.Request(url, data, headers)  # noqa: S310  (the scheme was checked)
        self.n_requests += 1
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                content = json.loads(answer.read())
        except (OSError, ValueError) as error:
            self._failed(error)
            return None
        self._failures = 0
        return content if isinstance(content, dict) else None

    # -------------------------------------------------------------- a visit

    def _session(self, visitor: int) -> None:
        world, rng = self._world, self._rng
        who = {"visitor_id": world.visitor_ids[visitor], "session_id": f"live-{rng.getrandbits(48):012x}"}
        need = self._traffic.need(visitor, now_ms(), rng)
        cart: dict[str, dict[str, Any]] = {}
        for _ in range(rng.choice((1, 1, 2, 2, 3))):
            if rng.random() < 0.6:
                query = write_query(world, need, int(world.shoppers.gender[visitor]), rng)
                slate = self._call("/v1/search", {"query": query, "hits_per_page": 24, **who})
                self._post(who, {"name": "search", "query": query, "list_id": (slate or {}).get("list_id", "")})
                name, wanted = "search_results", need
            else:
                slate = self._call("/v1/recommend/home", {"top_k": 12, **who})
                query, name, wanted = "", "home", None
            for item_id, item in self._look(visitor, who, slate, name, query, wanted):
                self._read(visitor, who, item_id, item, cart, wanted)
                if rng.random() < 0.3:
                    more = self._call("/v1/recommend/similar", {"item_id": item_id, "top_k": 12, **who})
                    for near_id, near in self._look(visitor, who, more, "similar", "", need):
                        self._read(visitor, who, near_id, near, cart, need)
            if self._over():
                return
        if cart and rng.random() < P_CHECKOUT:
            items = list(cart.values())
            money = {"value": round(sum(i.get("price", 0.0) for i in items), 2), "currency": world.config.currency}
            self._post(who, {"name": "begin_checkout", "items": items, **money})
            if rng.random() < P_PAY:
                self._post(who, {"name": "purchase", "items": items, **money})

    def _look(
        self, visitor: int, who: dict[str, str], slate: dict[str, Any] | None, name: str, query: str, need: Any
    ) -> list[tuple[str, dict[str, Any]]]:
        """See a list; returns what is clicked, told to the shop with the list's identity."""
        hits = [hit for hit in (slate or {}).get("hits", []) if isinstance(hit, dict) and "item_id" in hit]
        if slate is None or not hits:
            return []
        list_id = slate.get("list_id", "")
        items = [{"item_id": h["item_id"], "index": i, "item_list_id": name} for i, h in enumerate(hits)]
        self._post(who, {"name": "view_item_list", "items": items, "list_id": list_id, "query": query})
        ids = [hit["item_id"] for hit in hits]
        p = self._world.p_click(visitor, ids, now_ms(), np.arange(len(ids)), need)
        clicked = [i for i in range(len(ids)) if self._rng.random() < p[i]][:4]
        for i in clicked:
            self._post(who, {"name": "select_item", "items": [items[i]], "list_id": list_id, "query": query})
        return [(ids[i], {**items[i], "list_id": list_id}) for i in clicked]

    def _read(
        self, visitor: int, who: dict[str, str], item_id: str, shown: dict[str, Any], cart: dict[str, Any], need: Any
    ) -> None:
        """Read an item's page, and perhaps put it into the cart."""
        number = int(self._world.numbers([item_id])[0])
        if number < 0:
            return
        list_id = shown["list_id"]
        item = {"item_id": item_id, "price": round(float(self._world.prices[number]), 2), "quantity": 1}
        self._post(who, {"name": "view_item", "items": [item], "list_id": list_id})
        if self._rng.random() < float(self._world.p_cart(visitor, [item_id], now_ms(), need)[0]):
            self._post(who, {"name": "add_to_cart", "items": [item], "list_id": list_id})
            cart[item_id] = item

    def _post(self, who: dict[str, str], event: dict[str, Any]) -> None:
        body = {k: v for k, v in event.items() if v not in ("", None)} | who
        body |= {"event_id": f"live-{self._rng.getrandbits(64):016x}", "time_ms": now_ms()}
        if self._call("/v1/events", body=body) is not None:
            self.n_events += 1
