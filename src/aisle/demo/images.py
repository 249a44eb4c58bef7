"""Product pictures of the simulated shop: one file a (kind, colour, look), drawn in parallel."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

from aisle.demo import shapes_bags, shapes_paper, shapes_shoes, shapes_things, shapes_wear
from aisle.demo.canvas import SIZE, Shaded, Sketch, colour, shade
from aisle.demo.words import COLOURS
from aisle.types import Progress

_COLOURS = {c.en.lower(): c for c in COLOURS}


def sketch(kind: str, look: int) -> Sketch:
    """The drawing of a kind. Raises KeyError for a kind that has none."""
    for shapes in (shapes_wear, shapes_shoes, shapes_bags, shapes_things, shapes_paper):
        draw: Callable[[int], Sketch] | None = getattr(shapes, kind, None)
        if draw is not None:
            return draw(look)
    raise KeyError(f"no drawing for {kind!r}")


def _parse(key: str) -> tuple[str, str, int]:
    kind, colour_name, look = key.rsplit("-", 2)
    return kind, colour_name, int(look)


def draw(key: str, shaded: Shaded | None = None) -> Image.Image:
    """The 600 x 600 RGB picture of a key such as `hoodie-red-0`."""
    kind, name, look = _parse(key)
    return colour(shaded or shade(sketch(kind, look)), _COLOURS[name].rgb, ground=look)


def jpeg(picture: Image.Image) -> bytes:
    """A progressive JPEG of about 15 KB."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85, progressive=True, optimize=True)
    return buffer.getvalue()


def _detail(picture: Image.Image) -> Image.Image:
    """A closer look at the same thing."""
    near = picture.crop((int(SIZE * 0.2), int(SIZE * 0.16), int(SIZE * 0.76), int(SIZE * 0.72)))
    return near.resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def _draw_group(folder: Path, keys: list[str]) -> int:
    """Draw pictures that differ in colour only: shading is worked out once."""
    kind, _, look = _parse(keys[0])
    shaded = shade(sketch(kind, look))
    for key in keys:
        picture = draw(key, shaded)
        (folder / f"{key}.jpg").write_bytes(jpeg(picture))
        (folder / f"{key}-detail.jpg").write_bytes(jpeg(_detail(picture)))
    return len(keys)


def draw_all(folder: Path, keys: Iterable[str], progress: Progress | None = None, workers: int = 2) -> int:
    """Write `<key>.jpg` and `<key>-detail.jpg` for every key; returns how many keys were drawn.

    `workers` 0 or 1 draws in this process.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def shape(key: str) -> tuple[str, int]:
        kind, _, look = _parse(key)
        return kind, look

    groups = [list(same) for _, same in groupby(sorted(set(keys), key=lambda key: (shape(key), key)), key=shape)]
    total, done = sum(map(len, groups)), 0
    work = partial(_draw_group, folder)
    if workers > 1 and total > 24:
        # spawn: forking a process that runs threads (a server, a browser test) is unsafe
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for n in pool.map(work, groups, chunksize=2):
                done += n
                if progress:
                    progress("pictures", done, total)
        return done
    for n in map(work, groups):
        done += n
        if progress:
            progress("pictures", done, total)
    return done
