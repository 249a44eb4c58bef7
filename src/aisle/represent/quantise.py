"""An exported encoder in eight bits: each output of a matrix with a scale of its own.

Weights become int8 once; activations are rounded as they come, so the numbers
of a text depend a little on what shares its batch. Per channel, for the whole
matrix under one scale costs four times the error.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from aisle.errors import ModelError
from aisle.represent.card import CARD, MODEL_FILE, TOKENIZER_FILE, EncoderCard, sha256_of
from aisle.represent.export import parity_batches

LEAST_PARITY: Final = 0.95
"""Least cosine of a text's vectors before and after; what falls below has lost more than roundings."""

_CPU = Path("/proc/cpuinfo")


def quantise(folder: Path, out: Path, *, seven_bits: bool | None = None, card_file: str = CARD) -> EncoderCard:
    """Write the encoder exported in `folder` to `out` in int8. Returns its card, whose parity is to the original.

    `seven_bits` uses 7 of the 8 bits: without it, processors that lack VNNI
    overflow when they add up (None: as this machine needs). Raises ModelError
    when it cannot be done or loses too much, ModelDamaged for what is no export.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    before = EncoderCard.verify(folder, card_file)
    seven_bits = not has_vnni() if seven_bits is None else seven_bits
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        making = Path(temporary) / "made"
        making.mkdir()
        try:
            with _quiet():
                quantize_dynamic(
                    folder / MODEL_FILE, making / MODEL_FILE,
                    per_channel=True, reduce_range=seven_bits, weight_type=QuantType.QInt8,
                )  # fmt: skip
        except Exception as error:  # what the library raises is not specified
            raise ModelError(f"{folder}: cannot be written in int8: {type(error).__name__}: {error}") from error
        shutil.copyfile(folder / TOKENIZER_FILE, making / TOKENIZER_FILE)
        parity = _parity(folder, making)
        if parity < LEAST_PARITY:
            raise ModelError(
                f"{folder}: in int8 a text's cosine with the original is {parity:.4f}, below {LEAST_PARITY}"
            )
        how = f"int8 per channel{', 7 bits' if seven_bits else ''}"
        files = {file: sha256_of(making / file) for file in (MODEL_FILE, TOKENIZER_FILE)}
        card = replace(
            before,
            name=f"{before.name}-int8",
            source_hash=files[MODEL_FILE],
            parity=round(parity, 6),
            files=files,
            made=f"{before.made}; {how}" if before.made else how,
            source=before.source or before.model,
        )
        card.write(making, card_file)
        shutil.rmtree(out, ignore_errors=True)
        making.replace(out)
    return card


def has_vnni() -> bool:
    """Whether this processor adds products of bytes up without overflow. Unknown (no Linux, no x86) counts as not."""
    try:
        words = set(_CPU.read_text("utf-8").split())
    except OSError:
        return False
    return bool(words & {"avx512_vnni", "avx_vnni", "amx_int8"})


def _parity(before: Path, after: Path) -> float:
    """The least cosine of a text's vectors by both."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    one, other = (
        onnxruntime.InferenceSession(str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"])
        for folder in (before, after)
    )
    least = 1.0
    for ids, mask in parity_batches(before / TOKENIZER_FILE):
        given = {"input_ids": ids, "attention_mask": mask}
        vectors = (session.run(None, given)[0] for session in (one, other))
        least = min(least, float(np.multiply(*vectors).sum(axis=1).min()))
    return least


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's advice to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
