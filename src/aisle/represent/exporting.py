"""What exporting an image and an audio encoder have in common. Only run in the exporting process."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aisle.errors import AisleError, ModelError
from aisle.types import Vectors

if TYPE_CHECKING:
    import torch

LEAST_PARITY = 0.999
"""Least cosine between the two models' vectors of one thing."""


def read_network(source: Path) -> Any:
    """The model in a folder, ready to be traced. Raises ModelError when it cannot be read."""
    import torch
    from transformers import AutoModel

    options: dict[str, Any] = {"use_safetensors": True, "local_files_only": True, "dtype": torch.float32}
    try:
        # Left in training mode, dropout would be exported with it.
        return AutoModel.from_pretrained(source, attn_implementation="eager", **options).eval()
    except ValueError:
        try:
            return AutoModel.from_pretrained(source, **options).eval()  # convolutions know no attention
        except (ValueError, OSError, KeyError) as error:
            raise ModelError(f"{source}: cannot be read: {error}") from error


def flat_vector(output: Any) -> torch.Tensor:
    """Unit vectors float32[n, dim] of what a model gave: features, what it pooled, or the mean of tokens or places."""
    import torch

    if isinstance(output, torch.Tensor):
        pooled = output
    elif getattr(output, "pooler_output", None) is not None:
        pooled = output.pooler_output
    else:
        pooled = output.last_hidden_state
    if pooled.dim() == 4:
        pooled = pooled.mean((2, 3))  # [n, dim] of [n, dim, h, w]
    elif pooled.dim() == 3:
        pooled = pooled.mean(1)  # [n, dim] of [n, t, dim]
    scaled: torch.Tensor = pooled * torch.rsqrt((pooled * pooled).sum(1, keepdim=True) + 1e-12)
    return scaled


def parity_of(file: Path, name: str, inputs: Sequence[np.ndarray], expected: Sequence[Vectors]) -> float:
    """The least cosine between the exported model's vectors and those expected."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    least = 1.0
    for given, wanted in zip(inputs, expected, strict=True):
        got = session.run(None, {name: given})[0]
        least = min(least, float((got * wanted).sum(axis=1).min()))
    return least


def main_of(export: Any, about: str | None) -> int:
    """The command line of an exporting module."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--source-hash", required=True)
    given = parser.parse_args()
    try:
        export(given.source, given.out, name=given.name, model=given.model, source_hash=given.source_hash)
    except (AisleError, OSError, ValueError, ImportError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
