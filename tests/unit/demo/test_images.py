"""Pictures show what they should, in the colour they should."""

import colorsys
import io

import numpy as np
import pytest
from PIL import Image

from aisle.demo.canvas import shade
from aisle.demo.images import draw, draw_all, jpeg, sketch
from aisle.demo.kinds import KINDS
from aisle.demo.words import COLOURS


def hue(rgb) -> float:
    return colorsys.rgb_to_hsv(*(float(c) / 255 for c in rgb))[0]


@pytest.mark.parametrize("kind", ["hoodie", "backpack", "mug", "running", "tent"])
@pytest.mark.parametrize("name", ["Red", "Green", "Navy", "Yellow", "Purple"])
def test_the_thing_has_its_colour(kind, name):
    colour = next(c for c in COLOURS if c.en == name)
    shaded = shade(sketch(kind, 0))
    pixels = np.asarray(draw(f"{kind}-{name.lower()}-0", shaded), np.float32)[shaded.mask > 250]
    vivid = pixels[pixels.max(1) - pixels.min(1) > 30]
    assert len(vivid) > 0.3 * len(pixels)
    distance = abs(hue(np.median(vivid, axis=0)) - hue(colour.rgb))
    assert min(distance, 1 - distance) < 0.06


def test_every_kind_has_a_drawing_of_its_own():
    outlines = {repr(sketch(kind.key, look).layers) for kind in KINDS for look in range(4)}
    assert len(outlines) > 2.5 * len(KINDS)
    for kind in KINDS[::6]:
        share = (shade(sketch(kind.key, 0)).mask > 128).mean()
        assert 0.04 < share < 0.75, kind.key


def test_looks_differ():
    one, two = (np.asarray(draw(f"tee-blue-{look}")) for look in (0, 2))
    assert (one != two).any()


def test_an_unknown_kind_is_an_error():
    with pytest.raises(KeyError):
        sketch("submarine", 0)


def test_files_are_small_progressive_jpegs(tmp_path):
    told = []
    keys = ["mug-teal-0", "mug-white-0", "lamp-white-1"]
    n = draw_all(tmp_path, keys, lambda *step: told.append(step), workers=1)
    assert n == 3
    assert told[-1] == ("pictures", 3, 3)
    assert {p.name for p in tmp_path.iterdir()} == {f"{k}{s}.jpg" for k in keys for s in ("", "-detail")}
    for path in tmp_path.iterdir():
        with Image.open(path) as picture:
            assert picture.size == (600, 600)
            assert picture.format == "JPEG"
            assert picture.info.get("progressive")
        assert path.stat().st_size < 60_000


def test_the_same_key_gives_the_same_bytes():
    assert jpeg(draw("chair-green-2")) == jpeg(draw("chair-green-2"))
    assert Image.open(io.BytesIO(jpeg(draw("chair-green-2")))).mode == "RGB"
