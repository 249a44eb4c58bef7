"""Vectors of products' photos and recordings, each file encoded once in its life."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from aisle.ports import AudioEncoder, VectorStore
from aisle.represent.pixels import read_picture
from aisle.represent.sounds import read_sound
from aisle.types import Group, Progress, Vectors

MEDIA_PREFIX: Final = "/media/"
"""Of links to photos that lie in the shop's own folder; others are somewhere on the web and not fetched."""

MOST_A_PRODUCT: Final = 4
"""Photos of one product that are looked at: its variants', each once."""

_CHUNK: Final = 64
"""Photos encoded between two writes: what a killed import loses."""


AUDIO_ATTRIBUTE: Final = "audio_link"
"""The feed's column with a recording: `/media/NAME.wav`, a file put into the shop's media folder."""


def photos_of(group: Group) -> list[str]:
    """Names of the files with a product's photos, the leading variant's first."""
    return _files(product.image_link for product in (group.lead, *group.products)) if group.products else []


def sounds_of(group: Group) -> list[str]:
    """Names of the files with a product's recordings."""
    return _files(link for product in group.products for link in product.attributes.get(AUDIO_ATTRIBUTE, ()))


def _files(links: Iterable[str]) -> list[str]:
    names = (link.removeprefix(MEDIA_PREFIX) for link in dict.fromkeys(links) if link.startswith(MEDIA_PREFIX))
    return [name for name in names if name and "/" not in name and name not in (".", "..")][:MOST_A_PRODUCT]


Sound: TypeAlias = tuple[NDArray[np.float32], int]
"""A mono waveform, and samples a second."""

Content = TypeVar("Content")
Read = TypeVar("Read", contravariant=True)


class Encoder(Protocol[Read]):
    """What makes vectors of files that were read: an ImageEncoder, or Listening."""

    @property
    def name(self) -> str: ...
    @property
    def dim(self) -> int: ...
    def encode(self, contents: Sequence[Read], /) -> Vectors: ...


@dataclass(slots=True)
class MediaVectors(Generic[Content]):
    """Makes and keeps the vectors of files in the shop's folder `media`.

    `names_of` tells which files are a product's, `read` what is in one (it
    raises ValueError for a broken one). Intake names a photo by its content, so
    its name is the key under which the vector is kept. `broken` tells why a file
    was left out; it is not tried again.
    """

    media: Path
    store: VectorStore
    names_of: Callable[[Group], list[str]]
    read: Callable[[Path], Content]
    broken: dict[str, str] = field(default_factory=dict)

    def of(
        self,
        groups: Sequence[Group],
        encoder: Encoder[Content],
        *,
        encode_new: bool = True,
        progress: Progress | None = None,
    ) -> dict[int, Vectors]:
        """A unit vector float32[dim] for each ord that has such a file: the mean of its files'.

        With `encode_new` false nothing is encoded, and products none of whose
        files is known yet are left out.
        """
        names = {group.ord: self.names_of(group) for group in groups}
        known = self._vectors(dict.fromkeys(n for some in names.values() for n in some), encoder, encode_new, progress)
        found = {}
        for ord_, some in names.items():
            vectors = [known[name] for name in some if name in known]
            if vectors:
                mean = np.mean(vectors, axis=0)
                found[ord_] = (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)
        return found

    def _vectors(
        self, names: Iterable[str], encoder: Encoder[Content], encode_new: bool, progress: Progress | None
    ) -> dict[str, Vectors]:
        keys = {name: key_of(name) for name in names}
        stored = self.store.get(list(keys.values()), encoder.name)
        known = {name: stored[key] for name, key in keys.items() if key in stored}
        new = [name for name in keys if name not in known and name not in self.broken] if encode_new else []
        for at in range(0, len(new), _CHUNK):
            read, contents = [], []
            for name in new[at : at + _CHUNK]:
                try:
                    contents.append(self.read(self.media / name))
                    read.append(name)
                except ValueError as error:
                    self.broken[name] = str(error)
            if read:
                vectors = encoder.encode(contents)
                self.store.put([keys[name] for name in read], encoder.name, vectors)
                known.update(zip(read, vectors, strict=True))
            if progress is not None:
                progress("looking at photos, listening", min(at + _CHUNK, len(new)), len(new))
        return known


PhotoVectors: TypeAlias = MediaVectors[NDArray[np.uint8]]
SoundVectors: TypeAlias = MediaVectors[Sound]


def photo_vectors(media: Path, store: VectorStore) -> PhotoVectors:
    return MediaVectors(media, store, photos_of, read_picture)


def sound_vectors(media: Path, store: VectorStore) -> SoundVectors:
    return MediaVectors(media, store, sounds_of, read_sound)


@dataclass(frozen=True, slots=True)
class Listening:
    """An audio encoder of recordings that each have a rate of their own."""

    encoder: AudioEncoder

    @property
    def name(self) -> str:
        return self.encoder.name

    @property
    def dim(self) -> int:
        return self.encoder.dim

    def encode(self, contents: Sequence[Sound], /) -> Vectors:
        """float32[n, dim], rows of length 1."""
        vectors = np.empty((len(contents), self.dim), np.float32)
        for row, (waveform, rate) in enumerate(contents):
            vectors[row : row + 1] = self.encoder.encode([waveform], rate)
        return vectors


def key_of(name: str) -> str:
    """The key under which a file's vector is kept: 32 hexadecimal digits."""
    return hashlib.blake2b(b"photo:" + name.encode("utf-8", "replace"), digest_size=16).hexdigest()
