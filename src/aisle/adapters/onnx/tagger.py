"""The tagger that `aisle tune` made: onnxruntime and tokenizers, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray
from tokenizers import Tokenizer

from aisle.adapters.files.tuned import checked
from aisle.adapters.onnx.sessions import open_session, padded
from aisle.errors import ModelDamaged, ModelError
from aisle.models.words import placed

_CARD: Final = "tagger.json"
_TOKENIZER: Final = "tokenizer.json"
_OUTSIDE: Final = "O"
_MOST_CHARS: Final = 64
"""Characters of a word that are read: no real word is longer."""
_AT_ONCE: Final = 64


class OnnxTagger:
    """Tags of words by a model that `learn.adapt.exporting` wrote; `threads` 0 means one a core.

    Safe to share between threads. Raises ModelDamaged when a file is missing or cannot be read.
    """

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        try:
            told = orjson.loads((folder / _CARD).read_bytes())
            self._names, self._most = tuple(str(name) for name in told["names"]), int(told["max_tokens"])
            self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
            self._tokenizer.no_padding()
            self._tokenizer.no_truncation()
        except Exception as error:  # the tokenizers library raises bare Exceptions for a file it cannot read
            raise ModelDamaged(f"{folder}: cannot be loaded ({error}); tune again") from error
        self._around = np.array(self._tokenizer.encode("").ids, np.int64)
        self._session = open_session(folder, threads)

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    def tag(self, texts: Sequence[str] | Sequence[Sequence[str]]) -> list[list[tuple[str, str]]]:
        """Each text's words with their tags; a text is parted at its spaces, or comes as a list of words.

        Words beyond what is read of a text are outside. Raises ModelError when the runtime fails.
        """
        words = [text.split() if isinstance(text, str) else list(text) for text in texts]
        outside = _OUTSIDE if _OUTSIDE in self._names else self._names[0]
        read = [placed(self._pieces(of_text), self._around, self._most) for of_text in words]
        order = np.argsort([len(ids) for ids, _ in read], kind="stable")
        found: list[list[tuple[str, str]]] = [[] for _ in words]
        for begin in range(0, len(order), _AT_ONCE):
            rows = order[begin : begin + _AT_ONCE].tolist()
            best = self._best([read[row][0] for row in rows])  # [n, t]
            for line, row in enumerate(rows):
                tags = [self._names[best[line, at]] if at >= 0 else outside for at in read[row][1].tolist()]
                found[row] = list(zip(words[row], tags, strict=True))
        return found

    def _pieces(self, words: Sequence[str]) -> list[NDArray[np.int64]]:
        clean = [word[:_MOST_CHARS].encode("utf-8", "replace").decode("utf-8") for word in words[: self._most]]
        pieces = [np.array(e.ids, np.int64) for e in self._tokenizer.encode_batch(clean, add_special_tokens=False)]
        return pieces + [np.empty(0, np.int64)] * (len(words) - len(pieces))

    def _best(self, tokens: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """int64[n, t]: the likeliest tag at each token."""
        try:
            logits = self._session.run(None, padded(tokens))[0]  # [n, t, tags]
        except Exception as error:  # onnxruntime's exceptions share no base of their own
            raise ModelError(f"the tagger failed: {error}") from error
        best: NDArray[np.int64] = logits.argmax(-1)
        return best


def read_tagger(folder: Path | str) -> OnnxTagger:
    """What `aisle tune --kind tags` made, its files checked. Raises InvalidRequest, ModelDamaged."""
    checked(Path(folder), "tags")
    return OnnxTagger(Path(folder))
