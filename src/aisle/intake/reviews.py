"""Reviews from CSV, JSON lines or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from aisle.errors import IntakeError, InvalidRequest
from aisle.intake.columns import Columns, listing
from aisle.intake.tables import Table, open_table, reject, text_of
from aisle.intake.text import one_line, prose, scalar_text
from aisle.intake.times import parse_time
from aisle.types import Reject, Review

MAX_ID_CHARS = 256
MAX_TITLE_CHARS = 500
MAX_TEXT_CHARS = 20_000

REVIEW_COLUMNS = Columns(
    {
        "review_id": (),
        "item_id": ("product_id", "sku", "asin", "upc", "stock_code", "id"),
        "rating": ("stars", "score", "star_rating", "overall"),
        "title": ("headline", "summary", "review_title"),
        "text": ("review", "body", "review_text", "content", "comment", "review_body"),
        "reviewer": ("reviewer_name", "author", "name", "nickname", "user", "user_name"),
        "time": ("date", "created_at", "review_date", "timestamp", "time_ms", "unix_review_time"),
    }
)


def read_reviews(source: Path, *, mapping: Mapping[str, str] | None = None) -> Iterator[Review | Reject]:
    """Reviews and rejects of a file, streamed; the same review twice is one.

    `mapping` is our field → the file's column. Raises IntakeError at once when
    the file cannot be read.
    """
    table = open_table(source)
    chosen = REVIEW_COLUMNS.resolve(table.columns, REVIEW_COLUMNS.checked(mapping, table.columns, table.file))
    for needed in ("item_id", "rating"):
        if needed not in chosen:
            raise IntakeError(
                f"{table.file}, line 1: no {needed} column; it has: {listing(table.columns)}. "
                f"Say which it is with --map {needed}=COLUMN"
            )
    return _reviews(table, chosen)


def _reviews(table: Table, chosen: Mapping[str, str]) -> Iterator[Review | Reject]:
    for line, row in table.read():
        if isinstance(row, Reject):
            yield row
            continue
        try:
            yield review_from_mapping({ours: row.get(theirs) for ours, theirs in chosen.items()})
        except InvalidRequest as error:
            value = row.get(chosen.get(error.field, ""))
            yield reject(table.file, line, error.field, str(error), text_of(row) if value in (None, "") else value)


def review_from_mapping(row: Mapping[str, Any]) -> Review:
    """A Review from our own field names. Without `review_id` it gets a hash of what it says.

    Raises InvalidRequest with the field at fault.
    """
    item_id = one_line(row.get("item_id"), MAX_ID_CHARS + 1)
    if not item_id or len(item_id) > MAX_ID_CHARS:
        raise InvalidRequest(f"a review needs an item_id of at most {MAX_ID_CHARS} characters", field="item_id")
    try:
        rating = float(scalar_text(row.get("rating")).strip() or "nan")
    except ValueError:
        rating = 0.0
    if not 1 <= rating <= 5:
        raise InvalidRequest("a rating lies between 1 and 5", field="rating")
    moment = row.get("time")
    try:
        time_ms = 0 if moment is None or moment == "" else parse_time(moment)
    except (ValueError, OverflowError):
        raise InvalidRequest("not a time (write ISO 8601)", field="time") from None
    title = one_line(row.get("title"), MAX_TITLE_CHARS)
    text, _ = prose(row.get("text"), MAX_TEXT_CHARS)
    reviewer = one_line(row.get("reviewer"), MAX_ID_CHARS)
    review_id = one_line(row.get("review_id"), MAX_ID_CHARS + 1)
    if len(review_id) > MAX_ID_CHARS:
        raise InvalidRequest(f"longer than {MAX_ID_CHARS} characters", field="review_id")
    if not review_id:
        parts = "\x1f".join((item_id, f"{rating:g}", title, text, reviewer, str(time_ms)))
        review_id = blake2b(parts.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return Review(review_id, item_id, rating, title, text, reviewer, time_ms)
