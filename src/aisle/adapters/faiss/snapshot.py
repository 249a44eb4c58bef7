"""Snapshots of the dense index: data files named by their seq, and a manifest that is replaced last."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from aisle.errors import ModelDamaged, StorageError
from aisle.types import Ords, Vectors

_MANIFEST = "dense.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Either a `graph` or an `array` float32[n, dim]; `ord_of_row` int32[n], -1 for buried rows."""

    seq: int
    dim: int
    graph: Any
    array: Vectors | None
    ord_of_row: Ords


def write_snapshot(folder: Path, seq: int, dim: int, graph: Any, array: Vectors | None, ord_of_row: Ords) -> None:
    """Write the data under new names, then the manifest, then remove older data. Raises StorageError."""
    stem = f"{seq:012d}-{os.urandom(3).hex()}"
    rows, data = folder / f"rows-{stem}.npy", folder / f"{'graph' if array is None else 'array'}-{stem}.bin"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(rows, ord_of_row)
        if array is None:
            faiss.write_index(graph, str(data))
        else:
            with data.open("wb") as handle:
                np.save(handle, array)
        manifest = {
            "format": _FORMAT,
            "seq": seq,
            "dim": dim,
            "rows": rows.name,
            "data": data.name,
            "sha256": {file.name: _durable_sha256(file) for file in (rows, data)},
        }
        temporary = folder / f".{_MANIFEST}.{os.getpid()}"
        temporary.write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
        _durable_sha256(temporary)
        temporary.replace(folder / _MANIFEST)
    except (OSError, RuntimeError) as error:  # faiss raises RuntimeError when it cannot write
        for file in (rows, data):
            file.unlink(missing_ok=True)
        raise StorageError(f"{folder}: the dense index cannot be saved: {error}") from error
    for file in folder.iterdir():
        if file.name.startswith(("rows-", "graph-", "array-")) and file not in (rows, data):
            file.unlink(missing_ok=True)


def read_snapshot(folder: Path) -> Snapshot:
    """Raises ModelDamaged when it cannot be trusted."""
    file = folder / _MANIFEST
    try:
        manifest = json.loads(file.read_text("utf-8"))
        if manifest["format"] != _FORMAT:
            raise ValueError(f"format {manifest['format']}, not {_FORMAT}")
        for name, expected in manifest["sha256"].items():
            if _sha256(folder / name) != expected:
                raise ValueError(f"{name} is truncated or altered")
        ord_of_row = np.load(folder / manifest["rows"], allow_pickle=False)
        data = folder / manifest["data"]
        is_graph = data.name.startswith("graph-")
        graph: Any = faiss.read_index(str(data)) if is_graph else None
        array: Any = None if is_graph else np.load(data, allow_pickle=False)
        n = graph.ntotal if is_graph else len(array)
        if n != len(ord_of_row):
            raise ValueError(f"{n} vectors for {len(ord_of_row)} rows")
        return Snapshot(int(manifest["seq"]), int(manifest["dim"]), graph, array, ord_of_row)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RuntimeError) as error:
        raise ModelDamaged(f"{folder}: the dense index cannot be read ({error}); it will be built anew") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _durable_sha256(file: Path) -> str:
    """The checksum of a file that is then on the disk, not only in its cache."""
    with file.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
        os.fsync(handle.fileno())
        return digest
