"""Texts, pictures and recordings to vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from aisle.types import Scores, Vectors


class Encoder(Protocol):
    """Anything to unit vectors."""

    @property
    def name(self) -> str:
        """Model and weights' hash: two encoders of one name give the same vectors."""

    @property
    def dim(self) -> int: ...


@runtime_checkable
class TextEncoder(Encoder, Protocol):
    """Texts to unit vectors."""

    def covers(self, language: str) -> bool:
        """Whether the encoder was trained on that language (ISO 639-1)."""

    def knows(self, word: str) -> bool:
        """Whether a word stands whole in the encoder's vocabulary: then it is a real word, and no typing error."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32[n, dim], rows of length 1."""


@runtime_checkable
class ImageEncoder(Encoder, Protocol):
    """Pictures to unit vectors."""

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """float32[n, dim], rows of length 1, of RGB pictures uint8[height, width, 3] of any sizes."""


@runtime_checkable
class AudioEncoder(Encoder, Protocol):
    """Recordings to unit vectors."""

    def encode(self, waveforms: Sequence[NDArray[np.float32]], rate: int) -> Vectors:
        """float32[n, dim], rows of length 1, of mono waveforms float32[samples] in [-1, 1], `rate` samples a second."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How much a reranker reads: tokens of the query, and of query and text together."""

    query_tokens: int
    tokens: int


@runtime_checkable
class Reranker(Protocol):
    """A query and a text, read together, to how well the text answers it."""

    def score(self, query: str, texts: Sequence[str]) -> Scores:
        """float32[n], a logit for each text, higher is better. Raises ModelError when the runtime fails."""


@runtime_checkable
class Tagger(Protocol):
    """Words to their tags."""

    @property
    def names(self) -> tuple[str, ...]:
        """The tags there are."""

    def tag(self, texts: Sequence[str] | Sequence[Sequence[str]]) -> list[list[tuple[str, str]]]:
        """Each text's words with their tags; a text is parted at its spaces. Raises ModelError."""


@dataclass(frozen=True, slots=True)
class ClassifierCard:
    """Of a text classifier: its labels in the order of its probabilities, the tokens it reads, SHA-256 by file.

    `bits` are those of a weight.
    """

    names: tuple[str, ...]
    max_tokens: int
    sha256: Mapping[str, str]
    bits: int = 32


@runtime_checkable
class TextClassifier(Protocol):
    """Texts to how likely each label is."""

    @property
    def names(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""

    def classify(self, texts: Sequence[str]) -> Scores:
        """float32[n, len(names)], rows that add up to 1. Raises ModelError when the runtime fails."""
