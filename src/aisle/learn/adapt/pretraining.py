"""Reading the catalogue without labels, before there are any: masked words, or each text told from the others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import InvalidRequest, ModelError, StorageError
from aisle.learn.adapt.methods import Kind, merged
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tasks import AT_ONCE, Rows, arithmetic, batched, tokens_read
from aisle.learn.tuning import Tokens
from aisle.models.pooling import pooling_of

if TYPE_CHECKING:
    import torch
    from torch import nn

    from aisle.learn.adapt.tune import Adapted
    from aisle.models.heads import TextNetwork, WordNetwork

_MASKED: Final = 0.15
"""Share of the words that are hidden (Devlin et al. 2019)."""
_MASKS: Final = ("[MASK]", "<mask>")
_TEMPERATURE: Final = 0.05


class _Texts(Rows):
    """Texts without labels; a unit is a text. Duplicates are read once."""

    kind: Kind = "encoder"

    def __init__(self, texts: Sequence[str], source: Path, recipe: Recipe, *, name: str) -> None:
        self.name = name
        self.texts = tuple(dict.fromkeys(text for text in texts if text.strip()))
        if len(self.texts) < 2:
            raise InvalidRequest("there are fewer than two different texts to read", field="data")
        self.tokens = Tokens(source / "tokenizer.json", tokens_read(source, recipe)).of(self.texts)
        self._rows = np.arange(len(self.texts))

    def key(self, row: int) -> str:
        return self.texts[row]

    def lengths(self) -> NDArray[np.int64]:
        return np.array([len(self.tokens[row]) for row in self._rows.tolist()], np.int64)

    def content(self) -> Iterator[str]:
        for row in self._rows.tolist():
            yield self.texts[row]

    def _batch(self, units: NDArray[np.intp]) -> list[NDArray[np.int64]]:
        return [self.tokens[row] for row in self._rows[units].tolist()]


class MaskedWords(_Texts):
    """Words hidden at random are told from the others (BERT, Devlin et al. 2019); the words' own vectors stay."""

    measure = "likelihood"

    def __init__(self, texts: Sequence[str], source: Path, recipe: Recipe, *, name: str = "words") -> None:
        """Raises InvalidRequest with too few texts, ModelError for a tokenizer without a mask."""
        super().__init__(texts, source, recipe, name=name)
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
        found = [number for mask in _MASKS if (number := tokenizer.token_to_id(mask)) is not None]
        if not found:
            raise ModelError(f"{source}: its tokenizer has no mask: use aisle.learn.adapt.pretraining.Twins")
        self._mask = int(found[0])

    def network(self, source: Path, recipe: Recipe) -> WordNetwork:
        from aisle.models.heads import WordNetwork
        from aisle.models.text import read_transformer

        body = read_transformer(source)
        return WordNetwork(body, int(body.config.hidden_size), int(body.get_input_embeddings().weight.shape[0]))

    def loss(self, network: nn.Module, units: NDArray[np.intp], recipe: Recipe) -> torch.Tensor:
        lost, n = self._lost(network, self._batch(units), None)
        return lost / max(1, n)

    def _lost(
        self, network: nn.Module, rows: list[NDArray[np.int64]], chance: torch.Generator | None
    ) -> tuple[torch.Tensor, int]:
        """The summed loss of the hidden words, and how many there are. In a tenth the word stays, in a tenth lies."""
        import torch

        ids, mask = batched(rows, network)
        inner = mask.bool()
        inner[:, 0] = False  # the model's own first and last tokens are never hidden
        inner[torch.arange(len(rows)), mask.sum(1) - 1] = False
        drawn = torch.rand(ids.shape, generator=chance).to(ids.device)
        places = inner & (drawn < _MASKED)
        hidden = ids.masked_fill(places & (drawn < 0.8 * _MASKED), self._mask)
        n_words = network.body.get_input_embeddings().weight.shape[0]  # type: ignore[operator, union-attr]
        others = torch.randint(n_words, ids.shape, generator=chance).to(ids.device)
        hidden = torch.where(places & (drawn >= 0.9 * _MASKED), others, hidden)
        logits = network(hidden, mask, places)
        lost: torch.Tensor = torch.nn.functional.cross_entropy(logits, ids[places], reduction="sum")
        return lost, int(places.sum())

    def metrics(self, network: nn.Module) -> dict[str, float]:
        """`perplexity` of a hidden word, always the same ones; `likelihood` is its logarithm, turned."""
        import torch

        lost, n = 0.0, 0
        chance = torch.Generator().manual_seed(0)
        was = network.training
        network.eval()
        with torch.no_grad(), arithmetic(network):
            for begin in range(0, len(self), AT_ONCE):
                of_part, told = self._lost(network, self._batch(np.arange(len(self))[begin : begin + AT_ONCE]), chance)
                lost, n = lost + float(of_part), n + told
        network.train(was)
        each = lost / max(1, n)
        return {"perplexity": math.exp(min(each, 700.0)), "likelihood": -each}


class Twins(_Texts):
    """Each text, read twice with dropout, is told from the others of its batch (SimCSE, Gao et al. 2021)."""

    measure = "uniformity"

    def __init__(self, texts: Sequence[str], source: Path, recipe: Recipe, *, name: str = "twins") -> None:
        """Raises InvalidRequest with too few texts, or without the dropout that makes twins differ."""
        if not recipe.dropout:
            raise InvalidRequest("twins differ by dropout only: it cannot be 0", field="dropout")
        super().__init__(texts, source, recipe, name=name)

    def network(self, source: Path, recipe: Recipe) -> TextNetwork:
        from torch.nn import Identity

        from aisle.models.heads import TextNetwork
        from aisle.models.text import read_transformer

        return TextNetwork(read_transformer(source), Identity(), pooling_of(source)[0], unit=True)

    def loss(self, network: nn.Module, units: NDArray[np.intp], recipe: Recipe) -> torch.Tensor:
        import torch

        ids, mask = batched(self._batch(units), network)
        near = network(ids, mask).float() @ network(ids, mask).float().T / _TEMPERATURE
        loss: torch.Tensor = torch.nn.functional.cross_entropy(near, torch.arange(len(near), device=near.device))
        return loss

    def metrics(self, network: nn.Module) -> dict[str, float]:
        """`uniformity` (Wang and Isola 2020): how evenly the texts' vectors spread, higher is better."""
        from aisle.learn.adapt.tasks import run

        parts = [part.cpu().numpy() for part in run(network, self._batch(np.arange(min(len(self), 2000))))]
        vectors = np.concatenate(parts).astype(np.float64)
        apart = 2.0 - 2.0 * (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
        return {"uniformity": -math.log(float(np.exp(-2.0 * apart).mean()) + 1e-12)}


def write_encoder(adapted: Adapted, source: Path, folder: Path) -> None:
    """The encoder that read the texts, in Hugging Face's format, to tune it further; `folder` must not be there yet.

    Raises ModelError where its new weights cannot be folded in, StorageError.
    """
    from aisle.models.text import save_transformer

    network: Any = merged(adapted.network)
    if hasattr(network.body, "peft_config"):
        raise ModelError(f"method {adapted.method} leaves no encoder of its own: use full, top, lora, adalora or ia3")
    try:
        folder.mkdir(parents=True)
        save_transformer(network.body, source, folder)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}") from error
