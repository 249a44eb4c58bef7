"""A small network that reads product photos, learned on the shop's own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

EDGE = 64
"""Pixels of the pictures' edges."""

WIDTHS = (32, 64, 128, 192)


class _Block(nn.Module):
    """Depthwise and pointwise convolutions with a way past them (Howard et al. 2017; He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.across = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.up = nn.Conv2d(width, 2 * width, 1)
        self.down = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.up(self.norm(self.across(x)))  # [n, 2 width, h, w]
        found: torch.Tensor = x + self.down(torch.relu(inner))  # [n, width, h, w]
        return found


class PhotoNetwork(nn.Module):
    """Pixels float32[n, 3, EDGE, EDGE] in [-1, 1] to unit vectors float32[n, dim]."""

    def __init__(self, dim: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, WIDTHS[0], 4, stride=4)]
        for narrow, wide in pairwise(WIDTHS):
            layers += [_Block(narrow), nn.BatchNorm2d(narrow), nn.Conv2d(narrow, wide, 2, stride=2)]
        layers += [_Block(WIDTHS[-1]), _Block(WIDTHS[-1]), nn.BatchNorm2d(WIDTHS[-1])]
        self.layers = nn.Sequential(*layers)
        # What a product's colours are is lost on the way through convolutions: their means go along.
        self.out = nn.Linear(2 * WIDTHS[-1] + 3 * 16, dim)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        seen = self.layers(pixels)  # [n, width, 2, 2]
        coarse = nn.functional.avg_pool2d(pixels, EDGE // 4).flatten(1)  # [n, 3 * 16]
        pooled = torch.cat([seen.mean((2, 3)), seen.amax((2, 3)), coarse], 1)  # [n, 2 width + 48]
        vectors = self.out(pooled)  # [n, dim]
        scaled: torch.Tensor = vectors * torch.rsqrt((vectors * vectors).sum(1, keepdim=True) + 1e-12)
        return scaled


class PhotoHeads(nn.Module):
    """One classifier a kind of label, on the vectors while they are learned; only the vectors are kept."""

    def __init__(self, dim: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(dim, size) for size in sizes)

    def forward(self, vectors: torch.Tensor) -> list[torch.Tensor]:
        return [head(8.0 * vectors) for head in self.heads]  # [n, size] each
