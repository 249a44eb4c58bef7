"""The catalogue and what shoppers did with it, as a knowledge graph of triples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.learn.interactions import Interactions
from aisle.learn.items import Codes, ItemTable
from aisle.types import Scores

RELATIONS: Final = ("has_category", "by", "has_attribute", "part_of", "bought_with", "viewed_with")
CATEGORY, BRAND, ATTRIBUTE, PART_OF, BOUGHT, VIEWED = range(len(RELATIONS))

COMPANIONS: Final = 20
"""Products that one is linked with by either relation, the strongest."""
REACH: Final = {BOUGHT: 10, VIEWED: 3}
"""Places between two products of an order or session that are linked."""
DEMOTED: Final = 0.3
"""Power of the companion's own count that divides: the popular go with everything."""

COMMON: Final = 0.5
"""Share of the products above which an attribute tells nothing."""


@dataclass(frozen=True, slots=True)
class Companions:
    """What goes with what, best first, in CSR form: `indptr` int64[n + 1], `indices` int32[m], `weights` float32[m]."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weights: Scores

    @classmethod
    def of(cls, context: NDArray[np.int64], ords: NDArray[np.int32], n: int, reach: int) -> Self:
        """Products in a row of one `context` int64[m] at most `reach` apart, both ways."""
        keys = [np.empty(0, np.int64)]
        for apart in range(1, min(reach, len(ords) - 1) + 1):
            a, b = ords[:-apart].astype(np.int64), ords[apart:].astype(np.int64)
            near = (context[:-apart] == context[apart:]) & (a != b)
            keys += [(a * n + b)[near], (b * n + a)[near]]
        cells, counts = np.unique(np.concatenate(keys), return_counts=True)
        a, b = np.divmod(cells, max(n, 1))
        support = np.bincount(ords, minlength=n).astype(np.float64)
        weights = counts * (counts / (counts + 1.0)) / (support[a] * support[b] ** DEMOTED)
        order = np.lexsort((b, -weights, a))
        starts = np.searchsorted(a, np.arange(n + 1))
        order = order[np.arange(len(a)) - starts[a] < COMPANIONS]
        indptr = np.concatenate([[0], np.cumsum(np.minimum(np.diff(starts), COMPANIONS))]).astype(np.int64)
        return cls(indptr, b[order].astype(np.int32), weights[order].astype(np.float32))

    def pairs(self) -> NDArray[np.int64]:
        """int64[m, 2]: each link as (from, to)."""
        heads = np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))
        return np.stack([heads, self.indices.astype(np.int64)], 1)

    def __len__(self) -> int:
        return len(self.indices)


@dataclass(frozen=True, slots=True)
class KnowledgeGraph:
    """Nodes are products by ord, then the `names` (categories, brands, attributes: `kinds` int8, a relation each).

    `told` are the names' numbers of each product, ascending; `parent` int32 the
    number of the category above (-1: none). `bought` and `viewed` link products.
    """

    n_items: int
    names: tuple[str, ...]
    kinds: NDArray[np.int8]
    told: Codes
    parent: NDArray[np.int32]
    bought: Companions
    viewed: Companions

    @classmethod
    def of(cls, past: Interactions, items: ItemTable) -> Self:
        """Names that one product alone has, and attributes of most products, are left out: they relate nothing."""
        n = len(items)
        known = past.take(np.flatnonzero(past.ords < n))
        offsets = np.cumsum([0, len(items.categories), len(items.brands)])
        branded = np.flatnonzero(items.brand >= 0)
        plain = np.flatnonzero(items.category >= 0)
        edges = np.concatenate(
            [
                np.stack([items.ancestors.owners, items.ancestors.codes]),
                np.stack([plain, items.category[plain]]),
                np.stack([branded, items.brand[branded] + offsets[1]]),
                np.stack([items.attributes.owners, items.attributes.codes + offsets[2]]),
            ],
            1,
        ).astype(np.int64)
        edges = np.unique(edges[:, items.alive[edges[0]]], axis=1)
        names = (*items.categories, *items.brands, *items.attribute_names)
        sizes = np.bincount(edges[1], minlength=len(names))
        kinds = np.repeat(
            np.array([CATEGORY, BRAND, ATTRIBUTE], np.int8),
            [len(items.categories), len(items.brands), len(items.attribute_names)],
        )
        useful = (sizes > 1) & ((kinds != ATTRIBUTE) | (sizes <= COMMON * items.alive.sum()))
        number = np.where(useful, np.cumsum(useful) - 1, -1)
        edges = edges[:, useful[edges[1]]]
        kept = np.flatnonzero(useful).tolist()
        indptr = np.searchsorted(edges[0], np.arange(n + 1)).astype(np.int64)
        told = Codes(indptr, number[edges[1]].astype(np.int32))
        of_name = {names[i]: int(number[i]) for i in kept if kinds[i] == CATEGORY}
        parent = [of_name.get(names[i].rpartition(" > ")[0], -1) if kinds[i] == CATEGORY else -1 for i in kept]
        bought = known.take(np.flatnonzero(known.bought))
        return cls(
            n,
            tuple(names[i] for i in kept),
            kinds[kept],
            told,
            np.array(parent, np.int32),
            Companions.of(bought.visitor.astype(np.int64), bought.ords, n, REACH[BOUGHT]),
            Companions.of(known.session, known.ords, n, REACH[VIEWED]),
        )

    def told_triples(self) -> NDArray[np.int64]:
        """int64[m, 3]: (head, relation, tail) of all that the catalogue tells."""
        tails = self.told.codes.astype(np.int64)
        of_items = np.stack([self.told.owners.astype(np.int64), self.kinds[tails].astype(np.int64), tails], 1)
        below = np.flatnonzero(self.parent >= 0)
        above = np.stack([below, np.full(len(below), PART_OF), self.parent[below]], 1)
        of_items[:, 2] += self.n_items
        above[:, [0, 2]] += self.n_items
        return np.concatenate([of_items, above])

    def links(self) -> NDArray[np.int64]:
        """int64[m, 3]: (product, relation, product) of all that shoppers did."""
        parts = [
            np.insert(companions.pairs(), 1, relation, axis=1)
            for relation, companions in ((BOUGHT, self.bought), (VIEWED, self.viewed))
        ]
        return np.concatenate(parts)

    @property
    def n_nodes(self) -> int:
        return self.n_items + len(self.names)


@dataclass(frozen=True, slots=True)
class HeldOutLinks:
    """Links between products to be predicted: int64[n, 3] `cases`, and `train` int64[m, 3] without them, both ways."""

    train: NDArray[np.int64]
    cases: NDArray[np.int64]

    @classmethod
    def of(cls, links: NDArray[np.int64], *, share: float, most: int, seed: int) -> Self:
        """Pairs drawn with `seed`: a pair is held out in both directions and both relations."""
        low, high = links[:, [0, 2]].min(1), links[:, [0, 2]].max(1)
        pair, of_pair = np.unique(low << 32 | high, return_inverse=True)
        n = min(most, int(share * len(pair)))
        drawn = np.zeros(len(pair), bool)
        drawn[np.random.default_rng(seed).choice(len(pair), n, replace=False)] = True
        held = drawn[of_pair]
        cases = links[held]
        _, first = np.unique(of_pair[held], return_index=True)
        return cls(links[~held], cases[np.sort(first)])
