"""Chinese in a query: cut around what the shop and shoppers have words for.

Chinese has no spaces, so 红色男款连帽衫 comes as one run. Conditions (colours,
genders, ages), the catalogue's own names and values, and polite padding are cut
out of it so that they cover as much as they can; what is left between stays
whole for the index's own segmenter. Everything here reads simplified characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from aisle.understand.lexicon import Lexicon, Meaning
from aisle.understand.text import Word, key
from aisle.understand.wordlists import AGES, GENDERS, NEAR_COLORS, SAME_COLORS

MAX_WORD: Final = 8
"""Characters of the longest name that is looked for in a run."""

PADDING: Final = frozenset(
    """的 我想买 我想要 我要买 我要 想买 想要 我想 有没有 有什么 请问 推荐 一下 给我 帮我 帮我找 找一下 求推荐
    适合 那种 什么样 一款 一双 一件 一条 一个 一只 一台 一把 一本 一支 一顶 一副 一套 一些 几款 有吗 吗 呢""".split()  # noqa: SIM905
)
"""What shoppers say around what they want."""

LOOSE: Final = frozenset("和与及了吧")
"""Particles only between words that are known: 和 begins 和服, 吧 begins 吧台."""

AFTER: Final = frozenset("鞋包裤裙表帽袜衣装衫灯杯碗笔")
"""Nouns of one character that 女, 黑 or 棉 may stand before."""

ONE_KIND: Final[tuple[tuple[str, ...], ...]] = (
    ("卫衣", "连帽卫衣", "连帽衫", "帽衫", "套头衫"), ("T恤", "短袖", "体恤", "汗衫"),
    ("长裤", "裤子", "休闲裤", "西裤"), ("短裤", "热裤", "五分裤"), ("连衣裙", "裙子", "长裙"),
    ("半身裙", "裙子", "短裙"), ("夹克", "外套", "风衣"), ("毛衣", "针织衫", "羊毛衫"), ("衬衫", "衬衣"),
    ("毛线帽", "针织帽", "冷帽", "帽子"), ("棒球帽", "鸭舌帽", "帽子"), ("围巾", "披肩"), ("袜子", "短袜", "袜"),
    ("休闲鞋", "板鞋", "小白鞋", "运动鞋"), ("跑步鞋", "跑鞋", "运动鞋"),
    ("靴子", "短靴", "马丁靴", "登山靴", "雪地靴"), ("凉鞋", "拖鞋", "沙滩鞋"), ("双肩包", "背包", "书包"),
    ("托特包", "购物袋", "帆布袋"), ("手提包", "手袋", "女包", "单肩包", "包包"), ("钱包", "卡包", "皮夹"),
    ("头戴耳机", "耳机", "耳麦"), ("真无线耳机", "耳机", "蓝牙耳机", "耳塞"), ("音箱", "音响", "扬声器"),
    ("充电宝", "移动电源"), ("智能手表", "运动手表"), ("马克杯", "杯子", "咖啡杯", "水杯"),
    ("水壶", "水杯", "保温杯"), ("平底锅", "煎锅", "锅"), ("烧水壶", "热水壶", "电水壶"),
    ("厨师刀", "菜刀", "刀具"), ("咖啡豆", "咖啡"), ("茶叶", "茶"), ("面霜", "润肤霜", "护肤霜"),
    ("洗发水", "洗发露", "洗头膏"), ("口红", "唇膏"), ("毛绒熊", "毛绒玩具", "玩偶", "公仔"),
    ("积木", "积木玩具", "乐高"),
    ("拼图", "拼板"), ("桌游", "桌面游戏"), ("小说", "故事书"), ("菜谱书", "烹饪", "菜谱", "食谱"),
    ("旅行指南", "旅行", "旅游书", "攻略"), ("笔记本", "本子", "手账"), ("台灯", "床头灯", "桌灯"),
    ("抱枕", "靠枕", "靠垫"), ("盖毯", "毯子", "毛毯"), ("椅子", "座椅"), ("哑铃", "杠铃"),
    ("瑜伽垫", "瑜珈垫", "健身垫"),    ("鼠标", "滑鼠"),
)  # fmt: skip
"""Names of one kind of product, the usual one first: where the shop lacks the shopper's word, another stands for it."""

ONE_TRAIT: Final[tuple[tuple[str, ...], ...]] = (
    ("棉", "纯棉", "全棉"), ("真皮", "牛皮", "皮革"), ("羊毛", "美利奴羊毛", "纯羊毛"), ("竹", "竹制", "竹子"),
    ("橡木", "实木", "木质"), ("防水", "防雨", "不透水"), ("加绒", "绒里", "保暖"), ("透气", "网面"),
    ("轻量", "轻便"), ("降噪", "消噪", "主动降噪"), ("无线", "蓝牙"), ("防滑", "抓地"), ("不粘", "不沾"),
    ("静音", "无声"), ("弹力", "有弹性"), ("宽松", "肥大", "阔版"), ("修身", "紧身"), ("条纹", "条子"),
    ("保温", "隔热"), ("保湿", "补水", "滋润"), ("陶瓷", "瓷"),
)  # fmt: skip
"""The same of materials and features."""

_SIZE: Final = re.compile(r"(?<![a-z0-9])([a-z]{1,4}|\d{1,3})\s?[码号](?!线)", re.IGNORECASE)
_MEASURE: Final = re.compile(r"(?<![\d.])(\d{1,4})\s?(毫升|ml|公斤|千克|kg|厘米|cm|克|g)(?![a-z])", re.IGNORECASE)
_UNITS: Final = {"毫升": "ml", "公斤": "kg", "千克": "kg", "厘米": "cm", "克": "g"}


def _others(groups: tuple[tuple[str, ...], ...]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for group in groups:
        for word in group:
            found.setdefault(word, {}).update((other, None) for other in group if other != word)
    return {word: tuple(others) for word, others in found.items()}


OTHERS: Final[Mapping[str, tuple[str, ...]]] = _others((*ONE_KIND, *ONE_TRAIT))

STAND_IN: Final = 0.8
"""How sure another name is, against the catalogue's own."""


@lru_cache(4096)
def _phrase(word: str) -> str:
    """The word as the lexicon has it. Not made beforehand: that would load what a shop without Chinese never needs."""
    return key(word)


def find_sizes(text: str, sizes: Mapping[str, str]) -> Iterator[tuple[str, int, int]]:
    """Sizes of the catalogue said as 42码, M号, 500毫升: the folded size, where it starts and ends."""
    for match in _SIZE.finditer(text):
        if (name := match[1].lower()) in sizes:
            yield name, match.start(), match.end()
    for match in _MEASURE.finditer(text):
        unit = _UNITS.get(match[2], match[2].lower())
        for name in (f"{match[1]} {unit}", f"{match[1]}{unit}"):
            if name in sizes:
                yield name, match.start(), match.end()


def stand_ins(word: str, lexicon: Lexicon) -> tuple[str, ...]:
    """Other names of the same that the catalogue has, for a word that is no name of its own."""
    if word not in OTHERS or word in lexicon.phrases:
        return ()
    return tuple(other for other in OTHERS[word] if _phrase(other) in lexicon.phrases or lexicon.knows(other))


def meanings(part: Sequence[Word], lexicon: Lexicon) -> tuple[Meaning, ...]:
    """What a word means by its other names: 耳机 is both of a shop's kinds of headphones."""
    if len(part) > 1 or part[0].text not in OTHERS:
        return ()
    merged: dict[tuple[str, str], Meaning] = {}
    for other in OTHERS[part[0].text]:
        for one in lexicon.phrases.get(_phrase(other), ()):
            same = merged.get((one.kind, one.field))
            values = tuple(dict.fromkeys((*(same.values if same else ()), *one.values)))
            merged[one.kind, one.field] = Meaning(one.kind, one.field, values, round(one.confidence * STAND_IN, 3))
    return tuple(merged.values())


def cut(spoken: list[Word], lexicon: Lexicon) -> list[Word]:
    """The words with every run of Chinese cut; padding is left out. A colour without 色 gets it."""
    found: list[Word] = []
    for word in spoken:
        if not word.is_han:
            found.append(word)
            continue
        before = found[-1].stem if found and found[-1].end == word.start and not found[-1].is_han else ""
        for start, end in _pieces(word.text, lexicon, before):
            text = word.text[start:end]
            if text in PADDING or (text in LOOSE and end - start < len(word.text)):
                continue
            text = _color(text, lexicon)
            found.append(Word(text, word.start + start, word.start + end, text))
    return found


def _pieces(run: str, lexicon: Lexicon, before: str) -> list[tuple[int, int]]:
    """Where the run is cut: known words so that they cover the most, longer ones rather than more of them."""
    n = len(run)
    # best[i]: covered so well up to i; how: where the piece that ends at i begins, and whether it is known.
    best: list[float] = [0.0] + [-1.0] * n
    how: list[tuple[int, bool]] = [(0, False)] * (n + 1)
    for end in range(1, n + 1):
        if best[end - 1] > best[end]:
            best[end], how[end] = best[end - 1], (end - 1, False)
        for start in range(max(0, end - MAX_WORD), end):
            worth = _worth(run, start, end, lexicon, before if start == 0 else "")
            if worth and best[start] + worth > best[end]:
                best[end], how[end] = best[start] + worth, (start, True)
    pieces: list[tuple[int, int, bool]] = []
    end = n
    while end:
        start, known = how[end]
        if not known and pieces and not pieces[-1][2]:
            pieces[-1] = (start, pieces[-1][1], False)
        else:
            pieces.append((start, end, known))
        end = start
    return [(start, end) for start, end, _ in _only_sure(run, pieces[::-1])]


def _worth(run: str, start: int, end: int, lexicon: Lexicon, before: str) -> float:
    """How much a piece is worth as a word, 0: it is none. Squares make one long word better than two short ones."""
    text, n = run[start:end], end - start
    if n > 1:
        if text in PADDING:
            return n * n - 0.5
        return float(n * n) if _is_word(text, lexicon) else 0.0
    if before and f"{before} {text}" in lexicon.phrases:
        return 1.5  # 恤 after T
    if text in PADDING or text in LOOSE:
        return 0.3
    return 0.5 if _is_word(text, lexicon) else 0.0


def _is_word(text: str, lexicon: Lexicon) -> bool:
    return (
        text in GENDERS
        or text in AGES
        or text in lexicon.phrases
        or text in lexicon.colors
        or (bool(lexicon.colors) and (text in SAME_COLORS or text in NEAR_COLORS))
        or f"{text}色" in lexicon.colors
        or text in OTHERS
    )


def _only_sure(run: str, pieces: list[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    """Single characters are words only beside known ones: 女鞋 and 黑衬衫 are cut, 女王 and 黑胡椒 are not."""
    kept: list[tuple[int, int, bool]] = []
    for i, (start, end, known) in enumerate(pieces):
        if known and end - start == 1 and run[start] not in PADDING and len(run) > 1:
            known = _stands_alone(run, pieces, i, not kept or kept[-1][2])
        if not known and kept and not kept[-1][2]:
            kept[-1] = (kept[-1][0], end, False)
        else:
            kept.append((start, end, known))
    return kept


def _stands_alone(run: str, pieces: list[tuple[int, int, bool]], i: int, opened: bool) -> bool:
    """`opened`: what stands before is a known word, or the beginning."""
    start, end, _ = pieces[i]
    if start == 0 and run[0] == "恤":
        return True
    if end == len(run):
        return opened and run[start] not in LOOSE
    after, stop, is_known = pieces[i + 1]
    noun = run[after:stop]
    return opened and ((is_known and (len(noun) > 1 or noun in PADDING)) or noun in AFTER or noun[-1] in AFTER)


def _color(text: str, lexicon: Lexicon) -> str:
    """酒红 → 酒红色 where the catalogue writes it so."""
    return f"{text}色" if text not in lexicon.colors and f"{text}色" in lexicon.colors else text
