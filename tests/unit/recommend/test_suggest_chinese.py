"""Suggestions in Chinese: either script, pinyin in full, begun, as initials, mixed."""

from __future__ import annotations

import pytest

from aisle.retrieve.pinyin import Pinyin
from aisle.retrieve.suggest import Entry, Suggester, category_entries

TITLES = (
    "Strideon 步昂 RX75 女款透气针织跑步鞋", "素日男士缓震跑步鞋 枫系列", "薇琳 女士条纹连衣裙", "Nimbara 降噪头戴耳机",
    "Fjordlane 男款弹力长裤", "紅色連帽衫 手工", "Driven Backpack",
)  # fmt: skip
WORDS = {"跑步鞋": 2, "跑步": 2, "连衣裙": 1, "连衣": 1, "耳机": 1, "长裤": 1, "步昂": 1, "红色": 1}


@pytest.fixture(scope="module")
def suggester() -> Suggester:
    made = Suggester()
    entries = [Entry(t, item_id=f"p{n}", key=str(n)) for n, t in enumerate(TITLES)]
    categories = category_entries({"鞋靴 > 跑步鞋": 2, "服装 > 连衣裙": 1, "服装 > 长裤": 1, "数码 > 头戴耳机": 1})
    made.rebuild([*entries, *categories], {"红色跑步鞋": 3, "头戴耳机": 2}, WORDS)
    return made


def texts(suggester: Suggester, typed: str) -> list[str]:
    return [s.text for s in suggester.suggest(typed, 6)]


@pytest.mark.parametrize("typed", ["pao bu xie", "paobuxie", "PaoBuXie", "pbx", "paob", "paobu鞋", "跑步xie", "跑bu鞋"])
def test_pinyin_finds_the_category_and_the_products(suggester: Suggester, typed: str) -> None:
    found = suggester.suggest(typed, 6)
    assert found[0].text == "跑步鞋"
    assert found[0].kind == "category"
    assert {TITLES[0], TITLES[1]} <= {s.text for s in found}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lianyi", "连衣裙"),
        ("lyq", "连衣裙"),
        ("erji", "头戴耳机"),
        ("changku", "长裤"),
        ("长ku", "长裤"),
        ("hongse", "红色"),
    ],
)
def test_pinyin_is_read_by_the_shops_own_words(suggester: Suggester, typed: str, meant: str) -> None:
    assert any(meant in text for text in texts(suggester, typed)[:2])


def test_words_before_the_pinyin_stay(suggester: Suggester) -> None:
    assert texts(suggester, "红色paobuxie")[0] == "红色跑步鞋"
    assert texts(suggester, "strideon paobuxie")[0] in (TITLES[0], "strideon 跑步鞋")
    assert suggester.completed("strideon paobuxie") == "strideon 跑步鞋"
    assert suggester.completed("红色paobu") == "红色跑步鞋"


def test_what_is_only_the_beginning_of_a_word_is_not_suggested(suggester: Suggester) -> None:
    assert "连衣" not in texts(suggester, "lianyi")
    assert "跑步" not in texts(suggester, "paobu")


def test_either_script_finds_the_other_and_is_shown_as_written(suggester: Suggester) -> None:
    assert "紅色連帽衫 手工" in texts(suggester, "红色连帽")
    assert texts(suggester, "連衣")[0] == "连衣裙"
    (found,) = [s for s in suggester.suggest("连帽", 6) if s.kind == "product"]
    assert found.highlight == "紅色<em>連帽</em>衫 手工"


def test_latin_words_are_as_before(suggester: Suggester) -> None:
    assert texts(suggester, "driv") == ["Driven Backpack"]
    assert texts(suggester, "drvien") == ["Driven Backpack"]
    assert texts(suggester, "nimb") == [TITLES[3]]


def test_a_long_title_is_found_by_its_last_characters(suggester: Suggester) -> None:
    assert TITLES[0] in texts(suggester, "针织跑步鞋")


@pytest.mark.parametrize("typed", ["", "p", "x" * 200, "zzzz", "跑 p", "'; DROP", "ü", "🙂", "红" * 60])
def test_anything_may_be_typed(suggester: Suggester, typed: str) -> None:
    assert isinstance(suggester.complete(typed, 5, n_products=4).products, list)
    assert isinstance(suggester.completed(typed), str)


def test_readings_of_a_character_come_from_the_phrases() -> None:
    pinyin = Pinyin({"长裤": 1.0, "成长日记": 0.5})
    assert [r.phrase for r in pinyin.read(["changk"], 3)] == ["长裤"]
    assert [r.phrase for r in pinyin.read(["cheng", "长"], 3)] == ["成长日记"]
    assert pinyin.read(["q"], 3) == []
    assert Pinyin({"hoodie": 1.0}).read(["hoodie"], 3) == []
