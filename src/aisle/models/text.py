"""Transformers that read text: one vector a text, or one score a query and a product."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from aisle.errors import ModelError

Pooling = Literal["mean", "cls", "max"]


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
        scores: Tensor = self.head(pool(tokens, kept, self.pooling))[:, 0]  # [n]
        return scores


def pooling_of(source: Path) -> tuple[Pooling, int | None]:
    """How the model's own files pool tokens, and how many tokens they say it reads (None: unsaid).

    Raises ModelError for a module that is not one of transformer, pooling, normalisation.
    """
    limit: int | None = None
    limits = source / "sentence_bert_config.json"
    if limits.exists():
        limit = json.loads(limits.read_text("utf-8")).get("max_seq_length")
    listed = source / "modules.json"
    if not listed.exists():
        return "mean", limit
    pooling: Pooling = "mean"
    for module in json.loads(listed.read_text("utf-8")):
        kind = module["type"].rsplit(".", 1)[-1]
        if kind == "Pooling":
            config = json.loads((source / module["path"] / "config.json").read_text("utf-8"))
            chosen = [k.removeprefix("pooling_mode_") for k, v in config.items() if k.startswith("pooling_mode_") and v]
            named = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
            if len(chosen) != 1 or chosen[0] not in named:
                raise ModelError(f"{source}: pooling {' + '.join(chosen)} is not supported (use mean, cls or max)")
            pooling = cast(Pooling, named[chosen[0]])
        elif kind not in ("Transformer", "Normalize"):
            raise ModelError(f"{source}: module {kind} is not supported")
    return pooling, limit


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
