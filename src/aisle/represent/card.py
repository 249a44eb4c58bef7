"""The card beside an exported model: what it is, and the checksum of every file.

A folder without a card, or one whose files differ from it, is not a model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self, TypeAlias

from aisle.errors import ModelDamaged
from aisle.models.pooling import Pooling

CARD = "card.json"
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
STATIC_FILE = "static.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """`model` is the name asked for; `source_hash` covers what the vectors depend on.

    `files` maps each file to its SHA-256; `parity` is the least cosine between
    the exported and the original model on what was compared.
    """

    needs: ClassVar[frozenset[str]] = frozenset({MODEL_FILE})
    """Files without which there is no model."""

    name: str
    model: str
    source_hash: str
    dim: int
    parity: float
    files: Mapping[str, str]

    def write(self, folder: Path, file: str = CARD) -> None:
        (folder / file).write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")

    @classmethod
    def read(cls, folder: Path, file: str = CARD) -> Self:
        """Raises ModelDamaged when there is no readable card or a file it names is missing."""
        try:
            card = cls(**json.loads((folder / file).read_text("utf-8")))
            missing = [name for name in card.files if not (folder / name).is_file()]
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ModelDamaged(f"{folder / file}: cannot be read ({error}); {_remedy(folder)}") from error
        if missing or not cls.needs <= set(card.files):
            raise ModelDamaged(f"{folder}: {', '.join(missing) or MODEL_FILE} is missing; {_remedy(folder)}")
        return card

    @classmethod
    def verify(cls, folder: Path, file: str = CARD) -> Self:
        """Read the card and compare every file with its checksum. Raises ModelDamaged."""
        card = cls.read(folder, file)
        for name, expected in card.files.items():
            if sha256_of(folder / name) != expected:
                raise ModelDamaged(f"{folder / name}: truncated or altered; {_remedy(folder)}")
        return card


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderCard(Card):
    """Of a text encoder: how many tokens it reads, and how they become one vector.

    `made` says how it was made lighter, if it was, and `source` which model is
    to be tuned in its place: a folder beside the card, or a model's name.
    """

    needs: ClassVar[frozenset[str]] = frozenset({MODEL_FILE, TOKENIZER_FILE})

    max_tokens: int
    pooling: Pooling
    made: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticCard(Card):
    """Of a text encoder that only looks vectors of tokens up; `made` and `source` as an EncoderCard's."""

    needs: ClassVar[frozenset[str]] = frozenset({STATIC_FILE, TOKENIZER_FILE})

    max_tokens: int
    made: str = ""
    source: str = ""


TextCard: TypeAlias = EncoderCard | StaticCard


def text_card(folder: Path, file: str = CARD) -> TextCard:
    """The card of a text encoder of either kind. Raises ModelDamaged."""
    kind = StaticCard if (folder / STATIC_FILE).is_file() else EncoderCard
    return kind.read(folder, file)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCard(Card):
    """Of an image encoder: how a picture becomes its input float32[3, height, width].

    A picture is resized to `shortest_edge` pixels and cropped in the middle or,
    where that is 0, resized to `height` x `width` as it is; `resample` is PIL's
    filter. Values are multiplied by `scale`, then `mean` is taken off and the
    rest divided by `std`, by channel.
    """

    height: int
    width: int
    shortest_edge: int = 0
    resample: int = 2
    scale: float = 1 / 255
    mean: Sequence[float] = (0.5, 0.5, 0.5)
    std: Sequence[float] = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioCard(Card):
    """Of an audio encoder that reads waveforms of `rate` samples a second; `normalised` to mean 0 and variance 1."""

    rate: int
    normalised: bool
    least_samples: int
    most_samples: int


def sha256_of(file: Path) -> str:
    """Hex SHA-256 of a file, read in pieces. Raises ModelDamaged when it cannot be read."""
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise ModelDamaged(f"{file}: cannot be read ({error})") from error


def _remedy(folder: Path) -> str:
    return f"delete the folder {folder} and open the shop again: the encoder is exported anew"
