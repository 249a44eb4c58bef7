"""The knowledge graph as a model: related products, a place for new ones, and the facts that relate them.

Two embeddings of one graph: link prediction (`learn.links`: TransE, RotatE or
ComplEx, whichever predicts held-out links best here) for products that shoppers
touched, and GraphSAGE (`learn.sage`) for all. The related products of each are
fused by place, weighed by how well each predicted held-out links.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.learn.fitted import Fitted
from aisle.learn.interactions import Interactions
from aisle.learn.items import ItemTable
from aisle.learn.knowledge import BOUGHT, VIEWED, HeldOutLinks, KnowledgeGraph
from aisle.learn.links import KINDS, Linked, fit_links, rank_links
from aisle.learn.sage import Sage, fit_sage
from aisle.types import Progress, Scores, Vectors

log = logging.getLogger("aisle.training")

GRAPH: Final = "graph"
FEWEST_LINKS: Final = 100
FEWEST_ITEMS: Final = 20

NEAREST: Final = 50
"""Related products of each that are kept."""
SMOOTH: Final = 5.0
"""Added to a place before its reciprocal is taken: the first places of a list differ little."""

HELD_OUT: Final = 0.1
MOST_HELD_OUT: Final = 2000
_CHUNK: Final = 512


def fit_graph(
    past: Interactions,
    items: ItemTable,
    *,
    work: Path,
    progress: Progress,
    seed: int = 0,
    seconds: float = 0.0,
    threads: int = 1,
    before: Fitted | None = None,
    kinds: tuple[str, ...] = KINDS,
) -> Fitted | None:
    """Related products of every product alive, vectors, an encoder for newcomers, and what relates them.

    `before` is an earlier fit whose choices are kept; then every link is learnt
    from. `seconds` (0: no limit) is what the fit should take at most. `work` is
    not used: each part takes a minute or two. Arrays: see `_arrays`. None when
    shoppers linked too few products.

    Raises TrainingFailed when the numbers run away.
    """
    graph = KnowledgeGraph.of(past, items)
    links = graph.links()
    n_linked = len(np.unique(links[:, 0]))
    if len(links) < FEWEST_LINKS or n_linked < FEWEST_ITEMS:
        log.info(
            "graph: not fitted: shoppers linked %d products in %d ways; it needs %d and %d",
            n_linked, len(links), FEWEST_ITEMS, FEWEST_LINKS,
        )  # fmt: skip
        return None
    ends = time.monotonic() + seconds if seconds > 0 else float("inf")
    if before is not None and before.params.get("kind") in KINDS:
        kind = before.params["kind"]
        linked = fit_links(graph, links, kind, seed=seed, progress=progress, ends=_part(ends, 0.5), threads=threads)
        sage = fit_sage(graph, links, items, seed=seed, progress=progress, ends=ends, threads=threads)
        shares = Shares(before.params["share_links"], before.params["share_sage"])
        metrics: Mapping[str, float] = before.metrics
    else:
        held = HeldOutLinks.of(links, share=HELD_OUT, most=MOST_HELD_OUT, seed=seed)
        sage = fit_sage(graph, held.train, items, seed=seed, progress=progress, ends=_part(ends, 0.4), threads=threads)

        def fit(kind: str, until: float) -> Linked:
            return fit_links(graph, held.train, kind, seed=seed, progress=progress, ends=until, threads=threads)

        linked, metrics = _best_links(held, items.alive, kinds, fit, ends)
        of_sage = rank_links(held.cases, held.train, items.alive, lambda heads, _: _near(sage.vectors, heads))
        metrics = {**metrics, "sage.heldout_mrr": of_sage["mrr"], "sage.heldout_hits@10": of_sage["hits@10"]}
        shares = Shares(metrics[f"{linked.kind}.heldout_mrr"], of_sage["mrr"])
    progress("related products", 0, 0)
    params = {
        "kind": linked.kind, "share_links": shares.links, "share_sage": shares.sage, "n_items": int(items.alive.sum()),
        "n_names": len(graph.names), "n_links": len(links), "n_told": len(graph.told.codes),
    }  # fmt: skip
    return Fitted(GRAPH, _arrays(graph, items, linked, sage, shares), params=params, metrics=metrics)


@dataclass(frozen=True, slots=True)
class Shares:
    """How much each embedding's related products count: its reciprocal rank on held-out links."""

    links: float
    sage: float


def _part(ends: float, share: float) -> float:
    now = time.monotonic()
    return now + share * (ends - now)


def _near(vectors: Vectors, heads: NDArray[np.int64]) -> Scores:
    scores: Scores = vectors[heads] @ vectors.T
    return scores


def _best_links(
    held: HeldOutLinks,
    alive: NDArray[np.bool_],
    kinds: tuple[str, ...],
    fit: Callable[[str, float], Linked],
    ends: float,
) -> tuple[Linked, dict[str, float]]:
    found: list[tuple[float, Linked]] = []
    metrics: dict[str, float] = {"links.heldout": float(len(held.cases))}
    for done, kind in enumerate(kinds):
        if found and time.monotonic() > ends:
            break
        linked = fit(kind, _part(ends, 1 / (len(kinds) - done)))
        told = rank_links(held.cases, held.train, alive, linked.scores)
        metrics |= {f"{kind}.heldout_mrr": told["mrr"], f"{kind}.heldout_hits@10": told["hits@10"]}
        found.append((told["mrr"], linked))
    return max(found, key=lambda one: one[0])[1], metrics


# ------------------------------------------------------------------- arrays


def _arrays(
    graph: KnowledgeGraph, items: ItemTable, linked: Linked, sage: Sage, shares: Shares
) -> dict[str, np.ndarray]:
    """What `retrieve.graph` reads.

    `indptr` int64[n + 1], `indices` int32[m], `weights` float32[m]: related
    products, best first. `vectors` float32[n, k] of GraphSAGE and `nearest`
    float16[n, NEAREST], the cosines of those nearest to each. The graph:
    `told_indptr`, `told_names` (ascending), `bought_indptr`, `bought_indices`,
    `viewed_indptr`, `viewed_indices`, `name_kinds` int8, `name_sizes` int32 (how
    many products have it). `about`: JSON of the names and shares. The rest are
    the encoder's.
    """
    indptr, indices, weights, nearest = _related(graph, items.alive, linked, sage.vectors, shares)
    about = {"names": list(graph.names), "share_sage": shares.sage}
    return {
        "indptr": indptr, "indices": indices, "weights": weights,
        "vectors": sage.vectors, "nearest": nearest, "alive": items.alive,
        "told_indptr": graph.told.indptr, "told_names": graph.told.codes,
        "bought_indptr": graph.bought.indptr, "bought_indices": graph.bought.indices,
        "viewed_indptr": graph.viewed.indptr, "viewed_indices": graph.viewed.indices,
        "name_kinds": graph.kinds,
        "name_sizes": np.bincount(graph.told.codes, minlength=len(graph.names)).astype(np.int32),
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        **{f"encoder_{name}": array for name, array in sage.encoder.items()},
    }  # fmt: skip


def _related(
    graph: KnowledgeGraph, alive: NDArray[np.bool_], linked: Linked, vectors: Vectors, shares: Shares
) -> tuple[NDArray[np.int64], NDArray[np.int32], Scores, NDArray[np.float16]]:
    """The lists of both embeddings, fused by place (Cormack et al. 2009), each by its share."""
    n = graph.n_items
    n_kept = min(NEAREST, max(1, int(alive.sum()) - 1))
    nearest = np.ones((n, n_kept), np.float16)
    rows: list[NDArray[np.int64]] = []
    tails: list[NDArray[np.int64]] = []
    parts: list[NDArray[np.float64]] = []
    relations = [(BOUGHT, graph.bought), (VIEWED, graph.viewed)]
    heads = np.flatnonzero(alive)
    for at in range(0, len(heads), _CHUNK):
        batch = heads[at : at + _CHUNK]
        near = _near(vectors, batch)
        lists = [(near, np.ones(len(batch), bool), shares.sage)]
        for relation, companions in relations:
            # A product that nobody touched has no place among the links of its own.
            touched = np.diff(companions.indptr)[batch] > 0
            if touched.any():
                n_relations = sum(len(each) > 0 for _, each in relations)
                lists.append((linked.scores(batch, relation), touched, shares.links / n_relations))
        for scores, known, share in lists:
            scores[:, ~alive] = -np.inf
            scores[np.arange(len(batch)), batch] = -np.inf
            found = _top(scores, n_kept)
            if scores is near:
                nearest[batch] = np.take_along_axis(scores, found, 1).astype(np.float16)
            rows.append(np.repeat(batch[known], n_kept))
            tails.append(found[known].ravel())
            parts.append(np.tile(share / (np.arange(n_kept) + SMOOTH), int(known.sum())))
    return *_fused(np.concatenate(rows), np.concatenate(tails), np.concatenate(parts), n), nearest


def _top(scores: Scores, n: int) -> NDArray[np.int64]:
    """int64[m, n]: columns of the largest of each row, best first."""
    found = np.argpartition(-scores, n - 1, axis=1)[:, :n]
    found.sort(axis=1)  # ties by ord, however the partition left them
    order = np.argsort(-np.take_along_axis(scores, found, 1), axis=1, kind="stable")
    best: NDArray[np.int64] = np.take_along_axis(found, order, 1)
    return best


def _fused(
    rows: NDArray[np.int64], tails: NDArray[np.int64], parts: NDArray[np.float64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], Scores]:
    cells, of_cell = np.unique(rows * n + tails, return_inverse=True)
    sums = np.bincount(of_cell, parts)
    heads, tails = np.divmod(cells, n)
    order = np.lexsort((tails, -sums, heads))
    starts = np.searchsorted(heads, np.arange(n + 1))
    order = order[np.arange(len(heads)) - starts[heads] < NEAREST]
    indptr = np.concatenate([[0], np.cumsum(np.minimum(np.diff(starts), NEAREST))]).astype(np.int64)
    return indptr, tails[order].astype(np.int32), sums[order].astype(np.float32)
