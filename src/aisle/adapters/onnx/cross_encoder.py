"""The cross-encoder that serves: onnxruntime and tokenizers, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray
from tokenizers import Tokenizer

from aisle.adapters.files.tuned import checked
from aisle.adapters.onnx.sessions import open_session, padded
from aisle.errors import ModelDamaged, ModelError
from aisle.ports import Reading
from aisle.types import Scores

_TOKENIZER, _READING = "tokenizer.json", "reading.json"
_CHARS_A_TOKEN = 32
"""Characters read for each token that is kept: no real word is longer, and a 10 MB text costs nothing."""
_KEPT_TEXTS = 20_000
"""Texts of products whose tokens are remembered: the same ones come back with every query."""
_AT_ONCE = 10
"""Pairs of like length in one batch: padding all to the longest costs more than a second call."""


class OnnxCrossEncoder:
    """Scores with a model that `learn.cross_encoder` fitted; `threads` 0 means one a core.

    Safe to share between threads. Raises ModelDamaged when a file is missing or cannot be read.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        try:
            self._reading = Reading(**orjson.loads((folder / _READING).read_bytes()))
            self._queries = _tokenizer(folder, self._reading.query_tokens)
            self._texts = _tokenizer(folder, self._reading.tokens)
        except Exception as error:  # the tokenizers library raises bare Exceptions for a file it cannot read
            raise ModelDamaged(f"{folder}: cannot be loaded ({error})") from error
        self._session = open_session(folder, threads)
        self._known: dict[str, NDArray[np.int64]] = {}

    def score(self, query: str, texts: Sequence[str]) -> Scores:
        """float32[n], a logit for each text, higher is better. Raises ModelError when the runtime fails."""
        scores = np.empty(len(texts), np.float32)
        if not len(texts):
            return scores
        asked = np.array(self._queries.encode(_clean(query, self._reading.query_tokens)).ids, np.int64)
        pairs = [np.concatenate([asked, self._tokens(text)])[: self._reading.tokens] for text in texts]
        order = np.argsort([len(pair) for pair in pairs], kind="stable")
        for rows in np.array_split(order, -(-len(order) // _AT_ONCE)):
            try:
                scores[rows] = self._session.run(None, padded([pairs[row] for row in rows.tolist()]))[0]
            except Exception as error:  # onnxruntime's exceptions share no base of their own
                raise ModelError(f"the cross-encoder failed: {error}") from error
        return scores

    def _tokens(self, text: str) -> NDArray[np.int64]:
        known = self._known.get(text)
        if known is None:
            encoded = self._texts.encode(_clean(text, self._reading.tokens), add_special_tokens=False)
            known = np.array(encoded.ids, np.int64)
            if len(self._known) >= _KEPT_TEXTS:
                self._known = {}
            self._known[text] = known
        return known


def _tokenizer(folder: Path, most: int) -> Tokenizer:
    # Truncation is the tokenizer's state, so each length has a tokenizer of its own.
    tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return tokenizer


def _clean(text: str, tokens: int) -> str:
    """What is read of a text, without the lone surrogates that no tokenizer takes."""
    return text[: tokens * _CHARS_A_TOKEN].encode("utf-8", "replace").decode("utf-8")


def read_pair_scorer(folder: Path | str) -> OnnxCrossEncoder:
    """What `aisle tune --kind clicks` or `relevance` made, its files checked. Raises InvalidRequest, ModelDamaged."""
    checked(Path(folder), "clicks", "relevance")
    return OnnxCrossEncoder(Path(folder))
