"""The text classifier that serves: onnxruntime and tokenizers, nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from tokenizers import Tokenizer

from aisle.adapters.onnx.sessions import open_session, padded
from aisle.errors import ModelDamaged, ModelError
from aisle.ports import ClassifierCard
from aisle.types import Scores

CARD: Final = "classifier.json"
_TOKENIZER: Final = "tokenizer.json"
_CHARS_A_TOKEN: Final = 32
"""Characters read for each token that is kept: no real word is longer, and a 10 MB text costs nothing."""
_AT_ONCE: Final = 64


class OnnxTextClassifier:
    """Probabilities by a model that `learn.adapt.exporting` wrote; `threads` 0 means one a core.

    Safe to share between threads. Raises ModelDamaged when a file is missing, truncated or altered.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        try:
            told = orjson.loads((folder / CARD).read_bytes())
            card = ClassifierCard(
                tuple(told["names"]), int(told["max_tokens"]), dict(told["sha256"]), int(told.get("bits", 32))
            )
            for file, expected in card.sha256.items():
                with (folder / file).open("rb") as stream:
                    if hashlib.file_digest(stream, "sha256").hexdigest() != expected:
                        raise ModelDamaged(f"{folder / file}: truncated or altered; tune again")
            self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(card.max_tokens)
        except ModelDamaged:
            raise
        except Exception as error:  # the tokenizers library raises bare Exceptions for a file it cannot read
            raise ModelDamaged(f"{folder}: cannot be loaded ({error}); tune again") from error
        self._card = card
        self._session = open_session(folder, threads)
        # Eight bits round a text's numbers with those of its batch: alone, its answer is always the same.
        self._at_once = _AT_ONCE if card.bits == 32 else 1

    @property
    def names(self) -> tuple[str, ...]:
        return self._card.names

    def classify(self, texts: Sequence[str]) -> Scores:
        """float32[n, len(names)], rows that add up to 1. Raises ModelError when the runtime fails."""
        chances = np.empty((len(texts), len(self.names)), np.float32)
        most = self._card.max_tokens * _CHARS_A_TOKEN
        clean = [text[:most].encode("utf-8", "replace").decode("utf-8") for text in texts]
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(clean)]
        order = np.argsort([len(ids) for ids in tokens], kind="stable")
        for begin in range(0, len(order), self._at_once):
            rows = order[begin : begin + self._at_once]
            try:
                logits = self._session.run(None, padded([tokens[row] for row in rows.tolist()]))[0]
            except Exception as error:  # onnxruntime's exceptions share no base of their own
                raise ModelError(f"the classifier failed: {error}") from error
            powers = np.exp(logits - logits.max(1, keepdims=True))
            chances[rows] = powers / powers.sum(1, keepdims=True)
        return chances
