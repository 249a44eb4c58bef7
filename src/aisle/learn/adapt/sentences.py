"""A sentence encoder as training needs it: read from its folder, asked for vectors, tuned, written back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from aisle.learn.adapt.linear import Floats
from aisle.learn.tuning import Tokens, run_bucketed
from aisle.models.pooling import pooling_of

if TYPE_CHECKING:
    import torch

    from aisle.models.text import SentenceNetwork

_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Sentences:
    """`network` gives unit vectors of `tokens`, at most `max_tokens` of a text; `source` is the folder it came from."""

    source: Path
    network: SentenceNetwork
    tokens: Tokens
    max_tokens: int

    @classmethod
    def read(cls, source: Path, max_tokens: int = 64) -> Sentences:
        """The encoder in a folder of Hugging Face's format; only the first `max_tokens` tokens of a text are read."""
        from aisle.models.text import SentenceNetwork, read_transformer

        network = SentenceNetwork(read_transformer(source), pooling_of(source)[0], additive_mask=False)
        return cls(source, network.eval(), Tokens(source / "tokenizer.json", max_tokens), max_tokens)

    def encode(self, texts: Sequence[str], tell: Callable[[int, int], None] | None = None) -> Floats:
        """float32[n, dim], rows of length 1, in full precision; `tell` hears how many are done, and of how many."""
        import torch

        self.network.eval()
        ids, parts, chunk = self.tokens.of(texts), [], 16 * _AT_ONCE
        with torch.no_grad():
            for begin in range(0, len(ids), chunk):
                parts.append(run_bucketed(self.network, ids[begin : begin + chunk], _AT_ONCE).numpy())
                if tell is not None:
                    tell(min(begin + chunk, len(ids)), len(ids))
        dim = int(self.network.network.config.hidden_size)
        return np.concatenate(parts) if parts else np.empty((0, dim), np.float32)

    def encode_to_train(self, ids: Sequence[NDArray[np.int64]]) -> torch.Tensor:
        """float32[n, dim] with their gradients, in the fastest arithmetic there is."""
        from aisle.models.text import fast_arithmetic

        with fast_arithmetic():
            return run_bucketed(self.network, ids, _AT_ONCE).float()

    def write(self, folder: Path) -> None:
        """The model in Hugging Face's format, with everything that says how it pools and splits words."""
        from aisle.models.text import save_transformer

        save_transformer(self.network.network, self.source, folder)
