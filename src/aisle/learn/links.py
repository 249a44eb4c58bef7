"""Link prediction on the knowledge graph: TransE, and stronger ones beside it.

- TransE (Bordes et al. 2013): a relation is a shift.
- RotatE (Sun et al. 2019): a relation is a rotation in the complex plane.
- ComplEx (Trouillon et al. 2016): a relation weighs a complex product.

The models are torch-geometric's. One departure in training: a corrupted triple
takes a node of the same kind as the one it replaces (a brand for a brand): that
a kettle is not "by" another kettle is learnt in a moment, and teaches nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import TrainingFailed
from aisle.learn.knowledge import BOUGHT, RELATIONS, KnowledgeGraph
from aisle.learn.steady import steadily
from aisle.types import Progress, Scores, Vectors

KINDS: Final = ("transe", "rotate", "complex")
DIM: Final = 64
ROUNDS: Final = 40
MOST_BATCH: Final = 4096
LEAST_BATCH: Final = 256
STEPS: Final = 10
"""Steps of a round that small data gets, by smaller batches."""
RATE: Final = 0.01
MARGIN: Final = {"transe": 0.5, "rotate": 3.0, "complex": 0.0}
NEGATIVES: Final = 4


@dataclass(frozen=True, slots=True)
class Linked:
    """Embedded products, so that the score of a link is `queries(heads, relation) @ targets.T + bias`.

    `heads` float32[n, k] and `relations` float32[r, k'], `targets` float32[n, k], `bias` float32[n].
    """

    kind: str
    heads: Vectors
    relations: Vectors
    targets: Vectors
    bias: Scores

    def queries(self, heads: NDArray[np.int64], relation: int) -> Vectors:
        """float32[m, k]: what the tail of each head by a relation should be like."""
        own, related = self.heads[heads], self.relations[relation]
        if self.kind == "transe":
            shifted: Vectors = own + related
            return shifted
        half = own.shape[1] // 2
        real, imaginary = own[:, :half], own[:, half:]
        by_real, by_imaginary = related[:half], related[half:]
        return np.concatenate([real * by_real - imaginary * by_imaginary, real * by_imaginary + imaginary * by_real], 1)

    def scores(self, heads: NDArray[np.int64], relation: int) -> Scores:
        """float32[m, n] of every product as the tail of each head."""
        scores: Scores = self.queries(heads, relation) @ self.targets.T + self.bias
        return scores


def fit_links(
    graph: KnowledgeGraph,
    links: NDArray[np.int64],
    kind: str,
    *,
    seed: int,
    progress: Progress,
    ends: float = float("inf"),
    threads: int = 1,
    rounds: int = ROUNDS,
) -> Linked:
    """Embed the graph with these `links` int64[m, 3] between products. Raises TrainingFailed."""
    import torch

    triples = torch.from_numpy(np.concatenate([graph.told_triples(), links]))
    low, high = (torch.from_numpy(ends_) for ends_ in _ranges(graph))
    with steadily(seed, threads):
        model = _model(kind, graph.n_nodes)
        chance = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
        batch = min(MOST_BATCH, max(LEAST_BATCH, len(triples) // STEPS))
        for done in range(rounds):
            if time.monotonic() > ends:
                break
            total = torch.zeros(())
            for rows in torch.randperm(len(triples), generator=chance).split(batch):  # type: ignore[no-untyped-call]
                loss = _loss(model, kind, triples[rows], low, high, chance)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                total = total + loss.detach()
            if not torch.isfinite(total):
                raise TrainingFailed(f"graph: the loss of {kind} is not finite; nothing was saved. Train again")
            progress(kind, done + 1, rounds)
    return _linked(model, kind, graph.n_items)


def _model(kind: str, n_nodes: int) -> Any:
    from aisle.models.geometric import ComplEx, RotatE, TransE

    if kind == "transe":
        return TransE(n_nodes, len(RELATIONS), DIM, margin=MARGIN[kind], p_norm=2.0)
    if kind == "rotate":
        return RotatE(n_nodes, len(RELATIONS), DIM // 2, margin=MARGIN[kind])
    return ComplEx(n_nodes, len(RELATIONS), DIM // 2)


def _ranges(graph: KnowledgeGraph) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each node the range [low, high) of nodes of its kind."""
    begins = graph.n_items + np.searchsorted(graph.kinds, graph.kinds)
    ends = graph.n_items + np.searchsorted(graph.kinds, graph.kinds, side="right")
    low = np.concatenate([np.zeros(graph.n_items), begins]).astype(np.int64)
    high = np.concatenate([np.full(graph.n_items, graph.n_items), ends]).astype(np.int64)
    return low, high


def _loss(model: Any, kind: str, triples: Any, low: Any, high: Any, chance: Any) -> Any:
    """Each triple against NEGATIVES with its head or its tail replaced."""
    import torch
    from torch.nn import functional

    head, relation, tail = triples.repeat_interleave(NEGATIVES, 0).T
    at_head = torch.rand(len(head), generator=chance) < 0.5
    replaced = torch.where(at_head, head, tail)
    drawn = torch.rand(len(head), generator=chance)
    other = low[replaced] + (drawn * (high[replaced] - low[replaced])).long()
    good = model(*triples.T)
    bad = model(torch.where(at_head, other, head), relation, torch.where(at_head, tail, other))
    bad = bad.view(-1, NEGATIVES)
    if kind == "transe":
        return functional.relu(MARGIN[kind] - good[:, None] + bad).mean()
    # The nearer a wrong triple, the more it teaches (Sun et al. 2019: self-adversarial negatives).
    share = torch.softmax(bad.detach(), 1)
    return functional.softplus(-good).mean() + (share * functional.softplus(bad)).sum(1).mean()


def _linked(model: Any, kind: str, n_items: int) -> Linked:
    import torch

    with torch.no_grad():
        own = model.node_emb.weight.detach()[:n_items]
        related = model.rel_emb.weight.detach()
        bias = torch.zeros(n_items)
        if kind == "transe":
            own = torch.nn.functional.normalize(own, dim=1)
        else:
            own = torch.cat([own, model.node_emb_im.weight[:n_items]], 1)
            if kind == "rotate":
                related = torch.cat([torch.cos(related), torch.sin(related)], 1)
                # |q - t|^2 = |q|^2 + |t|^2 - 2 q t: the query's own length orders nothing.
                bias = -(own * own).sum(1) / 2
            else:
                related = torch.cat([related, model.rel_emb_im.weight], 1)
    return Linked(kind, own.numpy().copy(), related.numpy().copy(), own.numpy().copy(), bias.numpy().copy())


# ------------------------------------------------------------------ measuring


def rank_links(
    cases: NDArray[np.int64], train: NDArray[np.int64], candidates: NDArray[np.bool_], scores_of: Any
) -> dict[str, float]:
    """`mrr` and `hits@10` of the cases' tails among `candidates` bool[n], links known from training aside.

    `scores_of(heads int64[m], relation) -> float32[m, n]`.
    """
    known: dict[tuple[int, int], list[int]] = {}
    for head, relation, tail in train.tolist():
        known.setdefault((head, relation), []).append(tail)
    places: list[int] = []
    for relation in (BOUGHT, BOUGHT + 1):
        of_one = cases[cases[:, 1] == relation]
        for at in range(0, len(of_one), 512):
            batch = of_one[at : at + 512]
            scores = scores_of(batch[:, 0], relation)
            scores[:, ~candidates] = -np.inf
            right = scores[np.arange(len(batch)), batch[:, 2]].copy()
            for row, head in enumerate(batch[:, 0].tolist()):
                scores[row, [head, *known.get((head, relation), ())]] = -np.inf
            places += (scores > right[:, None]).sum(1).tolist()
    if not places:
        return {"mrr": 0.0, "hits@10": 0.0}
    place = np.array(places)
    return {"mrr": float((1 / (place + 1)).mean()), "hits@10": float((place < 10).mean())}
