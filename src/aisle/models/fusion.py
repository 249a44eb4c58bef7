"""Several modalities of a product as one vector, learned: gated attention, and a joint space.

Both read the same blocks, one a modality, float32[n, d_m] with rows of zeros
where a modality is missing, and give unit vectors float32[n, out]. Parameters
have plain names, so that numpy runs what was learned (`learn.tower`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

HIDDEN = 128
GATE = 32


def _linear(rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(rows, columns) / rows**0.5)


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Rows of length 1; zeros stay zeros."""
    return vectors * torch.rsqrt((vectors * vectors).sum(1, keepdim=True) + 1e-12)


class AttentiveFusion(nn.Module):
    """Each modality is projected; a gate weighs those that are present, behaviour among them."""

    def __init__(self, sizes: Mapping[str, int], out: int) -> None:
        super().__init__()
        self.names = tuple(sizes)
        for name, size in sizes.items():
            self.register_parameter(f"{name}_in", _linear(size, HIDDEN))
            self.register_parameter(f"{name}_bias", nn.Parameter(torch.zeros(HIDDEN)))
        self.gate = _linear(HIDDEN, GATE)
        self.gate_prior = nn.Parameter(torch.zeros(len(sizes)))
        self.gate_out = _linear(GATE, 1)
        self.out = _linear(HIDDEN, out)

    def forward(self, blocks: Mapping[str, torch.Tensor]) -> torch.Tensor:
        parts = [blocks[name] @ self.get_parameter(f"{name}_in") for name in self.names]
        hidden = torch.stack(
            [part + self.get_parameter(f"{name}_bias") for part, name in zip(parts, self.names, strict=True)], 1
        )  # [n, m, hidden]
        present = torch.stack([blocks[name].any(1) for name in self.names], 1)  # [n, m]
        told = (torch.tanh(hidden @ self.gate) @ self.gate_out).squeeze(2) + self.gate_prior  # [n, m]
        # A row without anything keeps equal shares: softmax over nothing has no value.
        shares = torch.softmax(told.masked_fill(~present, -1e4), 1) * present  # [n, m]
        pooled = (shares.unsqueeze(2) * hidden).sum(1)  # [n, hidden]
        return unit(pooled @ self.out)  # [n, out]


class JointFusion(nn.Module):
    """Two towers into one space: what a product is, and what shoppers do with it.

    The content tower never sees behaviour, so a product that nobody has touched
    lies where its content puts it; behaviour moves those that were touched.
    """

    def __init__(self, sizes: Mapping[str, int], out: int) -> None:
        super().__init__()
        self.names = tuple(name for name in sizes if name != "behaviour")
        for name in self.names:
            self.register_parameter(f"{name}_in", _linear(sizes[name], HIDDEN))
        self.bias = nn.Parameter(torch.zeros(HIDDEN))
        self.out = _linear(HIDDEN, out)
        self.skip = _linear(HIDDEN, out)
        self.behaves = "behaviour" in sizes
        if self.behaves:
            self.behaviour_in = _linear(sizes["behaviour"], HIDDEN)
            self.behaviour_bias = nn.Parameter(torch.zeros(HIDDEN))
            self.behaviour_out = _linear(HIDDEN, out)
            self.behaviour_share = nn.Parameter(torch.zeros(1))

    def forward(self, blocks: Mapping[str, torch.Tensor]) -> torch.Tensor:
        hidden = self.bias + sum(blocks[name] @ self.get_parameter(f"{name}_in") for name in self.names)  # [n, hidden]
        vectors = unit(torch.relu(hidden) @ self.out + hidden @ self.skip)  # [n, out]
        if self.behaves:
            done = blocks["behaviour"]
            moved = torch.relu(done @ self.behaviour_in + self.behaviour_bias) @ self.behaviour_out  # [n, out]
            present = done.any(1, keepdim=True)  # [n, 1]
            vectors = vectors + torch.exp(self.behaviour_share) * unit(moved) * present
        return unit(vectors)
