"""The text encoder that serves: onnxruntime and tokenizers, nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from aisle.adapters.onnx.sessions import padded, session_options
from aisle.errors import ModelDamaged, ModelError
from aisle.represent.card import CARD, MODEL_FILE, TOKENIZER_FILE, EncoderCard
from aisle.types import Vectors

_CHARS_A_TOKEN = 32
"""Characters read for each token that is kept: no real word is longer, and a 10 MB text costs nothing."""

_TOKENISED_AT_ONCE = 4096


class OnnxTextEncoder:
    """Texts to unit vectors with a model that `represent.ensure_encoder` exported or `learn.bi_encoder` tuned.

    `card` names the card's file in the folder. `threads` 0 means one a core;
    `batch_tokens` bounds the padded tokens of one batch. Safe to share between threads.

    Raises ModelDamaged when a file is missing, truncated or altered.
    """

    def __init__(
        self,
        folder: Path,
        *,
        card: str = CARD,
        languages: Sequence[str] = ("en",),
        max_tokens: int = 128,
        batch_tokens: int = 4096,
        threads: int = 0,
    ) -> None:
        about = EncoderCard.verify(folder, card)
        self._languages = frozenset(languages)
        self._max_tokens = min(max_tokens, about.max_tokens)
        self._max_chars = self._max_tokens * _CHARS_A_TOKEN
        self._batch_tokens = max(batch_tokens, self._max_tokens)
        self._name = f"{about.name}-{about.source_hash[:12]}-{self._max_tokens}"
        self._dim = about.dim
        try:
            # Truncation and padding are the tokenizer's state, so each encoder has a tokenizer of its own.
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
            self._tokenizer.no_padding()  # as saved it pads to 128 tokens, which costs ten times the time
            self._tokenizer.enable_truncation(self._max_tokens)
            self._session = onnxruntime.InferenceSession(
                str(folder / MODEL_FILE), session_options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # both libraries raise bare Exceptions for a file they cannot read
            raise ModelDamaged(f"{folder}: cannot be loaded ({error})") from error
        # Give back what one large batch needed; a query must not pay for that.
        self._bulk = onnxruntime.RunOptions()
        self._bulk.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return self._dim

    def covers(self, language: str) -> bool:
        return language in self._languages

    def knows(self, word: str) -> bool:
        return len(self._tokenizer.encode(self._clean(word), add_special_tokens=False).ids) == 1

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32[n, dim], rows of length 1. Raises ModelError when the runtime fails."""
        if len(texts) == 1:
            return self._run([self._tokenizer.encode(self._clean(texts[0])).ids])
        vectors = np.empty((len(texts), self._dim), np.float32)
        for start in range(0, len(texts), _TOKENISED_AT_ONCE):
            part = [self._clean(text) for text in texts[start : start + _TOKENISED_AT_ONCE]]
            tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(part)]
            for rows in self._buckets([len(t) for t in tokens]):
                vectors[start + rows] = self._run([tokens[row] for row in rows], self._bulk)
        return vectors

    def _run(self, tokens: Sequence[list[int]], options: onnxruntime.RunOptions | None = None) -> Vectors:
        try:
            vectors: Vectors = self._session.run(None, padded(tokens), options)[0]
        except Exception as error:  # onnxruntime's exceptions share no base of their own
            raise ModelError(f"the encoder {self._name} failed: {error}") from error
        return vectors

    def _clean(self, text: str) -> str:
        text = text[: self._max_chars]
        # A lone surrogate (half an emoji, cut) is a valid str that no tokenizer takes.
        return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")

    def _buckets(self, lengths: list[int]) -> Iterator[NDArray[np.intp]]:
        """Rows of similar length together, at most `batch_tokens` padded tokens a bucket, longest first."""
        order = np.argsort(np.negative(lengths), kind="stable")
        start = 0
        while start < len(order):
            size = max(1, self._batch_tokens // max(1, lengths[order[start]]))
            yield order[start : start + size]
            start += size
