"""Turn an audio model into ONNX, in a process of its own.

    python -m aisle.represent.export_audio --source FOLDER --out FOLDER --name NAME --model NAME --source-hash HEX

Models that read waveforms (Wav2Vec2, HuBERT, WavLM and their like); a recording
is the mean of its frames. Models that read spectrograms are refused with a reason.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aisle.errors import ModelError
from aisle.represent.card import MODEL_FILE, AudioCard, sha256_of
from aisle.represent.exporting import LEAST_PARITY, flat_vector, main_of, parity_of, read_network
from aisle.represent.sounds import MOST_SECONDS, heard

_OPSET = 17
_LEAST_SECONDS = 0.25
"""Shorter recordings are padded with silence: convolutions need something to stand on."""


def export_audio_encoder(source: Path, out: Path, *, name: str, model: str, source_hash: str) -> AudioCard:
    """Write model.onnx and card.json into the empty folder `out`.

    Raises ModelError when the model cannot be exported or the export disagrees with it.
    """
    import torch

    warnings.simplefilter("ignore")
    extractor = _extractor(source)
    rate = int(extractor.sampling_rate)
    about: dict[str, Any] = {
        "name": name, "model": model, "source_hash": source_hash, "rate": rate,
        "normalised": bool(getattr(extractor, "do_normalize", False)),
        "least_samples": int(rate * _LEAST_SECONDS), "most_samples": rate * MOST_SECONDS,
    }  # fmt: skip
    draft = AudioCard(dim=0, parity=0.0, files={}, **about)
    network = _audio_network(read_network(source))
    sounds = _sounds(rate)
    expected = []
    for sound in sounds:
        given = extractor(sound, sampling_rate=rate, return_tensors="pt")["input_values"]
        with torch.no_grad():
            expected.append(network(given).numpy())
    try:
        torch.onnx.export(
            network, (torch.from_numpy(sounds[0])[None],), str(out / MODEL_FILE), input_names=["samples"],
            output_names=["vector"], dynamic_axes={"samples": {0: "sounds", 1: "samples"}, "vector": {0: "sounds"}},
            opset_version=_OPSET, dynamo=False,
        )  # fmt: skip
        parity = parity_of(out / MODEL_FILE, "samples", [heard(sound, rate, draft)[None] for sound in sounds], expected)
    except Exception as error:  # what an exporter raises is not specified
        raise ModelError(f"{source}: cannot be exported to ONNX: {type(error).__name__}: {error}") from error
    if parity < LEAST_PARITY:
        raise ModelError(f"{source}: cosine {parity:.4f} with the original, below {LEAST_PARITY}")
    files = {MODEL_FILE: sha256_of(out / MODEL_FILE)}
    card = AudioCard(dim=int(expected[0].shape[1]), parity=round(parity, 6), files=files, **about)
    card.write(out)
    return card


def _extractor(source: Path) -> Any:
    from transformers import AutoFeatureExtractor

    reader: Any = AutoFeatureExtractor  # its annotations are incomplete

    try:
        extractor = reader.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise ModelError(f"{source}: no feature extractor that can be read ({error})") from error
    if extractor.model_input_names[0] != "input_values" or hasattr(extractor, "num_mel_bins"):
        raise ModelError(f"{source}: reads spectrograms; use a model that reads waveforms (Wav2Vec2, HuBERT, WavLM)")
    return extractor


def _audio_network(network: Any) -> Any:
    """Samples float32[n, t] to unit vectors float32[n, dim]."""
    import torch

    class AudioNetwork(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            return flat_vector(self.network(input_values=samples))

    return AudioNetwork().eval()


def _sounds(rate: int) -> list[NDArray[np.float32]]:
    """Tones and noise of different lengths."""
    rng = np.random.default_rng(0)
    found = []
    for seconds, pitch in ((1.0, 220.0), (0.4, 700.0), (2.3, 90.0)):
        t = np.arange(int(rate * seconds)) / rate
        found.append((0.4 * np.sin(2 * np.pi * pitch * t) + 0.1 * rng.standard_normal(len(t))).astype(np.float32))
    return found


if __name__ == "__main__":
    sys.exit(main_of(export_audio_encoder, __doc__))
