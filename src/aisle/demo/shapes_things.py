"""Silhouettes of coffee and tea, electronics and outdoor gear."""

from __future__ import annotations

import math

from aisle.demo.canvas import Path, Sketch, box, curve, ellipse, flip, mirror, stroke, turn


def coffee(look: int) -> Sketch:
    s = Sketch(floor=(50, 90, 24))
    s.add(
        "main",
        curve(
            [(28, 14), (50, 13), (72, 14), (74, 50), (74, 86), (70, 90), (50, 91), (30, 90), (26, 86), (26, 50)],
            steps=8,
        ),
        puff=5,
    )
    s.add("dark", box(27.4, 12, 72.6, 21, 1), puff=1)
    s.add("paper", box(34, 38, 66, 74, 2) if look != 1 else ellipse(50, 56, 17), puff=0.6)
    for x, y, a in ((45, 52, 30), (56, 56, -20), (47, 63, 60)):
        s.add("oak", ellipse(x, y, 5.4, 3.7, a), puff=1.2)
        s.fold(
            (x - 4 * math.cos(math.radians(a)), y - 4 * math.sin(math.radians(a))),
            (x, y),
            (x + 4 * math.cos(math.radians(a)), y + 4 * math.sin(math.radians(a))),
            width=0.8,
            alpha=0.6,
            soft=0.15,
        )
    if look >= 2:
        s.add("accent", ellipse(50, 29, 2.4), puff=0.4)
    s.fold((31, 24), (33, 50), (30, 84), width=1.4)
    s.fold((69, 24), (67, 50), (70, 84), width=1.4)
    return s


def tea(look: int) -> Sketch:
    s = Sketch(floor=(50, 87, 22))
    s.add("main", box(28, 30, 72, 87, 3), puff=5, gloss=0.6)
    s.add("light", ellipse(50, 31, 22, 4.6), puff=0.8)
    s.add("gold" if look else "metal", box(27, 20, 73, 32, 3), puff=2.4, gloss=0.6)
    s.add("paper", box(33, 44, 67, 76, 1.6) if look != 2 else ellipse(50, 60, 16, 17), puff=0.5)
    s.add("leaf", curve([(50, 70), (42, 62), (43, 52), (51, 48), (56, 55), (55, 64)]), puff=1.4)
    s.fold((50, 70), (50, 60), (51, 50), width=0.6, alpha=0.4, soft=0.15)
    if look == 3:
        s.add("leaf", ellipse(60, 66, 5, 2.2, -40), ellipse(41, 68, 4.4, 2, 30), puff=0.8)
    return s


def headphones(look: int) -> Sketch:
    s = Sketch()
    s.add(
        "dark",
        stroke(curve([(22, 62), (20, 40), (32, 20), (50, 14), (68, 20), (80, 40), (78, 62)], closed=False), 5),
        puff=1.8,
    )
    s.add(
        "main",
        stroke(curve([(27, 34), (36, 20.6), (50, 15.6), (64, 20.6), (73, 34)], closed=False), 7),
        puff=2.2,
        gloss=0.4,
    )
    s.add("metal", box(19, 46, 24, 60, 1.4), box(76, 46, 81, 60, 1.4), puff=0.8)
    right: Path = curve([(66, 54), (74, 50), (84, 53), (88, 66), (84, 80), (74, 84), (66, 80)])
    s.add("main", right, flip(right), puff=4, gloss=0.5)
    pad: Path = curve([(62, 54), (68, 52), (70, 66), (68, 82), (62, 80), (60, 67)])
    s.add("ink" if look != 1 else "gum", pad, flip(pad), puff=2)
    if look >= 2:
        s.add("accent" if look == 3 else "metal", ellipse(79, 67, 3.4, 6), ellipse(21, 67, 3.4, 6), puff=0.8)
    return s


def earbuds(look: int) -> Sketch:
    s = Sketch()
    s.add("main", box(22, 50, 78, 88, 17), puff=5, gloss=0.5)
    s.fold((22.6, 62), (50, 62.6), (77.4, 62), width=0.7, alpha=0.4, soft=0.2)
    s.add("glow" if look else "mint", ellipse(50, 72, 1.5), puff=0)
    for x, sign in ((34, -1), (66, 1)):
        if look in (0, 2):
            s.add("light", turn(box(x - 3.4, 26, x + 3.4, 46, 3.2), 9 * sign, (x, 26)), puff=2, gloss=0.4)
        s.add("main", ellipse(x, 25, 10, 9.4), puff=4, gloss=0.5)
        s.add("ink", ellipse(x - 4 * sign, 23, 4.6, 5.2), puff=1.6)
        if look == 3:
            s.add("accent", ellipse(x + 3 * sign, 27, 3), puff=0.4)
    return s


def speaker(look: int) -> Sketch:
    if look == 1:
        s = Sketch(floor=(50, 74, 36))
        s.add("main", box(12, 34, 88, 74, 19), puff=5)
        s.add(
            "dark",
            *[ellipse(x + (2 if row % 2 else 0), 40 + row * 4, 0.8) for row in range(8) for x in range(26, 76, 4)],
            puff=0,
        )
        s.add("ink", box(42, 32.6, 58, 35.6, 1.2), puff=0.4)
        s.add("accent", box(46, 52, 54, 56, 1), puff=0.3)
        return s
    s = Sketch(floor=(50, 90, 24))
    s.add("main" if look != 2 else "wood", box(26, 12, 74, 90, 8), puff=4)
    for y, r in ((34, 11), (64, 18)):
        s.add("dark", ellipse(50, y, r + 1.6), puff=1)
        s.add("main" if look == 2 else "ink", ellipse(50, y, r), puff=3.4)
        s.add("steel", ellipse(50, y, r * 0.36), puff=1.6, gloss=0.4)
    s.add("glow", ellipse(69, 17, 1), puff=0)
    if look == 3:
        s.add("accent", box(26, 84, 74, 87, 0.2), puff=0)
    return s


def _strap(s: Sketch, role: str, wide: float) -> None:
    s.add(role, [(50 - wide, 34), (50 - wide * 0.82, 4), (50 + wide * 0.82, 4), (50 + wide, 34)], puff=2)
    s.add(role, [(50 - wide, 66), (50 - wide * 0.82, 96), (50 + wide * 0.82, 96), (50 + wide, 66)], puff=2)
    s.add("dark" if role == "main" else "ink", *[ellipse(50, y, 1) for y in (78, 83, 88)], puff=0.2)


def smartwatch(look: int) -> Sketch:
    s = Sketch()
    _strap(s, "main", 13)
    s.add("metal" if look != 1 else "ink", box(29, 28, 71, 72, 12), box(70, 44, 74, 52, 1.6), puff=2, gloss=0.6)
    s.add("screen", box(32, 31, 68, 69, 9.6), puff=0.8)
    if look in (0, 3):
        for r, role, part in ((13, "coral", 0.8), (10, "mint", 0.6), (7, "sky", 0.9)):
            arc = [
                (50 + r * math.sin(a * part * 2 * math.pi / 40), 50 - r * math.cos(a * part * 2 * math.pi / 40))
                for a in range(41)
            ]
            s.add(role, stroke(arc, 2), puff=0)
    else:
        s.add("paper", *[box(x, 40, x + 4.6, 54, 1) for x in (37, 44, 52, 59)], puff=0)
        s.add("coral" if look == 1 else "mint", box(38, 59, 62, 62, 1.4), puff=0)
    return s


def watch(look: int) -> Sketch:
    s = Sketch()
    _strap(s, "main", 11)
    s.add("gold" if look in (1, 3) else "metal", ellipse(50, 50, 24), box(73, 47, 78, 53, 1), puff=2, gloss=0.7)
    s.add("paper" if look < 2 else "ink", ellipse(50, 50, 20), puff=1)
    hands = "ink" if look < 2 else "paper"
    for hour in range(12):
        a = math.radians(hour * 30)
        s.add(
            hands,
            stroke(
                [(50 + 15.6 * math.sin(a), 50 - 15.6 * math.cos(a)), (50 + 18 * math.sin(a), 50 - 18 * math.cos(a))], 1
            ),
            puff=0,
        )
    s.add(hands, stroke([(50, 51), (42, 43)], 1.8), stroke([(50, 51), (59, 39)], 1.2), puff=0)
    s.add("coral", stroke([(50, 54), (50, 35)], 0.5), ellipse(50, 50, 1.3), puff=0)
    return s


def keyboard(look: int) -> Sketch:
    s = Sketch()
    tall = 22 if look == 1 else 25
    s.add("main", box(7, 50 - tall, 93, 50 + tall, 5), puff=1.8)
    n_rows, pitch = 5, (2 * tall - 8) / 5
    for row in range(n_rows):
        y = 50 - tall + 4 + row * pitch
        if row == 4:
            keys = [
                box(11, y, 22, y + pitch - 1.4, 1.3),
                box(23.4, y, 66, y + pitch - 1.4, 1.3),
                box(67.4, y, 78, y + pitch - 1.4, 1.3),
            ]
        else:
            keys = [
                box(11 + k * 6.1 + row * 0.8, y, 15.7 + k * 6.1 + row * 0.8, y + pitch - 1.4, 1.3) for k in range(12)
            ]
        s.add("light" if look != 2 else "paper", *keys, puff=0.8)
        s.add("accent" if look == 3 else "dark", box(86, y, 90, y + pitch - 1.4, 1.2), puff=0.7)
    if look == 3:
        s.add("coral", box(11, 50 - tall + 4, 15.7, 50 - tall + 2.6 + pitch, 1.3), puff=0.8)
    return s


def mouse(look: int) -> Sketch:
    s = Sketch()
    half = ((50, 13), (64, 16), (72, 32), (73, 56), (69, 76), (60, 86), (50, 88))
    s.add("main", mirror(*half, smooth=True), puff=7, gloss=0.5)
    s.fold((50, 15), (50, 30), (50, 46), width=0.7, alpha=0.5, soft=0.2)
    s.fold((27.4, 46), (50, 49.6), (72.6, 46), width=0.7, alpha=0.4 if look != 1 else 0, soft=0.2)
    s.add("ink", box(47.4, 25, 52.6, 38, 2.4), puff=0.9)
    if look >= 2:
        s.add("accent", box(48.6, 42, 51.4, 45, 1), puff=0.2)
    return s


def powerbank(look: int) -> Sketch:
    s = Sketch()
    tilt = 0 if look == 1 else 14
    s.add("main", turn(box(30, 12, 70, 88, 7), tilt), puff=2.4, gloss=0.3)
    s.add("ink", turn(box(45, 13.4, 55, 16, 1), tilt), puff=0)
    s.add("glow", *[turn(ellipse(42 + 5 * k, 80, 1.1), tilt) for k in range(4)], puff=0)
    bolt: Path = [(52, 34), (42, 52), (49, 52), (46, 66), (58, 46), (51, 46), (55, 34)]
    s.add("accent", turn(bolt, tilt), puff=0.3, alpha=0.9)
    if look == 3:
        s.add("dark", turn(box(30, 70, 70, 88, 7), tilt), puff=1.4, alpha=0.6)
    return s


def tent(look: int) -> Sketch:
    s = Sketch(floor=(50, 82, 42))
    if look in (0, 2):
        s.add("dark", [(50, 22), (90, 80), (62, 83), (46, 40)], puff=2)
        s.add("main", [(50, 20), (64, 82), (10, 80)], puff=3)
        s.add("ink", [(46, 36), (52, 81.6), (28, 81)], puff=2, alpha=0.75)
        s.add("light", curve([(46, 36), (38, 60), (28, 81), (22, 80.6), (32, 60)]), puff=1)
    else:
        s.add("main", curve([(8, 81), (18, 50), (38, 30), (54, 27), (72, 34), (86, 54), (93, 81), (50, 83)]), puff=6)
        s.add("ink", curve([(36, 82), (38, 58), (48, 46), (58, 58), (61, 82), (48, 82.6)]), puff=2, alpha=0.75)
        s.add("light", curve([(36, 82), (38, 58), (47, 46), (42, 64), (41, 82)]), puff=1)
        for path in ([(14, 62), (40, 34), (72, 34)], [(88, 62), (66, 34), (36, 30)]):
            s.fold(path[0], path[1], path[2], width=0.8, alpha=0.3, soft=0.25)
    if look >= 2:
        s.add("accent", curve([(48, 21), (54, 27), (60, 34), (50, 32), (44, 30)]), puff=0.8)
    s.add("wood", stroke([(10, 80), (3, 87)], 0.6), stroke([(90, 80), (97, 87)], 0.6), puff=0)
    return s


def sleepingbag(look: int) -> Sketch:
    s = Sketch()
    s.add("main", mirror((50, 6), (62, 9), (68, 20), (70, 40), (66, 70), (60, 92), (50, 95), smooth=True), puff=5)
    for y in range(28, 92, 9):
        s.fold(
            (31 + abs(y - 40) * 0.08, y), (50, y + 1.6), (69 - abs(y - 40) * 0.08, y), width=1.3, alpha=0.3, soft=0.5
        )
    s.add("dark", ellipse(50, 19, 11.4, 10), puff=2.4)
    s.add("ink", ellipse(50, 20.4, 8.4, 7), puff=2)
    s.add("paper", box(43, 21, 57, 28, 3), puff=2.4)
    if look in (1, 2):
        s.add("accent", stroke(curve([(57, 26), (61, 44), (60, 70)], closed=False), 0.9), puff=0.2)
    return s


def lantern(look: int) -> Sketch:
    s = Sketch(floor=(50, 88, 22))
    s.add("glow", ellipse(50, 52, 30), puff=0, alpha=0.6, soft=7)
    s.add("steel", stroke(curve([(32, 34), (34, 14), (50, 7), (66, 14), (68, 34)], closed=False), 1.8), puff=0.5)
    s.add("glow", box(35, 34, 65, 72, 4 if look != 1 else 14), puff=5)
    s.add("paper", ellipse(50, 54, 5, 9), puff=0, alpha=0.9, soft=1.4)
    s.add("metal", *[box(x, 32, x + 1.6, 74, 0.4) for x in ((38, 60.4) if look < 2 else (37, 49.2, 61.4))], puff=0.4)
    s.add("main", mirror((50, 22), (58, 23), (69, 34), (69, 37), (50, 37)), puff=2.4, gloss=0.4)
    s.add("main", box(30, 71, 70, 88, 4), puff=3, gloss=0.4)
    s.add("accent", ellipse(50, 79.6, 2.4), puff=0.5)
    return s


def yogamat(look: int) -> Sketch:
    s = Sketch(floor=(52, 80, 40))
    s.add("dark", [(22, 76), (88, 68), (96, 74), (30, 84)], puff=1)
    s.add("main", [(20, 48), (84, 40), (92, 56), (90, 70), (26, 79)], puff=5)
    s.add("main", ellipse(24, 63, 14, 16.4, -8), puff=2)
    spiral = [
        (24 + (2 + 10 * t / 90) * math.cos(t * 0.24), 63 + (2.4 + 12 * t / 90) * math.sin(t * 0.24)) for t in range(90)
    ]
    s.add("dark", stroke(spiral, 0.9), puff=0)
    for t in (0.35, 0.7) if look != 1 else (0.5,):
        x = 24 + 62 * t
        s.add(
            "accent" if look == 2 else "ink",
            [(x, 48 - 8 * t), (x + 4, 47.4 - 8 * t), (x + 8, 77 - 8 * t), (x + 4, 78 - 8 * t)],
            puff=0.8,
            alpha=0.9,
        )
    return s


def dumbbell(look: int) -> Sketch:
    s = Sketch()
    tilt = -24
    s.add("metal", turn(box(26, 46, 74, 54, 2), tilt), puff=2, gloss=0.7)
    for x in (10, 72):
        head: Path = (
            box(x, 30, x + 18, 70, 5)
            if look != 1
            else [(x + 4, 30), (x + 14, 30), (x + 18, 40), (x + 18, 60), (x + 14, 70), (x + 4, 70), (x, 60), (x, 40)]
        )
        s.add("main", turn(head, tilt), puff=3.6, gloss=0.3)
        s.add("dark", turn(box(x + (13 if x < 50 else -3), 34, x + (21 if x < 50 else 5), 66, 3), tilt), puff=2)
    if look >= 2:
        s.add("accent", *[turn(ellipse(x, 50, 4), tilt) for x in (17, 81)], puff=0.5)
    return s
