"""Moments in the many ways that exports write them, as milliseconds since 1970, UTC."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
DAY_MS = 86_400_000

# Month first for slashes (as spreadsheets in the US write), day first for dots.
_PATTERNS = (
    "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y-%m-%d %H:%M:%S %Z", "%a, %d %b %Y %H:%M:%S %z",
)  # fmt: skip


def parse_time(value: object) -> int:
    """Milliseconds of an ISO 8601 text, a Unix number (s, ms, µs, ns by size) or a datetime.

    A time without a zone is UTC. Raises ValueError.
    """
    kind = type(value)
    if kind is str:
        return _text_ms(value)
    if kind is int or kind is float:
        return number_ms(value)  # type: ignore[arg-type]
    if isinstance(value, datetime):
        return datetime_ms(value)
    if isinstance(value, date):
        return datetime_ms(datetime(value.year, value.month, value.day, tzinfo=UTC))
    raise ValueError("not a time")


def number_ms(number: int | float) -> int:
    """A Unix number whose unit is told by its size: seconds until the year 5138, and so on."""
    if not math.isfinite(number) or number < 0:
        raise ValueError("not a time")
    if number < 10**11:
        return int(number * 1000)
    if number < 10**14:
        return int(number)
    if number < 10**17:
        return int(number) // 1000
    if number < 10**20:
        return int(number) // 1_000_000
    raise ValueError("not a time")


def datetime_ms(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    ms = (moment - _EPOCH) // _MILLISECOND
    if ms < 0:
        raise ValueError("a time before 1970")
    return ms


def is_day(text: str) -> bool:
    """Whether it names a day and no hour."""
    return len(text) <= 10 and ":" not in text and "T" not in text


@lru_cache(maxsize=65_536)
def _text_ms(text: str) -> int:
    if len(text) > 64:
        raise ValueError("not a time")
    text = text.strip()
    if text.isdigit() and text.isascii() and len(text) != 8:
        return number_ms(int(text))
    try:
        return datetime_ms(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        pass
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return number_ms(float(text))
    trimmed = text[:-4] if text.endswith(" UTC") else text
    if trimmed != text:
        return _text_ms(trimmed)
    for pattern in _PATTERNS:
        try:
            return datetime_ms(datetime.strptime(text, pattern))
        except (ValueError, OverflowError):
            continue
    raise ValueError("not a time")
