"""LightGCN (He et al. 2020): vectors of products, spread over who took what.

Two departures. Shoppers have no vector of their own to learn, theirs is what
spreads to them: so a shopper who came after training is folded in as those of
training were. And the graph that spreads leaves out the pairs to be predicted,
or the model would only learn to give back what it was told.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from aisle.models import geometric


class _Spread(torch.autograd.Function):
    """adjacency @ vectors for a symmetric adjacency, whose gradient needs no transposition (four times as fast)."""

    @staticmethod
    def forward(ctx: Any, adjacency: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        ctx.adjacency = adjacency
        return adjacency @ vectors

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, ctx.adjacency @ gradient.contiguous()


class _Convolution(nn.Module):
    """One layer of spreading, in place of torch-geometric's for any graph."""

    def forward(self, vectors: torch.Tensor, adjacency: torch.Tensor, _: None = None) -> torch.Tensor:
        spread: torch.Tensor = _Spread.apply(adjacency, vectors)  # type: ignore[no-untyped-call]
        return spread


class LightGCN(geometric.LightGCN):  # type: ignore[misc]
    """Nodes are shoppers, then products. `forward` gives unit vectors of all of them."""

    def __init__(self, n_shoppers: int, n_items: int, dim: int, n_layers: int) -> None:
        super().__init__(n_shoppers + n_items, dim, n_layers)
        self.n_shoppers = n_shoppers
        self.convs = nn.ModuleList(_Convolution() for _ in range(n_layers))
        with torch.no_grad():
            self.embedding.weight[:n_shoppers] = 0
        self.embedding.weight.register_hook(self._of_items)

    def _of_items(self, gradient: torch.Tensor) -> torch.Tensor:
        gradient = gradient.clone()
        gradient[: self.n_shoppers] = 0
        return gradient

    def forward(self, adjacency: torch.Tensor) -> torch.Tensor:
        """float32[n_shoppers + n_items, dim], rows of length 1; `adjacency` as `Pairs` makes it."""
        return nn.functional.normalize(self.get_embedding(adjacency), dim=1)


class Pairs:
    """Who took what, as a graph: pair p joins `shopper[p]` and `item[p]`."""

    def __init__(self, shopper: NDArray[np.int32], item: NDArray[np.int32], n_shoppers: int, n_items: int) -> None:
        self.n_nodes = n_shoppers + n_items
        ends = np.concatenate([shopper.astype(np.int64), item.astype(np.int64) + n_shoppers])  # [2 * n]
        others = np.concatenate([ends[len(shopper) :], ends[: len(shopper)]])  # [2 * n]
        order = np.lexsort((others, ends))
        self._row, self._column = torch.from_numpy(ends[order]), torch.from_numpy(others[order])
        self._pair = torch.from_numpy(np.concatenate([np.arange(len(shopper))] * 2)[order])  # [2 * n]
        counts = np.bincount(ends, minlength=self.n_nodes)
        self._starts = torch.from_numpy(np.concatenate([[0], np.cumsum(counts)]))  # [n_nodes + 1]

    def adjacency(self, weight: torch.Tensor) -> torch.Tensor:
        """Sparse [n_nodes, n_nodes], symmetric and normalised; `weight` float32[n] of each pair, 0: left out."""
        of_edge = weight[self._pair]  # [2 * n]
        degree = torch.zeros(self.n_nodes).index_add_(0, self._row, of_edge)  # [n_nodes]
        scale = torch.where(degree > 0, degree.clamp(min=1e-9).rsqrt(), torch.zeros(()))
        values = of_edge * scale[self._row] * scale[self._column]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support")
            return torch.sparse_csr_tensor(
                self._starts, self._column, values, (self.n_nodes, self.n_nodes), check_invariants=False
            )
