"""Train one member of the sequence model: batches, epochs, checkpoints, validation."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aisle.errors import TrainingFailed
from aisle.learn.checkpoints import Checkpoints
from aisle.learn.items import ItemTable
from aisle.learn.spectral import spectral_vectors
from aisle.types import Ords

if TYPE_CHECKING:
    import torch

    from aisle.models.sequence import SequenceModel

log = logging.getLogger("aisle.learn")

TOP_K: Final = 20
LONG_LOG: Final = 500_000
"""Steps from which batches are twice as large: there are enough of them."""
SLOWER: Final = 0.3
"""Factor on the learning rate once the validation no longer rises."""

Tell: TypeAlias = Callable[[int, int], None]
"""Called with how many epochs are done, and of how many."""


@dataclass(frozen=True, slots=True)
class SequenceRecipe:
    """How the model is made and trained. Chosen by benchmarks/sequence.py on validation steps.

    `dropouts` has a number for each member. `negatives` items are drawn for a
    batch, uniformly; a batch has `n_tokens` steps, twice that in a long log.
    Training stops after `patience` epochs without a better validation, or
    `max_epochs`.
    """

    dim: int = 96
    n_blocks: int = 2
    n_heads: int = 2
    dropouts: tuple[float, ...] = (0.2, 0.4)
    max_length: int = 50
    temperature: float = 0.07
    learning_rate: float = 2e-3
    negatives: int = 1024
    n_tokens: int = 1024
    max_epochs: int = 40
    patience: int = 4
    p_content_only: float = 0.1


@dataclass(frozen=True, slots=True)
class Held:
    """Steps to foretell while training: `histories`, oldest first, and `targets` int32[n]."""

    histories: Sequence[Ords]
    targets: Ords

    def of_new_items(self) -> Self:
        """Those steps that went to an item which is not in their history."""
        new = [row for row, history in enumerate(self.histories) if self.targets[row] not in history]
        return replace(self, histories=[self.histories[row] for row in new], targets=self.targets[new])

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(slots=True)
class Sequences:
    """Windows of steps: `flat` int64[m], `starts` int64[k + 1]."""

    flat: NDArray[np.int64]
    starts: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        return np.diff(self.starts)

    def reversed(self) -> Sequences:
        """The same windows, each with its newest step first."""
        first_and_last = np.repeat(self.starts[:-1] + self.starts[1:] - 1, self.sizes)
        return Sequences(self.flat[first_and_last - np.arange(len(self.flat))], self.starts)


@dataclass(slots=True)
class Run:
    """The training of one member."""

    sequences: Sequences
    items: ItemTable
    n_items: int
    valid: Held
    recipe: SequenceRecipe
    dropout: float
    seed: int
    work: Path
    model: SequenceModel = field(init=False)
    epochs: tuple[int, int] = (0, 0)

    def train(self, seconds: float, tell: Tell) -> float:
        """Until it no longer gets better; returns the best validation MRR@20. The model ends with its best weights.

        `epochs` are those that led there: first quick ones, then slow ones.
        """
        optimizer, saved = self._begin()
        started, most = time.monotonic() - saved["spent"], self.recipe.max_epochs
        while sum(saved["done"]) < most and saved["bad"] < self.recipe.patience:
            begun, epoch = time.monotonic(), sum(saved["done"])
            tell(epoch, most)
            slow = saved["bad"] >= 2 or saved["done"][1] > 0
            self._epoch(optimizer, epoch, self.recipe.learning_rate * (SLOWER if slow else 1.0))
            saved["done"][slow] += 1
            found = evaluate(self.model, self.valid)
            log.debug("sequence epoch %d: MRR@20 %.4f (best %.4f)", epoch + 1, found, saved["best"])
            better = found > saved["best"]
            saved["bad"] = 0 if better else saved["bad"] + 1
            if better:
                saved |= {"best": found, "epochs": list(saved["done"])}
            saved["spent"] = time.monotonic() - started
            self._checkpoints.save(self.model, optimizer, saved, best=better)
            if seconds and saved["spent"] + time.monotonic() - begun > seconds:
                break
        self._checkpoints.take_best(self.model)
        self.epochs = (int(saved["epochs"][0]), int(saved["epochs"][1]))
        tell(most, most)
        return float(saved["best"])

    def train_for(self, epochs: tuple[int, int], seconds: float, tell: Tell) -> None:
        """As many quick and slow epochs as were found good on a part of these sequences; nothing to stop by."""
        optimizer, saved = self._begin()
        started, most = time.monotonic() - saved["spent"], sum(epochs)
        for epoch in range(sum(saved["done"]), most):
            begun, slow = time.monotonic(), epoch >= epochs[0]
            tell(epoch, most)
            self._epoch(optimizer, epoch, self.recipe.learning_rate * (SLOWER if slow else 1.0))
            saved["done"][slow] += 1
            saved["spent"] = time.monotonic() - started
            self._checkpoints.save(self.model, optimizer, saved, best=True)
            if seconds and saved["spent"] + time.monotonic() - begun > seconds:
                log.warning("sequence: the time is up after %d of %d epochs", epoch + 1, most)
                break
        self.model.eval()
        self.epochs = epochs
        tell(most, most)

    @property
    def _checkpoints(self) -> Checkpoints:
        return Checkpoints(self.work)

    def _begin(self) -> tuple[torch.optim.Optimizer, dict[str, Any]]:
        """A model and its optimiser, as the last checkpoint left them, or as new with spectral vectors."""
        import torch

        torch.manual_seed(self.seed)
        self.model = _model(self.items, self.n_items, self.recipe, self.dropout)
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=self.recipe.learning_rate, weight_decay=0.0, fused=True
        )
        saved = self._checkpoints.load(self.model, optimizer)
        if saved is not None:
            return optimizer, saved
        vectors = spectral_vectors(
            self.sequences.flat, self.sequences.starts, self.n_items, self.recipe.dim, seed=self.seed
        )
        with torch.no_grad():
            self.model.own.weight.mul_(0.2).add_(torch.from_numpy(vectors))
        return optimizer, {"done": [0, 0], "epochs": [0, 0], "best": -1.0, "bad": 0, "spent": 0.0}

    def _epoch(self, optimizer: torch.optim.Optimizer, epoch: int, rate: float) -> None:
        import torch

        # Seeded by the epoch, so that a training that was killed goes on as it would have.
        rng = np.random.default_rng([self.seed, epoch])
        torch.manual_seed(self.seed * 1000 + epoch)
        for group in optimizer.param_groups:
            group["lr"] = rate

        model, recipe, n = self.model, self.recipe, self.n_items
        model.train()
        model.renew_masks()
        n_tokens = recipe.n_tokens * (2 if len(self.sequences.flat) > LONG_LOG else 1)
        negatives = min(recipe.negatives, n)
        correction = math.log(n / negatives)
        for backwards, (x, y) in _both_ways(self.sequences, n_tokens, rng):
            drawn = torch.from_numpy(rng.integers(0, n, negatives))
            kept, asked = x >= 0, _goes_on(x, y)
            target = y[asked]
            if not len(target):
                continue
            rows, where = torch.unique(torch.cat([x[kept], target, drawn]), return_inverse=True)
            vectors = model.items(rows)  # [u, dim]
            n_x, n_y = int(kept.sum()), len(target)
            inputs = torch.zeros(*x.shape, model.dim)
            inputs[kept] = vectors[where[:n_x]]
            states = model.states(inputs, kept, backwards=backwards)[asked] / model.temperature  # [m, dim]
            hit = (states * vectors[where[n_x : n_x + n_y]]).sum(1, keepdim=True)  # [m, 1]
            miss = states @ vectors[where[n_x + n_y :]].T + correction  # [m, negatives]
            miss = miss.masked_fill(target[:, None] == drawn[None], -1e9)
            loss = (torch.cat([hit, miss], 1).logsumexp(1) - hit[:, 0]).mean()
            if not math.isfinite(loss.item()):
                raise TrainingFailed(
                    "model sequence: the loss is no longer a number; nothing was saved. "
                    "Train again with another train.seed; if it comes back, report it with the size of the log"
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()


def _model(items: ItemTable, n_items: int, recipe: SequenceRecipe, dropout: float) -> SequenceModel:
    import torch

    from aisle.models.sequence import SequenceModel

    attributes, n_attributes = _attributes(items, n_items)
    text: torch.Tensor | None = None
    if items.text.shape[1]:
        padded = np.zeros((n_items, items.text.shape[1]), np.float32)
        padded[: len(items)] = items.text
        text = torch.from_numpy(padded)
    return SequenceModel(
        n_items,
        recipe.dim,
        n_blocks=recipe.n_blocks,
        n_heads=recipe.n_heads,
        dropout=dropout,
        max_length=recipe.max_length,
        temperature=recipe.temperature,
        attributes=attributes,
        n_attributes=n_attributes,
        text=text,
        p_content_only=recipe.p_content_only,
    )


def _attributes(items: ItemTable, n_items: int) -> tuple[tuple[torch.Tensor, torch.Tensor] | None, int]:
    """Attributes, categories with their ancestors and brands as one bag of codes an item."""
    import torch

    n_brands, n_categories = len(items.brands), len(items.categories)
    parts = [
        (items.attributes.owners, items.attributes.codes),
        (items.ancestors.owners, items.ancestors.codes + len(items.attribute_names)),
        (np.flatnonzero(items.brand >= 0), items.brand[items.brand >= 0] + len(items.attribute_names) + n_categories),
    ]
    owners = np.concatenate([owner for owner, _ in parts])
    codes = np.concatenate([code for _, code in parts]).astype(np.int64)
    n_codes = len(items.attribute_names) + n_categories + n_brands
    if not len(codes):
        return None, 0
    order = np.argsort(owners, kind="stable")
    starts = np.searchsorted(owners[order], np.arange(n_items + 1))
    return (torch.from_numpy(codes[order]), torch.from_numpy(starts.astype(np.int64))), n_codes


def _batches(
    sequences: Sequences, n_tokens: int, rng: np.random.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Inputs and targets int64[b, t], -1 where padded, of sequences of about one length, in random order."""
    import torch

    sizes = sequences.sizes - 1
    order = np.argsort(sizes + rng.random(len(sizes)) * 3, kind="stable")
    bounds, begin = [], 0
    longest = np.maximum.accumulate(sizes[order])
    while begin < len(order):
        end = begin + 1
        step = max(1, n_tokens // max(1, int(longest[begin])))
        end = min(len(order), begin + step)
        while end > begin + 1 and (end - begin) * int(longest[end - 1]) > n_tokens:
            end -= max(1, (end - begin) // 8)
        bounds.append((begin, max(end, begin + 1)))
        begin = max(end, begin + 1)
    for at in rng.permutation(len(bounds)).tolist():
        rows = order[slice(*bounds[at])]
        padded = _padded(sequences, rows)
        yield torch.from_numpy(padded[:, :-1].copy()), torch.from_numpy(padded[:, 1:].copy())


def _both_ways(
    sequences: Sequences, n_tokens: int, rng: np.random.Generator
) -> Iterator[tuple[bool, tuple[torch.Tensor, torch.Tensor]]]:
    """Batches as they happened and, in turn with them, batches of the same windows backwards."""
    pairs = zip_longest(_batches(sequences, n_tokens, rng), _batches(sequences.reversed(), n_tokens, rng))
    for pair in pairs:
        for backwards, batch in enumerate(pair):
            if batch is not None:
                yield bool(backwards), batch


def _goes_on(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """bool[b, t]: where the target y is neither padding nor among the steps so far.

    Who goes back to what is learned by `learn.repeats`, and better; left in, it is what this model learns first.
    """
    import torch

    so_far = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()  # [t, t]
    back = ((y[:, :, None] == x[:, None, :]) & so_far).any(-1)  # [b, t]
    return (y >= 0) & ~back


def _padded(sequences: Sequences, rows: np.ndarray) -> NDArray[np.int64]:
    """Sequences int64[b, longest], padded on the left with -1."""
    ends, sizes = sequences.starts[rows + 1], sequences.sizes[rows]
    width = int(sizes.max())
    places = ends[:, None] - width + np.arange(width)[None]
    inside = np.arange(width)[None] >= width - sizes[:, None]
    return np.where(inside, sequences.flat[np.maximum(places, 0)], -1)


# --------------------------------------------------------------- validation


def ranks(models: Sequence[SequenceModel], held: Held) -> NDArray[np.int64]:
    """Place from 0 of each target among all items but those of its history, by the sum of the models' logits."""
    import torch

    found = np.zeros(len(held), np.int64)
    order = np.argsort([len(history) for history in held.histories], kind="stable")
    with torch.no_grad():
        tables = []
        for model in models:
            model.eval()
            tables.append(model.items(torch.arange(model.own.num_embeddings)))
        for begin in range(0, len(order), 256):
            rows = order[begin : begin + 256]
            scores = torch.zeros(len(rows), len(tables[0]))
            for model, table in zip(models, tables, strict=True):
                histories = [held.histories[row][-model.max_length :] for row in rows.tolist()]
                width = max(1, max(len(history) for history in histories))
                x = np.full((len(rows), width), -1, np.int64)
                for line, history in zip(x, histories, strict=True):
                    line[width - len(history) :] = history
                padded = torch.from_numpy(x)
                kept = padded >= 0
                inputs = table[padded.clamp(min=0)] * kept[..., None]
                scores += model.states(inputs, kept)[:, -1] @ table.T / model.temperature
            for line, row in zip(scores, rows.tolist(), strict=True):
                line[torch.from_numpy(held.histories[row].astype(np.int64))] = -1e9
            target = torch.from_numpy(held.targets[rows].astype(np.int64))
            found[rows] = (scores > scores.gather(1, target[:, None])).sum(1).numpy()
    return found


def evaluate(model: SequenceModel, held: Held) -> float:
    """MRR@20 over the held-out steps."""
    return mrr(ranks([model], held))


def mrr(found: NDArray[np.int64]) -> float:
    return float(np.where(found < TOP_K, 1.0 / (found + 1.0), 0.0).mean())
