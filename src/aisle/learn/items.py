"""The catalogue as columns by ord: what trainers know of each product besides who touched it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.types import NOTHING, Group, Product, Scores, Vectors

TRAITS: Final = ("color", "size", "gender", "material", "pattern", "age_group")
"""Columns of a product that count as attributes, with the names they get."""

MOST_ATTRIBUTES: Final = 100
"""Attributes kept of one group: a feed that lists hundreds says nothing with most of them."""

_LONGEST_VALUE: Final = 80
"""Characters; a longer value is a description."""


@dataclass(frozen=True, slots=True)
class Codes:
    """Several codes a row, in CSR form: those of row r are `codes[indptr[r]:indptr[r + 1]]`.

    `indptr` int64[n + 1], `codes` int32[m].
    """

    indptr: NDArray[np.int64]
    codes: NDArray[np.int32]

    @classmethod
    def of(cls, rows: Iterable[Iterable[int]]) -> Self:
        """From a list of codes for each row."""
        lists = [list(row) for row in rows]
        indptr = np.zeros(len(lists) + 1, np.int64)
        np.cumsum([len(row) for row in lists], out=indptr[1:])
        return cls(indptr, np.fromiter((c for row in lists for c in row), np.int32, int(indptr[-1])))

    @classmethod
    def none(cls, n: int) -> Self:
        return cls(np.zeros(n + 1, np.int64), np.empty(0, np.int32))

    def row(self, row: int) -> NDArray[np.int32]:
        return self.codes[self.indptr[row] : self.indptr[row + 1]]

    @property
    def owners(self) -> NDArray[np.int32]:
        """int32[m]: the row that each of `codes` stands in, for edges (row, code)."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.indptr))

    def __len__(self) -> int:
        return len(self.indptr) - 1


@dataclass(frozen=True, slots=True)
class ItemTable:
    """One row for each ord up to the newest; those of dead ords say nothing.

    `category` int32[n] is the code of a product's full path in `categories`,
    `ancestors` the codes of every prefix of its paths, the full ones among them
    (`Men`, `Men > Tops`); `brand` int32[n] is a code in `brands`; -1: none.
    `attributes` are codes in `attribute_names` ("color: Red"). `log_price`
    float32[n] is the natural logarithm of the price paid now (nan: none),
    `discount` float32[n] the share off the regular price. `quality` float32[n]
    is the mean rating (nan: none) of `n_reviews` int32[n]. `text` float32[n, d]
    and `image` float32[n, e] are vectors, rows of zeros where there is none;
    d and e may be 0.
    """

    alive: NDArray[np.bool_]
    category: NDArray[np.int32]
    ancestors: Codes
    brand: NDArray[np.int32]
    attributes: Codes
    log_price: Scores
    discount: Scores
    first_seen_ms: NDArray[np.int64]
    quality: Scores
    n_reviews: NDArray[np.int32]
    text: Vectors
    image: Vectors
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    attribute_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError when the columns are not of one length."""
        sizes = {f.name: len(getattr(self, f.name)) for f in fields(self) if f.name not in _NAMES}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"columns of different lengths: {sizes}")

    @classmethod
    def blank(cls, n: int, **columns: Any) -> Self:
        """`n` living products of which only the given columns are known (tests, benchmarks)."""
        known: dict[str, Any] = {
            "alive": np.ones(n, bool),
            "category": np.full(n, -1, np.int32),
            "ancestors": Codes.none(n),
            "brand": np.full(n, -1, np.int32),
            "attributes": Codes.none(n),
            "log_price": np.full(n, np.nan, np.float32),
            "discount": np.zeros(n, np.float32),
            "first_seen_ms": np.zeros(n, np.int64),
            "quality": np.full(n, np.nan, np.float32),
            "n_reviews": np.zeros(n, np.int32),
            "text": np.zeros((n, 0), np.float32),
            "image": np.zeros((n, 0), np.float32),
        }
        return cls(**(known | columns))

    @classmethod
    def of(
        cls,
        groups: Iterable[Group],
        text: Vectors | None = None,
        image: Vectors | None = None,
        ratings: Mapping[str, tuple[float, int]] = NOTHING,
        n: int = 0,
    ) -> Self:
        """From the catalogue's groups in any order; at least `n` rows.

        `text` float32[., d] and `image` float32[., e] have a row for each ord
        and may be shorter or longer than the catalogue; `ratings` are means and
        numbers by item id or group id (`ContentStore.ratings`).
        """
        living = {group.ord: group for group in groups if group.products}
        n = max(n, max(living, default=-1) + 1)
        categories, brands, names = _Coded(), _Coded(), _Coded()
        category = np.full(n, -1, np.int32)
        brand = np.full(n, -1, np.int32)
        first_seen_ms = np.zeros(n, np.int64)
        log_price, quality = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
        discount, n_reviews = np.zeros(n, np.float32), np.zeros(n, np.int32)
        ancestors: list[list[int]] = [[] for _ in range(n)]
        attributes: list[list[int]] = [[] for _ in range(n)]
        for ord_, group in living.items():
            lead = group.lead
            paths = [_levels(path) for path in (lead.product_type, *lead.additional_product_types)]
            if paths[0]:
                category[ord_] = categories.code(" > ".join(paths[0]))
            prefixes = (" > ".join(path[:depth]) for path in paths for depth in range(1, len(path) + 1))
            ancestors[ord_] = [categories.code(prefix) for prefix in dict.fromkeys(prefixes)]
            brand[ord_] = brands.code(lead.brand) if lead.brand else -1
            told = dict.fromkeys(told for product in group.products for told in _attributes(product))
            attributes[ord_] = [names.code(one) for one in list(told)[:MOST_ATTRIBUTES]]
            first_seen_ms[ord_] = group.first_seen_ms
            log_price[ord_], discount[ord_] = _price(lead)
            quality[ord_], n_reviews[ord_] = _rating(group, ratings)
        alive = np.zeros(n, bool)
        alive[list(living)] = True
        return cls(
            alive, category, Codes.of(ancestors), brand, Codes.of(attributes), log_price, discount,
            first_seen_ms, quality, n_reviews, _rows(text, n), _rows(image, n),
            categories.names, brands.names, names.names,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.alive)


_NAMES: Final = frozenset({"categories", "brands", "attribute_names"})


class _Coded:
    """Names to codes, counted up from 0 as they come."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def code(self, name: str) -> int:
        return self._codes.setdefault(name, len(self._codes))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._codes)


def _levels(path: str) -> list[str]:
    return [level for part in path.split(">") if (level := part.strip())]


def _attributes(product: Product) -> Iterator[str]:
    for name in TRAITS:
        if value := getattr(product, name):
            yield f"{name}: {value}"
    for name, values in product.attributes.items():
        yield from (f"{name}: {value}" for value in values if value and len(value) <= _LONGEST_VALUE)


def _price(lead: Product) -> tuple[float, float]:
    paid = float(lead.current_price.amount) if lead.current_price else 0.0
    regular = float(lead.price.amount) if lead.price else 0.0
    share_off = max(0.0, 1 - paid / regular) if regular > 0 and paid > 0 else 0.0
    return (math.log(paid) if paid > 0 else math.nan), share_off


def _rating(group: Group, ratings: Mapping[str, tuple[float, int]]) -> tuple[float, int]:
    ids = dict.fromkeys((group.group_id, *(product.item_id for product in group.products)))
    found = [ratings[one] for one in ids if one in ratings]
    n = sum(count for _, count in found)
    return (sum(mean * count for mean, count in found) / n if n else math.nan), n


def _rows(vectors: Vectors | None, n: int) -> Vectors:
    """Exactly `n` rows; without vectors they have no columns."""
    if vectors is None:
        return np.zeros((n, 0), np.float32)
    rows = np.zeros((n, vectors.shape[1]), np.float32)
    rows[: len(vectors)] = vectors[:n]
    return rows
