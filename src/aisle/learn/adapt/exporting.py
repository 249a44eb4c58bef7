"""A trained model as files: ONNX with its logits, tokenizer, card; or a language model as Hugging Face keeps it.

Parity of the graph with torch is checked.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from aisle.errors import ModelError, StorageError, TrainingFailed
from aisle.learn.adapt.generation import write_language_model
from aisle.learn.adapt.methods import merged
from aisle.learn.adapt.tasks import AT_ONCE, batched
from aisle.learn.fitted import Fitted
from aisle.learn.tuning import run_bucketed
from aisle.models.exported import graph, in_eight_bits
from aisle.ports import ClassifierCard, Reading

log = logging.getLogger("aisle.learn")

if TYPE_CHECKING:
    from aisle.learn.adapt.generation import Generation
    from aisle.learn.adapt.pairs import Clicks, Graded
    from aisle.learn.adapt.tagging import Tagging
    from aisle.learn.adapt.tasks import Classification
    from aisle.learn.adapt.tune import Adapted

CARD_FILE: Final = "classifier.json"
TAGGER_FILE: Final = "tagger.json"
READING_FILE: Final = "reading.json"
MODEL_FILE: Final = "model.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
ARRAYS_FILE: Final = "arrays.safetensors"
_OPSET: Final = 17
_PARITY: Final = 1e-2
"""Largest difference between two logits; those of a useful classifier lie whole numbers apart."""
_TRIED: Final = 64
"""Texts on which the export is compared with the network."""
_HEAVY: Final = 10_000_000
"""Bytes from which on a classifier is worth making lighter."""
_ENOUGH: Final = 1000
"""Texts that tell how many answers stay, where none are held out."""
_FEWEST: Final = 50
"""Texts below which that is not known."""
_LEAST_SAME: Final = 0.99
"""Least share of texts that get the same label from weights of eight bits, with a probability as `_NEAR`."""
_NEAR: Final = 0.1
"""Largest change of a label's probability: a search believes one of .8."""


def export_classifier(adapted: Adapted, task: Classification, source: Path, out: Path) -> Fitted:
    """Write model.onnx, tokenizer.json and classifier.json (`ports.ClassifierCard`) into the folder `out`.

    The weights get eight bits where that leaves nearly every answer as it is: a
    search waits for this model. The arrays of what is returned are the trained
    weights by name; what was held out is measured by what was written. Raises
    ModelError when the export disagrees with the network, StorageError.
    """
    held = cast("Classification | None", adapted.held)
    after = dict(adapted.after)

    def lighter(file: Path) -> int:
        if file.stat().st_size < _HEAVY:
            return 32
        texts = held.tokens if held is not None else [*task.tokens, *task.read(adapted.unlabelled)]
        bits, logits = _lighter(file, texts if held is not None else texts[:: 1 + len(texts) // _ENOUGH])
        if held is not None and logits is not None:
            after.update(held.measured(logits))
        return bits

    def card(sums: Mapping[str, str], bits: int) -> ClassifierCard:
        return ClassifierCard(task.data.names, task.max_tokens, sums, bits)

    about = {"labels": len(task.data.names)}
    fitted = _export(adapted, task.tokens, source, out, (CARD_FILE, card), about, lighter)
    return replace(fitted, metrics={**fitted.metrics, **{f"{name}_after": value for name, value in after.items()}})


def export_scorer(adapted: Adapted, task: Clicks | Graded, source: Path, out: Path) -> Fitted:
    """Write model.onnx, tokenizer.json and reading.json (`ports.Reading`), as rerankers are kept.

    Raises as `export_classifier`.
    """

    def card(_sums: Mapping[str, str], _bits: int) -> Reading:
        return Reading(task.query_tokens, task.max_tokens)

    tokens = [task.tokens[row] for row in task.rows[:_TRIED].tolist()]
    return _export(
        adapted, tokens, source, out, (READING_FILE, card), {"loss": task.loss_name, "scale": task.data.scale}
    )


def export_tagger(adapted: Adapted, task: Tagging, source: Path, out: Path) -> Fitted:
    """Write model.onnx, tokenizer.json and tagger.json: `ports.ClassifierCard`, with the tags as its names.

    Raises as `export_classifier`.
    """

    def card(sums: Mapping[str, str], _bits: int) -> ClassifierCard:
        return ClassifierCard(task.names, task.max_tokens, sums)

    return _export(adapted, task.tokens, source, out, (TAGGER_FILE, card), {"tags": list(task.names)})


def export_generator(adapted: Adapted, task: Generation, source: Path, out: Path) -> Fitted:
    """Write the language model in Hugging Face's format into the folder `out`; its weights are files, not arrays.

    Raises TrainingFailed for weights that are not finite, StorageError.
    """
    for name, parameter in adapted.network.named_parameters():
        if parameter.requires_grad and not bool(parameter.isfinite().all()):
            raise TrainingFailed(f"{task.name}: {name} holds numbers that are not finite; lower the learning rate")
    shutil.rmtree(out, ignore_errors=True)
    write_language_model(adapted, source, out)
    about = {"architecture": task.kind, "max_tokens": task.max_tokens, "alone": task.data.alone}
    return _fitted(adapted, source, {}, {file.name: file for file in out.iterdir()}, about)


def _export(
    adapted: Adapted,
    tokens: Sequence[NDArray[np.int64]],
    source: Path,
    out: Path,
    card: tuple[str, Callable[[Mapping[str, str], int], ClassifierCard | Reading]],
    about: Mapping[str, Any],
    lighter: Callable[[Path], int] = lambda _file: 32,
) -> Fitted:
    """The network as ONNX, its tokenizer, and a card by its file's name, made of the files' SHA-256 and the bits.

    `lighter` may write the graph anew, and says how many bits its weights have then.
    """
    import torch

    network: Any = merged(adapted.network)
    name, made = card
    try:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        parity = _to_onnx(network, tokens[:_TRIED], out / MODEL_FILE, adapted.task.name)
        bits = lighter(out / MODEL_FILE)
        shutil.copyfile(source / TOKENIZER_FILE, out / TOKENIZER_FILE)
        sums = {file: _sha256(out / file) for file in (MODEL_FILE, TOKENIZER_FILE)}
        (out / name).write_bytes(orjson.dumps(asdict(made(sums, bits)), option=orjson.OPT_INDENT_2) + b"\n")
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}; what serves is untouched") from error
    kept = {name: p for name, p in adapted.network.named_parameters() if p.requires_grad or name.startswith("head.")}
    fitted = _fitted(
        adapted,
        source,
        {name: p.detach().to(torch.float32).numpy() for name, p in kept.items()},
        {file: out / file for file in (MODEL_FILE, TOKENIZER_FILE, name)},
        {**about, "bits": bits},
    )
    return replace(fitted, metrics={**fitted.metrics, "parity": parity})


def _fitted(
    adapted: Adapted, source: Path, arrays: Mapping[str, Any], files: Mapping[str, Path], about: Mapping[str, Any]
) -> Fitted:
    """With what is known of the training."""
    return Fitted(
        adapted.task.name, arrays, files,
        params={"task": adapted.task.name, "method": adapted.method, "base": source.name,
                "recipe": asdict(adapted.recipe) if adapted.recipe else {}, "steps": adapted.steps,
                "held_out": list(adapted.held_out), **about, **adapted.params},
        metrics={
            **{f"{name}_before": value for name, value in adapted.before.items()},
            **{f"{name}_after": value for name, value in adapted.after.items()},
            "trained_share": adapted.share, "training_seconds": adapted.seconds,
        },
    )  # fmt: skip


def write_model(fitted: Fitted, folder: Path) -> None:
    """Put what was exported into a folder of its own, all of it or nothing. Raises StorageError.

    Its card.json has the parameters, what was measured, and the files' SHA-256.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    making = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        for name, file in fitted.files.items():
            shutil.copyfile(file, making / name)
        save_file({name: np.ascontiguousarray(a) for name, a in fitted.arrays.items()}, making / ARRAYS_FILE)
        sums = {file.name: _sha256(file) for file in sorted(making.iterdir())}
        about = {"params": dict(fitted.params), "metrics": dict(fitted.metrics), "sha256": sums}
        (making / "card.json").write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2) + b"\n")
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        making.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(making, ignore_errors=True)
        raise StorageError(f"{folder} cannot be written: {getattr(error, 'strerror', None) or error}") from error


def _to_onnx(network: Any, tokens: Sequence[NDArray[np.int64]], file: Path, name: str) -> float:
    """The largest difference of a logit between the exported graph and the network."""
    import torch

    ids = torch.ones((2, 7), dtype=torch.int64)
    axes = {0: "texts", 1: "tokens"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with torch.no_grad():
                a_token = network.eval()(ids, torch.ones_like(ids)).dim() == 3  # logits of each token
            torch.onnx.export(
                network, (ids, torch.ones_like(ids)), str(file),
                input_names=["input_ids", "attention_mask"], output_names=["logits"],
                dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": axes if a_token else {0: "texts"}},
                opset_version=_OPSET, dynamo=False,
            )  # fmt: skip
        exported, worst = graph(file), 0.0
        for rows in (tokens[:1], tokens):  # alone, and padded
            told, mask = batched(rows, network)
            with torch.no_grad():
                wanted = network(told, mask).numpy()
            apart = np.abs(exported(told, mask).numpy() - wanted)
            worst = max(worst, float((apart[mask.numpy() == 1] if a_token else apart).max()))
    except OSError:
        raise
    except Exception as error:  # what an exporter raises is not specified
        raise ModelError(f"{name}: cannot be exported to ONNX: {type(error).__name__}: {error}") from error
    if not worst <= _PARITY:
        raise ModelError(f"{name}: its ONNX graph disagrees with the network by {worst:.4f}, over {_PARITY}")
    return worst


def _lighter(file: Path, tokens: Sequence[NDArray[np.int64]]) -> tuple[int, NDArray[np.float32] | None]:
    """Write the graph with weights in eight bits where that changes little.

    Returns the bits that it has then, and its logits of the texts where it could be asked.
    """
    small = file.with_suffix(".small")
    whole_says: NDArray[np.float32] | None = None
    try:
        whole_says = run_bucketed(graph(file), tokens, AT_ONCE).numpy()
        if len(tokens) < _FEWEST:
            return 32, whole_says
        in_eight_bits(file, small, seven_bits=True)  # the shop may be served on another processor
        small_says: NDArray[np.float32] = run_bucketed(graph(small), tokens, 1).numpy()  # as it serves
        best, chances, others = whole_says.argmax(1), _chances(whole_says), _chances(small_says)
        rows = np.arange(len(best))
        same = (others.argmax(1) == best) & (np.abs(chances[rows, best] - others[rows, best]) <= _NEAR)
        if same.mean() >= _LEAST_SAME:
            small.replace(file)
            return 8, small_says
        log.info("in eight bits %.1f%% of the answers stay: the weights keep all of theirs", 100 * same.mean())
    except ModelError as error:
        log.warning("%s; the weights keep all of their bits", error)
    finally:
        small.unlink(missing_ok=True)
    return 32, whole_says


def _chances(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    found: NDArray[np.float32] = powers / powers.sum(1, keepdims=True)
    return found


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
