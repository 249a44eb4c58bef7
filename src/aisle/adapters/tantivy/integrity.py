"""Whether an index on disk can be trusted.

tantivy ends each file with a footer that holds the CRC-32 of what precedes it,
but opens a file whose footer is intact without checking. A byte flipped in a
posting list would become wrong answers or a panic much later.
"""

from __future__ import annotations

import json
import mmap
import struct
import zlib
from pathlib import Path

from aisle.errors import ModelDamaged

_MAGIC = 1337
_CHUNK = 1 << 22


def check_files(folder: Path) -> None:
    """Raise ModelDamaged when a file of the committed segments is missing, truncated or altered."""
    for _ in range(5):
        before = _meta(folder)
        try:
            _check_segments(folder, before)
        except ModelDamaged:
            if _meta(folder) == before:
                raise
            continue  # the owner committed or merged meanwhile: those files went for a good reason
        return
    raise ModelDamaged(f"{folder} changes too fast to be checked; try again")


def _meta(folder: Path) -> bytes:
    try:
        return (folder / "meta.json").read_bytes()
    except OSError as error:
        raise ModelDamaged(f"{folder / 'meta.json'} cannot be read ({error}); rebuild the lexical index") from error


def _check_segments(folder: Path, meta_json: bytes) -> None:
    try:
        meta = json.loads(meta_json)
        segments = [(str(s["segment_id"]).replace("-", ""), s["deletes"]) for s in meta["segments"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(f"{folder / 'meta.json'} cannot be read ({error}); rebuild the lexical index") from error
    for segment, deletes in segments:
        names = [f"{segment}.{part}" for part in ("term", "idx", "store", "fast", "fieldnorm")]
        if deletes:
            names.append(f"{segment}.{deletes['opstamp']}.del")
        for name in names:
            _check_file(folder / name)


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            size = len(data)
            if size < 8:
                raise ValueError("truncated")
            n_footer, magic = struct.unpack("<II", data[size - 8 :])
            if magic != _MAGIC or n_footer > size - 8:
                raise ValueError("its end is missing")
            end = size - 8 - n_footer
            expected = int(json.loads(data[end : size - 8])["crc"])
            crc = 0
            for start in range(0, end, _CHUNK):
                crc = zlib.crc32(data[start : min(start + _CHUNK, end)], crc)
            if crc != expected:
                raise ValueError("its checksum differs")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(f"{path} is damaged: {error}; rebuild the lexical index") from error
