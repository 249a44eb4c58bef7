"""How a query's words lie in the names of candidates, as features for ranking.

Everything is a few numpy operations over all candidates at once: the words of
titles are numbers already, and so are the query's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.types import Scores

Codes = NDArray[np.int32]

MATCH_FEATURES: Final = (
    "title_share", "title_rare_share", "names_rare_share", "title_all", "last_word", "last_word_end", "first_word",
    "pairs", "span", "first_at", "title_length", "title_covered", "rarest_missing", "numbers", "foreign_numbers",
    "exact_share", "same_order",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AskedWords:
    """A query's words as numbers.

    `codes` int32[k] are distinct words or forms of words, `slot` int32[k] says
    which of the `n` words of the query each stands for, with `weight`
    float32[k] (1: as typed); `rarity` float32[n] is of each word of the query,
    `number` bool[n] which of them are numbers.
    """

    codes: Codes
    slot: NDArray[np.int32]
    weight: Scores
    rarity: Scores
    number: NDArray[np.bool_]

    @property
    def n(self) -> int:
        return len(self.rarity)


def match_features(asked: AskedWords, title: Codes, names: Codes, is_number: NDArray[np.bool_]) -> dict[str, Scores]:
    """MATCH_FEATURES, float32[c] each, of `title` int32[c, w] and `names` int32[c, v] (padded with -1).

    `is_number` bool[m] tells by code which words are numbers.
    """
    c, width = title.shape
    length = (title >= 0).sum(1)
    if not asked.n or not c:
        none = {name: np.zeros(c, np.float32) for name in MATCH_FEATURES}
        return none | {"title_length": length.astype(np.float32)}
    order = np.argsort(asked.codes, kind="stable")
    known, slots, weights = asked.codes[order], asked.slot[order], asked.weight[order]
    found, at_title, place, of_title = _cells(title, known, slots, weights, asked.n)
    named, _, _, _ = _cells(names, known, slots, weights, asked.n)
    total = max(float(asked.rarity.sum()), 1e-6)
    has = found > 0
    either = np.maximum(found, named)
    last, first = asked.n - 1, 0
    # The place of each word of the query in the title, width where it is missing.
    places = np.full((c, asked.n), width, np.int32)
    np.minimum.at(places, (at_title, of_title), place)
    beside = (places[:, 1:] - places[:, :-1] == 1) & has[:, 1:] & has[:, :-1]
    in_order = (places[:, 1:] > places[:, :-1]) & has[:, 1:] & has[:, :-1]
    at = np.where(has, places, -1).max(1)
    begins = places.min(1)
    n_has = has.sum(1)
    numbers = asked.number
    pairs = max(asked.n - 1, 1)
    covered = np.bincount(at_title, minlength=c)
    number_cells = is_number[np.maximum(title, 0)] & (title >= 0) if len(is_number) else np.zeros(title.shape, bool)
    foreign = number_cells.sum(1)
    if numbers.any():
        foreign = foreign - np.bincount(at_title[numbers[of_title]], minlength=c)
    columns: dict[str, Any] = {
        "title_share": found.mean(1),
        "title_rare_share": found @ asked.rarity / total,
        "names_rare_share": either @ asked.rarity / total,
        "title_all": has.all(1),
        "last_word": found[:, last],
        "last_word_end": np.where(has[:, last], (places[:, last] + 1) / np.maximum(length, 1), 0),
        "first_word": found[:, first],
        "pairs": beside.sum(1) / pairs,
        "span": np.where(n_has > 1, (at - begins + 1) / np.maximum(n_has, 1), 0),
        "first_at": np.where(n_has > 0, begins / np.maximum(length, 1), 1),
        "title_length": length,
        "title_covered": covered / np.maximum(length, 1),
        "rarest_missing": (np.where(either > 0, 0, asked.rarity)).max(1),
        "numbers": found[:, numbers].mean(1) if numbers.any() else np.full(c, -1.0),
        "foreign_numbers": foreign,
        "exact_share": (found >= 1).mean(1),
        "same_order": in_order.sum(1) / pairs,
    }
    return {name: np.asarray(columns[name], np.float32) for name in MATCH_FEATURES}


def _cells(
    table: Codes, known: Codes, slots: NDArray[np.int32], weights: Scores, n: int
) -> tuple[Scores, NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """float32[c, n]: the best weight with which each row has each word of the query; and the cells that matched."""
    best = np.zeros((len(table), n), np.float32)
    if not len(known):
        return best, np.empty(0, np.intp), np.empty(0, np.intp), slots
    # Where in `known` each word is, as a table by code: a search for every word of every title takes longer.
    # The last place is that of -1, the word beyond a title's end.
    place_of = np.full(max(int(table.max(initial=0)), int(known[-1])) + 2, -1, np.int32)
    place_of[known[::-1]] = np.arange(len(known) - 1, -1, -1, dtype=np.int32)
    at = place_of[table]
    rows, places = np.nonzero(at >= 0)
    which = at[rows, places]
    # A form may stand for two words of the query; then both have it.
    for shift in range(_most_alike(known)):
        further = which + shift
        if shift:
            same = (further < len(known)) & (known[np.minimum(further, len(known) - 1)] == known[which])
            np.maximum.at(best, (rows[same], slots[further[same]]), weights[further[same]])
        else:
            np.maximum.at(best, (rows, slots[which]), weights[which])
    return best, rows, places, slots[which]


def _most_alike(known: Codes) -> int:
    if not (known[1:] == known[:-1]).any():
        return 1
    return int(np.unique(known, return_counts=True)[1].max())


def asked_words(words: Sequence[Sequence[tuple[int, float]]], rarity: Scores, number: NDArray[np.bool_]) -> AskedWords:
    """Of each word of a query, its forms as codes with weights; unknown ones (-1) are left out."""
    rows = [(code, slot, weight) for slot, forms in enumerate(words) for code, weight in forms if code >= 0]
    codes, slots, weights = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return AskedWords(
        np.array(codes, np.int32), np.array(slots, np.int32), np.array(weights, np.float32), rarity, number
    )
