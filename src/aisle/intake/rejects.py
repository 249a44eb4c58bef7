"""Rows that were refused, as JSON lines a person can read: {file, line, field, reason, value}."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import orjson

from aisle.errors import StorageError
from aisle.types import Reject

_CHUNK_BYTES = 256 << 10


class RejectFile:
    """Appends to `rejects.jsonl`. Two imports at once never mix within a line: each write is whole lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_written = 0

    def write(self, rejects: Iterable[Reject]) -> None:
        """Raises StorageError when the disk will not take them."""
        lines: list[bytes] = []
        size = 0
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_FOLLOW, 0o600)
            try:
                for reject in rejects:
                    lines.append(reject_line(reject))
                    size += len(lines[-1])
                    self.n_written += 1
                    if size >= _CHUNK_BYTES:
                        _write_all(descriptor, b"".join(lines))
                        lines.clear()
                        size = 0
                _write_all(descriptor, b"".join(lines))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written ({error.strerror or error}); free some space") from None


_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


def reject_line(reject: Reject) -> bytes:
    """One reject as a JSON line."""
    row = {
        "file": _plain(reject.file),
        "line": reject.line,
        "field": _plain(reject.field),
        "reason": _plain(reject.reason),
        "value": _plain(reject.value),
    }
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _plain(text: str) -> str:
    """Lone surrogates (a file name may hold them) cannot be written as JSON."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
