"""Silhouettes of beauty products, toys, books and stationery."""

from __future__ import annotations

import math

from aisle.demo.canvas import Sketch, box, curve, ellipse, mirror, stroke, turn


def cream(look: int) -> Sketch:
    s = Sketch(floor=(50, 82, 27))
    s.add("main", box(24, 48, 76, 82, 7), puff=5, gloss=0.7)
    s.add("gold" if look == 1 else ("paper" if look != 2 else "wood"), box(22.6, 30, 77.4, 50, 4), puff=3, gloss=0.5)
    s.add("paper", box(36, 58, 64, 74, 1), puff=0.3)
    s.add("ink", box(41, 62, 59, 63.4, 0.4), box(44, 66.4, 56, 67.4, 0.4), puff=0, alpha=0.6)
    if look == 3:
        s.add("leaf", ellipse(50, 40, 5, 2.4, 35), ellipse(57, 38, 4, 2, -40), puff=0.8)
    return s


def shampoo(look: int) -> Sketch:
    s = Sketch(floor=(50, 92, 18))
    top = "ink" if look == 1 else "paper"
    s.add(top, box(47, 14, 53, 32, 1), puff=0.8)
    s.add(top, curve([(30, 15), (34, 10), (54, 9), (58, 15), (50, 18), (40, 17), (34, 20)]), puff=1.4)
    s.add(top, box(40, 28, 60, 37, 2), puff=1.4)
    s.add(
        "main",
        mirror((50, 35), (58, 36), (67, 44), (68, 86), (63, 92), (50, 92.4)) if look != 2 else box(32, 36, 68, 92, 5),
        puff=5,
        gloss=0.7,
    )
    s.add("paper", box(37, 54, 63, 80, 1.4), puff=0.4)
    s.add("ink", *[box(42, y, 58 - k * 3, y + 1, 0.3) for k, y in enumerate((60, 64.6, 69))], puff=0, alpha=0.55)
    if look == 3:
        s.add("leaf", ellipse(50, 73, 5, 2, 30), puff=0.5)
    s.shine(box(35.4, 46, 37, 86, 0.8), alpha=0.35, soft=0.8)
    return s


def lipstick(look: int) -> Sketch:
    s = Sketch(floor=(54, 90, 22))
    s.add(
        "main",
        [(37, 16), (52, 26), (52, 52), (37, 52)]
        if look != 1
        else curve([(37, 52), (37, 30), (41, 18), (48, 18), (52, 30), (52, 52)]),
        puff=3.4,
        gloss=0.6,
    )
    s.add("gold", box(35.6, 46, 53.4, 66, 1), puff=2.4, gloss=0.7)
    s.add("ink" if look != 2 else "paper", box(33, 62, 56, 90, 2), puff=3, gloss=0.6)
    s.add("ink" if look != 2 else "paper", box(64, 52, 82, 90, 3), puff=3, gloss=0.6)
    s.add("gold", box(63.6, 84, 82.4, 88, 0.6), puff=0.8)
    if look == 3:
        s.add("main", box(64, 60, 82, 66, 0.3), puff=1)
    return s


def perfume(look: int) -> Sketch:
    s = Sketch(floor=(50, 88, 24))
    s.add("gold" if look != 1 else "ink", box(41, 12, 59, 30, 2 if look != 3 else 9), puff=2, gloss=0.7)
    s.add("metal", box(45, 28, 55, 36, 0.6), puff=1, gloss=0.5)
    if look in (0, 3):
        outer, inner = box(25, 35, 75, 88, 6), box(30, 48, 70, 83, 4)
    elif look == 1:
        outer, inner = ellipse(50, 61, 28), ellipse(50, 63, 23)
    else:
        outer, inner = mirror((50, 35), (62, 36), (76, 88), (50, 88)), mirror((50, 50), (61, 50), (70, 83), (50, 83))
    s.add("light", outer, puff=3, gloss=0.8)
    s.add("main", inner, puff=4, gloss=0.4)
    s.add("paper", box(40, 60, 60, 72, 0.6), puff=0.2)
    s.add("ink", box(44, 64, 56, 65, 0.3), box(46, 67.4, 54, 68.2, 0.3), puff=0, alpha=0.6)
    s.shine(box(33, 44, 36, 80, 1), alpha=0.4, soft=0.8)
    return s


def plush(look: int) -> Sketch:
    s = Sketch(floor=(50, 90, 28))
    s.add("main", ellipse(28, 84, 11, 9), ellipse(72, 84, 11, 9), puff=4)
    s.add("main", ellipse(50, 70, 22, 22), puff=6)
    s.add("light", ellipse(50, 73, 13, 14), puff=4)
    s.add("main", ellipse(25, 62, 8, 13, 28), ellipse(75, 62, 8, 13, -28), puff=4)
    s.add("main", ellipse(32, 15, 8), ellipse(68, 15, 8), puff=3)
    s.add("light", ellipse(32, 15, 4.6), ellipse(68, 15, 4.6), puff=2)
    s.add("main", ellipse(50, 31, 24, 21), puff=6)
    s.add("light", ellipse(50, 38, 10.6, 8.4), puff=3)
    s.add("ink", ellipse(41, 29, 2.2), ellipse(59, 29, 2.2), ellipse(50, 34.6, 3.2, 2.3), puff=0.8, gloss=0.8)
    s.add("ink", stroke(curve([(46, 40.4), (48, 42), (50, 40), (52, 42), (54, 40.4)], closed=False), 0.7), puff=0)
    s.add("light", ellipse(27, 85, 5.6, 5), ellipse(73, 85, 5.6, 5), puff=2)
    if look == 1:
        s.add(
            "mint",
            curve([(30, 49), (50, 53), (70, 49), (70, 55), (50, 59.4), (30, 55)]),
            box(56, 54, 63, 74, 1.6),
            puff=1.4,
        )
    elif look >= 2:
        s.add(
            "accent" if look == 3 else "coral",
            [(50, 53), (38, 48), (38, 59)],
            [(50, 53), (62, 48), (62, 59)],
            ellipse(50, 53.4, 2.6),
            puff=1.2,
        )
    return s


def blocks(look: int) -> Sketch:
    s = Sketch(floor=(50, 86, 34))
    others = ("sun", "sky", "coral", "mint")
    s.add("main", box(16, 58, 44, 86, 3), puff=2.4, gloss=0.2)
    s.add(others[look], box(47, 62, 84, 86, 3), puff=2.4, gloss=0.2)
    s.add(others[(look + 1) % 4], box(24, 38, 62, 57, 3), puff=2.4, gloss=0.2)
    if look % 2:
        s.add("main", [(64, 61), (84, 61), (74, 40)], puff=2)
        s.add(others[(look + 2) % 4], ellipse(43, 26, 11), puff=3, gloss=0.3)
    else:
        s.add("main", box(60, 36, 76, 61, 3), puff=2, gloss=0.2)
        s.add(others[(look + 2) % 4], [(26, 37), (60, 37), (43, 14)], puff=2.4)
    s.add("accent", ellipse(30, 72, 6), cut=[ellipse(30, 72, 3.6)], puff=0.4, alpha=0.9)
    return s


def puzzle(look: int) -> Sketch:
    s = Sketch()
    colours = ("main", "light", "dark", ("sun", "sky", "coral", "mint")[look])
    for number, (x, y) in enumerate(((18, 18), (51, 16), (17, 51), (53, 54))):
        piece = [
            box(x, y, x + 30, y + 30, 2.4),
            ellipse(x + 33.4, y + 15, 5) if number % 2 == 0 else ellipse(x + 15, y + 32.4, 5),
        ]
        holes = (
            [ellipse(x + 15, y + 0.8 if number > 1 else y + 29.4, 5)]
            if number != 1
            else [ellipse(x + 0.4, y + 15, 5.6)]
        )
        s.add(colours[number], *piece, cut=holes, puff=1.4, gloss=0.2)
    return s


def boardgame(look: int) -> Sketch:
    s = Sketch(floor=(50, 84, 38))
    s.add("dark", [(12, 66), (88, 66), (88, 80), (12, 80)], puff=1.2)
    s.add("main", box(12, 18, 88, 67, 2), puff=2)
    s.add("paper", box(24, 26, 76, 36, 1.4), puff=0.3)
    s.add("ink", box(30, 29.6, 70, 32.4, 0.6), puff=0, alpha=0.7)
    track = [(24 + 10.4 * k, 52 + 6 * math.sin(k * 1.3 + look)) for k in range(6)]
    s.add("accent", stroke(curve(track, closed=False), 1.4), puff=0, alpha=0.7)
    for k, (x, y) in enumerate(track):
        s.add(("sun", "sky", "coral", "mint", "paper")[(k + look) % 5], ellipse(x, y, 4), puff=0.9)
    s.add("paper", turn(box(66, 74, 80, 88, 2.4), 12, (73, 81)), puff=1)
    s.add("ink", *[ellipse(x, y, 1.1) for x, y in ((70, 78.6), (73.4, 81.4), (76.4, 84.6))], puff=0)
    s.add("coral", mirror((50, 70), (53, 74), (52, 78), (56, 86), (50, 87)), ellipse(50, 71, 3.4), puff=1.4)
    return s


def _book(s: Sketch) -> None:
    s.add("paper", box(30, 13, 78, 89, 1), puff=0.6)
    s.add("main", box(26, 11, 75, 87, 1.6), puff=1.2)
    s.add("dark", box(26, 11, 31, 87, 1.2), puff=0.6, alpha=0.7)


def book_fiction(look: int) -> Sketch:
    s = Sketch()
    _book(s)
    if look == 0:
        s.add("sun", ellipse(53, 46, 11), puff=0)
        s.add(
            "dark",
            curve([(31.4, 66), (42, 58), (54, 64), (66, 56), (74.6, 62), (74.6, 86), (31.4, 86)], steps=8),
            puff=0,
        )
    elif look == 1:
        for k in range(5):
            s.add(
                "accent",
                stroke(
                    curve([(35, 50 + k * 6), (45, 46 + k * 6), (56, 54 + k * 6), (71, 49 + k * 6)], closed=False), 1
                ),
                puff=0,
                alpha=0.8,
            )
    elif look == 2:
        s.add("paper", mirror((53, 40), (57, 42), (59, 76), (53, 76)), puff=0)
        s.add("coral", box(41.6, 48, 59, 53, 0.2), box(41.4, 60, 59, 65, 0.2), puff=0, inside=True)
        s.add("glow", [(50, 41), (74, 34), (74, 48)], puff=0, alpha=0.8)
    else:
        s.add("light", [(53, 38), (68, 60), (53, 82), (38, 60)], puff=0)
        s.add("dark", ellipse(53, 60, 7), puff=0)
    s.add("accent", box(37, 20, 69, 23.4, 0.4), box(41, 26.4, 65, 29, 0.4), puff=0)
    return s


def book_cook(look: int) -> Sketch:
    s = Sketch()
    _book(s)
    s.add("paper", ellipse(53, 56, 17), puff=1)
    s.add("light", ellipse(53, 56, 12.6), puff=0.6)
    if look % 2:
        s.add("coral", ellipse(50, 55, 5), ellipse(57, 58, 4.4), puff=1.2)
        s.add("leaf", ellipse(53, 49, 3.6, 1.8, 30), ellipse(47, 60, 3.4, 1.7, -30), puff=0.6)
    else:
        s.add("sun", ellipse(53, 56, 8), puff=1.4)
        s.add(
            "leaf", ellipse(48, 52, 3.4, 1.6, 40), ellipse(59, 60, 3.4, 1.6, 40), ellipse(57, 51, 3, 1.4, -40), puff=0.5
        )
    s.add("accent", box(37, 19, 69, 23, 0.4), box(42, 26, 64, 28.4, 0.4), puff=0)
    if look > 1:
        s.add("accent", box(40, 78, 66, 80, 0.4), puff=0)
    return s


def book_travel(look: int) -> Sketch:
    s = Sketch()
    _book(s)
    s.add("sky", box(31, 36, 75, 87, 0.2), puff=0)
    s.add("sun", ellipse(64 if look % 2 else 43, 47, 5.6), puff=0)
    s.add("light", [(31, 74), (44, 52), (58, 76)], puff=0)
    s.add("main", [(44, 80), (60, 46), (75, 74), (75, 84), (44, 86)], puff=0)
    s.add("paper", [(60, 46), (64.4, 54), (60, 57), (56, 54.6)], puff=0)
    s.add("dark", curve([(31, 76), (44, 72), (60, 79), (75, 74), (75, 87), (31, 87)], steps=8), puff=0)
    s.add("accent", box(37, 18, 69, 22.6, 0.4), box(37, 26, 58, 28.6, 0.4), puff=0)
    if look > 1:
        s.add("paper", stroke(curve([(36, 84), (48, 79), (58, 83), (70, 78)], closed=False), 0.8), puff=0)
    return s


def notebook(look: int) -> Sketch:
    s = Sketch()
    s.add("paper", box(27, 12, 79, 89, 3), puff=0.7)
    s.add("main", box(24, 10, 76, 88, 4), puff=2)
    if look == 1:
        for y in range(15, 86, 6):
            s.add("metal", box(20, y, 29, y + 2.2, 1), puff=0.5)
    else:
        s.add("dark", box(67, 10, 70, 88, 0.2), puff=0.4)
        s.add("coral" if look else "dark", [(44, 86), (47, 86), (47, 96), (45.5, 93.6), (44, 96)], puff=0.2)
    if look == 2:
        s.add("accent", *[ellipse(x, y, 0.7) for x in range(32, 64, 5) for y in range(20, 84, 6)], puff=0, alpha=0.8)
    elif look == 3:
        s.add("accent", box(24, 60, 67, 88, 0.3), puff=0, alpha=0.85, inside=True)
    if look != 2:
        s.add("paper", box(33, 24, 59, 38, 1), puff=0.3)
        s.add("ink", box(37, 29, 55, 30, 0.2), box(37, 33, 50, 34, 0.2), puff=0, alpha=0.55)
    return s


def pen(look: int) -> Sketch:
    s = Sketch()
    tilt = -40
    metal = "gold" if look % 2 else "metal"
    s.add(metal, turn([(8, 50), (24, 46), (28, 46.4), (28, 53.6), (24, 54)], tilt), puff=1, gloss=0.7)
    s.add("ink", turn(stroke([(10, 50), (20, 50)], 0.4), tilt), turn(ellipse(20, 50, 0.9), tilt), puff=0)
    s.add("ink" if look < 2 else "dark", turn([(26, 46), (38, 44.4), (38, 55.6), (26, 54)], tilt), puff=1.6)
    s.add(metal, turn(box(37, 44, 40, 56, 0.6), tilt), puff=1)
    s.add("main", turn(box(39, 43.6, 90, 56.4, 4), tilt), puff=2.8, gloss=0.6)
    s.add(metal, turn(box(62, 43.2, 64.4, 56.8, 0.4), tilt), puff=1)
    s.add(metal, turn(box(64, 41.4, 88, 44.4, 1.2), tilt), puff=0.7, gloss=0.6)
    if look == 3:
        s.add("light", turn(box(66, 46, 86, 48, 0.8), tilt), puff=0.3)
    return s
