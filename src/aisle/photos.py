"""A shop's photos and recordings: who encodes them, their vectors, and the network that learns from photos."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import ModelError, NotFound, StorageError
from aisle.intake.rejects import RejectFile
from aisle.learn.pairs import Pairs
from aisle.learn.photos import PHOTOS, PhotoLabels, beats_chance, fit_photos
from aisle.ports import ImageEncoder, ModelStore
from aisle.represent.photos import AUDIO_ATTRIBUTE, Listening, PhotoVectors, SoundVectors, photos_of
from aisle.represent.pixels import read_picture
from aisle.types import Group, ModelVersion, Progress, Reject, Vectors

log = logging.getLogger("aisle")

EDGE: Final = 64
"""Pixels of the photos that the shop's own network learns from (`models.image.EDGE`)."""

_GROWN: Final = 1.25
"""The network is learned anew when there are so many times the photos it knew."""


class Photos:
    """What serves and what learns from photos; `pretrained` is the encoder that the settings name, if any.

    Without one the shop's own network encodes, once a training has made one. A
    photo that cannot be read is told in `rejects.jsonl`, once, and left out.
    `sounds` with `listening` add what recordings of products sound like.
    """

    def __init__(
        self,
        vectors: PhotoVectors,
        models: ModelStore,
        open_encoder: Callable[[Path], ImageEncoder],
        *,
        pretrained: ImageEncoder | None = None,
        sounds: SoundVectors | None = None,
        listening: Listening | None = None,
        rejects: RejectFile | None = None,
    ) -> None:
        self._vectors, self._models, self._open = vectors, models, open_encoder
        self._pretrained, self._rejects = pretrained, rejects
        self._sounds, self._listening = sounds, listening
        self._own: ImageEncoder | None = None
        self._own_version = ""
        self._told: set[str] = set()
        self._lock = threading.Lock()

    @property
    def encoder(self) -> ImageEncoder | None:
        """Who encodes photos now; None: nobody."""
        return self._pretrained or self._own

    def follow(self) -> None:
        """Take up the shop's own network that this or another process promoted; a damaged one leaves the last good."""
        if self._pretrained is not None:
            return
        for version in self._models.promoted(PHOTOS):
            if version == self._own_version:
                return
            try:
                self._own, self._own_version = self._open(self._models.folder(PHOTOS, version)), version
                return
            except (ModelError, NotFound) as error:
                log.warning("photos: %s", error)

    def of(
        self, groups: Sequence[Group], *, may_encode: bool = True, progress: Progress | None = None
    ) -> dict[int, Vectors]:
        """A unit vector by ord for each group with a photo; nothing without an encoder."""
        encoder = self.encoder
        if encoder is None:
            return {}
        with self._lock:  # training and following must not encode the same photo twice
            found = self._vectors.of(groups, encoder, encode_new=may_encode, progress=progress)
            self._tell()
        return found

    def rows(
        self, groups: Sequence[Group], n: int, *, may_encode: bool = True, progress: Progress | None = None
    ) -> Vectors | None:
        """float32[n, dim] by ord: what photos show, then what recordings sound like, zeros where there is none.

        None without an encoder, or when no product has a photo or a recording.
        """
        self.follow()
        found = self.of(groups, may_encode=may_encode, progress=progress)
        parts = [_table(found, n, self.encoder.dim)] if self.encoder is not None else []
        if self._sounds is not None and self._listening is not None:
            with self._lock:
                heard = self._sounds.of(groups, self._listening, encode_new=may_encode, progress=progress)
                self._tell()
            parts.append(_table(heard, n, self._listening.dim))
        table = np.concatenate(parts, axis=1) if parts else None
        return table if table is not None and table.any() else None

    # --------------------------------------------------------------- learning

    def learn(
        self,
        groups: Sequence[Group],
        *,
        work: Path,
        pairs: Pairs | None = None,
        progress: Progress | None = None,
        seed: int = 0,
        minutes: float = 3.0,
    ) -> ModelVersion | None:
        """Fit the shop's own network where it has to encode and does not know most photos yet; it serves at once.

        None when there is nothing to do or too few photos. Raises TrainingFailed, StorageError.
        """
        if self._pretrained is not None:
            return None
        self.follow()
        n_photos = len({name for group in groups for name in photos_of(group)})
        serving = self._models.active(PHOTOS)
        if serving is not None and self._own is not None and n_photos < _GROWN * serving.metrics.get("photos", 0):
            return None
        pixels, known = self.pixels_of(groups, progress)
        fitted = fit_photos(pixels, known, pairs=pairs, work=work, progress=progress, seed=seed, minutes=minutes)
        if fitted is None:
            return None
        good = beats_chance(fitted.metrics)
        note = "" if good else "not promoted: it does not tell a label of products it never saw better than chance"
        version = self._models.create(
            PHOTOS, fitted.arrays, files=fitted.files, params=fitted.params, metrics=fitted.metrics, note=note
        )
        if good:
            self._models.promote(PHOTOS, version.version)
            self.follow()
        return version

    def pixels_of(
        self, groups: Sequence[Group], progress: Progress | None = None
    ) -> tuple[NDArray[np.uint8], PhotoLabels]:
        """Every photo once as uint8[n, EDGE, EDGE, 3], with its product's category and its variant's colour."""
        from PIL import Image

        pixels: list[NDArray[np.uint8]] = []
        ords: list[int] = []
        told: dict[str, list[str]] = {"category": [], "color": []}
        seen: set[str] = set()
        for done, group in enumerate(groups):
            color_of = {product.image_link.rsplit("/", 1)[-1]: product.color for product in group.products}
            for name in photos_of(group):
                if name in seen or name in self._vectors.broken:
                    continue
                seen.add(name)
                try:
                    picture = Image.fromarray(read_picture(self._vectors.media / name))
                except ValueError as error:
                    self._vectors.broken[name] = str(error)
                    continue
                pixels.append(np.asarray(picture.resize((EDGE, EDGE), Image.Resampling.BILINEAR), np.uint8))
                ords.append(group.ord)
                told["category"].append(group.lead.product_type)
                told["color"].append(color_of.get(name, ""))
            if progress is not None and done % 64 == 0:
                progress("reading photos", done, len(groups))
        self._tell()
        labels = {name: _coded(values) for name, values in told.items()}
        stack = np.stack(pixels) if pixels else np.empty((0, EDGE, EDGE, 3), np.uint8)
        return stack, PhotoLabels(np.array(ords, np.int32), labels)

    def _tell(self) -> None:
        """Photos that could not be read, told once each."""
        broken = [("image_link", name, reason) for name, reason in self._vectors.broken.items()]
        if self._sounds is not None:
            broken += [(AUDIO_ATTRIBUTE, name, reason) for name, reason in self._sounds.broken.items()]
        broken = [one for one in broken if one[1] not in self._told]
        self._told.update(name for _, name, _ in broken)
        if broken and self._rejects is not None:
            try:
                self._rejects.write(Reject(f"media/{name}", 0, field, reason) for field, name, reason in broken)
            except StorageError as error:
                log.warning("%s", error)


def _table(found: dict[int, Vectors], n: int, dim: int) -> Vectors:
    """float32[n, dim] by ord."""
    table = np.zeros((n, dim), np.float32)
    for ord_, vector in found.items():
        if ord_ < n:
            table[ord_] = vector
    return table


def _coded(values: Sequence[str]) -> NDArray[np.int32]:
    """Codes of values, counted up as they come; -1 for an empty one."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(value, len(known)) if value else -1 for value in values], np.int32)
