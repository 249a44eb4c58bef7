"""Which products are viewed or bought together, counted from the log.

Item-to-item collaborative filtering (Linden, Smith, York 2003) with two
departures: a pair counts by how near its events are in the session, and the
power of a neighbour's count that divides is chosen for each relation: the
cosine's half for what is bought, less for what is viewed, where the full cosine
favours the rare over the likely. Measured by benchmarks/covisitation.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aisle.types import LoggedEvent

Relation: TypeAlias = Literal["viewed", "bought"]
Arrays: TypeAlias = dict[str, np.ndarray]

VIEWS: Final = frozenset({"select_item", "view_item", "add_to_wishlist", "add_to_cart"})
NEIGHBOURS: Final = 100
CHUNK_PAIRS: Final = 8_000_000
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Counting:
    """How pairs of one relation are counted; chosen on validation logs by benchmarks/covisitation.py.

    `reach` is the most places between two events of a pair; a pair at distance
    d counts `d ** -nearness`, `backward` times that for the item that came
    first. `popularity` is the power of the neighbour's count that divides;
    `shrinkage` pairs are taken off the trust in a small count. After
    `half_life_days` a pair counts half (0: always whole).
    """

    reach: int
    nearness: float
    backward: float
    popularity: float
    shrinkage: float
    half_life_days: float = 0.0


COUNTING: Final[Mapping[Relation, Counting]] = {
    "viewed": Counting(reach=10, nearness=0.5, backward=0.7, popularity=0.15, shrinkage=0.5),
    "bought": Counting(reach=20, nearness=0.0, backward=1.0, popularity=0.5, shrinkage=1.0),
}

HALF_LIVES: Final = (0.5, 0.2)
"""Shares of the log's time that are tried as half-life, against none."""

CHOOSING_CASES: Final = 1500
LEAST_CHOOSING_CASES: Final = 300

LATER_ORDER: Final = 0.3
"""What a pair from two orders of one shopper counts against one order."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Events as columns, each sorted so that what belongs together is in a row.

    `context` int64[n] numbers sessions (viewed) or shoppers (bought), `basket`
    int64[n] the order within; `ords` int32[n], `time_ms` int64[n].
    """

    context: NDArray[np.int64]
    basket: NDArray[np.int64]
    ords: NDArray[np.int32]
    time_ms: NDArray[np.int64]

    def take(self, rows: np.ndarray) -> Lines:
        return Lines(self.context[rows], self.basket[rows], self.ords[rows], self.time_ms[rows])

    def __len__(self) -> int:
        return len(self.ords)


def read_lines(
    events: Iterable[LoggedEvent], ord_of: Callable[[str], int], *, session_gap_minutes: float = 30.0
) -> dict[Relation, Lines]:
    """The log as columns; items the catalogue does not know are left out."""
    known: dict[str, int] = {}
    visitors: dict[str, int] = {}
    sessions: dict[tuple[str, str], int] = {}
    rows: dict[Relation, list[tuple[int, int, int, int, int]]] = {"viewed": [], "bought": []}
    for logged in events:
        event = logged.event
        relation: Relation = "bought" if event.name == "purchase" else "viewed"
        if relation == "viewed" and event.name not in VIEWS:
            continue
        visitor = visitors.setdefault(event.visitor_id, len(visitors))
        session = 0
        if event.session_id and relation == "viewed":
            session = sessions.setdefault((event.visitor_id, event.session_id), len(sessions) + 1)
        for item in event.items:
            found = known.get(item.item_id)
            if found is None:
                found = known[item.item_id] = ord_of(item.item_id)
            if found >= 0:
                rows[relation].append((visitor, session, event.time_ms, logged.seq, found))
    return {
        "viewed": _sessions(_table(rows["viewed"]), int(session_gap_minutes * 60_000)),
        "bought": _orders(_table(rows["bought"])),
    }


def _table(rows: list[tuple[int, int, int, int, int]]) -> NDArray[np.int64]:
    """Columns visitor, session, time, seq, ord, in that order of sorting."""
    table = np.array(rows, np.int64).reshape(-1, 5)
    sorted_table: NDArray[np.int64] = table[np.lexsort((table[:, 3], table[:, 2], table[:, 1], table[:, 0]))]
    return sorted_table


def _sessions(table: NDArray[np.int64], gap_ms: int) -> Lines:
    visitor, session, time_ms, _, ords = table.T
    before = np.roll(table, 1, axis=0).T
    new = (visitor != before[0]) | (session != before[1]) | ((session == 0) & (time_ms - before[2] > gap_ms))
    new[:1] = True
    context = np.cumsum(new)
    # The same item again and again (a click, then the page, then the cart) is one step.
    kept = new | (ords != before[4])
    kept[:1] = True
    return Lines(context, context, ords.astype(np.int32), time_ms).take(kept)


def _orders(table: NDArray[np.int64]) -> Lines:
    """Orders with their lines shuffled by a fixed hash: when an order is longer
    than the reach, which pairs are counted must not depend on how the till sorts."""
    visitor, _, time_ms, seq, ords = table.T
    shuffle = (ords.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) ^ seq.astype(np.uint64)
    shuffle *= np.uint64(0xBF58476D1CE4E5B9)
    order = np.lexsort((shuffle, time_ms, visitor))
    # A till may write an order as one event or as a line an event: one shopper, one moment, one order.
    visitor, time_ms, ords = visitor[order], time_ms[order], ords[order]
    new = (visitor != np.roll(visitor, 1)) | (time_ms != np.roll(time_ms, 1))
    new[:1] = True
    lines = Lines(visitor, np.cumsum(new), ords.astype(np.int32), time_ms)
    _, first = np.unique(lines.basket << 32 | lines.ords, return_index=True)
    return lines.take(np.sort(first))


def count_relation(
    lines: Lines, n_ords: int, counting: Counting, *, within_days: float = 30.0, top_k: int = NEIGHBOURS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbours of each ord as CSR: indptr int64[n_ords + 1], indices int32[m], weights float32[m], best first."""
    keys, counts = _count_pairs(lines, n_ords, counting, int(within_days * DAY_MS))
    a, b = (keys // n_ords).astype(np.int64), (keys % n_ords).astype(np.int32)
    # An old product is not rare because its events have faded: its count must not be less than its pairs say.
    support = np.bincount(lines.ords, _faded(lines, counting), minlength=n_ords).astype(np.float64)
    support = np.maximum(support, 1.0)
    trust = counts / (counts + counting.shrinkage)
    weights = (counts * trust / (np.sqrt(support[a]) * support[b] ** counting.popularity)).astype(np.float32)
    # Two stable sorts beat one lexsort here: the keys come sorted by a already.
    order = np.argsort(-weights, kind="stable")
    order = order[np.argsort(a[order], kind="stable")]
    starts = np.searchsorted(a, np.arange(n_ords + 1))
    place = np.arange(len(a)) - starts[a]
    order = order[place < top_k]
    indptr = np.concatenate([[0], np.cumsum(np.minimum(np.diff(starts), top_k))]).astype(np.int64)
    return indptr, b[order], weights[order]


def _faded(lines: Lines, counting: Counting) -> NDArray[np.float64]:
    """How much each event counts by its age, against the newest: float64[n]."""
    if not counting.half_life_days or not len(lines):
        return np.ones(len(lines))
    days = (lines.time_ms.max() - lines.time_ms) / DAY_MS
    faded: NDArray[np.float64] = np.exp2(-days / counting.half_life_days)
    return faded


def _count_pairs(lines: Lines, n_ords: int, counting: Counting, within_ms: int) -> tuple[np.ndarray, np.ndarray]:
    """Directed pairs a*n_ords+b, ascending, with their weighted counts."""
    import polars as pl  # its import costs serving 100 ms that only training needs to pay

    totals: pl.DataFrame | None = None
    keys: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    size = 0

    def settle() -> None:
        nonlocal totals, size
        frame = pl.DataFrame({"key": np.concatenate(keys), "weight": np.concatenate(weights)})
        frame = frame if totals is None else pl.concat([totals, frame])
        totals = frame.group_by("key").agg(pl.col("weight").sum())
        keys.clear()
        weights.clear()
        size = 0

    faded = _faded(lines, counting)
    for distance in range(1, min(counting.reach, len(lines) - 1) + 1):
        first, second = slice(None, -distance), slice(distance, None)
        near = (lines.context[first] == lines.context[second]) & (lines.ords[first] != lines.ords[second])
        near &= lines.time_ms[second] - lines.time_ms[first] <= within_ms
        at = np.flatnonzero(near)
        if not len(at):
            continue
        a, b = lines.ords[at].astype(np.int64), lines.ords[at + distance].astype(np.int64)
        same = lines.basket[at] == lines.basket[at + distance]
        weight = np.where(same, 1.0, LATER_ORDER) * distance**-counting.nearness * faded[at + distance]
        keys += [a * n_ords + b, b * n_ords + a]
        weights += [weight, weight * np.where(same, counting.backward, 1.0)]
        size += 2 * len(at)
        if size > CHUNK_PAIRS:
            settle()
    if keys:
        settle()
    if totals is None:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    totals = totals.sort("key")
    return totals["key"].to_numpy(), totals["weight"].to_numpy()


def train_covisitation(
    events: Iterable[LoggedEvent],
    ord_of: Callable[[str], int],
    *,
    session_gap_minutes: float = 30.0,
    within_days: float = 30.0,
) -> Arrays:
    """Arrays `viewed_indptr`, `viewed_indices`, `viewed_weights` and the same of `bought`.

    Beside them `viewed_support` float32[n], the events of each ord, and
    `viewed_until_ms` int64[1], the newest event: from there on `Fresh` counts.
    Ords are never given twice, so the arrays stay true as the catalogue grows.
    """
    lines = read_lines(events, ord_of, session_gap_minutes=session_gap_minutes)
    arrays: Arrays = {}
    for relation, usual in COUNTING.items():
        of_one = lines[relation]
        n_ords = int(of_one.ords.max()) + 1 if len(of_one) else 0
        counting = choose_half_life(of_one, usual)
        found = count_relation(of_one, n_ords, counting, within_days=within_days)
        arrays |= dict(zip((f"{relation}_{part}" for part in ("indptr", "indices", "weights")), found, strict=True))
        # What later events are counted with beside these lists.
        arrays[f"{relation}_support"] = np.bincount(of_one.ords, minlength=n_ords).astype(np.float32)
        arrays[f"{relation}_until_ms"] = np.array([of_one.time_ms.max(initial=-1)], np.int64)
    return arrays


def choose_half_life(lines: Lines, counting: Counting) -> Counting:
    """With the half-life under which the newest baskets are foretold best; none when there are few."""
    best = counting
    found = hold_out(lines, best, max_cases=CHOOSING_CASES)
    if found["cases"] < LEAST_CHOOSING_CASES:
        return best
    days = float(lines.time_ms.max() - lines.time_ms.min()) / DAY_MS
    for share in HALF_LIVES:
        tried = replace(counting, half_life_days=share * days)
        rate = hold_out(lines, tried, max_cases=CHOOSING_CASES)
        if rate["hit_rate"] > found["hit_rate"] + 1 / found["cases"]:
            best, found = tried, rate
    return best


# --------------------------------------------------------------- evaluation


def evaluate_covisitation(
    events: Iterable[LoggedEvent],
    ord_of: Callable[[str], int],
    *,
    session_gap_minutes: float = 30.0,
    held_out: float = 0.1,
    top_k: int = 20,
    max_cases: int = 5000,
) -> dict[str, float]:
    """Held-out hit rates against popularity, as `viewed_hit_rate`, `viewed_popularity`, `viewed_gain_low`, ….

    The newest share of the contexts is held out; of each, the last item is to be
    found among `top_k` from the items before it. `gain_low` is the lower end of
    the 95% interval of the paired gain: above 0, the relation earns its place.
    """
    lines = read_lines(events, ord_of, session_gap_minutes=session_gap_minutes)
    metrics: dict[str, float] = {}
    for relation, usual in COUNTING.items():
        past, _ = _split(lines[relation], held_out)
        counting = choose_half_life(past, usual)  # by what was before the held-out part: it must not choose
        metrics |= {
            f"{relation}_{k}": v for k, v in hold_out(lines[relation], counting, held_out, top_k, max_cases).items()
        }
    return metrics


def _split(lines: Lines, held_out: float) -> tuple[Lines, Lines]:
    """Without the newest share of the baskets, and those."""
    if not len(lines):
        return lines, lines
    baskets, starts = np.unique(lines.basket, return_index=True)
    cut = np.quantile(lines.time_ms[starts], 1 - held_out)
    newest = np.isin(lines.basket, baskets[lines.time_ms[starts] > cut])
    return lines.take(~newest), lines.take(newest)


def hold_out(
    lines: Lines, counting: Counting, held_out: float = 0.1, top_k: int = 20, max_cases: int = 5000
) -> dict[str, float]:
    """Hit rate of one relation on its newest baskets (orders or sessions), never trained on."""
    nothing = {"cases": 0.0, "hit_rate": 0.0, "popularity": 0.0, "gain_low": 0.0}
    if len(lines) < 20:
        return nothing
    past, tests = _split(lines, held_out)
    if not len(past) or not len(tests):
        return nothing
    n_ords = int(lines.ords.max()) + 1
    indptr, indices, weights = count_relation(past, n_ords, counting)
    popular = np.argsort(-np.bincount(past.ords, minlength=n_ords), kind="stable")
    ends = np.flatnonzero(np.diff(tests.basket, append=-1))
    begins = np.concatenate([[0], ends[:-1] + 1])
    cases = np.flatnonzero(ends > begins)
    if len(cases) > max_cases:
        cases = np.random.default_rng(0).choice(cases, max_cases, replace=False)
    hits = []
    for case in cases.tolist():
        seeds, target = tests.ords[begins[case] : ends[case]][-10:][::-1], int(tests.ords[ends[case]])
        if target in seeds:
            continue
        found = propose(indptr, indices, weights, seeds, top_k)
        shown = popular[: top_k + len(seeds)]
        hits.append((target in found, target in shown[~np.isin(shown, seeds)][:top_k]))
    if not hits:
        return nothing
    table = np.array(hits, np.float64)
    gain = table[:, 0] - table[:, 1]
    low = gain.mean() - 1.96 * gain.std() / np.sqrt(len(gain))
    hit_rate, popularity = table.mean(axis=0).tolist()
    return {"cases": float(len(gain)), "hit_rate": hit_rate, "popularity": popularity, "gain_low": float(low)}


def propose(indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray, seeds: np.ndarray, top_k: int) -> list[int]:
    """The best neighbours of several seeds, the newest first among them counting most."""
    scores: dict[int, float] = {}
    known = set(seeds.tolist())
    for place, seed in enumerate(seeds.tolist()):
        row = slice(int(indptr[seed]), int(indptr[seed + 1]))
        for neighbour, weight in zip(indices[row].tolist(), (weights[row] * 0.8**place).tolist(), strict=True):
            if neighbour not in known:
                scores[neighbour] = scores.get(neighbour, 0.0) + weight
    return sorted(scores, key=scores.__getitem__, reverse=True)[:top_k]


def earns_its_place(metrics: Mapping[str, float]) -> bool:
    """Whether any relation beats popularity on held-out traffic by more than chance."""
    return any(metrics.get(f"{relation}_gain_low", 0.0) > 0 for relation in COUNTING)


def earning(arrays: Mapping[str, np.ndarray], metrics: Mapping[str, float]) -> Arrays:
    """The arrays of those relations only that beat popularity: the others must not serve."""
    kept = [relation for relation in COUNTING if metrics.get(f"{relation}_gain_low", 0.0) > 0]
    return {name: array for name, array in arrays.items() if name.split("_", 1)[0] in kept}
