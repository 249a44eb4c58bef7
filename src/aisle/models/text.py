"""Transformers that read text: one vector a text, or one score a query and a product."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from aisle.models.pooling import Pooling


def read_transformer(source: Path) -> Any:
    """The model in a folder of Hugging Face's format, ready to be traced; nothing is fetched."""
    from transformers import AutoModel

    return AutoModel.from_pretrained(
        source, attn_implementation="eager", use_safetensors=True, local_files_only=True, dtype=torch.float32
    ).eval()  # left in training mode, dropout would be exported with it


class SentenceNetwork(nn.Module):
    """The transformer with pooling and scaling to length 1: (ids, mask) int64[n, t] -> float32[n, dim].

    A mask that is already additive spares every model's own mask arithmetic, but not every model takes one.
    """

    def __init__(self, network: Any, pooling: Pooling, *, additive_mask: bool) -> None:
        super().__init__()
        self.network, self.pooling, self.additive_mask = network, pooling, additive_mask

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        kept = attention_mask.to(torch.float32)  # [n, t]
        mask = (1.0 - kept[:, None, None, :]) * -10_000.0 if self.additive_mask else attention_mask
        tokens = self.network(input_ids=input_ids, attention_mask=mask).last_hidden_state.float()  # [n, t, dim]
        pooled = pool(tokens, kept, self.pooling)  # [n, dim]
        scaled: Tensor = pooled * torch.rsqrt((pooled * pooled).sum(1, keepdim=True) + 1e-12)
        return scaled


class PairNetwork(nn.Module):
    """How well a product answers a query, both read together: (ids, mask) int64[n, t] -> float32[n], a logit.

    The first `n_layers` of a transformer and a linear head on what its tokens become, pooled.
    """

    def __init__(self, network: Any, n_layers: int, pooling: Pooling) -> None:
        super().__init__()
        layers = layers_of(network)
        self.n_layers = min(n_layers, len(layers))
        del layers[self.n_layers :]
        self.network, self.pooling = network, pooling
        self.head = nn.Linear(int(network.config.hidden_size), 1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        kept = attention_mask.to(torch.float32)  # [n, t]
        mask = (1.0 - kept[:, None, None, :]) * -10_000.0
        tokens = self.network(input_ids=input_ids, attention_mask=mask).last_hidden_state.float()  # [n, t, dim]
        pooled = pool(tokens, kept, self.pooling)  # [n, dim]
        # Not as a product of matrices: a score must keep its full precision, also in fast arithmetic.
        return (pooled * self.head.weight[0]).sum(1) + self.head.bias  # [n]


def pool(tokens: Tensor, kept: Tensor, pooling: Pooling) -> Tensor:
    """float32[n, dim] of tokens float32[n, t, dim], of which `kept` float32[n, t] marks the real ones."""
    if pooling == "cls":
        return tokens[:, 0]
    if pooling == "max":
        return (tokens - (1.0 - kept.unsqueeze(-1)) * 10_000.0).amax(1)
    return (tokens * kept.unsqueeze(-1)).sum(1) / kept.sum(1, keepdim=True)


def layers_of(network: Any) -> nn.ModuleList:
    """The transformer's blocks, first to last. Raises ValueError when the model keeps them in no list."""
    lists = [module for module in network.modules() if isinstance(module, nn.ModuleList)]
    if not lists:
        raise ValueError(f"{type(network).__name__} keeps its layers in no list that can be shortened")
    return max(lists, key=len)


def fast_arithmetic() -> torch.autocast:
    """Products of matrices in bfloat16 where the processor has them (twice as fast), else as they are."""
    able = torch.cpu.get_capabilities()
    return torch.autocast("cpu", torch.bfloat16, enabled=bool(able.get("amx_bf16") or able.get("avx512_bf16")))
