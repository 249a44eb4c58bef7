"""What every text encoder must hold to.

class TestMine(TextEncoderContract):
    @pytest.fixture
    def encoder(self): return Mine(...)
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from aisle.ports import TextEncoder

TEXTS = (
    "red hoodie",
    "",
    "Teton Fleece Pullover Hoodie. Men, Tops, Hoodies. Red Black. Soft brushed fleece for cold mornings.",
    "3/4 in. x 4 ft. x 8 ft. plywood (25-pack)",
    "café \N{SNOWMAN} \N{FACE WITH TEARS OF JOY} שלום 红色连帽衫",
    "\x00\x07\u202e control",
    "half an emoji \ud83d",
    "watch",
)


class TextEncoderContract:
    """Override the fixture; inherit the tests."""

    tolerance = 1e-4
    """Largest difference of one number between a text encoded alone and in a batch."""

    @pytest.fixture
    def encoder(self) -> TextEncoder:
        raise NotImplementedError("give the encoder to test")

    def test_gives_one_unit_row_a_text(self, encoder: TextEncoder) -> None:
        assert isinstance(encoder, TextEncoder)
        vectors = encoder.encode(TEXTS)
        assert vectors.shape == (len(TEXTS), encoder.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)

    def test_no_texts_give_no_rows(self, encoder: TextEncoder) -> None:
        assert encoder.encode([]).shape == (0, encoder.dim)

    def test_a_text_means_the_same_alone_and_in_any_batch(self, encoder: TextEncoder) -> None:
        together = encoder.encode(TEXTS)
        alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
        backwards = encoder.encode(TEXTS[::-1])[::-1]
        np.testing.assert_allclose(together, alone, atol=self.tolerance)
        np.testing.assert_allclose(together, backwards, atol=self.tolerance)

    def test_different_texts_differ(self, encoder: TextEncoder) -> None:
        red, watch = encoder.encode(["red hoodie", "watch"])
        assert float(red @ watch) < 0.999

    def test_a_text_without_end_is_read_from_its_beginning(self, encoder: TextEncoder) -> None:
        long, longer = encoder.encode(["red hoodie " * 20_000, "red hoodie " * 40_000])
        np.testing.assert_allclose(long, longer, atol=self.tolerance)

    def test_is_the_same_from_many_threads(self, encoder: TextEncoder) -> None:
        expected = np.concatenate([encoder.encode([text]) for text in TEXTS])
        with ThreadPoolExecutor(4) as threads:
            for found in threads.map(lambda _: np.concatenate([encoder.encode([t]) for t in TEXTS]), range(8)):
                np.testing.assert_allclose(found, expected, atol=self.tolerance)

    def test_has_a_name_and_knows_its_languages(self, encoder: TextEncoder) -> None:
        assert encoder.name
        assert encoder.name == encoder.name.strip()
        assert encoder.covers("no such language") is False
