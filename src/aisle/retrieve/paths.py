"""How two products are related, as a shopper can read it: "same brand as …", "bought with …"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.types import Ords

_KINDS: Final = ("has_category", "by", "has_attribute")
"""Relations by the number that `name_kinds` holds."""

UNSAID: Final = ("size: ", "gender: ", "age_group: ")
"""Attributes that relate too many products to be a reason."""

SAID_UP_TO: Final = 0.3
"""Share of the products up to which a name relates: beyond, it is no reason."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step along `relation` to the product `ord`, or to what is called `name`."""

    relation: str
    name: str = ""
    ord: int = -1


class Paths:
    """Reads the graph that was trained on: CSR arrays as `learn.graph` makes them."""

    def __init__(self, arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> None:
        self._told = arrays["told_indptr"], arrays["told_names"]
        self._links = {
            relation: (arrays[f"{relation}_indptr"], arrays[f"{relation}_indices"]) for relation in ("bought", "viewed")
        }
        self._names = names
        self._kinds, self._sizes = arrays["name_kinds"], arrays["name_sizes"]
        n_products = max(1, int(arrays["alive"].sum()))
        self._said = self._sizes <= max(2.0, SAID_UP_TO * n_products)
        self._said &= np.array([not name.startswith(UNSAID) for name in names], bool)

    def path(self, seed: int, candidate: int) -> tuple[Step, ...]:
        """At most three steps from the seed to the candidate, the most telling first; () when there are none.

        A step to a name is followed by the step to a product that has it too.
        """
        if seed == candidate or not (self._knows(seed) and self._knows(candidate)):
            return ()
        if self._linked("bought", seed, candidate):
            return (Step("bought_with", ord=candidate),)
        if (name := self._shared(self._row(self._told, seed), candidate)) >= 0:
            return self._through(name, candidate)
        if self._linked("viewed", seed, candidate):
            return (Step("viewed_with", ord=candidate),)
        for relation in ("bought", "viewed"):
            own, theirs = self._row(self._links[relation], seed), self._row(self._links[relation], candidate)
            between = own[np.isin(own, theirs)]
            if len(between):
                return Step(f"{relation}_with", ord=int(between[0])), Step(f"{relation}_with", ord=candidate)
        for relation in ("bought", "viewed"):
            for between in self._row(self._links[relation], seed).tolist():
                if (name := self._shared(self._row(self._told, between), candidate)) >= 0:
                    return Step(f"{relation}_with", ord=between), *self._through(name, candidate)
        return ()

    def facts(self, seeds: Iterable[int], candidate: int) -> tuple[Step, ...]:
        """What the candidate shares with any of the seeds, at most one fact of content and one of company.

        Each names the seed in `ord`: Step("by", "Nike", 7) is "of Nike, as 7 is".
        """
        found: dict[bool, Step] = {}
        if not self._knows(candidate):
            return ()
        for seed in seeds:
            if seed == candidate or not self._knows(seed):
                continue
            if False not in found and (name := self._shared(self._row(self._told, seed), candidate)) >= 0:
                found[False] = Step(_KINDS[self._kinds[name]], self._names[name], seed)
            if True not in found:
                for relation in ("bought", "viewed"):
                    if self._linked(relation, seed, candidate):
                        found[True] = Step(f"{relation}_with", ord=seed)
                        break
            if len(found) == 2:
                break
        return tuple(found[key] for key in sorted(found, reverse=True))

    def _knows(self, ord_: int) -> bool:
        return 0 <= ord_ < len(self._told[0]) - 1

    @staticmethod
    def _row(table: tuple[NDArray[np.int64], Ords], row: int) -> Ords:
        indptr, values = table
        return values[indptr[row] : indptr[row + 1]]

    def _linked(self, relation: str, a: int, b: int) -> bool:
        table = self._links[relation]
        return b in self._row(table, a).tolist() or a in self._row(table, b).tolist()

    def _shared(self, names: Ords, candidate: int) -> int:
        """The rarest name that the candidate has too, -1 for none: what few have in common says the most."""
        # A handful of names: Python's sets are ten times as fast as numpy's.
        both = {*names.tolist()}.intersection(self._row(self._told, candidate).tolist())
        said = [name for name in both if self._said[name]]
        return min(said, key=lambda name: (self._sizes[name], name), default=-1)

    def _through(self, name: int, candidate: int) -> tuple[Step, Step]:
        relation = _KINDS[self._kinds[name]]
        return Step(relation, self._names[name]), Step(relation, ord=candidate)
