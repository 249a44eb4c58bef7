"""Tasks about a query and a product's text, read together: is it clicked or bought, how well does it answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from aisle.errors import InvalidRequest
from aisle.learn.adapt.methods import Kind
from aisle.learn.adapt.recipe import Recipe
from aisle.learn.adapt.tables import held_out
from aisle.learn.adapt.tasks import batched, run, tokens_read
from aisle.learn.tuning import Tokens, ndcg
from aisle.models.pooling import pooling_of
from aisle.types import Scores

if TYPE_CHECKING:
    import torch
    from torch import nn

    from aisle.models.heads import TextNetwork

MOST_PRODUCTS: Final = 16
"""Products of one query that a step reads: others come in other steps."""
_QUERY_SHARE: Final = 3
"""A query may take a third of the tokens."""

Ranking = Literal["mse", "pairwise", "listwise"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """`queries[i]` with the product text `texts[i]`; `grades` float32[n] from 0 to 1: clicked or not, or how good.

    `scale` is what a grade of 1 was where they come from.
    """

    queries: tuple[str, ...]
    texts: tuple[str, ...]
    grades: NDArray[np.float32]
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Raises InvalidRequest for columns that do not fit each other, or grades out of range."""
        if not len(self.queries) == len(self.texts) == len(self.grades):
            raise InvalidRequest("queries, texts and grades differ in length", field="data")
        if not len(self.grades) or not np.isfinite(self.grades).all() or self.grades.min() < 0 or self.grades.max() > 1:
            raise InvalidRequest("grades are numbers from 0 to 1, one at least", field="grades")

    def __len__(self) -> int:
        return len(self.queries)

    def take(self, rows: NDArray[np.intp]) -> Self:
        at = rows.tolist()
        queries, texts = tuple(self.queries[row] for row in at), tuple(self.texts[row] for row in at)
        return type(self)(queries, texts, self.grades[rows], self.scale)


class _PairTask:
    """What both have in common: how pairs are read, the head, the split by query."""

    kind: Kind = "encoder"

    def examples(self) -> Pairs:
        """Its own pairs."""
        return self.data.take(self.rows)

    def __init__(self, data: Pairs, source: Path, recipe: Recipe, *, name: str) -> None:
        self.name, self.data = name, data
        self._use(np.arange(len(data)))
        file = source / "tokenizer.json"
        self.max_tokens = most = tokens_read(source, recipe)
        self.query_tokens = max(4, most // _QUERY_SHARE)
        queries = Tokens(file, self.query_tokens).of(data.queries)
        texts = Tokens(file, most, special=False).of(data.texts)
        self.tokens = [np.concatenate([q, t])[:most] for q, t in zip(queries, texts, strict=True)]

    def _use(self, rows: NDArray[np.intp]) -> None:
        """`rows` are its pairs, `groups` those of each query."""
        self.rows = rows
        by_query: dict[str, list[int]] = {}
        for row in rows.tolist():
            by_query.setdefault(self.data.queries[row], []).append(row)
        self.groups = [np.array(of_one, np.intp) for of_one in by_query.values()]

    def network(self, source: Path, recipe: Recipe) -> TextNetwork:
        from aisle.models.heads import Score, TextNetwork
        from aisle.models.text import read_transformer

        body = read_transformer(source)
        return TextNetwork(body, Score(int(body.config.hidden_size), recipe.dropout), pooling_of(source)[0], unit=False)

    def scores(self, network: nn.Module, rows: NDArray[np.intp] | None = None) -> Scores:
        """float32[n], a logit for each of those pairs (None: its own)."""
        wanted = self.rows if rows is None else rows
        parts = run(network, [self.tokens[row] for row in wanted.tolist()])
        found: Scores = np.concatenate([part.float().cpu().numpy() for part in parts])
        return found

    def content(self) -> Iterator[str]:
        for row in self.rows.tolist():
            yield f"{self.data.grades[row]:.6g} {self.data.queries[row]}\t{self.data.texts[row]}"

    def split(self, share: float, seed: int) -> tuple[Self, Self]:
        """By query: one that is measured on has no pair that was learned from."""
        held = held_out([self.data.queries[rows[0]] for rows in self.groups], share, seed)
        return self._part(np.flatnonzero(~held)), self._part(np.flatnonzero(held))

    def _part(self, numbers: NDArray[np.intp]) -> Self:
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        rows = [self.groups[number] for number in numbers.tolist()]
        part._use(np.sort(np.concatenate(rows)) if rows else np.empty(0, np.intp))
        return part


class Clicks(_PairTask):
    """Whether a product shown for a query is clicked (or bought): binary cross entropy; a unit is a pair."""

    measure = "auc"
    loss_name = "binary cross entropy"

    @property
    def telling(self) -> bool:
        """Whether there are pairs of both kinds to measure on."""
        return len(set((self.data.grades[self.rows] > 0.5).tolist())) == 2

    def __init__(self, data: Pairs, source: Path, recipe: Recipe, *, name: str = "click") -> None:
        """Grades may lie between 0 and 1: clicks corrected for position. Raises InvalidRequest."""
        if not np.ptp(data.grades):
            raise InvalidRequest(f"every grade is {data.grades[0]:g}: nothing tells products apart", field="grades")
        super().__init__(data, source, recipe, name=name)

    def __len__(self) -> int:
        return len(self.rows)

    def lengths(self) -> NDArray[np.int64]:
        return np.array([len(self.tokens[row]) for row in self.rows.tolist()], np.int64)

    def loss(self, network: nn.Module, units: NDArray[np.intp], recipe: Recipe) -> torch.Tensor:
        import torch

        rows = self.rows[units]
        ids, mask = batched([self.tokens[row] for row in rows.tolist()], network)
        wanted = torch.from_numpy(self.data.grades[rows]).to(ids.device)
        wanted = wanted * (1.0 - recipe.smoothing) + 0.5 * recipe.smoothing
        loss: torch.Tensor = torch.nn.functional.binary_cross_entropy_with_logits(network(ids, mask).float(), wanted)
        return loss

    def metrics(self, network: nn.Module) -> dict[str, float]:
        """As `click_metrics`."""
        return click_metrics(self.scores(network), self.data.grades[self.rows])


class Graded(_PairTask):
    """How well products answer a query; a unit is a query with its products.

    `ranking` is the loss: squared error of each grade; the logistic loss of
    each two products with different grades (RankNet, Burges et al. 2005); or
    the cross entropy of the whole list (ListNet, Cao et al. 2007).
    """

    measure = "ndcg@10"

    @property
    def telling(self) -> bool:
        """Whether a query has products of different grades, so that an order of them can be better or worse."""
        return any(np.ptp(self.data.grades[rows]) > 0 for rows in self.groups)

    def __init__(
        self, data: Pairs, source: Path, recipe: Recipe, *, ranking: Ranking = "listwise", name: str = "relevance"
    ) -> None:
        """Raises InvalidRequest."""
        if ranking not in ("mse", "pairwise", "listwise"):
            raise InvalidRequest(f"the loss is mse, pairwise or listwise, not {ranking!r}", field="loss")
        self._ranking: Ranking = ranking
        super().__init__(data, source, recipe, name=f"{name}-{ranking}")
        if not self.telling:
            raise InvalidRequest(
                "no query has two products of different grades, so nothing tells products apart: "
                "put in more products a query, or learn them as clicks",
                field="grades",
            )

    def __len__(self) -> int:
        return len(self.groups)

    def lengths(self) -> NDArray[np.int64]:
        return np.array([max(len(self.tokens[row]) for row in rows.tolist()) for rows in self.groups], np.int64)

    @property
    def loss_name(self) -> Ranking:
        return self._ranking

    def loss(self, network: nn.Module, units: NDArray[np.intp], recipe: Recipe) -> torch.Tensor:
        import torch

        drawn = [self.groups[unit] for unit in units.tolist()]
        drawn = [rows[torch.randperm(len(rows))[:MOST_PRODUCTS].numpy()] for rows in drawn]
        ids, mask = batched([self.tokens[row] for rows in drawn for row in rows.tolist()], network)
        scores = network(ids, mask).float().split([len(rows) for rows in drawn])
        grades = [torch.from_numpy(self.data.grades[rows]).to(ids.device) for rows in drawn]
        losses = [self._of_query(score, grade) for score, grade in zip(scores, grades, strict=True)]
        return torch.stack(losses).mean()

    def _of_query(self, scores: torch.Tensor, grades: torch.Tensor) -> torch.Tensor:
        """The loss of one query's scores and grades, both float32[p]."""
        import torch

        if self._ranking == "mse":
            return ((scores - grades) ** 2).mean()
        if self._ranking == "pairwise":
            better = grades[:, None] > grades[None, :]
            if not better.any():
                return scores.sum() * 0.0
            return torch.nn.functional.softplus(scores[None, :] - scores[:, None])[better].mean()
        if float(grades.sum()) <= 0:
            return scores.sum() * 0.0
        return -(grades / grades.sum() * scores.log_softmax(0)).sum()

    def metrics(self, network: nn.Module) -> dict[str, float]:
        """As `grade_metrics`."""
        return grade_metrics(self.scores(network), self.examples())


def click_metrics(scores: Scores, grades: NDArray[np.float32]) -> dict[str, float]:
    """Of logits and grades, both float32[n].

    `auc` is the chance that a clicked pair scores above one that is not, `loss` is in nats a pair.
    """
    logits, wanted = scores.astype(np.float64), grades.astype(np.float64)
    loss = np.logaddexp(0, logits) - wanted * logits
    return {"auc": area(logits, wanted > 0.5), "loss": float(loss.mean())}


def grade_metrics(scores: Scores, data: Pairs) -> dict[str, float]:
    """`ndcg@10` of the pairs' scores float32[n], the mean over the queries with a product of any grade."""
    by_query: dict[str, list[int]] = {}
    for row, query in enumerate(data.queries):
        by_query.setdefault(query, []).append(row)
    found = [ndcg(scores[rows], data.grades[rows]) for rows in by_query.values() if data.grades[rows].any()]
    return {"ndcg@10": float(np.mean(found)) if found else 0.0}


def area(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve; equal scores count half; 0.5 where one of the classes is missing."""
    n_positive, n_other = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_other:
        return 0.5
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[place]  # the mean rank of equal scores
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_other))
