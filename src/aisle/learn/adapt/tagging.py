"""A tag for each word of a text: which of its words are the brand, the colour, the size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import InvalidRequest
from aisle.learn.adapt.methods import Kind
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tasks import AT_ONCE, Rows, arithmetic, batched, tokens_read
from aisle.learn.tuning import Tokens
from aisle.models.words import placed

if TYPE_CHECKING:
    import torch
    from torch import nn

    from aisle.models.heads import TokenNetwork

OUTSIDE: Final = "O"
"""The tag of a word that is nothing in particular."""
_UNTAGGED: Final = -100


@dataclass(frozen=True, slots=True)
class Tagged:
    """Texts as `words`, each with its tag in `tags`."""

    words: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        """Raises InvalidRequest where words and tags do not fit each other."""
        if len(self.words) != len(self.tags):
            raise InvalidRequest("there are not as many rows of tags as of words", field="tags")
        for number, (words, tags) in enumerate(zip(self.words, self.tags, strict=True)):
            if len(words) != len(tags) or not words:
                raise InvalidRequest(f"row {number}: {len(words)} words, but {len(tags)} tags", field="tags")

    def names(self) -> frozenset[str]:
        """The tags there are."""
        return frozenset(tag for tags in self.tags for tag in tags)


class Tagging(Rows):
    """Cross entropy of the tag of each word, told by its first token; a unit is a text."""

    kind: Kind = "encoder"
    measure = "f1"

    def __init__(self, data: Tagged, source: Path, recipe: Recipe, *, name: str = "attributes") -> None:
        """Raises InvalidRequest where there are not two tags to tell apart."""
        self.name, self.data, self.max_tokens = name, data, tokens_read(source, recipe)
        self.names = tuple(sorted(data.names()))
        if len(self.names) < 2:
            raise InvalidRequest("there are fewer than two tags: nothing can be learned", field="tags")
        self._whole = Tokens(source / "tokenizer.json", self.max_tokens)
        self._pieces = Tokens(source / "tokenizer.json", self.max_tokens, special=False)
        place = {tag: number for number, tag in enumerate(self.names)}
        read = [self.read(words) for words in data.words]
        self._tokens = [ids for ids, _ in read]
        self._firsts = [firsts for _, firsts in read]
        self._tags = [np.array([place[tag] for tag in tags], np.int64) for tags in data.tags]
        self._rows = np.arange(len(data.words))

    def read(self, words: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Token ids, and where in them each word begins, as `placed` tells it."""
        return placed(self._pieces.of(list(words)), self._whole.of([""])[0], self.max_tokens)

    def examples(self) -> Tagged:
        """Its own texts with their tags."""
        rows = self._rows.tolist()
        return Tagged(tuple(self.data.words[row] for row in rows), tuple(self.data.tags[row] for row in rows))

    @property
    def tokens(self) -> list[NDArray[np.int64]]:
        """The token ids of its texts."""
        return [self._tokens[row] for row in self._rows.tolist()]

    def key(self, row: int) -> str:
        return " ".join(self.data.words[row])

    def lengths(self) -> NDArray[np.int64]:
        return np.array([len(self._tokens[row]) for row in self._rows.tolist()], np.int64)

    def content(self) -> Iterator[str]:
        for row in self._rows.tolist():
            yield " ".join((*self.data.words[row], *self.data.tags[row]))

    def network(self, source: Path, recipe: Recipe) -> TokenNetwork:
        from aisle.models.heads import TokenNetwork
        from aisle.models.text import read_transformer

        body = read_transformer(source)
        return TokenNetwork(body, int(body.config.hidden_size), len(self.names), recipe.dropout)

    def loss(self, network: nn.Module, units: NDArray[np.intp], recipe: Recipe) -> torch.Tensor:
        import torch

        rows = self._rows[units].tolist()
        ids, mask = batched([self._tokens[row] for row in rows], network)
        wanted = np.full(ids.shape, _UNTAGGED, np.int64)
        for line, row in enumerate(rows):
            there = self._firsts[row] >= 0
            wanted[line, self._firsts[row][there]] = self._tags[row][there]
        loss: torch.Tensor = torch.nn.functional.cross_entropy(
            network(ids, mask).flatten(0, 1), torch.from_numpy(wanted).to(ids.device).flatten(),
            ignore_index=_UNTAGGED, label_smoothing=recipe.smoothing,
        )  # fmt: skip
        return loss

    def tags(self, network: nn.Module, texts: Sequence[Sequence[str]]) -> list[list[str]]:
        """The likeliest tag of each word; one that was not read is outside."""
        import torch

        found: list[list[str]] = []
        outside = OUTSIDE if OUTSIDE in self.names else self.names[0]
        was = network.training
        network.eval()
        with torch.no_grad(), arithmetic(network):
            for begin in range(0, len(texts), AT_ONCE):
                read = [self.read(words) for words in texts[begin : begin + AT_ONCE]]
                best = network(*batched([ids for ids, _ in read], network)).argmax(-1).cpu().numpy()  # [n, t]
                for line, (_, firsts) in enumerate(read):
                    found.append([self.names[best[line, at]] if at >= 0 else outside for at in firsts.tolist()])
        network.train(was)
        return found

    def metrics(self, network: nn.Module) -> dict[str, float]:
        """As `tag_metrics`."""
        data = self.examples()
        return tag_metrics(self.tags(network, data.words), data.tags)


def tag_metrics(told: Sequence[Sequence[str]], true: Sequence[Sequence[str]]) -> dict[str, float]:
    """`accuracy` over words; `f1` over the words that are tagged, or said to be, as anything but outside."""
    both = [(t, w) for tags, wanted in zip(told, true, strict=True) for t, w in zip(tags, wanted, strict=True)]
    right = sum(t == w for t, w in both)
    found = sum(t == w != OUTSIDE for t, w in both)
    n = sum(t != OUTSIDE for t, _ in both) + sum(w != OUTSIDE for _, w in both)
    return {"accuracy": right / max(1, len(both)), "f1": 2 * found / max(1, n)}
