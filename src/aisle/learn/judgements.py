"""What is known of how well products answer queries, as columns: what search is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aisle.types import Judgement, Ords, Scores


@dataclass(frozen=True, slots=True)
class Judgements:
    """One row a query and a product, rows of a query beside each other.

    `queries` are distinct texts and `query` int32[n] says which a row is of;
    `gain` float32[n] in [0, 1], 0 for what was found irrelevant; `weight`
    float32[n] above 0 is how much a row counts.
    """

    queries: tuple[str, ...]
    query: NDArray[np.int32]
    ords: Ords
    gain: Scores
    weight: Scores

    @classmethod
    def of(cls, judged: Iterable[Judgement], ord_of: Callable[[str], int]) -> Self:
        """Of what people said; products that the shop does not have are left out.

        A grade is measured against the best of all: 1 is as good as it gets.
        Of two items of one group the better counts.
        """
        best: dict[tuple[str, int], float] = {}
        for judgement in judged:
            ord_ = ord_of(judgement.item_id)
            if ord_ >= 0:
                key = (judgement.query, ord_)
                best[key] = max(best.get(key, 0.0), judgement.grade)
        queries = tuple(dict.fromkeys(query for query, _ in best))
        row_of = {text: row for row, text in enumerate(queries)}
        query = np.array([row_of[text] for text, _ in best], np.int32)
        ords = np.array([ord_ for _, ord_ in best], np.int32)
        grade = np.array(list(best.values()), np.float32)
        order = np.argsort(query, kind="stable")
        most = float(grade.max(initial=0.0)) or 1.0
        return cls(queries, query[order], ords[order], grade[order] / most, np.ones(len(order), np.float32))

    def take(self, chosen: NDArray[np.bool_]) -> Self:
        """Those queries alone: `chosen` bool, one a query."""
        rows = chosen[self.query]
        number = np.cumsum(chosen, dtype=np.int32) - 1
        return replace(
            self,
            queries=tuple(text for text, kept in zip(self.queries, chosen.tolist(), strict=True) if kept),
            query=number[self.query[rows]],
            ords=self.ords[rows],
            gain=self.gain[rows],
            weight=self.weight[rows],
        )

    def fold(self, n: int, salt: str = "") -> NDArray[np.int32]:
        """int32, one a query: a number below `n` drawn from the text, so that a query's part never changes."""
        return np.fromiter((fold_of(f"{salt}{text}", n) for text in self.queries), np.int32, len(self.queries))

    def __len__(self) -> int:
        return len(self.ords)


def fold_of(text: str, n: int) -> int:
    """A number below `n` drawn from a text."""
    return int.from_bytes(sha256(text.encode("utf-8", "replace")).digest()[:8], "big") % n


def together(first: Judgements, second: Judgements) -> Judgements:
    """Both, one after the other; a query of both is there twice."""
    return Judgements(
        (*first.queries, *second.queries),
        np.concatenate((first.query, second.query + np.int32(len(first.queries)))),
        np.concatenate((first.ords, second.ords)),
        np.concatenate((first.gain, second.gain)),
        np.concatenate((first.weight, second.weight)),
    )
