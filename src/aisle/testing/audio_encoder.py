"""What every audio encoder must hold to.

class TestMine(AudioEncoderContract):
    @pytest.fixture
    def encoder(self): return Mine(...)
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from aisle.ports import AudioEncoder

RATE = 16_000


def sounds() -> list[NDArray[np.float32]]:
    """A click, a tone, noise, silence."""
    rng = np.random.default_rng(0)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    return [
        np.ones(3, np.float32),
        tone.astype(np.float32),
        (0.1 * rng.standard_normal(RATE // 2)).astype(np.float32),
        np.zeros(RATE // 3, np.float32),
    ]


class AudioEncoderContract:
    """Override the fixture; inherit the tests."""

    tolerance = 1e-4
    """Largest difference of one number between a recording encoded alone and with others."""

    @pytest.fixture
    def encoder(self) -> AudioEncoder:
        raise NotImplementedError("give the encoder to test")

    def test_gives_one_unit_row_a_recording(self, encoder: AudioEncoder) -> None:
        assert isinstance(encoder, AudioEncoder)
        vectors = encoder.encode(sounds(), RATE)
        assert vectors.shape == (len(sounds()), encoder.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)

    def test_no_recordings_give_no_rows(self, encoder: AudioEncoder) -> None:
        assert encoder.encode([], RATE).shape == (0, encoder.dim)

    def test_a_recording_means_the_same_alone_and_with_others(self, encoder: AudioEncoder) -> None:
        together = encoder.encode(sounds(), RATE)
        alone = np.concatenate([encoder.encode([sound], RATE) for sound in sounds()])
        np.testing.assert_allclose(together, alone, atol=self.tolerance)

    def test_the_same_sound_at_another_rate_is_nearly_the_same(self, encoder: AudioEncoder) -> None:
        at = [0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate) for rate in (RATE, 2 * RATE)]
        one = encoder.encode([at[0].astype(np.float32)], RATE)
        two = encoder.encode([at[1].astype(np.float32)], 2 * RATE)
        assert float(one[0] @ two[0]) > 0.98

    def test_different_sounds_differ(self, encoder: AudioEncoder) -> None:
        _, tone, noise, _ = encoder.encode(sounds(), RATE)
        assert float(tone @ noise) < 0.9999

    def test_a_recording_without_end_is_heard_from_its_beginning(self, encoder: AudioEncoder) -> None:
        rng = np.random.default_rng(1)
        long = (0.1 * rng.standard_normal(RATE * 61)).astype(np.float32)
        one, two = encoder.encode([long[: RATE * 60], long], RATE)
        np.testing.assert_allclose(one, two, atol=self.tolerance)

    def test_has_a_name(self, encoder: AudioEncoder) -> None:
        assert encoder.name
        assert encoder.name == encoder.name.strip()
