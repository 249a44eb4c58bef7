"""Vectors of products' photos, each photo encoded once in its life."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from aisle.ports import ImageEncoder, VectorStore
from aisle.represent.pixels import read_picture
from aisle.types import Group, Vectors

Progress = Callable[[str, int, int], None]

MEDIA_PREFIX: Final = "/media/"
"""Of links to photos that lie in the shop's own folder; others are somewhere on the web and not fetched."""

MOST_A_PRODUCT: Final = 4
"""Photos of one product that are looked at: its variants', each once."""

_CHUNK: Final = 64
"""Photos encoded between two writes: what a killed import loses."""


def photos_of(group: Group) -> list[str]:
    """Names of the files with a product's photos, the leading variant's first."""
    if not group.products:
        return []
    links = (product.image_link for product in (group.lead, *group.products))
    names = (link.removeprefix(MEDIA_PREFIX) for link in dict.fromkeys(links) if link.startswith(MEDIA_PREFIX))
    return [name for name in names if name and "/" not in name and name not in (".", "..")][:MOST_A_PRODUCT]


@dataclass(slots=True)
class PhotoVectors:
    """Makes and keeps the vectors of photos in the shop's folder `media`.

    Intake names a photo by its content, so its name is the key under which the
    vector is kept. `broken` tells why a photo was left out; it is not tried again.
    """

    media: Path
    store: VectorStore
    broken: dict[str, str] = field(default_factory=dict)

    def of(
        self,
        groups: Sequence[Group],
        encoder: ImageEncoder,
        *,
        encode_new: bool = True,
        progress: Progress | None = None,
    ) -> dict[int, Vectors]:
        """A unit vector float32[dim] for each ord that has a photo: the mean of its photos'.

        With `encode_new` false nothing is encoded, and products none of whose
        photos is known yet are left out.
        """
        names = {group.ord: photos_of(group) for group in groups}
        known = self._vectors(dict.fromkeys(n for some in names.values() for n in some), encoder, encode_new, progress)
        found = {}
        for ord_, some in names.items():
            vectors = [known[name] for name in some if name in known]
            if vectors:
                mean = np.mean(vectors, axis=0)
                found[ord_] = (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)
        return found

    def _vectors(
        self, names: Iterable[str], encoder: ImageEncoder, encode_new: bool, progress: Progress | None
    ) -> dict[str, Vectors]:
        keys = {name: key_of(name) for name in names}
        stored = self.store.get(list(keys.values()), encoder.name)
        known = {name: stored[key] for name, key in keys.items() if key in stored}
        new = [name for name in keys if name not in known and name not in self.broken] if encode_new else []
        for at in range(0, len(new), _CHUNK):
            read, images = [], []
            for name in new[at : at + _CHUNK]:
                try:
                    images.append(read_picture(self.media / name))
                    read.append(name)
                except ValueError as error:
                    self.broken[name] = str(error)
            if read:
                vectors = encoder.encode(images)
                self.store.put([keys[name] for name in read], encoder.name, vectors)
                known.update(zip(read, vectors, strict=True))
            if progress is not None:
                progress("looking at photos", min(at + _CHUNK, len(new)), len(new))
        return known


def key_of(name: str) -> str:
    """The key under which a photo's vector is kept: 32 hexadecimal digits."""
    return hashlib.blake2b(b"photo:" + name.encode("utf-8", "replace"), digest_size=16).hexdigest()
