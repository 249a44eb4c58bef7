"""Vectors of products, each text encoded once in its life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aisle.ports import TextEncoder, VectorStore
from aisle.represent.texts import hash_of, text_of
from aisle.types import Group, Ords, Progress, Vectors

_CHUNK = 1024
"""Texts encoded between two writes: what a killed import loses."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """`ords` int32[n] and their `vectors` float32[n, dim]; `n_encoded` texts were new, `n_missing` groups have none."""

    ords: Ords
    vectors: Vectors
    n_encoded: int = 0
    n_missing: int = 0


def embed(
    groups: Sequence[Group],
    encoder: TextEncoder,
    vectors: VectorStore,
    progress: Progress | None = None,
    *,
    encode_new: bool = True,
) -> Embedded:
    """The vector of every group that has products.

    Only texts the store has not seen are encoded, and each chunk is stored
    before the next is begun. With `encode_new` false nothing is encoded: groups
    whose vector is not stored yet are left out and counted in `n_missing`.
    """
    living = [group for group in groups if group.products]
    texts = [text_of(group) for group in living]
    hashes = [hash_of(text) for text in texts]
    known = dict(vectors.get(list(dict.fromkeys(hashes)), encoder.name))
    new = {h: text for h, text in zip(hashes, texts, strict=True) if h not in known} if encode_new else {}
    new_hashes = list(new)
    for start in range(0, len(new_hashes), _CHUNK):
        chunk = new_hashes[start : start + _CHUNK]
        encoded = encoder.encode([new[h] for h in chunk])
        vectors.put(chunk, encoder.name, encoded)
        known.update(zip(chunk, encoded, strict=True))
        if progress is not None:
            progress("Reading products", min(start + _CHUNK, len(new_hashes)), len(new_hashes))
    rows = [row for row, h in enumerate(hashes) if h in known]
    return Embedded(
        ords=np.fromiter((living[row].ord for row in rows), np.int32, len(rows)),
        vectors=np.stack([known[hashes[row]] for row in rows]) if rows else np.empty((0, encoder.dim), np.float32),
        n_encoded=len(new_hashes),
        n_missing=len(hashes) - len(rows),
    )
