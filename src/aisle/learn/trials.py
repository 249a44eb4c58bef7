"""What clicks are learned from: trials and successes in their circumstances, and what products are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.shown import ASKED, BESIDE, KINDS, PLACES, Shown

MOST_FEATURES: Final = 400
LEAST_ITEMS: Final = 5
"""Products that a brand or attribute needs to count as a feature."""

MOST_VISITORS: Final = 200_000
N_NEGATIVES: Final = 8
"""Products, drawn evenly, that are set against each one taken, where the log does not tell what was shown."""

MOST_CHOICES: Final = 4_000_000
"""Shoppers times categories that are told apart in what was asked for: the most asked first."""

ASK: Final = KINDS * PLACES
DRAWN: Final = ASK + 1
N_CONTEXTS: Final = DRAWN + 1
"""A context is a kind of list and a place in it, a category asked for, or a product drawn for comparison."""

Array = NDArray[np.float32]


def item_features(items: ItemTable) -> Array:
    """What is known of each product, float32[n, d]: categories, brands and traits as 0 and 1; price against what is
    usual in its category, what is over that, and what is off."""
    n = len(items)
    alive = items.alive
    owners, codes, offset = [], [], 0
    for table, names in ((items.ancestors, items.categories), (items.attributes, items.attribute_names)):
        owners.append(table.owners)
        codes.append(table.codes + offset)
        offset += len(names)
    branded = np.flatnonzero(items.brand >= 0).astype(np.int32)
    owners.append(branded)
    codes.append(items.brand[branded] + offset)
    owner, code = np.concatenate(owners), np.concatenate(codes)
    living = alive[owner]
    counts = np.bincount(code[living], minlength=offset + len(items.brands))
    kept = np.argsort(-counts, kind="stable")[:MOST_FEATURES]
    kept = kept[counts[kept] >= LEAST_ITEMS]
    column = np.full(len(counts), -1, np.int64)
    column[kept] = np.arange(len(kept))
    features = np.zeros((n, len(kept) + 4), np.float32)
    told = column[code] >= 0
    features[owner[told], column[code[told]]] = 1
    dearness = _dearness(items)
    features[:, -4:] = np.stack(
        [dearness, np.maximum(dearness, 0), np.maximum(dearness - 0.4, 0), 3 * np.nan_to_num(items.discount)], 1
    )
    return features


def _dearness(items: ItemTable) -> Array:
    """Logarithm of the price before any discount against the median of the category, 0 where it is not known."""
    price = items.log_price - np.log1p(-np.minimum(np.nan_to_num(items.discount), 0.95))
    usual = np.zeros(len(items), np.float32)
    for code in np.unique(items.category):
        of_it = items.category == code
        known = price[of_it & items.alive & np.isfinite(price)]
        usual[of_it] = np.median(known) if len(known) else 0.0
    found: Array = np.clip(np.nan_to_num(items.log_price - usual), -2, 2).astype(np.float32)
    return found


@dataclass(frozen=True, slots=True)
class Trials:
    """Trials and how many succeeded, `trials` and `successes` float32[n].

    `user`, `item`, `context` int32[n]; `asked` int32[n] is 1 + the code of the
    category that was asked for or is beside what is looked at, 0 for neither.
    """

    user: NDArray[np.int32]
    item: NDArray[np.int32]
    context: NDArray[np.int32]
    asked: NDArray[np.int32]
    trials: Array
    successes: Array

    @classmethod
    def of(cls, *parts: tuple[Any, Any, Any, Any, Any, Any]) -> Self:
        """Parts put together and sorted by user, which the sums over them need."""
        columns = [np.concatenate([np.asarray(part[c]) for part in parts]) for c in range(6)]
        order = np.lexsort((columns[1], columns[0]))
        user, item, context, asked, trials, successes = (column[order] for column in columns)
        return cls(
            user.astype(np.int32), item.astype(np.int32), context.astype(np.int32), asked.astype(np.int32),
            trials.astype(np.float32), successes.astype(np.float32),
        )  # fmt: skip


def shown_rows(shown: Shown, items: ItemTable) -> Trials:
    """Every impression, and every category that was asked for as a choice among all categories (codes after items)."""
    n = len(items)
    kept = shown.visitor >= max(0, int(shown.visitor.max(initial=0)) + 1 - MOST_VISITORS)
    context = shown.kind.astype(np.int32) * PLACES + shown.place
    one = np.ones(len(shown), np.float32)
    asked_for = np.where(np.isin(shown.kind, (ASKED, BESIDE)), items.category[shown.ords] + 1, 0)
    parts: list[tuple[Any, ...]] = [
        (shown.visitor[kept], shown.ords[kept], context[kept], asked_for[kept], one[kept], shown.clicked[kept])
    ]
    visitor, asked = _asked(shown, items.category)
    n_codes = len(items.categories)
    if len(visitor) and n_codes > 1:
        used = np.argsort(-np.bincount(asked, minlength=n_codes), kind="stable")
        used = np.sort(used[: min(len(np.unique(asked)), MOST_CHOICES // len(np.unique(visitor)) + 1)])
        among = np.isin(asked, used)
        visitor, asked = visitor[among], asked[among]
        place = np.full(n_codes, -1)
        place[used] = np.arange(len(used))
        users, row = np.unique(visitor, return_inverse=True)
        counts = np.zeros((len(users), len(used)), np.float32)
        np.add.at(counts, (row, place[asked]), 1)
        trials = np.repeat(counts.sum(1), len(used))
        parts.append((
            np.repeat(users, len(used)), np.tile(n + used, len(users)), np.full(counts.size, ASK),
            np.zeros(counts.size), trials, counts.ravel(),
        ))  # fmt: skip
    return Trials.of(*parts)


def _asked(shown: Shown, category: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Who asked for which category, once for each time that they turned to it."""
    first = (shown.kind == ASKED) & (shown.place == 0) & (shown.page >= 0)
    visitor, code = shown.visitor[first], category[shown.ords[first]]
    order = np.argsort(visitor, kind="stable")  # the log's own order within a visitor
    visitor, code = visitor[order], code[order]
    turned = np.ones(len(code), bool)
    turned[1:] = (visitor[1:] != visitor[:-1]) | (code[1:] != code[:-1])
    turned &= code >= 0
    return visitor[turned], code[turned]


def drawn_rows(past: Interactions, n: int, seed: int) -> Trials:
    """What was taken, against products drawn evenly from those that anybody took."""
    rng = np.random.default_rng(seed)
    kept = past.visitor >= max(0, int(past.visitor.max(initial=0)) + 1 - MOST_VISITORS)
    kept &= past.ords < n
    user, taken = past.visitor[kept], past.ords[kept]
    pool = np.unique(taken)
    others = rng.choice(pool, len(taken) * N_NEGATIVES)
    context = np.full(len(taken) * (1 + N_NEGATIVES), DRAWN)
    yes = np.arange(len(context)) < len(taken)
    users = np.concatenate([user, np.repeat(user, N_NEGATIVES)])
    one = np.ones(len(context))
    return Trials.of((users, np.concatenate([taken, others]), context, 0 * one, one, yes))


def with_categories(items: ItemTable) -> Array:
    """Features of the products and, after them, of every category as something that one may ask for."""
    features = item_features(items)
    n_codes = len(items.categories)
    of_category = np.zeros((n_codes, features.shape[1]), np.float32)
    columns = features[:, :-4]
    for code in range(n_codes):
        of_it = (items.category == code) & items.alive
        if of_it.any():  # what all of its products have in common: its own place in the tree
            of_category[code, :-4] = columns[of_it].min(axis=0)
    return np.concatenate([features, of_category])
