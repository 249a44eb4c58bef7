"""Strange requests, and many at once."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faulty import WORDS_ONLY, answers, found, made, product, until, viewed

from aisle.errors import AisleError, InvalidFilter, InvalidRequest, StorageError
from aisle.shop import Shop
from aisle.types import Event, EventItem, Money, Product, now_ms


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("requests") / "shop")


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[Shop]:
    with Shop.open(folder, settings=WORDS_ONLY) as opened:
        yield opened


def together(*works: Callable[[], None], seconds: float = 60) -> None:
    """Run each in a thread; raise what any raised."""
    raised: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.1, deadline - time.monotonic()))
        assert not thread.is_alive(), "a thread hangs"
    if raised:
        raise raised[0]


# ------------------------------------------------------------------- queries

STRANGE = [
    "", " ", "\t\n", "\x00", "\x00\x01\x02hoodie\x7f", "a" * 10_000, "hoodie " * 1_500, "👟", "👩‍👩‍👧‍👦 hoodie",
    "🇩🇪", "تيشيرت أحمر", "חולצה אדומה", "\u202ehoodie\u202c", "红色 连帽衫", "ＨＯＯＤＩＥ", "hoodi\u0301e",
    "e" + "\u0301" * 5_000,
    "\ud800", "half \udc00 emoji", '"', "'", '"unclosed phrase', "title:hoodie", "color:", "AND OR NOT", "-hoodie",
    "+", "*",
    "hoodie*", "~2", "^5", "(", "[1 TO 2]", "\\", "/.*/", "%", "%00", "'; DROP TABLE products; --",
    "<script>alert(1)</script>", "{{7*7}}", "../../etc/passwd", "under $", "under $-5", "under 99999999999999999999999",
    "between 5 and", "$$$", "0", "-1", "NaN", "inf", "null", "None", ".", "?" * 600, "\ufeffhoodie",
    "hoodie\u200b", "ﬁ", "ß", "İ",
]  # fmt: skip


@pytest.mark.parametrize("query", STRANGE, ids=lambda q: ascii(q[:12]))
def test_any_text_may_be_searched_for(shop: Shop, query: str) -> None:
    slate = shop.search(query, visitor_id=query[:50].replace("\ud800", "").replace("\udc00", ""))
    assert slate.n_hits >= len(slate.hits)
    assert all(hit.highlights is not None for hit in slate.hits)
    shop.suggest(query)
    for text in ("product_type", "color"):
        assert text in slate.facets or not slate.hits


def test_an_empty_query_shows_everything(shop: Shop) -> None:
    answers(shop)


@pytest.mark.parametrize(
    "filters",
    ["nonsense:1", "weight < 5", "color:", ":Red", "color:Red AND", "(color:Red", "price < cheap", "price <", "AND",
     "\x00", "color:Red OR OR brand:Acme", "👟:1", "a" * 5_000],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_told(shop: Shop, filters: str) -> None:
    with pytest.raises(InvalidFilter):
        shop.search("hoodie", filters=filters)


def test_impossible_arguments_are_told(shop: Shop) -> None:
    for wrong in ({"page": -1}, {"hits_per_page": 0}, {"hits_per_page": 10**6}, {"sort": "best"}, {"page": 10**9}):
        with pytest.raises(InvalidRequest):
            shop.search("", **wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest):
        shop.recommend("nowhere")
    with pytest.raises(InvalidRequest):
        shop.search("", facets=("nonsense",))


# -------------------------------------------------------------------- events


def test_events_about_nothing_known(shop: Shop) -> None:
    day = 86_400_000
    odd = [
        Event("view_item", "odd", (EventItem("never-heard-of"),), event_id="odd1"),
        Event("view_item", "odd", (), event_id="odd2"),
        Event("made_up_name", "odd", (EventItem("P1"),), event_id="odd3"),
        Event("view_item", "odd", (EventItem("P2"),), event_id="odd4", time_ms=now_ms() + 400 * day),
        Event("view_item", "odd", (EventItem("P3"),), event_id="odd5", time_ms=1),
        Event("purchase", "odd", tuple(EventItem(f"P{i}", quantity=10**6) for i in range(20)), event_id="odd6"),
        Event("search", "odd", (), event_id="odd7", query="x" * 5_000),
        Event("rate", "odd", (EventItem("P4"),), event_id="odd8", rating=float("nan")),
        Event("view_item", "", (EventItem("P5"),), event_id="odd9"),
    ]
    before = shop.status()["events"]
    acks: list[bool] = []
    for event in odd:
        try:
            acks.append(shop.record(event).duplicate)
        except AisleError:
            continue  # refused is as good: nothing of it is kept
    assert acks.count(False) == len(acks) >= 6
    assert shop.status()["events"] == before + len(acks)
    for visitor in ("odd", "nobody-yet", ""):
        for surface in ("home", "similar", "together", "viewed", "trending", "cart"):
            assert shop.recommend(surface, visitor_id=visitor, item_ids=["never-heard-of", "P1"]).hits, surface
    assert shop.recommend("trending", product_type="No > Such > Thing") is not None


def test_duplicates_count_once(shop: Shop) -> None:
    event = viewed("dup", "P8", "dup-1")
    first, *rest = [shop.record(event) for _ in range(3)]
    assert not first.duplicate
    assert [(ack.seq, ack.duplicate) for ack in rest] == [(first.seq, True)] * 2
    batch = shop.record_many([viewed("dup", "P9", "dup-2")] * 4)
    assert [ack.duplicate for ack in batch] == [False, True, True, True]
    seen: list[int] = []
    together(*[lambda: seen.append(not shop.record(viewed("dup", "P10", "dup-3")).duplicate) for _ in range(8)])
    assert sum(seen) == 1
    assert len(shop.export("dup")["events"]) == 3


def test_what_a_shopper_did_is_in_the_very_next_answer(shop: Shop) -> None:
    def shopper(name: str, rng: random.Random) -> None:
        cart: set[str] = set()
        for n in range(25):
            item_id = f"P{rng.randrange(60)}"
            out = item_id in cart
            shop.record(
                viewed(name, item_id, f"{name}-{n}", name="remove_from_cart" if out else "add_to_cart",
                       time_ms=1_760_000_000_000 + n)
            )  # fmt: skip
            cart.symmetric_difference_update({item_id})
            view = shop._parts.shoppers.view(name, now_ms())
            assert set(view.cart.tolist()) == {shop._parts.ord_of(i) for i in cart}
            if n % 8 == 0:
                assert not cart.intersection(found(shop.recommend("cart", visitor_id=name, item_ids=sorted(cart))))

    together(*[lambda n=n: shopper(f"ryow{n}", random.Random(n)) for n in range(6)])


# --------------------------------------------------------------------- races


def test_a_shopper_is_erased_while_events_arrive(folder: Path, tmp_path: Path) -> None:
    """Erasing writes, and the thread that writes also folds: neither may wait for the other."""
    stop = threading.Event()
    shop = Shop.open(tmp_path / "s", settings=WORDS_ONLY)
    shop.upsert_products([product(f"P{i}", f"Thing{i}") for i in range(20)])
    written = [0, 0]

    def write(me: int) -> None:
        while not stop.is_set():
            written[me] += 1
            shop.record_many([viewed(f"w{me}", f"P{k}", f"{me}-{written[me]}-{k}") for k in range(3)])

    def erase() -> None:
        try:
            for n in range(15):
                shop.record(viewed("leaver", "P1", f"leaver-{n}", name="add_to_cart"))
                assert shop.erase("leaver")["events"] == 1
                assert not len(shop._parts.shoppers.view("leaver", now_ms()).cart)
        finally:
            stop.set()

    def snapshot() -> None:
        while not stop.is_set():
            shop._parts.replay.snapshot(force=True)

    try:
        together(lambda: write(0), lambda: write(1), erase, snapshot)
        live = {name: fold.dump() for name, fold in shop._parts.replay.folds.items()}
        shop._parts.replay.rebuild()
        assert {name: fold.dump() for name, fold in shop._parts.replay.folds.items()} == live
        assert b"leaver" not in b"".join(live.values())
    finally:
        stop.set()
        shop.close()
    with Shop.open(tmp_path / "s", settings=WORDS_ONLY) as opened:
        assert {name: fold.dump() for name, fold in opened._parts.replay.folds.items()} == live
        assert opened.status()["events"] == 3 * sum(written) + 15


def test_products_change_while_shoppers_search_and_indexes_are_rebuilt(tmp_path: Path) -> None:
    shop = Shop.open(tmp_path / "s", settings=WORDS_ONLY)
    shop.upsert_products([product(f"P{i}", f"Thing{i}") for i in range(50)])
    assert shop.wait_indexed(30)
    stop = threading.Event()

    def change(me: int) -> None:
        for n in range(12):
            shop.upsert_products([product(f"C{me}-{n}", f"Changing{me}x{n}")])
            shop.delete_products([f"P{me * 12 + n}"])

    def search() -> None:
        while not stop.is_set():
            slate = shop.search("thing1 changing0x1", hits_per_page=100)
            assert len(set(found(slate))) == len(slate.hits)
            shop.recommend("home")
            shop.suggest("chan")
            shop.status()

    def rebuild() -> None:
        try:
            for _ in range(4):
                shop.rebuild_indexes()
        finally:
            stop.set()

    try:
        together(lambda: change(0), lambda: change(1), search, rebuild)
        assert shop.wait_indexed(30)
        expected = {f"P{i}" for i in range(24, 50)} | {f"C{me}-{n}" for me in range(2) for n in range(12)}
        slate = shop.search("", hits_per_page=200)
        assert set(found(slate)) == expected
        assert slate.n_hits == len(expected)
        assert shop.health()["degraded"] == []
    finally:
        stop.set()
        shop.close()


def test_closing_while_requests_run(tmp_path: Path) -> None:
    shop = Shop.open(tmp_path / "s", settings=WORDS_ONLY)
    shop.upsert_products([product(f"P{i}", f"Thing{i}") for i in range(50)])
    acked: list[str] = []
    told: list[str] = []
    begun = threading.Barrier(4)

    def ask(me: int) -> None:
        begun.wait()
        for n in range(10_000):
            try:
                shop.search(f"thing{n}")
                shop.recommend("home", visitor_id="c")
                acked.append(shop.record(viewed("c", "P1", f"close-{me}-{n}")).event_id)
            except StorageError as error:
                told.append(str(error))
                return

    def close() -> None:
        begun.wait()
        time.sleep(0.3)
        shop.close()

    together(*[lambda me=me: ask(me) for me in range(3)], close)
    shop.close()
    assert len(told) == 3
    assert all("closed" in message for message in told)
    with Shop.open(tmp_path / "s", settings=WORDS_ONLY) as opened:
        kept = {logged.event.event_id for logged in opened.recent_events(100_000)}
        assert set(acked) <= kept
        assert opened.search("").n_hits == 50


# ------------------------------------------------------------------ products

ODD_PRODUCTS = [
    Product("long-title", "word " * 40_000),
    Product("long-word", "w" * 100_000),
    Product("long-value", "Value", color="c" * 100_000, size="s" * 70_000, brand="b" * 70_000),
    Product("controls", "\x00\x01\x1f control \x7f characters"),
    Product("emoji", "👩‍👩‍👧‍👦🇩🇪", color="👟"),
    Product("rtl", "تيشيرت رياضي", brand="ماركة"),
    Product("marks", "Zalgo " + "\u0301" * 3_000),
    Product("deep", "Deep", product_type=" > ".join(f"level{i}" for i in range(300))),
    Product("arrows", "Arrows", product_type=" > > >"),
    Product("many", "Many", attributes={f"a{i}": tuple(f"v{k}" for k in range(30)) for i in range(100)}),
    Product("keys", "Keys", attributes={"": ("x",), "a.b": ("y",), "price": ("z",), "👟": ("w",), "k" * 500: ("v",)}),
    Product("dear", "Dear", price=Money.parse("999999999999.99 USD")),
    Product("free", "Free", price=Money.parse("0.00 USD")),
    Product("slashes", "Slashes", color="///", size="|||"),
    Product("i" * 2_000, "Long id"),
    Product("a/b?c=d#e%20", "Odd id"),
]  # fmt: skip


def test_no_product_stops_the_next_ones(tmp_path: Path) -> None:
    with Shop.open(tmp_path / "s", settings=WORDS_ONLY) as shop:
        kept = []
        for one in ODD_PRODUCTS:
            try:
                shop.upsert_products([one])
            except AisleError:
                continue
            kept.append(one.item_id)
        shop.upsert_products([product("last", "Lasting thing")])
        assert shop.wait_indexed(30)
        assert shop.health()["degraded"] == []
        everything = shop.search("", hits_per_page=200)
        assert set(found(everything)) == {*kept, "last"}
        assert found(shop.search("lasting")) == ["last"]
        for item_id in kept:
            assert shop.item(item_id).group.products
            shop.recommend("similar", item_ids=[item_id])
        shop.delete_products(kept)
        until(lambda: shop.search("").n_hits == 1)
