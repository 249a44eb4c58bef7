"""An image encoder learned on the shop's own photos, where no pretrained one is at hand.

Labels are what the catalogue says (category, colour) and what shoppers went
through together: cross entropy for each label, supervised contrast (Khosla et
al. 2020) for pairs of products and for two views of one photo (Chen et al.
2020). A million parameters, photos of 64 pixels: minutes on two cores.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import TrainingFailed
from aisle.learn.fitted import Fitted
from aisle.learn.pairs import Pairs
from aisle.types import Progress, Vectors

if TYPE_CHECKING:
    import torch

log = logging.getLogger("aisle.learn")

PHOTOS: Final = "photos"
CARD_FILE: Final = "encoder.json"
MODEL_FILE: Final = "model.onnx"
DIM: Final = 64
LEAST_PHOTOS: Final = 60
BATCH, RATE, MOST_EPOCHS = 64, 2e-3, 40
PAIR_WEIGHT, VIEW_WEIGHT, TEMPERATURE = 0.3, 0.3, 0.1
_NO_LABEL: Final = -1


@dataclass(frozen=True, slots=True)
class PhotoLabels:
    """What is known of n photos: the ord of each one's product, and codes of labels by kind (-1: not known)."""

    ords: NDArray[np.int32]
    labels: Mapping[str, NDArray[np.int32]]

    def usable(self) -> dict[str, NDArray[np.int32]]:
        """Kinds of labels with at least two values; values that only one photo has say nothing and count as unknown."""
        found = {}
        for name, codes in self.labels.items():
            values, counts = np.unique(codes[codes >= 0], return_counts=True)
            common = values[counts >= 2]
            if len(common) >= 2:
                place = np.full(int(values.max()) + 1, _NO_LABEL, np.int32)
                place[common] = np.arange(len(common))
                found[name] = np.where(codes >= 0, place[np.maximum(codes, 0)], _NO_LABEL).astype(np.int32)
        return found


def fit_photos(
    pixels: NDArray[np.uint8],
    known: PhotoLabels,
    *,
    pairs: Pairs | None = None,
    work: Path,
    progress: Progress | None = None,
    seed: int = 0,
    minutes: float = 3.0,
    held_out: float = 0.15,
) -> Fitted | None:
    """Files `model.onnx` and `encoder.json` (the encoder's card), learned from photos uint8[n, 64, 64, 3].

    A share of the products is held out with all their photos: `<label>_held_out`
    is how often the nearest photo of another product has the same label, `<label>_most_common` how
    often the commonest label would be right. The version that serves is then fitted on everything for as many epochs.
    None with fewer than LEAST_PHOTOS photos, or without a label that tells products apart.
    """
    labels = known.usable()
    if len(pixels) < LEAST_PHOTOS or not labels:
        log.info("photos: not fitted: %d photos, labels %s", len(pixels), ", ".join(labels) or "none")
        return None
    rng = np.random.default_rng(seed)
    products = np.unique(known.ords)
    n_out = max(1, round(held_out * len(products))) if held_out > 0 else 0
    test = np.isin(known.ords, rng.choice(products, n_out, replace=False))
    metrics: dict[str, float] = {"photos": float(len(pixels))}
    epochs, share = MOST_EPOCHS, 0.5 * minutes
    if test.any() and not test.all():
        tried = _Fit(pixels, known.ords, labels, ~test, pairs, seed, progress)
        epochs = max(1, tried.run(MOST_EPOCHS, share))
        vectors = tried.encode(pixels)
        for name, codes in labels.items():
            metrics |= _agreement(name, codes, vectors, known.ords, test)
    whole = _Fit(pixels, known.ords, labels, np.ones(len(pixels), bool), pairs, seed, progress)
    whole.run(epochs, 1.5 * share)
    files = whole.export(work)
    # The fitted arrays are in the graph; the means only tell two versions apart by their numbers.
    arrays = {"mean": whole.encode(pixels).mean(0)}
    return Fitted(
        PHOTOS, arrays, files, params={"dim": DIM, "epochs": epochs, "labels": sorted(labels)}, metrics=metrics
    )


def _agreement(
    name: str, codes: NDArray[np.int32], vectors: Vectors, ords: NDArray[np.int32], test: NDArray[np.bool_]
) -> dict[str, float]:
    """How often the nearest photo of another, learned product has the label of a held-out one."""
    asked = np.flatnonzero(test & (codes >= 0))
    bank = np.flatnonzero(~test & (codes >= 0))
    if not len(asked) or not len(bank):
        return {}
    nearest = bank[(vectors[asked] @ vectors[bank].T).argmax(1)]
    values, counts = np.unique(codes[bank], return_counts=True)
    commonest = values[counts.argmax()]
    return {
        f"{name}_held_out": float((codes[nearest] == codes[asked]).mean()),
        f"{name}_most_common": float((codes[asked] == commonest).mean()),
    }


class _Fit:
    """One fit on the photos that `used` marks."""

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        ords: NDArray[np.int32],
        labels: Mapping[str, NDArray[np.int32]],
        used: NDArray[np.bool_],
        pairs: Pairs | None,
        seed: int,
        progress: Progress | None,
    ) -> None:
        import torch

        from aisle.models.image import PhotoHeads, PhotoNetwork

        torch.manual_seed(seed)
        self._rng = np.random.default_rng(seed)
        self._pixels, self._ords, self._labels = pixels, ords, labels
        self._rows = np.flatnonzero(used)
        self._progress = progress
        self._partners = _partners(ords, used, pairs)
        self._network = PhotoNetwork(DIM)
        self._heads = PhotoHeads(DIM, [int(codes.max()) + 1 for codes in labels.values()])

    def run(self, epochs: int, minutes: float) -> int:
        """Learn for so many epochs, or until the time is up; returns how many it were. Raises TrainingFailed."""
        import torch

        parameters = [*self._network.parameters(), *self._heads.parameters()]
        optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=0.02)
        n_batches = max(1, -(-len(self._rows) // BATCH))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=epochs * n_batches + 1)
        until = time.monotonic() + 60 * minutes
        self._network.train()
        for epoch in range(1, epochs + 1):
            order = self._rng.permutation(self._rows)
            for at in range(0, len(order), BATCH):
                rows = order[at : at + BATCH]
                if len(rows) < 4:
                    continue
                loss = self._loss(rows)
                if not torch.isfinite(loss):
                    raise TrainingFailed("photos: the loss is no number; the version that serves is kept")
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
            if self._progress is not None:
                self._progress("learning the photos", epoch, epochs)
            if time.monotonic() > until:
                return epoch
        return epochs

    def _loss(self, rows: NDArray[np.intp]) -> torch.Tensor:
        """Labels of one view; another view, of the same photo or of one that goes with it, near to it."""
        import torch

        partners = np.array([self._partner(int(row)) for row in rows])
        views = np.concatenate([rows, partners])
        vectors = self._network(_augmented(self._pixels[views], self._rng))
        one, other = vectors[: len(rows)], vectors[len(rows) :]
        total = torch.zeros(())
        for told, codes in zip(self._heads(vectors), self._labels.values(), strict=True):
            target = torch.from_numpy(codes[views].astype(np.int64))
            if (target >= 0).any():
                total = total + torch.nn.functional.cross_entropy(told, target, ignore_index=_NO_LABEL)
        logits = one @ other.T / TEMPERATURE
        ords = torch.from_numpy(self._ords[partners])
        own = torch.arange(len(rows))
        same = ords[None, :] == ords[:, None]
        same[own, own] = False
        return total + VIEW_WEIGHT * torch.nn.functional.cross_entropy(logits.masked_fill(same, -1e4), own)

    def _partner(self, row: int) -> int:
        """The photo itself or, at times, one of a product that shoppers went on to."""
        others = self._partners.get(int(self._ords[row]))
        if others is None or self._rng.random() > PAIR_WEIGHT:
            return row
        return int(others[self._rng.integers(len(others))])

    def encode(self, pixels: NDArray[np.uint8]) -> Vectors:
        """Unit vectors float32[n, DIM] of photos uint8[n, 64, 64, 3]."""
        import torch

        self._network.eval()
        found = []
        with torch.no_grad():
            for at in range(0, len(pixels), 256):
                values = torch.from_numpy(_scaled(pixels[at : at + 256]))
                found.append(self._network(values).numpy())
        self._network.train()
        return np.concatenate(found) if found else np.empty((0, DIM), np.float32)

    def export(self, work: Path) -> dict[str, Path]:
        """Write the graph and its card into `work`."""
        import warnings

        import torch

        from aisle.models.image import EDGE

        work.mkdir(parents=True, exist_ok=True)
        self._network.eval()
        example = torch.zeros(2, 3, EDGE, EDGE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                self._network, (example,), str(work / MODEL_FILE), input_names=["pixels"], output_names=["vector"],
                dynamic_axes={"pixels": {0: "images"}, "vector": {0: "images"}}, opset_version=17, dynamo=False,
            )  # fmt: skip
        digest = hashlib.sha256((work / MODEL_FILE).read_bytes()).hexdigest()
        card = {
            "name": "own-photos", "model": PHOTOS, "source_hash": digest, "dim": DIM, "parity": 1.0,
            "files": {MODEL_FILE: digest}, "height": EDGE, "width": EDGE, "shortest_edge": 0, "resample": 2,
            "scale": 1 / 255, "mean": [0.5] * 3, "std": [0.5] * 3,
        }  # fmt: skip
        (work / CARD_FILE).write_text(json.dumps(card, indent=2) + "\n", "utf-8")
        return {MODEL_FILE: work / MODEL_FILE, CARD_FILE: work / CARD_FILE}


def _partners(
    ords: NDArray[np.int32], used: NDArray[np.bool_], pairs: Pairs | None, most: int = 20
) -> dict[int, NDArray[np.intp]]:
    """Photos of the products that shoppers went on to, by ord."""
    if pairs is None or not len(pairs):
        return {}
    photo_of: dict[int, int] = {}
    for row in np.flatnonzero(used).tolist():
        photo_of.setdefault(int(ords[row]), row)
    found: dict[int, list[int]] = {}
    both = zip(
        np.concatenate([pairs.left, pairs.right]).tolist(),
        np.concatenate([pairs.right, pairs.left]).tolist(),
        strict=True,
    )
    for one, other in both:
        if one in photo_of and other in photo_of and len(found.setdefault(one, [])) < most:
            found[one].append(photo_of[other])
    return {one: np.array(rows) for one, rows in found.items() if rows}


def _scaled(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32[n, 3, 64, 64] in [-1, 1] of uint8[n, 64, 64, 3], as `represent.pixels` prepares them."""
    values = (pixels.astype(np.float32) / 255 - 0.5) / 0.5
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)


def _augmented(pixels: NDArray[np.uint8], rng: np.random.Generator) -> Any:
    """Other views of photos: mirrored, moved and scaled a little, brighter or darker; never of another colour."""
    import torch

    values = torch.from_numpy(_scaled(pixels))
    n = len(values)
    grow = torch.from_numpy(rng.uniform(0.75, 1.05, n).astype(np.float32))
    mirror = torch.from_numpy(np.where(rng.random(n) < 0.5, -1.0, 1.0).astype(np.float32))
    move = torch.from_numpy(rng.uniform(-0.15, 0.15, (n, 2)).astype(np.float32))
    matrix = torch.zeros(n, 2, 3)
    matrix[:, 0, 0], matrix[:, 1, 1] = grow * mirror, grow
    matrix[:, :, 2] = move
    grid = torch.nn.functional.affine_grid(matrix, list(values.shape), align_corners=False)
    moved = torch.nn.functional.grid_sample(values, grid, padding_mode="border", align_corners=False)
    light = torch.from_numpy(rng.uniform(0.85, 1.15, (n, 1, 1, 1)).astype(np.float32))
    return (moved * light).clamp(-1, 1)


def beats_chance(metrics: Mapping[str, float], labels: Sequence[str] = ("category", "color")) -> bool:
    """Whether some label is told of products never seen clearly better than by the commonest value."""
    return any(metrics.get(f"{name}_held_out", 0.0) > metrics.get(f"{name}_most_common", 1.0) + 0.02 for name in labels)
