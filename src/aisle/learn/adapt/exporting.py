"""A trained classifier as files: ONNX with its logits, the tokenizer, a card; parity with torch is checked."""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from aisle.errors import ModelError, StorageError
from aisle.learn.adapt.methods import merged
from aisle.learn.fitted import Fitted
from aisle.ports import ClassifierCard

if TYPE_CHECKING:
    from aisle.learn.adapt.tasks import Classification
    from aisle.learn.adapt.tune import Adapted

CARD_FILE: Final = "classifier.json"
MODEL_FILE: Final = "model.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
ARRAYS_FILE: Final = "arrays.safetensors"
_OPSET: Final = 17
_PARITY: Final = 1e-2
"""Largest difference between two logits; those of a useful classifier lie whole numbers apart."""
_TRIED: Final = 64
"""Texts on which the export is compared with the network."""


def export_classifier(adapted: Adapted, task: Classification, source: Path, out: Path) -> Fitted:
    """Write model.onnx, tokenizer.json and classifier.json (`ports.ClassifierCard`) into the folder `out`.

    The arrays of what is returned are the trained weights by name. Raises
    ModelError when the export disagrees with the network, StorageError.
    """
    import torch

    network: Any = merged(adapted.network)
    try:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        parity = _to_onnx(network, task, out / MODEL_FILE)
        shutil.copyfile(source / TOKENIZER_FILE, out / TOKENIZER_FILE)
        sums = {file: _sha256(out / file) for file in (MODEL_FILE, TOKENIZER_FILE)}
        card = ClassifierCard(task.data.names, task.max_tokens, sums)
        (out / CARD_FILE).write_bytes(orjson.dumps(asdict(card), option=orjson.OPT_INDENT_2) + b"\n")
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}; what serves is untouched") from error
    kept = {name: p for name, p in adapted.network.named_parameters() if p.requires_grad or name.startswith("head.")}
    return Fitted(
        task.name,
        {name: p.detach().to(torch.float32).numpy() for name, p in kept.items()},
        {name: out / name for name in (MODEL_FILE, TOKENIZER_FILE, CARD_FILE)},
        params={"task": task.name, "method": adapted.method, "base": source.name, "recipe": asdict(adapted.recipe),
                "labels": len(task.data.names), "steps": adapted.steps, **adapted.params},
        metrics={
            **{f"{name}_before": value for name, value in adapted.before.items()},
            **{f"{name}_after": value for name, value in adapted.after.items()},
            "trained_share": adapted.share, "training_seconds": adapted.seconds, "parity": parity,
        },
    )  # fmt: skip


def write_classifier(fitted: Fitted, folder: Path) -> None:
    """Put a classifier into a folder of its own, all of it or nothing. Raises StorageError."""
    from safetensors.numpy import save_file

    making = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        for name, file in fitted.files.items():
            shutil.copyfile(file, making / name)
        save_file({name: np.ascontiguousarray(a) for name, a in fitted.arrays.items()}, making / ARRAYS_FILE)
        about = {"params": dict(fitted.params), "metrics": dict(fitted.metrics)}
        (making / "card.json").write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2) + b"\n")
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        making.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(making, ignore_errors=True)
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}") from error


def _to_onnx(network: Any, task: Classification, file: Path) -> float:
    """The largest difference of a logit between the exported graph and the network."""
    import onnxruntime
    import torch

    from aisle.learn.adapt.tasks import padded

    ids = torch.ones((2, 7), dtype=torch.int64)
    axes = {0: "texts", 1: "tokens"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network.eval(), (ids, torch.ones_like(ids)), str(file),
                input_names=["input_ids", "attention_mask"], output_names=["logits"],
                dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "texts"}},
                opset_version=_OPSET, dynamo=False,
            )  # fmt: skip
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        worst = 0.0
        tried = task.tokens[:_TRIED]
        for rows in (tried[:1], tried):  # alone, and padded
            told, mask = padded(rows, network)
            with torch.no_grad():
                wanted = network(told, mask).numpy()
            got = session.run(None, {"input_ids": told.numpy(), "attention_mask": mask.numpy()})[0]
            worst = max(worst, float(np.abs(got - wanted).max()))
    except OSError:
        raise
    except Exception as error:  # what an exporter raises is not specified
        raise ModelError(f"{task.name}: cannot be exported to ONNX: {type(error).__name__}: {error}") from error
    if not worst <= _PARITY:
        raise ModelError(f"{task.name}: its ONNX graph disagrees with the network by {worst:.4f}, over {_PARITY}")
    return worst


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
