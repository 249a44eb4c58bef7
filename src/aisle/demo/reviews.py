"""Reviews whose ratings follow the true quality of what is reviewed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np

from aisle.demo.catalogue import variant_ids
from aisle.demo.features import FEATURES
from aisle.demo.kinds import KINDS
from aisle.demo.world import DAY_MS, World
from aisle.types import Review

_NAMES_EN = "Ada Ben Carla Dev Elif Femi Greta Hugo Ines Jon Kavya Leo Mina Noor Otis Priya Quinn Rosa Sam Tove Uma Vik Wanda Xavi Yara Zoe".split()  # noqa: E501, SIM905
_NAMES_ZH = "小林 阿杰 晓雯 大力 静静 老周 木子 小满 阿梅 子涵 云朵 浩然 思琪 小北 阿宝".split()  # noqa: SIM905

_TITLES_EN = {
    1: ("Disappointed", "Not again", "Sent it back", "Broke within a week"),
    2: ("Expected more", "So-so", "Not for me"),
    3: ("It does the job", "All right", "Mixed feelings"),
    4: ("Good value", "Very pleased", "Nearly perfect"),
    5: ("Love it", "Better than expected", "Would buy again", "A present that worked"),
}
_TITLES_ZH = {
    1: ("失望", "不会再买", "已退货"),
    2: ("期望更高", "一般般", "不太适合我"),
    3: ("够用", "还行", "有好有坏"),
    4: ("物有所值", "很满意", "几乎完美"),
    5: ("非常喜欢", "超出预期", "会回购", "送礼很合适"),
}
_LINES_EN = {
    1: (
        "The {noun} fell apart after a few days.",
        "Nothing like the picture, and the colour is off.",
        "It arrived damaged and I had to send it back.",
        "{feature}? I could not tell.",
    ),
    2: (
        "It looks fine but feels cheaper than it costs.",
        "The finish is uneven.",
        "I had hoped for a better {noun}.",
        "Calling it {feature} is a stretch.",
    ),
    3: (
        "It is a decent {noun}, no more and no less.",
        "Good material, but it took two weeks to arrive.",
        "{feature} as described, though it is smaller than I thought.",
    ),
    4: (
        "Well made and comfortable to use.",
        "A good {noun} for the money.",
        "Really {feature}, just as it says.",
        "One star less because the box was dented.",
    ),
    5: (
        "I use this {noun} every day and it still looks new.",
        "The quality is excellent and the colour is lovely.",
        "{feature} indeed: exactly what I was looking for.",
        "My sister wants one too.",
    ),
}
_LINES_ZH = {
    1: ("这款{noun}没用几天就坏了。", "和图片差太多，颜色也不对。", "收到时已经破损，只能退货。"),
    2: ("看着还行，但质感配不上价格。", "做工不够均匀。", "说是{feature}，其实很勉强。"),
    3: ("中规中矩的{noun}。", "用料不错，就是物流太慢。", "确实{feature}，不过比想象中小。"),
    4: ("做工好，用着舒服。", "这个价格的{noun}很不错。", "真的{feature}，和描述一致。"),
    5: ("每天都在用，依然像新的一样。", "质量很好，颜色也漂亮。", "{feature}名副其实，正是我想要的。"),
}


def reviews(world: World, per_group: float = 2.0) -> Iterator[Review]:
    """Reviews of the last year, `per_group` a product on average, more for what sells."""
    zh = world.config.language == "zh"
    titles, lines, names = (_TITLES_ZH, _LINES_ZH, _NAMES_ZH) if zh else (_TITLES_EN, _LINES_EN, _NAMES_EN)
    rng = np.random.default_rng([world.config.seed, 41])
    share = world.popularity / world.popularity.mean()
    counts = rng.poisson(per_group * share * rng.gamma(1.0, 1.0, len(share)))
    n_written = 0
    for number in np.flatnonzero(counts).tolist():
        writer = Random(world.config.seed * 31337 + number)
        kind = KINDS[world.goods.kind[number]]
        feature = FEATURES[kind.features[world.goods.features[number, 0]]]
        ids = variant_ids(world, number)
        for _ in range(int(counts[number])):
            felt = 3.75 + 0.75 * float(world.goods.quality[number]) + writer.gauss(0, 0.8)
            rating = min(5, max(1, round(felt)))
            said = writer.sample(lines[rating], k=writer.randint(1, 2))
            words = {"noun": kind.zh if zh else kind.en.lower(), "feature": feature.zh if zh else feature.en.lower()}
            text = ("" if zh else " ").join(line.format(**words) for line in said)
            n_written += 1
            yield Review(
                review_id=f"r{n_written:06d}",
                item_id=writer.choice(ids),
                rating=float(rating),
                title=writer.choice(titles[rating]),
                text=text[:1].upper() + text[1:],
                reviewer=writer.choice(names),
                time_ms=world.config.end_ms - int(writer.random() ** 1.5 * 365 * DAY_MS) - 1,
            )
