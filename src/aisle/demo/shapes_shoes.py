"""Silhouettes of shoes."""

from __future__ import annotations

from aisle.demo.canvas import Sketch, box, curve, stroke


def _shoe(s: Sketch, look: int, sole: str, thick: float) -> None:
    upper = curve(
        [
            (13, 66),
            (13, 48),
            (17, 38),
            (27, 37),
            (34, 44),
            (46, 46),
            (58, 51.6),
            (72, 54),
            (84, 58),
            (90.6, 67),
            (88, 72),
            (60, 73),
            (30, 73),
        ]
    )
    s.add("main", upper, puff=4)
    s.add("dark", curve([(15, 39), (27, 36.4), (34, 43), (30, 47), (20, 46)]), puff=1.4)
    s.add("dark" if look != 3 else "accent", curve([(13, 52), (22, 54), (25, 66), (24, 72), (13, 70)]), puff=1.4)
    s.add("light", curve([(73, 55), (84, 58.4), (90, 67), (88, 71.6), (74, 72), (69.6, 64)]), puff=1.6)
    s.add(
        sole,
        curve(
            [
                (11, 70),
                (40, 72),
                (70, 71),
                (90, 68),
                (92, 72),
                (90, 70 + thick),
                (60, 72 + thick),
                (14, 71 + thick),
                (10, 74),
            ],
            steps=10,
        ),
        puff=1.4,
    )
    for x, y in ((37, 46), (43, 48.4), (49, 51), (55, 54)):
        s.add("accent", stroke([(x - 2.4, y - 2.2), (x + 4.2, y + 4.6)], 1.3), puff=0.4)


def sneaker(look: int) -> Sketch:
    s = Sketch(floor=(51, 79, 40))
    _shoe(s, look, "paper" if look != 1 else "gum", 7)
    if look in (0, 2):
        s.add("dark" if look == 0 else "accent", [(34, 60), (56, 62), (48, 70), (40, 71)], puff=0.6)
    return s


def running(look: int) -> Sketch:
    s = Sketch(floor=(51, 82, 40))
    _shoe(s, look, "paper", 9.6)
    s.add(
        "accent" if look != 2 else "dark", curve([(26, 70), (38, 60), (56, 60), (66, 67), (52, 65), (40, 66)]), puff=0.6
    )
    s.add("dark", curve([(12, 76), (40, 79), (70, 78), (91, 73.4), (90, 79), (60, 81.4), (14, 80)], steps=8), puff=0.8)
    return s


def boot(look: int) -> Sketch:
    s = Sketch(floor=(50, 88, 36))
    s.add(
        "main",
        curve(
            [
                (24, 13),
                (48, 13),
                (49.6, 30),
                (51, 46),
                (60, 54),
                (76, 58),
                (86, 66),
                (88, 78),
                (60, 82),
                (24, 82),
                (21, 66),
                (23, 40),
            ]
        ),
        puff=4,
    )
    s.add(
        "ink",
        [
            *curve([(20, 79), (50, 80.4), (88, 78)], closed=False),
            (89.6, 82),
            (88, 87.6),
            (46, 87.6),
            (44, 85.4),
            (38, 85.4),
            (36, 88.4),
            (20, 88.4),
        ],
        puff=1,
    )
    s.add("dark", box(22, 10.6, 50, 17.6, 2), puff=1.3)
    s.add("dark", curve([(72, 58), (82, 61.6), (87.6, 70), (87.4, 78), (70, 79), (67, 68)]), puff=1.6, alpha=0.75)
    s.add("dark", curve([(21.6, 62), (29, 60), (33, 70), (32, 79.4), (21.4, 79)]), puff=1.4, alpha=0.75)
    if look == 1:
        s.add("ink", [(33, 18), (41, 18), (43, 46), (32, 46)], puff=0.8)
        s.fold((42.4, 18), (44, 34), (44, 46), width=0.6, alpha=0.35, soft=0.2)
    else:
        for y in (24, 30, 36, 42, 48):
            s.add("gum" if look else "accent", stroke([(39.4, y), (49.2 + (y - 24) * 0.1, y + 1.8)], 1.3), puff=0.4)
    return s


def sandal(look: int) -> Sketch:
    s = Sketch(floor=(50, 79, 38))
    sole = [
        *curve([(11, 64), (30, 66), (52, 68), (76, 68), (90, 65)], closed=False),
        (92, 70),
        (88, 77),
        (60, 78),
        (14, 77),
        (10, 72),
    ]
    s.add("gum" if look != 1 else "ink", sole, puff=1.6)
    s.add("main", curve([(54, 69), (57, 58), (64, 52.6), (73, 54), (81, 61), (84, 68.4), (70, 69.6)]), puff=3)
    s.add("main", curve([(16, 67), (14, 54), (17, 43), (24, 41), (28, 48), (28, 58), (29, 67)]), puff=2.4)
    s.add("main", stroke(curve([(19, 45), (30, 42), (41, 46), (50, 56), (57, 66)], closed=False), 6), puff=1.8)
    s.add("gold", box(36, 42, 43, 50, 1.2), cut=[box(37.8, 43.8, 41.2, 48.2, 0.5)], puff=0.5, gloss=0.5)
    if look > 1:
        s.fold((60, 56), (66, 60), (70, 69), width=1.2, alpha=0.5, soft=0.3)
    s.add(
        "dark",
        curve([(11, 65), (30, 67), (52, 69), (76, 69), (90, 66), (90, 68), (52, 71.4), (11, 68)], steps=6),
        puff=0.4,
        alpha=0.6,
    )
    return s
