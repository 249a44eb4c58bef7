"""The card beside an exported model: what it is, and the checksum of every file.

A folder without a card, or one whose files differ from it, is not a model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from aisle.errors import ModelDamaged

CARD = "card.json"
MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"

Pooling = Literal["mean", "cls", "max"]


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """`model` is the name asked for; `source_hash` covers what the vectors depend on.

    `files` maps each file to its SHA-256; `parity` is the least cosine between
    the exported and the original model on the texts that were compared.
    """

    name: str
    model: str
    source_hash: str
    dim: int
    max_tokens: int
    pooling: Pooling
    parity: float
    files: Mapping[str, str]

    def write(self, folder: Path) -> None:
        (folder / CARD).write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")

    @classmethod
    def read(cls, folder: Path) -> EncoderCard:
        """Raises ModelDamaged when there is no readable card or a file it names is missing."""
        file = folder / CARD
        try:
            card = cls(**json.loads(file.read_text("utf-8")))
            missing = [name for name in card.files if not (folder / name).is_file()]
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ModelDamaged(f"{file}: cannot be read ({error}); {_remedy(folder)}") from error
        if missing or not {MODEL_FILE, TOKENIZER_FILE} <= set(card.files):
            raise ModelDamaged(f"{folder}: {', '.join(missing) or MODEL_FILE} is missing; {_remedy(folder)}")
        return card

    @classmethod
    def verify(cls, folder: Path) -> EncoderCard:
        """Read the card and compare every file with its checksum. Raises ModelDamaged."""
        card = cls.read(folder)
        for name, expected in card.files.items():
            if sha256_of(folder / name) != expected:
                raise ModelDamaged(f"{folder / name}: truncated or altered; {_remedy(folder)}")
        return card


def sha256_of(file: Path) -> str:
    """Hex SHA-256 of a file, read in pieces. Raises ModelDamaged when it cannot be read."""
    try:
        with file.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise ModelDamaged(f"{file}: cannot be read ({error})") from error


def _remedy(folder: Path) -> str:
    return f"delete the folder {folder} and open the shop again: the encoder is exported anew"
