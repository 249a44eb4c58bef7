"""Opening what was exported, and what all of it is given: tokens, padded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from aisle.errors import ModelDamaged
from aisle.represent.card import MODEL_FILE


def open_session(folder: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """The model in the folder; `threads` 0 means one a core. Raises ModelDamaged when it cannot be read."""
    try:
        return onnxruntime.InferenceSession(
            str(folder / MODEL_FILE), session_options(threads), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the library raises bare Exceptions for a file it cannot read
        raise ModelDamaged(f"{folder}: cannot be loaded ({error})") from error


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Threads that sleep when there is nothing to do."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning workers win half a millisecond a query and take a core from everything else.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def padded(tokens: Sequence[Sequence[int] | NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    """A graph's input: ids and mask, both int64[n, longest], of n texts' tokens."""
    shape = len(tokens), max(1, max(len(of_text) for of_text in tokens))
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, of_text in enumerate(tokens):
        ids[row, : len(of_text)] = of_text
        mask[row, : len(of_text)] = 1
    return {"input_ids": ids, "attention_mask": mask}
