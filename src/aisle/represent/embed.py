"""Vectors of products, each text encoded once in its life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    known, n_encoded = _known(dict(zip(hashes, texts, strict=True)), encoder, vectors, progress, encode_new)
    rows = [row for row, h in enumerate(hashes) if h in known]
    return Embedded(
        ords=np.fromiter((living[row].ord for row in rows), np.int32, len(rows)),
        vectors=np.stack([known[hashes[row]] for row in rows]) if rows else np.empty((0, encoder.dim), np.float32),
        n_encoded=n_encoded,
        n_missing=len(hashes) - len(rows),
    )


def embed_texts(
    texts: Sequence[str], encoder: TextEncoder, vectors: VectorStore, *, encode_new: bool = True
) -> dict[str, Vectors]:
    """The vector of each text, by the text; with `encode_new` false of those that are stored."""
    hashes = {hash_of(text): text for text in texts}
    known, _ = _known(hashes, encoder, vectors, None, encode_new)
    return {hashes[h]: vector for h, vector in known.items()}


def _known(
    texts: Mapping[str, str], encoder: TextEncoder, vectors: VectorStore, progress: Progress | None, encode_new: bool
) -> tuple[dict[str, Vectors], int]:
    """The vectors of texts by their hashes, and how many were encoded for it."""
    known = dict(vectors.get(list(texts), encoder.name))
    new = [h for h in texts if h not in known] if encode_new else []
    for start in range(0, len(new), _CHUNK):
        chunk = new[start : start + _CHUNK]
        encoded = encoder.encode([texts[h] for h in chunk])
        vectors.put(chunk, encoder.name, encoded)
        known.update(zip(chunk, encoded, strict=True))
        if progress is not None:
            progress("Reading products", min(start + _CHUNK, len(new)), len(new))
    return known, len(new)
