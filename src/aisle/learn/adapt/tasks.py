"""What a model is adapted to: a task binds examples, their loss, how they are measured, and the head that is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from aisle.errors import InvalidRequest
from aisle.learn.adapt.labelled import Labelled
from aisle.learn.adapt.linear import fit_linear
from aisle.learn.adapt.methods import Kind
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tables import held_out
from aisle.learn.tuning import Tokens, padded
from aisle.models.pooling import pooling_of

if TYPE_CHECKING:
    import torch
    from torch import nn

    from aisle.models.heads import TextNetwork

AT_ONCE: Final = 64
"""Examples that are read at once while measuring."""


_STRENGTH: Final = 20.0
"""Of the regression that the head begins as; what is best for vectors of length 1 is near it on every set of texts."""


class Task(Protocol):
    """Examples of something to learn. A unit is what must stay in one batch: an example, or a query's products."""

    name: str
    kind: Kind
    measure: str
    """The metric that decides; higher is better."""

    def __len__(self) -> int:
        """How many units there are."""

    def lengths(self) -> NDArray[np.int64]:
        """int64[units]: tokens of each, so that those of like length share a batch."""

    def content(self) -> Iterator[str]:
        """All the examples say: two tasks with the same content are the same."""

    def network(self, source: Path, recipe: Recipe) -> nn.Module:
        """The model in `source` as `body` with this task's `head`, ready to be trained."""

    def loss(self, network: nn.Module, units: NDArray[np.intp], recipe: Recipe) -> torch.Tensor:
        """The loss of those units, a scalar."""

    def metrics(self, network: nn.Module) -> dict[str, float]:
        """How well the network does on all of them, `measure` among the numbers."""

    def split(self, share: float, seed: int) -> tuple[Self, Self]:
        """What is learned from, and about that share of it, held out as `tables.held_out` says."""


def tokens_read(source: Path, recipe: Recipe) -> int:
    """How many tokens of a text are read: what the recipe says, or the model's places where those are fewer."""
    config = json.loads((source / "config.json").read_text("utf-8"))
    places = int(config.get("max_position_embeddings") or config.get("n_positions") or 1 << 30)
    if config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        places -= int(config.get("pad_token_id") or 0) + 1  # they count places from behind the padding's
    return min(recipe.max_tokens, places)


AnyTask = TypeVar("AnyTask", bound=Task)


class Rows:
    """Of a task whose units are its examples: `_rows` intp[units] says which of them are its own."""

    _rows: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, row: int) -> str:
        """What the example in that row is about: one that is held out must not share it with one that is learned."""
        raise NotImplementedError

    def split(self, share: float, seed: int) -> tuple[Self, Self]:
        held = held_out([self.key(row) for row in self._rows.tolist()], share, seed)
        return self._part(np.flatnonzero(~held)), self._part(np.flatnonzero(held))

    def _part(self, numbers: NDArray[np.intp]) -> Self:
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part._rows = self._rows[numbers]
        return part


class Classification:
    """One label a text: intent, category, sentiment. Cross entropy over classes.

    The head begins as logistic regression on the frozen encoder (Kumar et al.
    2022: what is tuned from there keeps more of what the encoder knew).
    """

    kind: Kind = "encoder"
    measure = "accuracy"
    begins_fitted = True
    """Its head needs no training where the encoder stays as it is."""

    def __init__(self, data: Labelled, source: Path, recipe: Recipe, *, name: str = "intent") -> None:
        """Raises InvalidRequest for data that nothing can be learned from."""
        self.name, self.data = name, data
        present = int((data.counts() > 0).sum())
        if present < 2:
            raise InvalidRequest(
                f"there is one class only ({data.names[int(data.labels[0])]!r}) in {len(data)} texts: two are needed"
                if len(data) else "there are no texts to learn from",
                field="label",
            )  # fmt: skip
        self.max_tokens = tokens_read(source, recipe)
        self._reader = Tokens(source / "tokenizer.json", self.max_tokens)
        self.tokens = self._reader.of(data.texts)

    def __len__(self) -> int:
        return len(self.data)

    def examples(self) -> Labelled:
        """Its own texts with their labels."""
        return self.data

    def lengths(self) -> NDArray[np.int64]:
        return np.array([len(ids) for ids in self.tokens], np.int64)

    def content(self) -> Iterator[str]:
        yield from self.data.names
        for text, label in zip(self.data.texts, self.data.labels.tolist(), strict=True):
            yield f"{label} {text}"

    def network(self, source: Path, recipe: Recipe) -> TextNetwork:
        import torch

        from aisle.models.heads import Classes, TextNetwork
        from aisle.models.text import read_transformer

        body = read_transformer(source)
        head = Classes(int(body.config.hidden_size), len(self.data.names), recipe.dropout)
        network = TextNetwork(body, head, pooling_of(source)[0], unit=True)
        vectors = np.concatenate([v.cpu().numpy() for v in run(network.vectors, self.tokens)])
        weights = self.class_weights(recipe.balance)
        labels = self.data.labels
        fitted = fit_linear(vectors, labels, len(self.data.names), strengths=(_STRENGTH,), weight=weights[labels])
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(fitted.weights.T.copy()))
            head.bias.copy_(torch.from_numpy(fitted.bias))
        return network

    def class_weights(self, balance: float) -> NDArray[np.float32]:
        """float32[c]: how much an example of each class counts; their mean over the examples is 1."""
        counts = np.maximum(self.data.counts(), 1).astype(np.float64)
        weights = counts**-balance
        found: NDArray[np.float32] = (weights * len(self.data) / (weights * self.data.counts()).sum()).astype(
            np.float32
        )
        return found

    def loss(self, network: nn.Module, units: NDArray[np.intp], recipe: Recipe) -> torch.Tensor:
        import torch

        ids, mask = batched([self.tokens[row] for row in units.tolist()], network)
        labels = torch.from_numpy(self.data.labels[units].astype(np.int64)).to(ids.device)
        weight = torch.from_numpy(self.class_weights(recipe.balance)).to(ids.device)
        text_network: Any = network
        vectors = text_network.vectors(ids, mask)
        logits = text_network.head(vectors).float()
        # Summed by hand: torch's mean of weighted examples depends on which classes meet in a batch.
        each = torch.nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=recipe.smoothing)
        loss: torch.Tensor = (each * weight[labels]).mean()
        return loss + recipe.contrast * contrast(vectors, labels) if recipe.contrast else loss

    def logits(self, network: nn.Module, tokens: Sequence[NDArray[np.int64]] | None = None) -> NDArray[np.float32]:
        """float32[n, c] of these texts (None: its own)."""
        parts = run(network, self.tokens if tokens is None else tokens)
        return np.concatenate([part.float().cpu().numpy() for part in parts])

    def read(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """The tokens of other texts, as this task reads them."""
        return self._reader.of(texts)

    def metrics(self, network: nn.Module) -> dict[str, float]:
        return self.measured(self.logits(network))

    def measured(self, logits: NDArray[np.float32]) -> dict[str, float]:
        """How right logits float32[n, c] of its texts are."""
        chance = logits - logits.max(1, keepdims=True)
        chance -= np.log(np.exp(chance).sum(1, keepdims=True))
        found = label_metrics(logits.argmax(1), self.data.labels, len(self.data.names))
        return found | {"loss": -float(chance[np.arange(len(chance)), self.data.labels].mean())}

    def split(self, share: float, seed: int) -> tuple[Self, Self]:
        learned, held = self.data.split(share, seed)
        return self._with(learned), self._with(held)

    def _with(self, data: Labelled) -> Self:
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part.data = data
        part.tokens = self._reader.of(data.texts)
        return part


def contrast(vectors: torch.Tensor, labels: torch.Tensor, temperature: float = 0.1) -> torch.Tensor:
    """Supervised contrastive loss (Khosla et al. 2020) of unit vectors float32[n, dim]: like labels draw together."""
    import torch

    alone = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    near = (vectors.float() @ vectors.float().T / temperature).masked_fill(alone, -1e9)
    same = (labels[:, None] == labels[None, :]) & ~alone
    paired = same.any(1)
    if not paired.any():
        return vectors.sum() * 0.0
    missed = -(near.log_softmax(1).masked_fill(~same, 0.0)).sum(1)[paired] / same.sum(1)[paired]
    loss: torch.Tensor = missed.mean()
    return loss


def label_metrics(predicted: NDArray[np.int64], labels: NDArray[np.int32], n_classes: int) -> dict[str, float]:
    """`accuracy`, and `macro_f1` over the classes that come in the labels or the predictions."""
    if not len(labels):
        return {"accuracy": 0.0, "macro_f1": 0.0}
    right = np.bincount(labels[predicted == labels], minlength=n_classes).astype(np.float64)
    both = np.bincount(labels, minlength=n_classes) + np.bincount(predicted, minlength=n_classes)
    there = both > 0
    return {
        "accuracy": float((predicted == labels).mean()),
        "macro_f1": float((2 * right[there] / both[there]).mean()),
    }


def batched(tokens: Sequence[NDArray[np.int64]], network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """(ids, mask) int64[n, t] of rows of token ids, where the network is."""
    ids, mask = padded(tokens)
    device = next(network.parameters()).device
    return ids.to(device), mask.to(device)


def run(
    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], tokens: Sequence[NDArray[np.int64]]
) -> Iterator[torch.Tensor]:
    """What a network (or one of its methods) gives for each row of ids, without gradients, in parts, in their order.

    Rows of like length share a batch.
    """
    import torch

    network: Any = getattr(function, "__self__", function)
    order = np.argsort([len(ids) for ids in tokens], kind="stable")
    found: list[torch.Tensor] = []
    was = network.training
    network.eval()
    with torch.no_grad(), arithmetic(network):
        for begin in range(0, len(order), AT_ONCE):
            ids, mask = batched([tokens[row] for row in order[begin : begin + AT_ONCE].tolist()], network)
            found += list(function(ids, mask).float())
    network.train(was)
    back = np.argsort(order, kind="stable").tolist()
    for begin in range(0, len(back), AT_ONCE):
        yield torch.stack([found[place] for place in back[begin : begin + AT_ONCE]])


def arithmetic(network: nn.Module) -> torch.autocast:
    """bfloat16 on a GPU, and on a processor that is quick at it; else numbers as they are."""
    import torch

    from aisle.models.text import fast_arithmetic

    if next(network.parameters()).device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16)
    return fast_arithmetic()
