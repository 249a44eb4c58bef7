"""What a product is, and what was done with it, as one vector: numpy runs what `learn.fusion` fitted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from aisle.errors import ModelDamaged
from aisle.learn.items import ItemTable
from aisle.types import Ords, Scores, Vectors

Way: TypeAlias = Literal["concatenation", "attention", "joint"]
Modality: TypeAlias = Literal["text", "image", "words", "price", "behaviour"]

MODALITIES: Final[tuple[Modality, ...]] = ("text", "image", "words", "price", "behaviour")
CHUNK: Final = 4096
"""Products encoded at once: bounds the memory of the widest layer."""


def words_of(items: ItemTable) -> list[list[str]]:
    """What the catalogue says of each product in words: attributes, brand, and every level of its categories."""
    told: list[list[str]] = []
    for row in range(len(items)):
        words = [items.attribute_names[code] for code in items.attributes.row(row)]
        words += [f"category: {items.categories[code]}" for code in items.ancestors.row(row)]
        if items.brand[row] >= 0:
            words.append(f"brand: {items.brands[items.brand[row]]}")
        told.append(words)
    return told


@dataclass(frozen=True)
class Tower:
    """Blocks of a product, one a modality, and their fusion.

    `arrays` are those of a fitted model `content`: for each modality how its
    block is made (mean and axes of the vectors; weights and axes of words;
    centres of log prices), then the parameters of the way that serves.
    Products without photo, text or price have rows of zeros there and lose
    nothing else; an encoder of another width than the one fitted with counts as none.
    """

    way: Way
    words: Mapping[str, int]
    arrays: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """From a version's arrays. Raises ModelDamaged when they are not of a fused model."""
        try:
            about = json.loads(arrays["about"].tobytes())
            return cls(about["way"], {word: n for n, word in enumerate(about["words"])}, arrays)
        except (KeyError, ValueError, TypeError) as error:
            raise ModelDamaged(f"the fused vectors cannot be read ({error}); train again") from error

    @staticmethod
    def about(way: Way, words: Mapping[str, int] | list[str]) -> NDArray[np.uint8]:
        """Names as an array: what `of` reads."""
        return np.frombuffer(json.dumps({"way": way, "words": list(words)}).encode(), np.uint8)

    @property
    def dim(self) -> int:
        if self.way == "concatenation":
            return sum(self._size(m) for m in MODALITIES)
        return int(self.arrays["out"].shape[1])

    def _size(self, modality: Modality) -> int:
        if modality == "price":
            return len(self.arrays.get("price_centres", ()))
        if modality == "behaviour":
            return int(self.arrays["behaviour"].shape[1]) if "behaviour" in self.arrays else 0
        axes = self.arrays.get(f"{modality}_axes")
        return int(axes.shape[1]) if axes is not None else 0

    # ---------------------------------------------------------------- blocks

    def blocks(self, items: ItemTable) -> dict[Modality, Vectors]:
        """float32[n, d_m] by modality, rows of length 1 or zeros; without behaviour, which no content tells."""
        n = len(items)
        found: dict[Modality, Vectors] = {}
        for modality, vectors in (("text", items.text), ("image", items.image)):
            size = self._size(cast(Modality, modality))
            if not size:
                continue
            mean = self.arrays[f"{modality}_mean"]
            block = np.zeros((n, size), np.float32)
            if vectors.shape[1] == len(mean):
                block = unit((vectors - mean) @ self.arrays[f"{modality}_axes"]) * vectors.any(1, keepdims=True)
            found[cast(Modality, modality)] = block
        if self._size("words"):
            found["words"] = self._words(words_of(items))
        if self._size("price"):
            found["price"] = self._prices(items.log_price)
        return found

    def _words(self, told: list[list[str]]) -> Vectors:
        known = [[self.words[word] for word in dict.fromkeys(words) if word in self.words] for words in told]
        weights, axes = self.arrays["words_weights"], self.arrays["words_axes"]
        block = np.zeros((len(told), axes.shape[1]), np.float32)
        for row, codes in enumerate(known):
            if codes:
                block[row] = weights[codes] @ axes[codes]
        return unit(block)

    def _prices(self, log_price: Scores) -> Vectors:
        centres, width = self.arrays["price_centres"], self.arrays["price_width"]
        known = np.isfinite(log_price)
        away = (np.where(known, np.clip(log_price, centres[0], centres[-1]), 0)[:, None] - centres) / width
        return unit(np.exp(-0.5 * away * away).astype(np.float32)) * known[:, None]

    # ---------------------------------------------------------------- fusion

    def encode(self, items: ItemTable, behaviour: Vectors | None = None) -> Vectors:
        """Unit vectors float32[n, dim], zeros for what is not known; with `behaviour` float32[n, f] if there is any."""
        blocks = self.blocks(items)
        if self._size("behaviour"):
            none = np.zeros((len(items), self._size("behaviour")), np.float32)
            blocks["behaviour"] = none if behaviour is None else behaviour
        return self.fuse(blocks)

    def fuse(self, blocks: Mapping[Modality, Vectors]) -> Vectors:
        """Unit vectors float32[n, dim] of blocks with n rows each."""
        if not blocks:
            raise ModelDamaged("the fused vectors have no modality; train again")
        n = len(next(iter(blocks.values())))
        parts = [
            self._fuse({name: block[at : at + CHUNK] for name, block in blocks.items()})
            for at in range(0, max(n, 1), CHUNK)
        ]
        vectors = np.concatenate(parts)
        known = np.any([block.any(1) for block in blocks.values()], axis=0)
        fused: Vectors = (vectors * known[:, None]).astype(np.float32)
        return fused

    def _fuse(self, blocks: Mapping[Modality, Vectors]) -> Vectors:
        arrays = self.arrays
        if self.way == "concatenation":
            weights = arrays["weights"]
            return unit(
                np.concatenate([weights[MODALITIES.index(m)] * blocks[m] for m in MODALITIES if m in blocks], 1)
            )
        if self.way == "attention":
            return self._attention(blocks)
        hidden: Any = arrays["bias"]
        for name, block in blocks.items():
            if name != "behaviour":
                hidden = hidden + block @ arrays[f"{name}_in"]
        vectors = unit(np.maximum(hidden, 0) @ arrays["out"] + hidden @ arrays["skip"])
        if "behaviour" in blocks:
            done = blocks["behaviour"]
            moved = np.maximum(done @ arrays["behaviour_in"] + arrays["behaviour_bias"], 0) @ arrays["behaviour_out"]
            vectors = vectors + np.exp(arrays["behaviour_share"]) * unit(moved) * done.any(1, keepdims=True)
        return unit(vectors)

    def _attention(self, blocks: Mapping[Modality, Vectors]) -> Vectors:
        arrays = self.arrays
        names = [m for m in MODALITIES if m in blocks]
        hidden = np.stack([blocks[m] @ arrays[f"{m}_in"] + arrays[f"{m}_bias"] for m in names], 1)
        present = np.stack([blocks[m].any(1) for m in names], 1)
        told = (np.tanh(hidden @ arrays["gate"]) @ arrays["gate_out"])[:, :, 0] + arrays["gate_prior"]
        told = np.where(present, told, -1e4)
        shares = np.exp(told - told.max(1, keepdims=True))
        shares = shares / shares.sum(1, keepdims=True) * present
        pooled = (shares[:, :, None] * hidden).sum(1)
        return unit(pooled @ arrays["out"])


def unit(vectors: Vectors) -> Vectors:
    """Rows of length 1; zeros stay zeros."""
    scaled: Vectors = vectors / np.sqrt((vectors * vectors).sum(1, keepdims=True) + 1e-12)
    return scaled.astype(np.float32)


def behaviour_of(arrays: Mapping[str, np.ndarray], ords: Ords) -> Vectors | None:
    """What shoppers did with these, as it was fitted: float32[n, f]; zeros for products that came later."""
    known = arrays.get("behaviour")
    if known is None:
        return None
    rows = np.zeros((len(ords), known.shape[1]), np.float32)
    here = (ords >= 0) & (ords < len(known))
    rows[here] = known[ords[here]]
    return rows
