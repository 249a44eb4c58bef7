"""The text encoder that looks vectors of tokens up and adds them: numpy and tokenizers, no runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from aisle.errors import ModelDamaged
from aisle.represent.card import CARD, STATIC_FILE, TOKENIZER_FILE, StaticCard
from aisle.types import Vectors

_CHARS_A_TOKEN = 32
_AT_ONCE = 4096
_ARRAYS = ("codes", "scales", "basis", "bias")


class StaticTextEncoder:
    """Texts to unit vectors with a table that `learn.adapt.static` fitted, in the space of its teacher.

    `card` names the card's file in the folder. Safe to share between threads.

    Raises ModelDamaged when a file is missing, truncated or altered.
    """

    def __init__(
        self, folder: Path, *, card: str = CARD, languages: Sequence[str] = ("en",), max_tokens: int = 128
    ) -> None:
        about = StaticCard.verify(folder, card)
        self._languages = frozenset(languages)
        self._max_tokens = min(max_tokens, about.max_tokens)
        self._max_chars = self._max_tokens * _CHARS_A_TOKEN
        self._name = f"{about.name}-{about.source_hash[:12]}-{self._max_tokens}"
        try:
            arrays = load_file(folder / STATIC_FILE)
            self._codes, self._scales, self._basis, self._bias = (arrays[name] for name in _ARRAYS)
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(self._max_tokens)
        except Exception as error:  # the tokenizers library raises bare Exceptions for a file it cannot read
            raise ModelDamaged(f"{folder}: cannot be loaded ({error})") from error
        if self._bias.shape != (about.dim,) or len(self._codes) < self._tokenizer.get_vocab_size():
            raise ModelDamaged(f"{folder}: the table does not fit its tokenizer and its card")

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return len(self._bias)

    def covers(self, language: str) -> bool:
        return language in self._languages

    def knows(self, word: str) -> bool:
        return len(self._tokenizer.encode(self._clean(word), add_special_tokens=False).ids) == 1

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32[n, dim], rows of length 1."""
        vectors = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), _AT_ONCE):
            part = [self._clean(text) for text in texts[start : start + _AT_ONCE]]
            if len(part) == 1:
                read = [self._tokenizer.encode(part[0], add_special_tokens=False).ids]
            else:
                read = [one.ids for one in self._tokenizer.encode_batch_fast(part, add_special_tokens=False)]
            vectors[start : start + len(part)] = self._of(read)
        return vectors

    def _of(self, read: Sequence[Sequence[int]]) -> Vectors:
        sizes = np.array([len(ids) for ids in read])
        sums = np.zeros((len(read), len(self._basis)), np.float32)
        full = np.flatnonzero(sizes)
        if len(full):
            ids = np.concatenate([read[row] for row in full.tolist()])
            rows = self._codes[ids] * self._scales[ids, None]  # [tokens, k]
            begins = np.cumsum(sizes[full]) - sizes[full]
            sums[full] = np.add.reduceat(rows, begins, axis=0) / sizes[full, None]
        found: Vectors = sums @ self._basis + self._bias
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return found

    def _clean(self, text: str) -> str:
        text = text[: self._max_chars]
        return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
