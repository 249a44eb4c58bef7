"""Fitting GraphSAGE: products near each other in content and in company, so that new ones find their place."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import TrainingFailed
from aisle.learn.items import ItemTable
from aisle.learn.knowledge import KnowledgeGraph
from aisle.learn.steady import steadily
from aisle.types import Progress, Vectors

if TYPE_CHECKING:
    from aisle.models.graph import Means

DIM: Final = 64
STEPS: Final = 300
BATCH: Final = 4096
RATE: Final = 0.01
NEGATIVES: Final = 512
TEMPERATURE: Final = 0.1
COLD: Final = 0.5
"""Share of the products that a step encodes as if nobody had touched them: what new ones are like."""


@dataclass(frozen=True, slots=True)
class Sage:
    """Unit vectors float32[n, DIM] of all products, and the arrays that encode one by content alone."""

    vectors: Vectors
    encoder: dict[str, np.ndarray]


def features_of(items: ItemTable) -> Vectors:
    """float32[n, f]: text and photo side by side; one column of zeros when there is neither."""
    parts = [vectors for vectors in (items.text, items.image) if vectors.shape[1]]
    return np.concatenate(parts, 1) if parts else np.zeros((len(items), 1), np.float32)


def fit_sage(
    graph: KnowledgeGraph,
    links: NDArray[np.int64],
    items: ItemTable,
    *,
    seed: int,
    progress: Progress,
    ends: float = float("inf"),
    threads: int = 1,
    steps: int = STEPS,
) -> Sage:
    """Linked products attract each other, against others drawn as often as they are linked (logQ corrected).

    `links` int64[m, 3] between products. Raises TrainingFailed.
    """
    import torch

    from aisle.models.graph import GraphSage

    with steadily(seed, threads):
        features = torch.from_numpy(features_of(items))
        told, having, company, touched = _around(graph, links)
        model = GraphSage(max(1, len(graph.names)), features.shape[1], DIM)
        optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
        head, tail = torch.from_numpy(links[:, 0].copy()), torch.from_numpy(links[:, 2].copy())
        share = torch.bincount(tail, minlength=graph.n_items).float() / len(tail)
        n_others = min(NEGATIVES, graph.n_items)
        log_drawn = torch.log(share.clamp(min=1e-9) * n_others)
        for step in range(steps):
            if time.monotonic() > ends:
                break
            cold = torch.rand(graph.n_items, 1) < COLD
            vectors = model(features, told, having, company, touched * ~cold)
            rows = torch.randint(len(head), (min(BATCH, len(head)),))
            others = tail[torch.randint(len(tail), (n_others,))]
            left, right = vectors[head[rows]] / TEMPERATURE, tail[rows]
            good = (left * vectors[right]).sum(1)
            bad = left @ vectors[others].T - log_drawn[others]
            bad = bad.masked_fill((others == right[:, None]) | (others == head[rows][:, None]), -1e9)
            loss = (torch.logsumexp(torch.cat([good[:, None], bad], 1), 1) - good).mean()
            if not torch.isfinite(loss):
                raise TrainingFailed("graph: the loss of GraphSAGE is not finite; nothing was saved. Train again")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if (step + 1) % 20 == 0:
                progress("GraphSAGE", step + 1, steps)
        with torch.no_grad():
            found = model(features, told, having, company, touched)
        return Sage(found.numpy().copy(), model.exported(features, having))


def _around(graph: KnowledgeGraph, links: NDArray[np.int64]) -> tuple[Means, Means, Means, Any]:
    """Neighbourhoods: a product's names, a name's products, a product's companions; and who has any."""
    import torch

    from aisle.models.graph import Means

    n, n_names = graph.n_items, max(1, len(graph.names))
    owners, names = graph.told.owners.astype(np.int64), graph.told.codes.astype(np.int64)
    pairs = np.unique(links[:, [0, 2]], axis=0)
    touched = np.zeros((n, 1), np.float32)
    touched[pairs[:, 0]] = 1
    return (
        Means(owners, names, n, n_names),
        Means(names, owners, n_names, n),
        Means(pairs[:, 0], pairs[:, 1], n, n),
        torch.from_numpy(touched),
    )
