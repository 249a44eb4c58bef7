"""Transformers that read text: one vector a text, or one score a query and a product."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from aisle.models.pooling import Pooling

KEPT_HEADS: Final = "kept_heads"
"""In the config of a pruned model: heads of attention that each of its layers has left, each as wide as before."""
_TELLING: Final = (".json", ".txt", ".model")


def read_transformer(source: Path) -> Any:
    """The model in a folder of Hugging Face's format, ready to be traced; nothing is fetched."""
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    quiet: Any = logging
    quiet.disable_progress_bar()  # whoever asked for a model shows a bar of their own
    if json.loads((source / "config.json").read_text("utf-8")).get(KEPT_HEADS):
        from safetensors.torch import load_file

        # No config of Hugging Face's can say that heads are fewer and as wide as before, so they are cut off again.
        config = AutoConfig.from_pretrained(source, local_files_only=True)
        made: Any = AutoModel  # its from_config has no types
        network = made.from_config(config, attn_implementation="eager", dtype=torch.float32)
        for layer in layers_of(network):
            narrow(layer, range(getattr(config, KEPT_HEADS)), range(config.intermediate_size))
        network.load_state_dict(load_file(source / "model.safetensors"))
        return network.eval()
    return AutoModel.from_pretrained(
        source, attn_implementation="eager", use_safetensors=True, local_files_only=True, dtype=torch.float32
    ).eval()  # left in training mode, dropout would be exported with it


def save_transformer(transformer: Any, source: Path, folder: Path, *, kept: Sequence[str] = _TELLING) -> None:
    """Write it in Hugging Face's format. What tells how it pools and splits words comes from the folder `source`, of
    which it was made: files whose names end as `kept` says. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in source.rglob("*"):
        if file.is_file() and file.suffix in kept:
            (folder / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / file.relative_to(source))
    try:
        transformer.save_pretrained(folder)
    except SafetensorError as error:  # a full disk, by another name
        raise OSError(str(error)) from error


def narrow(layer: Any, heads: Sequence[int], neurons: Sequence[int]) -> None:
    """Leave a block of BERT's kind those heads of attention and neurons; its matrices really get smaller."""
    attention = layer.attention.self
    width = attention.attention_head_size
    kept = [head * width + place for head in heads for place in range(width)]
    for name in ("query", "key", "value"):
        setattr(attention, name, _part(getattr(attention, name), kept, 0))
    layer.attention.output.dense = _part(layer.attention.output.dense, kept, 1)
    attention.num_attention_heads, attention.all_head_size = len(heads), len(kept)
    layer.intermediate.dense = _part(layer.intermediate.dense, neurons, 0)
    layer.output.dense = _part(layer.output.dense, neurons, 1)


def _part(linear: nn.Linear, kept: Sequence[int], axis: int) -> nn.Linear:
    """The outputs (axis 0) or inputs (axis 1) of a linear map that are kept."""
    rows = torch.tensor(list(kept))
    weight = linear.weight.detach().index_select(axis, rows)
    bias = linear.bias.detach()
    part = nn.Linear(weight.shape[1], weight.shape[0])
    part.weight, part.bias = nn.Parameter(weight), nn.Parameter(bias[rows] if axis == 0 else bias.clone())
    return part


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
