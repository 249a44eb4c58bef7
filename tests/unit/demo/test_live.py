"""Live traffic speaks the public API, names the list each click came from, and stops."""

import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from aisle.demo.live import LiveTraffic


class FakeShop(ThreadingHTTPServer):
    """Answers every search and recommendation with the first groups of the world."""

    def __init__(self, ids, status=200):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ids, self.status = ids, status
        self.events, self.paths, self.keys = [], [], set()


class Handler(BaseHTTPRequestHandler):
    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.server.keys.add(self.headers["X-Aisle-Key"])
        self.server.paths.append(urllib.parse.urlsplit(self.path).path)
        list_id = f"list-{len(self.server.paths)}"
        self.answer({"list_id": list_id, "hits": [{"item_id": i} for i in self.server.ids]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.events.append(body)
        self.answer({"event_id": body["event_id"], "seq": len(self.server.events), "duplicate": False})

    def log_message(self, *args):
        pass


@pytest.fixture
def shop(world, request):
    server = FakeShop([world.group_id(n) for n in range(24)], getattr(request, "param", 200))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_shoppers_browse_click_and_leave(world, shop):
    url = f"http://127.0.0.1:{shop.server_address[1]}"
    live = LiveTraffic(world, url, "secret", rate_per_s=50, seed=1)
    with live:
        assert until(lambda: any(e["name"] == "select_item" for e in shop.events))
    assert not live.is_running
    assert shop.keys == {"secret"}
    assert set(shop.paths) <= {"/v1/search", "/v1/recommend/home", "/v1/recommend/similar"}
    for event in shop.events:
        assert event["visitor_id"] in world.visitor_ids
        if event["name"] == "select_item":
            assert event["list_id"].startswith("list-")
            assert event["items"][0]["item_id"] == shop.ids[event["items"][0]["index"]]
    quiet = len(shop.events)
    time.sleep(0.2)
    assert len(shop.events) == quiet


def test_it_ends_by_itself(world, shop):
    url = f"http://127.0.0.1:{shop.server_address[1]}"
    live = LiveTraffic(world, url, "secret", rate_per_s=50, max_seconds=0.3).start()
    assert until(lambda: not live.is_running)


def test_a_shop_that_is_gone_does_no_harm(world):
    live = LiveTraffic(world, "http://127.0.0.1:9", "secret", rate_per_s=50).start()
    assert until(lambda: live.n_failed > 0)
    live.stop()
    assert not live.is_running


@pytest.mark.parametrize("rate", [0, -1, 1000])
def test_an_unreasonable_rate_is_refused(world, rate):
    with pytest.raises(ValueError):
        LiveTraffic(world, "http://127.0.0.1:9", "k", rate_per_s=rate)
