"""Whatever the bytes and whatever the JSON: a value, a reject or one clear error."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.errors import IntakeError, InvalidEvent, InvalidProduct, InvalidRequest
from aisle.intake.events import event_from_mapping, read_events
from aisle.intake.product_fields import PRODUCT_COLUMNS
from aisle.intake.products import product_from_mapping, read_products
from aisle.intake.promotions import promotion_from_mapping, read_promotions
from aisle.intake.reviews import read_reviews, review_from_mapping
from aisle.types import Event, Product, Review

ENDINGS = st.sampled_from(["csv", "tsv", "jsonl", "json", "xml", "parquet", "txt", "csv.gz", ""])
PIECES = st.lists(
    st.sampled_from(
        [b"id,title,price\n", b"id\ttitle\n", b'"', b",", b"\n", b"\r", b"\x00", b"\xff", b"\xfe", b"1,A,2\n", b"{",
         b"}", b"[",
         b'{"id":"1","title":"A"}\n', b'{"name":"view_item","visitor_id":"v","items":["A"]}\n', b"<rss><item>",
         b"</item>", b"</rss>", b"<id>1</id>", b"<!DOCTYPE a [", b"PAR1", b"\xef\xbb\xbf", b"\xc3\xa9", b"&amp;",
         b"]]>", b"<![CDATA["]
    ),
    max_size=40,
).map(b"".join)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.just("view_item"), st.just("A")
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
EVENT_KEYS = st.sampled_from(
    ["name", "event_name", "visitor_id", "user_id", "client_id", "session_id", "ga_session_id", "event_id",
     "time", "time_ms", "timestamp_micros", "event_timestamp", "list_id", "query", "search_term", "items", "item_id",
     "rating", "value",
     "currency", "params", "event_params", "ecommerce", "transaction_id"]
)  # fmt: skip
EVENTS = st.dictionaries(EVENT_KEYS | st.text(max_size=8), JSON, max_size=12)
NEARLY = st.fixed_dictionaries(
    {"name": st.sampled_from(["view_item", "rate", "purchase", "refund", "search"]), "visitor_id": st.just("v")},
    optional={
        "items": st.lists(
            st.fixed_dictionaries(
                {"item_id": SCALARS},
                optional=dict.fromkeys(("price", "quantity", "index", "currency", "item_list_id"), SCALARS),
            ),
            max_size=3,
        ),
        **dict.fromkeys(
            ("time", "time_ms", "timestamp_micros", "rating", "value", "currency", "query", "session_id"), SCALARS
        ),
        "params": st.dictionaries(st.text(max_size=8), JSON, max_size=4),
    },
)


@given(content=st.binary(max_size=300) | PIECES, ending=ENDINGS)
@settings(max_examples=250, deadline=None)
def test_any_file_is_read_or_refused(content: bytes, ending: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (f"f.{ending}" if ending else "f")
        path.write_bytes(gzip.compress(content) if ending == "csv.gz" else content)
        for read in (read_products, read_events, read_reviews, read_promotions):
            try:
                rows = list(read(path))  # type: ignore[operator]
            except IntakeError:
                continue
            assert len(rows) <= len(content)


@given(EVENTS | NEARLY)
@settings(max_examples=600, deadline=None)
def test_any_object_is_an_event_or_an_invalid_event(obj: dict[str, object]) -> None:
    try:
        event = event_from_mapping(obj, now_ms=1_790_000_000_000)
    except InvalidEvent:
        return
    assert isinstance(event, Event)
    assert event.visitor_id
    assert event.event_id
    assert 0 <= event.time_ms <= 1_790_000_600_000
    assert all(item.item_id and item.quantity > 0 for item in event.items)
    hash(event.items)


@given(
    st.dictionaries(st.sampled_from([*PRODUCT_COLUMNS.fields, "id", "name"]) | st.text(max_size=8), JSON, max_size=12)
)
@settings(max_examples=500, deadline=None)
def test_any_object_is_a_product_or_an_invalid_product(row: dict[str, object]) -> None:
    try:
        product = product_from_mapping(row)
    except InvalidProduct:
        return
    assert isinstance(product, Product)
    assert product.title == product.title.strip() != ""
    assert all(isinstance(v, str) and v for values in product.attributes.values() for v in values)
    again = product_from_mapping(
        {k: getattr(product, k) for k in ("item_id", "title", "description", "brand", "color")}
    )
    assert (again.title, again.brand, again.color) == (product.title, product.brand, product.color)


@given(
    st.dictionaries(
        st.sampled_from(["item_id", "rating", "title", "text", "time", "review_id", "name", "starts", "ends"]),
        JSON,
        max_size=9,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_object_is_a_review_or_a_promotion_or_refused(row: dict[str, object]) -> None:
    for make in (review_from_mapping, promotion_from_mapping):
        try:
            made = make(row)
        except InvalidRequest:
            continue
        assert made.review_id if isinstance(made, Review) else made.promotion_id
