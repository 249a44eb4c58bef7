"""Photo files as pixels, and pixels as what an image encoder takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.represent.card import ImageCard

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS: Final = 80_000_000
"""Of one photo; a small file may unpack to gigabytes."""

_LARGE_ENOUGH: Final = 512
"""Pixels of an edge that every encoder can do with: JPEGs are read at the nearest power of two above it."""


def read_picture(file: Path) -> NDArray[np.uint8]:
    """RGB uint8[height, width, 3] of a photo, upright, what is transparent made white.

    Raises ValueError with the reason for a file that is missing, broken or too large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(file) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise ValueError(f"larger than {MOST_PIXELS // 1_000_000} megapixels")
            picture.draft("RGB", (_LARGE_ENOUGH, _LARGE_ENOUGH))
            upright = ImageOps.exif_transpose(picture)
            if "A" in upright.getbands() or "transparency" in upright.info:
                seen = upright.convert("RGBA")
                ground = Image.new("RGBA", seen.size, "white")
                upright = Image.alpha_composite(ground, seen)
            return np.asarray(upright.convert("RGB"), np.uint8)
    except FileNotFoundError:
        raise ValueError("no such file") from None
    except UnidentifiedImageError:
        raise ValueError("not a picture that can be read") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # what PIL raises for broken files
        raise ValueError(f"broken: {error}") from None


def prepared(images: Sequence[NDArray[np.uint8]], card: ImageCard) -> NDArray[np.float32]:
    """float32[n, 3, height, width] of RGB pictures, as the card says."""
    batch = np.empty((len(images), 3, card.height, card.width), np.float32)
    mean, std = np.array(card.mean, np.float32), np.array(card.std, np.float32)
    for row, image in enumerate(images):
        values = np.asarray(_sized(image, card), np.float32) * np.float32(card.scale)
        batch[row] = ((values - mean) / std).transpose(2, 0, 1)
    return batch


def _sized(image: NDArray[np.uint8], card: ImageCard) -> Image:
    from PIL import Image

    picture, resample = Image.fromarray(image), Image.Resampling(card.resample)
    if not card.shortest_edge:
        return picture.resize((card.width, card.height), resample)
    short = min(picture.size)
    size: Any = tuple(
        card.shortest_edge if edge == short else int(card.shortest_edge * edge / short) for edge in picture.size
    )
    picture = picture.resize(size, resample)
    left, top = (picture.width - card.width) // 2, (picture.height - card.height) // 2
    # Beyond the edge PIL fills with black, as the processors of transformers do.
    return picture.crop((left, top, left + card.width, top + card.height))
