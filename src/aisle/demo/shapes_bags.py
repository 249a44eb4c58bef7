"""Silhouettes of bags and of things for the table, the kitchen and the living room."""

from __future__ import annotations

import math

from aisle.demo.canvas import Point, Sketch, box, curve, ellipse, mirror, stroke, turn


def backpack(look: int) -> Sketch:
    s = Sketch(floor=(50, 90, 30))
    s.add("dark", stroke(curve([(42, 14), (43, 6), (50, 4.6), (57, 6), (58, 14)], closed=False), 2.4), puff=0.8)
    s.add(
        "dark", curve([(22, 46), (17, 56), (17, 80), (24, 86)]), curve([(78, 46), (83, 56), (83, 80), (76, 86)]), puff=2
    )
    s.add("main", mirror((50, 10), (64, 12), (75, 24), (78, 50), (78, 78), (72, 90), (50, 91), smooth=True), puff=5)
    s.add(
        "dark",
        stroke(curve([(25, 44), (27, 27), (38, 17.4), (50, 16), (62, 17.4), (73, 27), (75, 44)], closed=False), 0.9),
        puff=0.2,
    )
    s.add("main" if look != 3 else "accent", box(29, 52, 71, 84, 6), puff=3)
    s.fold((30, 53), (50, 52), (70, 53), width=1.2, alpha=0.45, soft=0.4)
    s.add("metal", stroke([(34, 60), (66, 60)], 0.8), puff=0.3)
    s.add("metal", box(64, 59.6, 66, 65, 0.7), puff=0.3)
    if look == 1:
        for x in (36, 60):
            s.add("gum", box(x, 30, x + 4, 58, 0.8), puff=0.6)
    elif look == 2:
        s.add("accent", box(23.4, 43, 76.6, 47, 0.2), puff=0, alpha=0.85)
    s.add("dark", box(44, 28, 56, 34, 1.4), puff=0.6)
    return s


def tote(look: int) -> Sketch:
    s = Sketch(floor=(50, 90, 30))
    for half in (0, 1):
        x = 36 if not half else 38
        s.add(
            "dark" if not half else ("gum" if look == 1 else "main"),
            stroke(curve([(x, 40), (x + 2, 20), (50, 10 + 4 * half), (98 - x, 20), (100 - x, 40)], closed=False), 3),
            puff=0.8,
        )
    s.add("main", mirror((50, 36), (74, 36), (78, 86), (70, 90), (50, 90.6)), puff=3)
    s.fold((32, 46), (35, 66), (31, 84), width=1.6)
    s.fold((68, 46), (65, 66), (69, 84), width=1.6)
    s.add("dark", box(26, 35, 74, 39, 0.8), puff=0.6)
    if look == 0:
        s.add("accent", ellipse(50, 63, 9), cut=[ellipse(50, 63, 7.4)], puff=0.3)
        s.add("accent", stroke([(44, 66), (50, 57), (56, 66)], 1.2), puff=0.2)
    elif look == 3:
        s.add("accent", mirror((50, 68), (76.6, 68), (78, 86), (70, 90), (50, 90.6)), puff=1.4, alpha=0.92)
    return s


def handbag(look: int) -> Sketch:
    s = Sketch(floor=(50, 84, 33))
    s.add(
        "dark", stroke(curve([(30, 46), (32, 24), (42, 13), (58, 13), (68, 24), (70, 46)], closed=False), 2.6), puff=0.9
    )
    s.add("main", mirror((50, 42), (70, 42), (80, 56), (83, 78), (74, 85), (50, 85.6), smooth=look == 1), puff=4)
    s.add("main", curve([(21, 44), (50, 41), (79, 44), (77, 58), (64, 65), (50, 67), (36, 65), (23, 58)]), puff=2.4)
    s.fold((23, 59), (36, 66), (50, 68), (64, 66), (77, 59), width=1.3, alpha=0.45, soft=0.5)
    s.add("gold", box(46, 61, 54, 70, 1.4), cut=[box(48, 64, 52, 67, 0.6)] if look else [], puff=0.7, gloss=0.6)
    s.add("gold", ellipse(30, 46, 2), ellipse(70, 46, 2), puff=0.6)
    if look >= 2:
        s.add("light", stroke(curve([(25, 48), (50, 46), (75, 48)], closed=False), 0.5), puff=0)
    return s


def wallet(look: int) -> Sketch:
    s = Sketch()
    s.add("paper", box(30, 26, 66, 46, 1.6), puff=0.6)
    s.add("sky", box(34, 29, 70, 46, 1.6), puff=0.6)
    s.add("main", box(20, 34, 80, 74, 4), puff=3)
    s.add("light", stroke([(23, 37), (77, 37)], 0.4), stroke([(23, 71), (77, 71)], 0.4), puff=0, alpha=0.8)
    if look == 1:
        s.add("dark", box(64, 47, 82, 60, 3), puff=1.2)
        s.add("gold", ellipse(69.6, 53.5, 2), puff=0.6, gloss=0.5)
    else:
        s.fold((20.6, 54), (50, 54.4), (79.4, 54), width=0.9, alpha=0.4, soft=0.3)
        s.add("dark", box(26, 60, 38, 66, 1), puff=0.4)
    return s


def lamp(look: int) -> Sketch:
    s = Sketch(floor=(50, 90, 20))
    s.add("glow", ellipse(50, 48, 26, 24), puff=0, alpha=0.55, soft=7)
    if look in (0, 2):
        s.add("wood" if look else "metal", box(48.6, 44, 51.4, 86, 1), puff=0.7)
        s.add("wood" if look else "metal", box(36, 85, 64, 90, 2.4), puff=1.2)
    else:
        s.add(
            "main",
            mirror((50, 46), (54, 48), (56, 56), (64, 68), (65, 80), (58, 90), (50, 90), smooth=True),
            puff=4,
            gloss=0.5,
        )
    if look == 3:
        s.add("paper", mirror((50, 14), (62, 14), (71, 46), (50, 46)), puff=3)
    else:
        s.add("main" if look in (0, 2) else "paper", mirror((50, 12), (61, 12), (72, 46), (50, 46)), puff=3.4)
    s.add("glow", mirror((50, 45), (71.4, 45), (72, 47.4), (50, 48.6)), puff=0.4)
    s.shine([(44, 15), (50, 15), (50, 44), (40, 44)], alpha=0.22, soft=3)
    return s


def cushion(look: int) -> Sketch:
    s = Sketch()
    s.add(
        "main",
        curve(
            [
                (16, 18),
                (34, 21.6),
                (50, 22),
                (66, 21.6),
                (84, 18),
                (80, 34),
                (79.4, 50),
                (80, 66),
                (84, 82),
                (66, 79),
                (50, 78.6),
                (34, 79),
                (16, 82),
                (20, 66),
                (20.6, 50),
                (20, 34),
            ]
        ),
        puff=8,
    )
    if look == 2:
        s.add("accent", *[box(x, 22.6, x + 3, 78, 0.2) for x in (28, 38, 48, 58, 68)], puff=0, alpha=0.8)
    elif look == 1:
        s.add("dark", ellipse(50, 50, 1.8), puff=0.8)
        for angle in range(0, 360, 60):
            s.fold(
                (50, 50),
                *[(50 + r * math.cos(math.radians(angle)), 50 + r * math.sin(math.radians(angle))) for r in (7, 15)],
                width=1.2,
                alpha=0.24,
            )
    elif look == 3:
        s.add(
            "accent",
            [(50, 30), (70, 50), (50, 70), (30, 50)],
            cut=[[(50, 37), (63, 50), (50, 63), (37, 50)]],
            puff=0.5,
            alpha=0.9,
        )
    s.fold((22, 24), (28, 29), (32, 34), width=1.4, alpha=0.25)
    s.fold((78, 24), (72, 29), (68, 34), width=1.4, alpha=0.25)
    s.fold((22, 76), (28, 71), (32, 66), width=1.4, alpha=0.25)
    return s


def throw(look: int) -> Sketch:
    s = Sketch(floor=(50, 82, 36))
    for y, role in ((66, "dark"), (51, "main"), (36, "main")):
        s.add(role, box(15, y, 85, y + 16, 7), puff=4)
        s.fold((18, y + 15), (50, y + 15.6), (82, y + 15), width=1.2, alpha=0.35, soft=0.5)
    if look == 2:
        s.add("accent", *[box(x, 36, x + 3.4, 82, 0.4) for x in (28, 38, 48)], puff=0.4, alpha=0.8)
    elif look == 3:
        s.add("accent", box(15.4, 51, 84.6, 66.6, 7), puff=3)
    elif look == 1:
        for x in range(20, 84, 5):
            s.fold((x, 38), (x + 2, 44), (x, 51), width=0.7, alpha=0.22, soft=0.3)
    for i in range(14):
        s.add("light", stroke([(60 + i * 1.7, 66), (60.4 + i * 1.7, 74)], 0.8), puff=0.3)
    return s


def vase(look: int) -> Sketch:
    s = Sketch(floor=(50, 91, 18))
    for x, y, bend in ((40, 10, -4), (50, 4, 0), (61, 12, 5)):
        s.add("leaf", stroke(curve([(50, 46), (50 + bend * 0.5, 30), (x, y)], closed=False), 0.8), puff=0.2)
        for k in (0.2, 0.45, 0.7):
            lx, ly = 50 + (x - 50) * (1 - k), 46 + (y - 46) * (1 - k)
            s.add("leaf", ellipse(lx - 3, ly, 4, 1.5, 35), ellipse(lx + 3, ly, 4, 1.5, -35), puff=0.5)
    half: tuple[Point, ...]
    if look == 0:
        half = ((50, 40), (55, 40), (54, 50), (68, 62), (66, 82), (58, 91), (50, 91))
    elif look == 1:
        half = ((50, 40), (57, 40), (60, 56), (62, 74), (60, 90), (50, 91))
    else:
        half = ((50, 40), (58, 39), (55, 48), (60, 58), (70, 70), (64, 86), (50, 91))
    s.add("main", mirror(*half, smooth=True), puff=4.6, gloss=0.5)
    if look == 3:
        s.add("accent", mirror((50, 66), (67, 66), (69, 71), (50, 71)), puff=0, alpha=0.8)
    s.shine(ellipse(43, 64, 1.8, 10), alpha=0.35, soft=1.4)
    return s


def candle(look: int) -> Sketch:
    s = Sketch(floor=(50, 84, 22))
    s.add("glow", ellipse(50, 22, 13, 15), puff=0, alpha=0.6, soft=5)
    s.add("main", box(30, 40, 70, 84, 4 if look != 1 else 12), puff=4, gloss=0.5)
    s.add("light", ellipse(50, 41, 20, 4.4), puff=0.8)
    s.add("paper", ellipse(50, 41.4, 17, 3.2), puff=0.5)
    s.add("ink", stroke([(50, 41), (50, 33)], 0.8), puff=0)
    s.add("sun", curve([(50, 18), (53.4, 28), (50, 34), (46.6, 28)]), puff=0.8)
    s.add("paper", curve([(50, 25), (51.6, 30), (50, 33), (48.4, 30)]), puff=0.3)
    if look != 1:
        s.add("paper", box(38, 54, 62, 74, 1), puff=0.4)
        s.add("ink", *[box(42, y, 58, y + 0.9, 0.3) for y in (60, 63.4, 66.8)], puff=0, alpha=0.55)
    return s


def clock(look: int) -> Sketch:
    s = Sketch()
    rim = [ellipse(50, 50, 36)] if look != 1 else [box(15, 15, 85, 85, 12)]
    s.add("main", *rim, puff=2.6)
    s.add("paper", ellipse(50, 50, 30) if look != 1 else box(20, 20, 80, 80, 9), puff=1)
    for hour in range(12):
        a = math.radians(hour * 30)
        long = 4 if hour % 3 == 0 else 2
        s.add(
            "ink",
            stroke(
                [
                    (50 + (27 - long) * math.sin(a), 50 - (27 - long) * math.cos(a)),
                    (50 + 27 * math.sin(a), 50 - 27 * math.cos(a)),
                ],
                1.2 if long > 2 else 0.7,
            ),
            puff=0,
        )
    s.add("ink", stroke([(52, 54), (41, 38)], 2), stroke([(48, 53), (66, 36)], 1.4), puff=0.3)
    s.add("main", stroke([(50, 56), (50, 27)], 0.6), ellipse(50, 50, 2.2), puff=0.4)
    return s


def chair(look: int) -> Sketch:
    s = Sketch(floor=(50, 93, 26))
    for path in (
        [(33, 60), (36, 60), (31, 94), (29, 94)],
        [(64, 60), (67, 60), (71, 94), (69, 94)],
        [(40, 60), (42, 60), (41, 86), (39.6, 86)],
        [(58, 60), (60, 60), (60.4, 86), (59, 86)],
    ):
        s.add("wood" if look != 1 else "ink", path, puff=0.6)
    if look in (0, 3):
        s.add("main", curve([(30, 12), (50, 9), (70, 12), (72, 34), (66, 52), (50, 54), (34, 52), (28, 34)]), puff=5)
    else:
        s.add("wood" if look == 2 else "ink", box(31, 14, 34, 60, 1), box(66, 14, 69, 60, 1), puff=0.6)
        s.add("main", box(30, 14, 70, 26, 4), box(32, 32, 68, 40, 3), puff=2)
    s.add("main", curve([(27, 55), (50, 52), (73, 55), (75, 62), (50, 66), (25, 62)]), puff=3)
    if look == 3:
        s.fold((40, 14), (39, 32), (42, 50), width=0.9)
        s.fold((60, 14), (61, 32), (58, 50), width=0.9)
    return s


def mug(look: int) -> Sketch:
    s = Sketch(floor=(48, 82, 25))
    s.add("main", ellipse(74, 55, 13, 15), cut=[ellipse(73, 55, 8, 10)], puff=1.6, gloss=0.3)
    s.add(
        "main",
        mirror((50, 30), (74, 30), (73, 70), (68, 81), (50, 83))
        if look != 1
        else [(24, 30), (72, 30), (66, 82), (30, 82)],
        puff=5,
        gloss=0.5,
    )
    s.add("light", ellipse(49, 30.6, 24, 5), puff=0.7)
    s.add("oak", ellipse(49, 31.6, 21, 3.6), puff=0.6)
    if look == 2:
        s.add("accent", mirror((50, 52), (73.8, 52), (73.5, 60), (50, 60)), puff=0, alpha=0.85)
    elif look == 3:
        s.add("paper", mirror((50, 62), (73.4, 62), (73, 70), (68, 81), (50, 83)), puff=3)
    s.shine(box(31, 40, 34, 68, 1.4), alpha=0.35, soft=1)
    return s


def bottle(look: int) -> Sketch:
    s = Sketch(floor=(50, 93, 15))
    s.add("steel" if look != 2 else "wood", box(42, 8, 58, 19, 2.4), puff=1.6, gloss=0.4)
    if look == 1:
        s.add("dark", stroke(curve([(44, 10), (45, 3), (55, 3), (56, 10)], closed=False), 2), puff=0.6)
    s.add("metal", box(43.6, 18, 56.4, 23, 0.8), puff=1)
    s.add("main", mirror((50, 22), (56, 22), (64, 32), (65, 40), (65, 84), (61, 93), (50, 93.6)), puff=5, gloss=0.7)
    if look == 3:
        s.add("accent", box(35, 70, 65, 84, 0.3), puff=2.4, alpha=0.9)
    s.add("accent", ellipse(50, 56, 4), cut=[ellipse(50, 56, 2.9)], puff=0.2, alpha=0.8)
    s.shine(box(39, 38, 42, 84, 1.4), alpha=0.4, soft=1)
    return s


def pan(look: int) -> Sketch:
    s = Sketch()
    s.add("ink" if look != 1 else "wood", turn(box(60, 46.4, 97, 53.6, 3.4), -38, (40, 56)), puff=1.8)
    s.add("main", ellipse(40, 57, 34), puff=2.4, gloss=0.3)
    s.add("dark", ellipse(40, 57, 30), puff=2.4)
    s.add("ink", ellipse(40, 57.6, 26.4), puff=5, alpha=0.55)
    if look == 2:
        s.add("paper", curve([(28, 54), (36, 46), (50, 49), (54, 60), (44, 69), (31, 66)]), puff=1.4)
        s.add("sun", ellipse(41, 57.6, 6), puff=2, gloss=0.6)
    s.shine(curve([(20, 46), (28, 36), (40, 32), (30, 40)]), alpha=0.3, soft=1.4)
    return s


def kettle(look: int) -> Sketch:
    s = Sketch(floor=(48, 87, 28))
    s.add(
        "ink" if look != 1 else "wood",
        stroke(curve([(26, 46), (25, 20), (48, 10), (71, 20), (70, 46)], closed=False), 4),
        puff=1.4,
    )
    s.add("main", curve([(70, 58), (82, 44), (90, 40), (92, 44), (84, 54), (76, 72)]), puff=1.8, gloss=0.4)
    s.add("main", mirror((50, 38), (62, 39), (74, 56), (78, 78), (70, 87), (50, 88), smooth=True), puff=6, gloss=0.7)
    s.add("dark", ellipse(50, 40, 13, 3.4), puff=0.8)
    s.add("ink" if look != 1 else "wood", ellipse(50, 35, 4, 3.4), puff=1.2)
    if look >= 2:
        s.add("metal", mirror((50, 82), (76, 82), (70, 87), (50, 88)), puff=1)
    s.shine(ellipse(35, 62, 2.4, 11, 14), alpha=0.45, soft=1.4)
    return s


def bowl(look: int) -> Sketch:
    s = Sketch(floor=(50, 79, 24))
    s.add("main", mirror((50, 44), (85, 44), (80, 60), (66, 76), (60, 79), (50, 79)), puff=5, gloss=0.4)
    s.add("light", ellipse(50, 44, 35, 8.6), puff=1)
    s.add("dark", ellipse(50, 45.2, 32, 7), puff=2.4)
    if look == 1:
        s.add("accent", mirror((50, 56), (82, 54), (80.4, 58.6), (50, 61)), puff=0, alpha=0.85)
    elif look == 2:
        s.add("paper", mirror((50, 66), (75, 64), (66, 76), (60, 79), (50, 79)), puff=2)
    elif look == 3:
        s.add("sun", *[ellipse(x, y, 6.4, 5.6) for x, y in ((36, 41), (62, 41.6))], puff=2)
        s.add("coral", *[ellipse(x, y, 6.4, 5.6) for x, y in ((49, 39),)], puff=2)
    s.shine(ellipse(29, 58, 2, 7, -30), alpha=0.3, soft=1.2)
    return s


def knife(look: int) -> Sketch:
    s = Sketch()
    s.add(
        "metal",
        turn(curve([(8, 50), (30, 44), (64, 43.6), (64, 57), (40, 58), (20, 56)], steps=8), -32),
        puff=1.4,
        gloss=0.8,
    )
    s.add("steel", turn(box(63, 43, 67, 58, 0.8), -32), puff=0.6)
    s.add("main", turn(curve([(66, 44), (80, 45), (93, 43), (96, 52), (90, 55.6), (80, 53), (66, 54)]), -32), puff=1.8)
    s.add("gold" if look else "metal", *[turn(ellipse(x, 49.2, 1.1), -32) for x in (72, 80, 88)], puff=0.4)
    s.shine(turn([(16, 49.6), (62, 46), (62, 47.6), (20, 51)], -32), alpha=0.5, soft=0.5)
    return s
