"""What fitting a model gives: everything a version of it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aisle.errors import TrainingFailed
from aisle.types import NOTHING


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model, not yet a version.

    `arrays` and `files` (by the name they get in the version's folder, such as
    `model.onnx`) are what its source is made from; `params` are what was chosen
    and `metrics` what fitting itself measured. The files are copied into the
    version, so they may lie in the folder of checkpoints.

    Raises TrainingFailed when an array holds a number that is not finite: such
    a model must never be saved.
    """

    name: str
    arrays: Mapping[str, np.ndarray]
    files: Mapping[str, Path] = field(default_factory=lambda: NOTHING)
    params: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    metrics: Mapping[str, float] = field(default_factory=lambda: NOTHING)

    def __post_init__(self) -> None:
        for key, array in self.arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise TrainingFailed(
                    f"model {self.name}: {key} holds numbers that are not finite; nothing was saved. "
                    "Train again; if it comes back, lower the learning rate or look for absurd prices in the feed"
                )
