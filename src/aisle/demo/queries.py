"""What shoppers type: words for a need, with typing errors, and what the shop finds by plain matching."""

from __future__ import annotations

from random import Random

import numpy as np

from aisle.demo.features import FEATURES
from aisle.demo.kinds import KINDS
from aisle.demo.words import BRANDS, COLOURS
from aisle.demo.world import Need, Numbers, World

TYPING_ERRORS = 0.07
"""Share of queries with a slip of the fingers."""

UNSOLD_EN = (
    "surfboard",
    "printer ink",
    "car battery",
    "dog food",
    "fishing rod",
    "violin",
    "garden hose",
    "baby stroller",
)
UNSOLD_ZH = ("冲浪板", "打印机墨盒", "汽车电瓶", "狗粮", "鱼竿", "小提琴", "浇水管", "婴儿车")

NOUNS_ZH: dict[str, tuple[str, ...]] = {
    "hoodie": ("卫衣", "连帽衫"), "tee": ("短袖", "t恤"), "trousers": ("裤子",), "jacket": ("外套",),
    "dress": ("裙子",), "sneaker": ("板鞋", "鞋子"), "running": ("跑鞋", "运动鞋"), "boot": ("短靴",),
    "backpack": ("背包", "书包"), "handbag": ("女包",), "headphones": ("耳机",), "earbuds": ("蓝牙耳机",),
    "powerbank": ("移动电源",), "mug": ("杯子",), "bottle": ("保温杯",), "notebook": ("本子",), "plush": ("玩偶",),
}  # fmt: skip
"""What else shoppers call a kind of product."""

_UNSOLD = frozenset(UNSOLD_EN + UNSOLD_ZH)
_NEIGHBOURS = dict(zip("abcdefghijklmnopqrstuvwxyz", "svxswdfguhjknbiowearycqztx", strict=True))


def typing_error(text: str, rng: Random) -> str:
    """One slip: two letters swapped, one left out, doubled, or its neighbour on the keyboard."""
    places = [i for i in range(1, len(text) - 1) if text[i].isalpha() and text[i].isascii() and text[i + 1] != " "]
    if not places:
        return text
    i = rng.choice(places)
    match rng.randrange(4):
        case 0:
            return text[:i] + text[i + 1] + text[i] + text[i + 2 :]
        case 1:
            return text[:i] + text[i + 1 :]
        case 2:
            return text[:i] + text[i] + text[i:]
    return text[:i] + _NEIGHBOURS.get(text[i].lower(), text[i]) + text[i + 1 :]


def write_query(world: World, need: Need, gender: int, rng: Random) -> str:
    """The words a shopper uses for a need; `gender` as in `Population.gender`."""
    kind = KINDS[need.kind]
    zh = world.config.language == "zh"
    if rng.random() < 0.015:
        return rng.choice(UNSOLD_ZH if zh else UNSOLD_EN)
    words = []
    if need.colour >= 0:
        words.append(COLOURS[need.colour].zh if zh else COLOURS[need.colour].en.lower())
    if need.feature >= 0:
        feature = FEATURES[kind.features[need.feature]]
        words.append(feature.zh if zh else feature.en.lower())
    has_gender = "m" in kind.gender and "w" in kind.gender and rng.random() < 0.3
    if zh:
        noun = rng.choice((kind.zh, kind.zh, *NOUNS_ZH.get(kind.key, ())))
        if has_gender:
            words.insert(0, rng.choice(("男士", "男款", "男") if gender == 1 else ("女士", "女款", "女")))
        if rng.random() < 0.06:
            words.insert(0, rng.choice([b.in_china for b in BRANDS if kind.department in b.departments]) + " ")
        text = (" " if rng.random() < 0.2 else "").join([*words, noun])
        if np.isfinite(need.max_price):
            return (
                f"{text}{rng.choice((' ', ''))}{need.max_price:.0f}{rng.choice(('以下', '元以下', '元以内', '块以内'))}"
            )
        return text
    noun = kind.en.lower() if rng.random() < 0.7 else rng.choice(kind.synonyms)
    if rng.random() < 0.06:
        brands = [b.en for b in BRANDS if kind.department in b.departments]
        words.insert(0, rng.choice(brands).lower())
    text = " ".join([*words, noun])
    if has_gender:
        whom = "men" if gender == 1 else "women"
        text = f"{whom}s {text}" if rng.random() < 0.5 else f"{text} for {whom}"
    if np.isfinite(need.max_price):
        text = f"{text} under {'$' if rng.random() < 0.5 else ''}{need.max_price:.0f}"
    return typing_error(text, rng) if rng.random() < TYPING_ERRORS else text


def matches(world: World, need: Need, query: str) -> Numbers:
    """Groups a plain search would find for the need: its kind, narrowed while enough remain."""
    if query in _UNSOLD:
        return np.empty(0, np.int64)
    goods, found = world.goods, world.by_kind[need.kind]
    fits = np.ones(len(found), bool)
    for condition in (
        (goods.colours[found] == need.colour).any(1) | (need.colour < 0),
        (goods.features[found] == need.feature).any(1) | (need.feature < 0),
        world.prices[found] <= need.max_price,
    ):
        if (fits & condition).any():
            fits &= condition
    return found[fits]
