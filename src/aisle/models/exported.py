"""Exported graphs: run as the networks they were made of, and written with weights of eight bits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aisle.errors import ModelError

if TYPE_CHECKING:
    import torch

_CPU = Path("/proc/cpuinfo")


def graph(file: Path) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """What the graph in `file` gives for ids and mask int64[n, t], with as many threads as torch uses.

    Raises ModelError, and so does what is returned.
    """
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), 3
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no base of their own
        raise ModelError(f"{file}: cannot be opened: {error}") from error

    def run(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        try:
            return torch.from_numpy(session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0])
        except Exception as error:
            raise ModelError(f"{file}: cannot be run: {error}") from error

    return run


def in_eight_bits(whole: Path, small: Path, *, seven_bits: bool | None = None) -> bool:
    """Write the graph `whole` to `small` with weights in int8, each output of a matrix with a scale of its own.

    A quarter of the size, twice as fast. Activations are rounded as they come,
    so that the numbers of a text depend a little on what shares its batch.
    `seven_bits` uses 7 of the 8 bits: without it, processors that lack VNNI
    overflow when they add up (None: as this machine needs). Returns whether it
    did. Raises ModelError when it cannot be done.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    seven_bits = not has_vnni() if seven_bits is None else seven_bits
    try:
        with _quiet():
            quantize_dynamic(whole, small, per_channel=True, reduce_range=seven_bits, weight_type=QuantType.QInt8)
    except Exception as error:  # what the library raises is not specified
        raise ModelError(f"{whole}: cannot be written in int8: {type(error).__name__}: {error}") from error
    return seven_bits


def has_vnni() -> bool:
    """Whether this processor adds products of bytes up without overflow. Unknown (no Linux, no x86) counts as not."""
    try:
        words = set(_CPU.read_text("utf-8").split())
    except OSError:
        return False
    return bool(words & {"avx512_vnni", "avx_vnni", "amx_int8"})


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's advice to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
