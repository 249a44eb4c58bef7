"""One page of an answer out of its ranked window and what lies beyond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aisle.errors import InvalidRequest
from aisle.settings import Settings
from aisle.types import Ords, Scores

SORTS = ("relevance", "price_asc", "price_desc", "newest")


@dataclass(frozen=True, slots=True)
class RankedPage:
    """What is shown: `ords` int32[n] and `scores` float32[n], best first; `features` aligned columns for the log.

    `sources` names what found each: lexical, dense, or both.
    """

    ords: Ords
    scores: Scores
    sources: tuple[tuple[str, ...], ...]
    features: Mapping[str, list[float]]


def rank_page(
    ords: Ords,
    scores: Scores,
    features: Mapping[str, Scores],
    *,
    offset: int,
    n: int,
    beyond: Ords | None = None,
    in_order: bool = False,
) -> RankedPage:
    """The `n` hits from `offset` on.

    The window is ordered by `scores`, unless it came `in_order` (sorted by a
    field: then it is the page itself). `beyond` are further matches, in their
    own order; those outside the window follow it, so that no page repeats or
    skips a product that another page shows.
    """
    best = np.arange(len(ords)) if in_order else np.argsort(-scores, kind="stable")
    rows = best[:n] if in_order else best[offset : offset + n]
    shown, kept = ords[rows], scores[rows]
    columns = {name: values[rows] for name, values in features.items()}
    short = n - len(rows)
    if beyond is not None and short > 0:
        rest = beyond[~np.isin(beyond, ords)][max(0, offset - len(ords)) :][:short]
        last = float(scores.min()) if len(scores) else 0.0
        shown = np.concatenate([shown, rest])
        kept = np.concatenate([kept, np.full(len(rest), last, np.float32)])
        columns = {name: np.concatenate([values, np.zeros(len(rest), np.float32)]) for name, values in columns.items()}
    words, meaning = columns.get("bm25"), columns.get("cosine")
    found_by_words = words > 0 if words is not None else np.zeros(len(shown), bool)
    found_by_meaning = meaning > 0 if meaning is not None else np.zeros(len(shown), bool)
    return RankedPage(
        shown.astype(np.int32),
        kept.astype(np.float32),
        tuple(
            (*(("lexical",) if by_words else ()), *(("dense",) if by_meaning else ()))
            for by_words, by_meaning in zip(found_by_words.tolist(), found_by_meaning.tolist(), strict=True)
        ),
        {name: values.tolist() for name, values in columns.items()},
    )


def check_facets(names: Sequence[str], settings: Settings) -> None:
    """Raise InvalidRequest for more facets than are counted in one answer."""
    most = settings.server.max_facets
    if len(names) > most:
        raise InvalidRequest(f"{len(names)} facets in one request: at most {most} are counted", field="facets")


def check_page(page: int, hits_per_page: int, sort: str, settings: Settings) -> None:
    """Raise InvalidRequest, naming the field, for a page that cannot be asked for."""
    most, limit = settings.server.max_hits_per_page, settings.search.pagination_limit
    if not 1 <= hits_per_page <= most:
        raise InvalidRequest(f"hits_per_page must be from 1 to {most}", field="hits_per_page")
    if page < 0:
        raise InvalidRequest("page counts from 0", field="page")
    if page * hits_per_page > limit:
        raise InvalidRequest(f"only the first {limit} hits can be paged through; filter instead", field="page")
    if sort not in SORTS:
        raise InvalidRequest(f"no sort {sort!r}: use one of {', '.join(SORTS)}", field="sort")
