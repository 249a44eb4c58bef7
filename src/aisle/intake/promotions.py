"""Promotions from CSV or JSON lines: a name, what it says, perhaps a coupon and the days it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from aisle.errors import IntakeError, InvalidRequest
from aisle.intake.columns import Columns, listing, plain_name
from aisle.intake.tables import Table, open_table, reject, text_of
from aisle.intake.text import one_line, prose, scalar_text
from aisle.intake.times import DAY_MS, is_day, parse_time
from aisle.types import NOTHING, Promotion, Reject

MAX_DETAILS = 50
_SLUG = re.compile(r"[^\w]+")

PROMOTION_COLUMNS = Columns(
    {
        "promotion_id": ("id", "rule_id"),
        "name": ("title", "promotion_name", "long_title"),
        "description": ("text", "details"),
        "coupon_code": ("coupon", "code", "generic_redemption_code", "promo_code"),
        "starts": ("start", "starts_at", "start_date", "valid_from", "from_date", "starts_ms"),
        "ends": ("end", "ends_at", "end_date", "valid_to", "valid_until", "to_date", "expires", "ends_ms"),
    }
)


def read_promotions(source: Path, *, mapping: Mapping[str, str] | None = None) -> Iterator[Promotion | Reject]:
    """Promotions and rejects of a file. Further columns become `details`.

    Raises IntakeError at once when the file cannot be read.
    """
    table = open_table(source)
    chosen = PROMOTION_COLUMNS.resolve(table.columns, PROMOTION_COLUMNS.checked(mapping, table.columns, table.file))
    if "name" not in chosen:
        raise IntakeError(f"{table.file}, line 1: no name column; it has: {listing(table.columns)}")
    return _promotions(table, chosen)


def _promotions(table: Table, chosen: Mapping[str, str]) -> Iterator[Promotion | Reject]:
    used = set(chosen.values())
    seen: dict[str, Promotion] = {}
    for line, row in table.read():
        if isinstance(row, Reject):
            yield row
            continue
        ours = {field: row.get(column) for field, column in chosen.items()}
        others = {column: value for column, value in row.items() if column not in used}
        try:
            promotion = promotion_from_mapping(ours, others)
        except InvalidRequest as error:
            yield reject(table.file, line, error.field, str(error), ours.get(error.field) or text_of(row))
            continue
        before = seen.setdefault(promotion.promotion_id, promotion)
        if before is promotion:
            yield promotion
        elif before != promotion:
            yield reject(table.file, line, "promotion_id", "an id of an earlier row", promotion.promotion_id)


def promotion_from_mapping(row: Mapping[str, Any], others: Mapping[str, Any] = NOTHING) -> Promotion:
    """A Promotion from our own field names; an end given as a day includes that day.

    Raises InvalidRequest with the field at fault.
    """
    name = one_line(row.get("name"), 500)
    if not name:
        raise InvalidRequest("a promotion needs a name", field="name")
    promotion_id = one_line(row.get("promotion_id"), 256)
    if not promotion_id:
        slug = _SLUG.sub("-", name.lower()).strip("-")[:60]
        promotion_id = f"{slug}-{blake2b(name.encode('utf-8', 'replace'), digest_size=4).hexdigest()}"
    starts_ms = _moment(row.get("starts"), "starts", is_end=False)
    ends_ms = _moment(row.get("ends"), "ends", is_end=True)
    if ends_ms and starts_ms > ends_ms:
        raise InvalidRequest("ends before it starts", field="ends")
    details: dict[str, str] = {}
    for column, value in others.items():
        text = one_line(value, 500)
        if text and len(details) < MAX_DETAILS:
            details[plain_name(str(column))[:100]] = text
    description, _ = prose(row.get("description"), 5000)
    coupon = one_line(row.get("coupon_code"), 100)
    return Promotion(promotion_id, name, description, coupon, starts_ms, ends_ms, details or NOTHING)


def _moment(value: object, field: str, *, is_end: bool) -> int:
    if value is None or value == "" or value == 0:
        return 0
    try:
        ms = parse_time(value)
    except (ValueError, OverflowError):
        raise InvalidRequest("not a time (write ISO 8601, as 2026-12-31)", field=field) from None
    text = scalar_text(value).strip()
    return ms + DAY_MS - 1 if is_end and is_day(text) and not text.isdigit() else ms
