"""Silhouettes of clothes. `look` is 0 or 1 (plain), 2 (striped), 3 (two-coloured)."""

from __future__ import annotations

from aisle.demo.canvas import Path, Point, Sketch, box, curve, ellipse, flip, mirror, stroke


def _stripes(
    sketch: Sketch, y0: float, y1: float, x0: float, x1: float, step: float = 6.0, role: str = "accent"
) -> None:
    bands = []
    y = y0
    while y < y1:
        bands.append(box(x0, y, x1, min(y + step * 0.42, y1), 0.1))
        y += step
    sketch.add(role, *bands, puff=0, alpha=0.85, inside=True)


def _top(sketch: Sketch, look: int, *, sleeve: float, hem: float = 84, neck: float = 8, role: str = "main") -> None:
    """Body and sleeves of anything worn above: `sleeve` is the y at which sleeves end."""
    reach = (sleeve - 24) / 60
    out_x, in_x = 84 + 6 * reach, 74 - 1 * reach
    is_long = sleeve > 60
    elbow = [(77, 28), (81.4, 42)] if is_long else [(76, 26), (80.4, 33)]
    outer = curve([(62, 19), (70, 21.4), *elbow, (out_x, sleeve)], closed=False)
    inner = curve([(in_x, sleeve + 2.4), *([(72, 46), (69.6, 34)] if is_long else [(70, 38)]), (66, 26)], closed=False)
    arm: Path = [*outer, *inner]
    side = "dark" if look == 3 else role
    sketch.add(side, arm, flip(arm), puff=2.6)
    if is_long:
        cuff = [(out_x - 1, sleeve - 6), (out_x + 0.4, sleeve + 0.4), (in_x, sleeve + 3), (in_x - 0.6, sleeve - 3.4)]
        sketch.add("dark", cuff, flip(cuff), puff=1)
    body = mirror((50 + neck, 17), (64, 19), (72, 25), (70.5, 40), (71, 60), (71.5, hem), (62, hem + 1.2))
    sketch.add(role, body, puff=3)
    if look == 2:
        _stripes(sketch, 32, hem - 3, 30, 70)
    elif look == 3:
        sketch.add("accent", box(29.4, 40, 70.6, 54, 0.2), puff=0, alpha=0.9)
    for x, bend in ((33, 4), (66, -4)):
        sketch.fold((x, 46), (x + bend * 0.4, 60), (x + bend, 76), width=1.6)
    sketch.fold((70, 28), (70.4, 36), (69.6, 46), width=1.0, alpha=0.35, soft=0.5)
    sketch.fold((30, 28), (29.6, 36), (30.4, 46), width=1.0, alpha=0.35, soft=0.5)


def tee(look: int) -> Sketch:
    s = Sketch()
    _top(s, look, sleeve=44)
    s.add("dark", ellipse(50, 17.4, 9, 5.2), puff=1)
    s.add(
        "main",
        curve([(40.5, 16), (44, 21.6), (50, 23.8), (56, 21.6), (59.5, 16), (56, 24), (50, 26.4), (44, 24)]),
        puff=0.8,
    )
    if look == 1:
        s.add("dark", box(55, 38, 65, 49, 1.2), puff=0.7, alpha=0.75)
    return s


def hoodie(look: int) -> Sketch:
    s = Sketch()
    s.add("main", curve([(36, 24), (34, 14), (42, 7), (50, 6), (58, 7), (66, 14), (64, 24), (50, 30)]), puff=3.4)
    _top(s, look, sleeve=78, hem=82)
    s.add("dark", curve([(40, 20), (41, 13), (50, 10), (59, 13), (60, 20), (55, 26), (50, 28), (45, 26)]), puff=1.6)
    s.add(
        "main",
        curve([(36, 22), (38, 14), (43, 22), (50, 29), (57, 22), (62, 14), (64, 22), (58, 31), (50, 35), (42, 31)]),
        puff=1.8,
    )
    s.add("main", mirror((50, 58), (61, 58), (66.5, 72), (66.5, 75), (50, 75)), puff=1.6)
    s.fold((61, 58.5), (66.3, 72), (66.4, 75), width=0.9, alpha=0.4, soft=0.3)
    s.fold((39, 58.5), (33.7, 72), (33.6, 75), width=0.9, alpha=0.4, soft=0.3)
    s.add("dark", box(28.6, 81, 71.4, 86, 1.2), puff=1)
    for x, end in ((46.5, 46), (53.5, 44)):
        s.add("accent", stroke(curve([(x, 31), (x - 0.4, 38), (x, end)], closed=False), 0.9), puff=0.3)
    if look == 1:
        s.add("dark", stroke([(50, 35), (50, 58)], 0.7), puff=0)
    return s


def shirt(look: int) -> Sketch:
    s = Sketch()
    _top(s, look, sleeve=76)
    s.add("dark", ellipse(50, 17.5, 7.6, 4), puff=1)
    s.add("light", [(42, 14.6), (50, 25), (45, 31), (38.6, 19)], puff=1)
    s.add("light", [(58, 14.6), (50, 25), (55, 31), (61.4, 19)], puff=1)
    s.add("dark", stroke([(48.2, 28), (48.2, 84.6)], 0.45), puff=0, alpha=0.7)
    s.add("accent", *[ellipse(50.4, y, 0.95) for y in (33, 43, 53, 63, 73)], puff=0.3)
    if look != 3:
        s.add("dark", box(56, 37, 65.6, 48, 1), puff=0.6, alpha=0.55)
    return s


def sweater(look: int) -> Sketch:
    s = Sketch()
    _top(s, look, sleeve=78, hem=80)
    s.add("dark", box(28.4, 79, 71.6, 85.5, 1.6), puff=1.2)
    s.add("dark", ellipse(50, 17.6, 10, 5), puff=1)
    s.add(
        "main",
        curve([(39.5, 15), (43, 21), (50, 23.4), (57, 21), (60.5, 15), (57.4, 25), (50, 28.6), (42.6, 25)]),
        puff=1.2,
    )
    for x in range(32, 70, 3):
        s.fold((x, 79.5), (x, 82), (x, 85), width=0.5, alpha=0.3, soft=0.2)
    if look == 1:
        for x in (42, 50, 58):
            for y in range(32, 78, 6):
                s.fold((x - 1.6, y), (x, y + 3), (x + 1.6, y), width=0.8, alpha=0.25, soft=0.25)
    return s


def jacket(look: int) -> Sketch:
    s = Sketch()
    _top(s, 0 if look == 2 else look, sleeve=79, hem=85)
    s.add("dark", mirror((50, 12), (60, 13), (61.4, 23), (50, 27)), puff=1.6)
    s.add("main", [(39, 13), (49.6, 26), (49.6, 31), (37.4, 24)], puff=1.2)
    s.add("main", [(61, 13), (50.4, 26), (50.4, 31), (62.6, 24)], puff=1.2)
    s.add("metal", stroke([(50, 26), (50, 86)], 0.8), puff=0.3)
    for side in (34.5, 57):
        s.add("dark", box(side, 62, side + 8.5, 64.2, 0.8), puff=0.5)
    if look in (1, 2):
        for y in range(34, 84, 9):
            s.fold((29.5, y), (50, y + 0.8), (70.5, y), width=1.3, alpha=0.3, soft=0.5)
    else:
        s.add("dark", box(55, 38, 65, 48, 1), puff=0.7)
    return s


def _legs(s: Sketch, hem: float, spread: float, look: int) -> None:
    leg = [(50, 14), (66, 14), (68, 34), (67 + spread, hem), (55 + spread * 0.6, hem + 1), (51, 40)]
    s.add("main", leg, puff=3)
    s.add("main", flip(leg), puff=3)
    s.add("dark", box(33.6, 12, 66.4, 17.4, 1), puff=0.9)
    s.fold((50, 17), (50.2, 28), (50, 40), width=0.8, alpha=0.4, soft=0.3)
    s.fold((66, 19), (61, 27), (59, 18), width=0.7, alpha=0.4, soft=0.25)
    s.fold((34, 19), (39, 27), (41, 18), width=0.7, alpha=0.4, soft=0.25)
    s.add("metal", ellipse(50, 14.8, 1), puff=0.4)
    if look == 3:
        band = [(66.4, 20), (68, 34), (67 + spread, hem), (64.4 + spread, hem), (65.4, 34), (64, 20)]
        s.add("accent", band, flip(band), puff=0, alpha=0.9)


def trousers(look: int) -> Sketch:
    s = Sketch()
    _legs(s, 92, -1 if look == 1 else 2, look)
    for x, bend in ((60, 1.4), (40, -1.4)):
        s.fold((x, 34), (x + bend, 60), (x + bend, 90), width=0.8, alpha=0.25)
    return s


def shorts(look: int) -> Sketch:
    s = Sketch()
    leg = [(50, 28), (68, 28), (72, 48), (74, 71), (55, 74), (51, 52)]
    s.add("main", leg, puff=3)
    s.add("main", flip(leg), puff=3)
    s.add("dark", box(31.6, 25, 68.4, 31, 1.4), puff=1)
    for x in (47, 53):
        s.add("accent", stroke(curve([(x, 31), (x - 0.8 + (x > 50) * 1.6, 38), (x, 43)], closed=False), 0.8), puff=0.3)
    s.fold((50, 31), (50.3, 40), (50, 52), width=0.8, alpha=0.4, soft=0.3)
    if look in (2, 3):
        band = [(68, 33), (72, 48), (74, 71), (70.6, 71.6), (69, 48), (65.4, 33)]
        s.add("accent", band, flip(band), puff=0, alpha=0.9)
    return s


def dress(look: int) -> Sketch:
    s = Sketch()
    s.add("dark", ellipse(50, 16, 8, 3.4), puff=0.8)
    body = mirror((55.5, 8), (59.5, 8), (62, 18), (63.4, 28), (60, 42), (66, 62), (74, 90), (62, 92.4))
    neckline = curve([(44.5, 6), (45, 14), (50, 20), (55, 14), (55.5, 6), (50, 2)])
    s.add("main", body, cut=[neckline], puff=3)
    if look == 2:
        _stripes(s, 26, 90, 20, 80, 5.5)
    elif look == 3:
        s.add("accent", box(20, 66, 80, 84, 0.2), puff=0, alpha=0.9, inside=True)
    s.add("dark", mirror((50, 40.6), (60.2, 40.6), (61, 44.6), (50, 45.4)), puff=0.8)
    for x, far in ((44, 37), (50, 50), (56, 63), (39.6, 30)):
        s.fold((x, 48), ((x + far) / 2, 68), (far, 90), width=1.4, alpha=0.2)
    if look == 1:
        for x, y in ((38, 60), (47, 70), (60, 64), (55, 80), (36, 82), (66, 84), (48, 56), (46, 32), (55, 28)):
            s.add("accent", ellipse(x, y, 1.5), puff=0.3, alpha=0.9)
    return s


def skirt(look: int) -> Sketch:
    s = Sketch()
    s.add("main", mirror((50, 20), (62, 20), (68, 44), (77, 78), (64, 81), (50, 81.6)), puff=3)
    s.add("dark", box(37.6, 17.6, 62.4, 23.4, 1), puff=0.9)
    for x, far in ((42, 31), (47, 43), (53, 57), (58, 69)):
        s.fold((x, 25), ((x + far) / 2, 50), (far, 79), width=1.5, alpha=0.26)
    if look == 1:
        s.add("accent", *[ellipse(50, y, 1) for y in (30, 40, 50, 60, 70)], puff=0.3)
    elif look == 2:
        _stripes(s, 28, 80, 20, 80, 6)
    elif look == 3:
        s.add("accent", mirror((50, 70.6), (74.6, 68.6), (76, 73.4), (50, 76)), puff=0, alpha=0.9)
    return s


def socks(look: int) -> Sketch:
    s = Sketch()
    for dx, dy in ((-9, -4), (9, 4)):

        def at(*points: Point, x: float = dx, y: float = dy) -> Path:
            return [(px + x, py + y) for px, py in points]

        s.add(
            "main",
            curve(
                at((44, 18), (58, 18), (58, 40), (57.4, 58), (50, 70), (36, 82), (25, 80), (24, 70), (36, 62), (44, 52))
            ),
            puff=3,
        )
        s.add("dark", box(42.6 + dx, 14 + dy, 59.4 + dx, 22 + dy, 1.6), puff=1)
        s.add("dark", curve(at((25, 80), (23.6, 73), (28, 67.4), (33, 72), (33.4, 81), (30, 82.6))), puff=1.4)
        s.add("dark", curve(at((58, 52), (57.6, 60), (53, 66), (49.6, 58))), puff=1.2)
        if look != 0:
            s.add(
                "accent",
                *[box(43.4 + dx, y + dy, 58 + dx, y + 2.2 + dy, 0.3) for y in ((26, 31, 36) if look > 1 else (26,))],
                puff=0,
                alpha=0.9,
            )
    return s


def beanie(look: int) -> Sketch:
    s = Sketch()
    s.add("main", mirror((50, 22), (62, 25), (72, 38), (75, 60), (75, 66), smooth=True), puff=4)
    for x in (34, 42, 50, 58, 66):
        s.fold((50 + (x - 50) * 0.35, 25), (x, 42), (50 + (x - 50) * 1.18, 62), width=1.0, alpha=0.24, soft=0.4)
    if look == 2:
        s.add("accent", mirror((50, 42), (72.2, 42), (73.4, 47.6), (50, 47.6)), puff=0, alpha=0.9)
    s.add("dark", box(22.6, 60, 77.4, 76, 4), puff=2.4)
    for x in range(27, 76, 4):
        s.fold((x, 61), (x, 68), (x, 75), width=0.7, alpha=0.25, soft=0.25)
    if look in (1, 3):
        s.add("light" if look == 1 else "accent", ellipse(50, 19, 9.4), puff=3)
    return s


def cap(look: int) -> Sketch:
    s = Sketch()
    s.add("main", curve([(24, 60), (25, 42), (36, 28), (51, 25), (66, 31), (73, 46), (74, 60), (50, 63)]), puff=4)
    s.add("dark", curve([(58, 56), (74, 55), (90, 63), (94, 69), (84, 70), (66, 66), (50, 65)]), puff=1.8)
    s.fold((51, 26), (56, 40), (57, 62), width=0.7, alpha=0.35, soft=0.25)
    s.fold((50, 26), (36, 38), (33, 60), width=0.7, alpha=0.35, soft=0.25)
    s.add("dark", ellipse(51, 25, 2.2, 1.3), puff=0.6)
    if look:
        s.add("accent", box(61, 40, 70, 50, 3) if look == 1 else ellipse(65, 45, 4.6), puff=0.6)
    return s


def scarf(look: int) -> Sketch:
    s = Sketch()
    back = [(56, 40), (70, 38), (73, 88), (58, 90)]
    s.add("dark", back, puff=2.4)
    s.add("main", curve([(24, 30), (50, 20), (76, 30), (77, 42), (62, 50), (50, 52), (38, 50), (23, 42)]), puff=4)
    s.add("dark", curve([(36, 31), (50, 27), (64, 31), (58, 37), (50, 38.4), (42, 37)]), puff=2)
    s.add("main", [(34, 44), (52, 46), (50, 90), (32, 88)], puff=2.8)
    if look in (2, 3):
        s.add(
            "accent",
            *[
                [(33, y), (51, y + 1.2), (50.8, y + 4), (32.8, y + 2.8)]
                for y in ((56, 64, 72, 80) if look == 2 else (74, 81))
            ],
            puff=0,
            alpha=0.85,
        )
    for i in range(9):
        s.add("main", stroke([(33 + i * 2, 88.6), (32.6 + i * 2.1, 94)], 0.8), puff=0.3)
    s.fold((42, 52), (41, 68), (40.6, 86), width=1.4, alpha=0.22)
    s.fold((30, 36), (50, 46), (70, 37), width=1.2, alpha=0.25)
    return s
