"""What every image encoder must hold to.

class TestMine(ImageEncoderContract):
    @pytest.fixture
    def encoder(self): return Mine(...)
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from aisle.ports import ImageEncoder


def pictures() -> list[NDArray[np.uint8]]:
    """Pictures of different sizes and colours: a pixel, a line, a banner, something large."""
    rng = np.random.default_rng(0)
    sizes = ((1, 1), (3, 200), (200, 3), (64, 64), (480, 596), (900, 1200))
    found = []
    for height, width in sizes:
        ground = rng.integers(0, 256, 3)
        noise = rng.normal(0, 20, (height, width, 3))
        picture = np.clip(ground + noise, 0, 255).astype(np.uint8)
        picture[: height // 2, : width // 2] = rng.integers(0, 256, 3)
        found.append(picture)
    return found


class ImageEncoderContract:
    """Override the fixture; inherit the tests."""

    tolerance = 1e-4
    """Largest difference of one number between a picture encoded alone and in a batch."""

    @pytest.fixture
    def encoder(self) -> ImageEncoder:
        raise NotImplementedError("give the encoder to test")

    def test_gives_one_unit_row_a_picture(self, encoder: ImageEncoder) -> None:
        assert isinstance(encoder, ImageEncoder)
        vectors = encoder.encode(pictures())
        assert vectors.shape == (len(pictures()), encoder.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)

    def test_no_pictures_give_no_rows(self, encoder: ImageEncoder) -> None:
        assert encoder.encode([]).shape == (0, encoder.dim)

    def test_a_picture_means_the_same_alone_and_in_any_batch(self, encoder: ImageEncoder) -> None:
        together = encoder.encode(pictures())
        alone = np.concatenate([encoder.encode([picture]) for picture in pictures()])
        backwards = encoder.encode(pictures()[::-1])[::-1]
        np.testing.assert_allclose(together, alone, atol=self.tolerance)
        np.testing.assert_allclose(together, backwards, atol=self.tolerance)

    def test_different_pictures_differ(self, encoder: ImageEncoder) -> None:
        black, white = encoder.encode([np.zeros((90, 90, 3), np.uint8), np.full((90, 90, 3), 255, np.uint8)])
        assert float(black @ white) < 0.9999

    def test_reading_a_picture_leaves_it_as_it_is(self, encoder: ImageEncoder) -> None:
        picture = pictures()[3]
        before = picture.copy()
        picture.flags.writeable = False
        encoder.encode([picture])
        np.testing.assert_array_equal(picture, before)

    def test_is_the_same_from_many_threads(self, encoder: ImageEncoder) -> None:
        expected = encoder.encode(pictures())
        with ThreadPoolExecutor(4) as threads:
            for found in threads.map(lambda _: encoder.encode(pictures()), range(4)):
                np.testing.assert_allclose(found, expected, atol=self.tolerance)

    def test_has_a_name(self, encoder: ImageEncoder) -> None:
        assert encoder.name
        assert encoder.name == encoder.name.strip()
