"""Recordings as waveforms, and waveforms as what an audio encoder takes."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aisle.represent.card import AudioCard

MOST_SECONDS: Final = 30
"""Of a recording that are read: its beginning says what it is."""


def read_sound(file: Path) -> tuple[NDArray[np.float32], int]:
    """The first MOST_SECONDS of a WAV file (8, 16 or 32 bits PCM) as mono float32[samples], and samples a second.

    Raises ValueError with the reason for a file that is missing or broken.
    """
    try:
        with wave.open(str(file), "rb") as sound:
            rate, width, channels = sound.getframerate(), sound.getsampwidth(), sound.getnchannels()
            data = sound.readframes(min(sound.getnframes(), rate * MOST_SECONDS))
    except FileNotFoundError:
        raise ValueError("no such file") from None
    except (OSError, EOFError, wave.Error) as error:
        raise ValueError(f"not a WAV recording that can be read: {error}") from None
    kind = {1: "u1", 2: "<i2", 4: "<i4"}.get(width)
    if kind is None or rate < 1 or channels < 1:
        raise ValueError(f"{8 * width} bits a sample are not supported: use 16-bit PCM")
    read = np.frombuffer(data[: len(data) // (width * channels) * width * channels], np.dtype(kind))
    middle, most = (128.0, 128.0) if width == 1 else (0.0, 2.0 ** (8 * width - 1))
    whole = (read.astype(np.float32) - middle) / most
    mono: NDArray[np.float32] = whole.reshape(-1, channels).mean(axis=1).astype(np.float32)
    return mono, rate


def heard(waveform: NDArray[np.float32], rate: int, card: AudioCard) -> NDArray[np.float32]:
    """float32[samples] at the card's rate: the beginning of a recording, padded with silence when it is very short."""
    if rate < 1:
        raise ValueError(f"a recording has at least one sample a second, not {rate}")
    given = np.nan_to_num(np.asarray(waveform, np.float32).reshape(-1))
    most = card.most_samples * rate // card.rate
    samples = resampled(given[:most], rate, card.rate)[: card.most_samples]
    if len(samples) < card.least_samples:
        samples = np.pad(samples, (0, card.least_samples - len(samples)))
    if card.normalised:
        samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    return samples.astype(np.float32)


def resampled(waveform: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """The same sound at another rate; what the lower rate cannot carry is cut off (by Fourier transform)."""
    if rate == wanted or not len(waveform):
        return waveform
    n = max(1, round(len(waveform) * wanted / rate))
    spectrum = np.fft.rfft(waveform.astype(np.float64))[: n // 2 + 1]
    sound: NDArray[np.float32] = (np.fft.irfft(spectrum, n) * (n / len(waveform))).astype(np.float32)
    return sound
