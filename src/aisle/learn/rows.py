"""Packed rows of one visitor, in the order in which things happened: what the folds over the log keep in memory."""

from __future__ import annotations

import struct
from bisect import bisect_left
from hashlib import blake2b
from typing import Final

KEY: Final = struct.Struct("<QQH")
"""How every row begins: time_ms, the event's `hash64`, the line of the event."""


def add_row(rows: bytearray, row: bytes, limit: int) -> None:
    """Put `row` where its key belongs; the oldest beyond `limit` goes. One that is there already changes nothing.

    The order in which events arrive does not matter, nor whether one arrives twice.
    """
    size, key = len(row), KEY.unpack_from(row)
    n = len(rows) // size
    at = n
    if n and key <= KEY.unpack_from(rows, (n - 1) * size):
        at = bisect_left(range(n), key, key=lambda i: KEY.unpack_from(rows, i * size))
        if KEY.unpack_from(rows, at * size) == key or (at == 0 and n == limit):
            return
    rows[at * size : at * size] = row
    if n == limit:
        del rows[:size]


def hash64(text: str) -> int:
    """A number below 2**64 that stands for `text`, the same in every process."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
