"""A small drawing kit: soft, shaded product pictures out of plain shapes.

A `Sketch` holds layers in coordinates from 0 to 100 (y downwards). `shade` turns it
once into per-role brightness maps; colouring those for a product is a handful of
multiplications, so one sketch serves every colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = 600
OVERSAMPLE = 3
_SCALE = SIZE * OVERSAMPLE / 100

Point = tuple[float, float]
Path = Sequence[Point]
Map = NDArray[np.float32]

FIXED: dict[str, tuple[int, int, int]] = {
    "metal": (196, 199, 204),
    "steel": (128, 132, 139),
    "wood": (196, 154, 108),
    "oak": (160, 118, 78),
    "ink": (52, 53, 59),
    "paper": (248, 245, 238),
    "gum": (188, 150, 108),
    "glow": (255, 236, 190),
    "leaf": (104, 146, 100),
    "gold": (212, 176, 104),
    "screen": (34, 38, 50),
    "sky": (150, 190, 226),
    "coral": (232, 122, 100),
    "sun": (246, 204, 100),
    "mint": (126, 190, 164),
}
"""Colours that do not follow the product's."""

TINTS = ("main", "dark", "light", "accent")
"""Roles that follow the product's colour."""


@dataclass(slots=True)
class Layer:
    role: str
    paths: list[Path]
    cuts: list[Path]
    puff: float
    gloss: float
    alpha: float
    soft: float
    inside: bool


@dataclass(slots=True)
class Sketch:
    """Layers from back to front. `floor` is where the thing stands (None: it lies flat)."""

    floor: tuple[float, float, float] | None = None
    layers: list[Layer] = field(default_factory=list)

    def add(
        self, role: str, *paths: Path, cut: Sequence[Path] = (), puff: float = 2.2, gloss: float = 0.0,
        alpha: float = 1.0, soft: float = 0.0, inside: bool = False,
    ) -> None:  # fmt: skip
        """Paint shapes in one role. `puff` is how far (0-100) the rounding reaches in
        from the edge, `inside` keeps it on what is already painted.
        """
        self.layers.append(Layer(role, list(paths), list(cut), puff, gloss, alpha, soft, inside))

    def fold(self, *points: Point, width: float = 1.0, alpha: float = 0.22, soft: float = 0.9) -> None:
        """A soft dark crease in what is already painted."""
        self.add("fold", stroke(curve(points, closed=False), width), alpha=alpha, soft=soft)

    def shine(self, *paths: Path, alpha: float = 0.35, soft: float = 1.0) -> None:
        """A soft light reflection on what is already painted."""
        self.add("shine", *paths, alpha=alpha, soft=soft)


@dataclass(frozen=True, slots=True)
class Shaded:
    """A sketch ready to be coloured: `maps` float32[roles, pixels], the weight of each role's colour.

    The last two roles are the ground and white light; `mask` uint8[600, 600] is the thing itself.
    """

    roles: tuple[str, ...]
    maps: Map
    mask: NDArray[np.uint8]


def curve(points: Sequence[Point], closed: bool = True, steps: int = 12) -> Path:
    """A Catmull-Rom curve through the points."""
    p = np.array(points, float)
    n = len(p)
    ends = (np.arange(-1, n + 2) % n) if closed else np.clip(np.arange(-1, n + 1), 0, n - 1)
    p = p[ends]
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    path = np.concatenate(pieces)
    if not closed:
        path = np.vstack([path, p[-1]])
    return [(float(x), float(y)) for x, y in path]


def mirror(*half: Point, smooth: bool = False) -> Path:
    """A closed shape from its right half, listed from top to bottom (x from 50)."""
    left = [(100 - x, y) for x, y in reversed(half)]
    path = [*half, *left]
    return curve(path) if smooth else path


def flip(path: Path) -> Path:
    return [(100 - x, y) for x, y in path]


def ellipse(x: float, y: float, rx: float, ry: float | None = None, turn: float = 0.0) -> Path:
    ry = rx if ry is None else ry
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    angles = np.linspace(0, 2 * math.pi, 72, endpoint=False)
    return [
        (x + rx * math.cos(a) * c - ry * math.sin(a) * s, y + rx * math.cos(a) * s + ry * math.sin(a) * c)
        for a in angles
    ]


def box(x0: float, y0: float, x1: float, y1: float, radius: float = 2.0) -> Path:
    """A rectangle with round corners."""
    r = max(0.01, min(radius, (x1 - x0) / 2, (y1 - y0) / 2))
    path: list[Point] = []
    for cx, cy, start in ((x1 - r, y0 + r, -90), (x1 - r, y1 - r, 0), (x0 + r, y1 - r, 90), (x0 + r, y0 + r, 180)):
        for step in range(9):
            a = math.radians(start + 90 * step / 8)
            path.append((cx + r * math.cos(a), cy + r * math.sin(a)))
    return path


def stroke(points: Sequence[Point], width: float) -> Path:
    """A line of that width as a closed shape."""
    p = np.array(points, float)
    d = np.gradient(p, axis=0)
    d /= np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-9)[:, None]
    normal = np.stack([-d[:, 1], d[:, 0]], 1) * width / 2
    both = np.vstack([p + normal, (p - normal)[::-1]])
    return [(float(x), float(y)) for x, y in both]


def turn(path: Path, degrees: float, about: Point = (50, 50)) -> Path:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ox, oy = about
    return [(ox + (x - ox) * c - (y - oy) * s, oy + (x - ox) * s + (y - oy) * c) for x, y in path]


# ------------------------------------------------------------------ shading


def _mask(paths: Sequence[Path], cuts: Sequence[Path], soft: float) -> Map:
    image = Image.new("L", (SIZE * OVERSAMPLE, SIZE * OVERSAMPLE))
    draw = ImageDraw.Draw(image)
    for fill, group in ((255, paths), (0, cuts)):
        for path in group:
            draw.polygon([(x * _SCALE, y * _SCALE) for x, y in path], fill=fill)
    image = image.reduce(OVERSAMPLE)
    if soft:
        image = image.filter(ImageFilter.GaussianBlur(soft * SIZE / 100))
    return np.asarray(image, np.float32) / np.float32(255)


def _blur(mask: Map, radius: float) -> Map:
    """Gaussian blur, radius in pixels, worked out at half size because it is smooth anyway."""
    half = Image.fromarray((mask * 255).astype(np.uint8)).reduce(2).filter(ImageFilter.GaussianBlur(radius / 2))
    return np.asarray(half.resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.float32) / np.float32(255)


def shade(sketch: Sketch) -> Shaded:
    """Light the layers from the upper left and compose them, role by role."""
    roles: dict[str, Map] = {}
    light = np.zeros((SIZE, SIZE), np.float32)
    cover = np.zeros((SIZE, SIZE), np.float32)
    rows = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None]
    for layer in sketch.layers:
        m = _mask(layer.paths, layer.cuts, layer.soft) * np.float32(layer.alpha)
        if layer.inside:
            m *= cover
        if layer.role in ("fold", "shine"):
            m *= cover
            if layer.role == "fold":
                for values in roles.values():
                    values *= 1 - m
            else:
                light += m * (0.9 - light)
            continue
        for values in roles.values():
            values *= 1 - m
        light *= 1 - m
        brightness: Map = 1.04 - 0.12 * np.broadcast_to(rows, m.shape)
        if layer.puff:
            radius = layer.puff * SIZE / 100
            round_ = _blur(m, radius)
            dy, dx = np.gradient(round_)
            slope = (0.62 * dx + 0.78 * dy) * radius
            brightness = brightness + np.clip(0.42 * slope, -0.3, 0.16) - 0.1 * (1 - np.minimum(round_ * 1.25, 1))
            if layer.gloss:
                light += m * np.clip(slope - 0.12, 0, 1) * layer.gloss
        roles[layer.role] = roles.get(layer.role, np.float32(0)) + m * brightness.astype(np.float32)
        cover = np.maximum(cover, m)
    ground = _shadow(sketch, cover)
    light = 0.8 * np.clip(light, 0, 1)
    columns = [values * (1 - light) for values in (*roles.values(), ground)] + [light]
    maps = np.stack([column.ravel() for column in columns]).astype(np.float32)
    return Shaded((*roles, "ground", "reflection"), maps, (cover * 255).astype(np.uint8))


def _shadow(sketch: Sketch, cover: Map) -> Map:
    """Brightness of the ground, 0 where the thing covers it."""
    if sketch.floor is None:
        cast = np.roll(_blur(cover, 16), (13, 5), (0, 1)) * 0.3 + np.roll(_blur(cover, 5), (4, 2), (0, 1)) * 0.14
    else:
        x, y, width = sketch.floor
        wide = _blur(_mask([ellipse(x, y, width, 3.2)], [], 0), 15)
        tight = _blur(_mask([ellipse(x, y - 0.6, width * 0.92, 1.3)], [], 0), 6)
        cast = wide * 0.3 + tight * 0.3
    rows = np.linspace(0, 1, SIZE, dtype=np.float32)[:, None]
    ground: Map = ((1.015 - 0.045 * rows) * (1 - cast) * (1 - cover)).astype(np.float32)
    return ground


def _tints(rgb: tuple[int, int, int]) -> dict[str, Map]:
    """The colours of the roles that follow the product's colour, float32[3] in 0-255."""
    main = np.array(rgb, np.float32)
    luminance = float(main @ np.array([0.3, 0.59, 0.11], np.float32))
    deep = main * (0.72 if luminance > 70 else 0.6)
    pale = main + (255 - main) * (0.38 if luminance > 70 else 0.22)
    accent = np.array((250, 247, 240) if luminance < 205 else (96, 112, 138), np.float32)
    return {"main": main, "dark": deep, "light": pale, "accent": accent}


GROUNDS = ((244, 242, 238), (240, 242, 244), (245, 240, 233), (241, 243, 239))


def colour(shaded: Shaded, rgb: tuple[int, int, int], ground: int = 0) -> Image.Image:
    """The picture in a product's colour, on a ground tinted by it."""
    tints = _tints(rgb)
    backdrop = np.array(GROUNDS[ground % len(GROUNDS)], np.float32)
    backdrop = backdrop * 0.93 + tints["main"] * 0.07
    tints |= {"ground": backdrop, "reflection": np.full(3, 255, np.float32)}
    inks = np.stack([tints[role] if role in tints else np.array(FIXED[role], np.float32) for role in shaded.roles])
    planes = np.ascontiguousarray(inks.T) @ shaded.maps
    np.clip(planes, 0, 255, out=planes)
    red, green, blue = (Image.fromarray(plane.reshape(SIZE, SIZE)) for plane in planes.astype(np.uint8))
    return Image.merge("RGB", (red, green, blue))
