"""GraphSAGE (Hamilton, Ying, Leskovec 2017) over products, the names they are told by, and their companions.

torch-geometric's layers; the means over neighbours are sparse matrices made
once, which takes a tenth of the time of gathering edge by edge.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from aisle.models import geometric


class Means:
    """For each of `n_rows` the mean over its `n_columns` neighbours, as a sparse matrix and its transpose."""

    def __init__(self, rows: NDArray[np.int64], columns: NDArray[np.int64], n_rows: int, n_columns: int) -> None:
        values = 1.0 / np.maximum(np.bincount(rows, minlength=n_rows), 1)[rows]
        self.matrix = _sparse(rows, columns, values, (n_rows, n_columns))
        self.transposed = _sparse(columns, rows, values, (n_columns, n_rows))

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        means: torch.Tensor = _Mean.apply(self.matrix, self.transposed, vectors)  # type: ignore[no-untyped-call]
        return means  # [n_rows, dim]


def _sparse(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float64], shape: tuple[int, int]
) -> torch.Tensor:
    order = np.lexsort((columns, rows))
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support")
        return torch.sparse_csr_tensor(
            torch.from_numpy(starts),
            torch.from_numpy(columns[order]),
            torch.from_numpy(values[order].astype(np.float32)),
            shape,
            check_invariants=False,
        )


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, matrix: torch.Tensor, transposed: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        ctx.transposed = transposed
        return matrix @ vectors

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[None, None, torch.Tensor]:
        return None, None, ctx.transposed @ gradient.contiguous()


class _Layer(geometric.SAGEConv):  # type: ignore[misc]
    """W1 own + W2 mean of neighbours + b, the means given."""

    def forward(self, own: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.lin_l(means)
        return made + self.lin_r(own) if self.root_weight else made


class GraphSage(nn.Module):
    """Two layers. A product is its features and names; its companions add to that when it has any.

    Names have a learnt vector, products have none: a product that nobody has
    touched is encoded like any other.
    """

    def __init__(self, n_names: int, n_features: int, dim: int) -> None:
        super().__init__()
        self.features = nn.Linear(n_features, dim)
        self.names = nn.Embedding(n_names, dim)
        nn.init.normal_(self.names.weight, std=dim**-0.5)
        self.told_1, self.told_2 = _Layer(dim, dim), _Layer(dim, dim)
        self.name_1 = _Layer(dim, dim)
        self.company_1 = _Layer(dim, dim, root_weight=False, bias=False)
        self.company_2 = _Layer(dim, dim, root_weight=False, bias=False)

    def forward(
        self, features: torch.Tensor, told: Means, having: Means, company: Means, has_company: torch.Tensor
    ) -> torch.Tensor:
        """Unit vectors float32[n_items, dim] of `features` float32[n_items, f].

        `told` takes the mean of a product's names, `having` of the products of
        a name, `company` of its companions; `has_company` float32[n_items, 1]
        is 0 for products to be encoded as if nobody had touched them.
        """
        own, names = self.features(features), self.names.weight  # [n_items, dim], [n_names, dim]
        first = self.told_1(own, told(names)) + has_company * self.company_1(own, company(own))
        first = torch.relu(first)
        names = torch.relu(self.name_1(names, having(own)))
        second = self.told_2(first, told(names)) + has_company * self.company_2(first, company(first))
        return nn.functional.normalize(second, dim=1)

    @torch.no_grad()
    def exported(self, features: torch.Tensor, having: Means) -> dict[str, NDArray[np.float32]]:
        """What `retrieve.newcomers` needs to encode a product by content alone."""
        own, names = self.features(features), self.names.weight
        kept = {
            "features_w": self.features.weight.T, "features_b": self.features.bias,
            "own_1": self.told_1.lin_r.weight.T, "told_1": self.told_1.lin_l.weight.T, "bias_1": self.told_1.lin_l.bias,
            "own_2": self.told_2.lin_r.weight.T, "told_2": self.told_2.lin_l.weight.T, "bias_2": self.told_2.lin_l.bias,
            "names_1": names, "names_2": torch.relu(self.name_1(names, having(own))),
        }  # fmt: skip
        return {name: np.ascontiguousarray(value.detach().numpy()) for name, value in kept.items()}
