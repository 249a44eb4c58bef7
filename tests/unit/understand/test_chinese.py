"""What is understood of Chinese, in a small shop of mixed names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.adapters.tantivy import TantivyLexicalIndex
from aisle.testing.lexical import group, item
from aisle.types import Product, Query
from aisle.understand.chinese import find_sizes
from aisle.understand.highlight import highlight
from aisle.understand.lexicon import Lexicon
from aisle.understand.query import Understander


def catalogue() -> list[Product]:
    wear = "服装 > 上装 > "
    return [
        item(
            "Fjordlane 男款加绒连帽卫衣", color="红色", size="M", gender="male", product_type=wear + "卫衣", price=399
        ),
        item("素日女士宽松连帽卫衣", color="黑色", size="L", gender="female", product_type=wear + "卫衣", price=299),
        item("步昂 透气T恤", color="白色", size="M", product_type=wear + "T恤", material="棉", price=99, brand="步昂"),
        item(
            "步昂 缓震跑步鞋 RX20", color="黑色", size="42", gender="male", product_type="鞋靴 > 跑步鞋", brand="步昂"
        ),
        item("薇琳 条纹连衣裙", color="藏青色", gender="female", product_type="服装 > 连衣裙", material="亚麻"),
        item("薇琳 半身裙", color="酒红色", gender="female", product_type="服装 > 半身裙", material="亚麻"),
        item("Nimbara 降噪头戴耳机", color="黑色", product_type="数码 > 头戴耳机", brand="Nimbara"),
        item("Nimbara 真无线耳机", color="白色", product_type="数码 > 真无线耳机", brand="Nimbara"),
        item("潮井 保温水壶", size="500 ml", product_type="厨房 > 水壶", material="不锈钢"),
        item("整叶花香茶叶", product_type="食品 > 茶叶", color="绿色"),
    ]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Understander]:
    index = TantivyLexicalIndex(tmp_path_factory.mktemp("zh") / "index")
    index.upsert([group(n, product) for n, product in enumerate(catalogue())])
    index.commit(1)
    yield Understander(Lexicon.of(index))
    index.close()


def slots(query: Query) -> dict[str, tuple[object, ...]]:
    return {u.kind: u.clause.values or (u.clause.low, u.clause.high) for u in query.understood}


def matched(query: Query) -> list[str]:
    return [term.text for term in query.terms if term.required]


def test_a_run_is_cut_into_its_conditions(reader: Understander) -> None:
    query = reader.understand("红色男款连帽衫600元以下")
    assert slots(query) == {
        "color": ("红色",),
        "gender": ("male",),
        "category": ("服装 > 上装 > 卫衣",),
        "price": (None, 600.0),
    }
    assert {u.kind for u in query.understood if u.hard} == {"color", "gender"} | {"price"}
    assert matched(query) == ["连帽衫"]
    assert query.language == "zh"


@pytest.mark.parametrize(
    ("typed", "same"),
    [("紅色連帽衫", "红色连帽衫"), ("無線耳機", "无线耳机"), ("黑色女褲 42碼", "黑色女裤 42码")],
)
def test_traditional_characters_mean_the_same(reader: Understander, typed: str, same: str) -> None:
    folded, plain = reader.understand(typed), reader.understand(same)
    assert folded.understood == plain.understood
    assert folded.terms == plain.terms
    assert folded.text == typed, "what the shopper typed is shown as it was typed"


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("黑裙子", {"color": ("黑色",), "category": ("服装 > 连衣裙", "服装 > 半身裙")}),
        ("耳机", {"category": ("数码 > 头戴耳机", "数码 > 真无线耳机")}),
        ("步昂跑鞋", {"brand": ("步昂",), "category": ("鞋靴 > 跑步鞋",)}),
        ("nimbara耳机", {"brand": ("Nimbara",), "category": ("数码 > 头戴耳机", "数码 > 真无线耳机")}),
        ("纯棉t恤", {"material": ("棉",), "category": ("服装 > 上装 > T恤",)}),
        ("女鞋", {"gender": ("female",)}),
        ("42码跑步鞋", {"size": ("42",), "category": ("鞋靴 > 跑步鞋",)}),
        ("M号卫衣", {"size": ("M",), "category": ("服装 > 上装 > 卫衣",)}),
        ("500毫升水壶", {"size": ("500 ml",), "category": ("厨房 > 水壶",)}),
        ("酒红连衣裙", {"color": ("酒红色",), "category": ("服装 > 连衣裙",)}),
        ("深蓝连衣裙", {"color": ("藏青色",), "category": ("服装 > 连衣裙",)}),
        ("200到500元的耳机", {"price": (200.0, 500.0), "category": ("数码 > 头戴耳机", "数码 > 真无线耳机")}),
        ("我想买一双跑步鞋", {"category": ("鞋靴 > 跑步鞋",)}),
    ],
)
def test_shoppers_words_find_the_catalogues(reader: Understander, typed: str, wanted: dict[str, object]) -> None:
    assert slots(reader.understand(typed)) == wanted


@pytest.mark.parametrize("typed", ["红茶", "黑胡椒", "女王", "和服", "白酒", "男友风", "金枪鱼"])
def test_a_single_character_inside_a_word_is_no_condition(reader: Understander, typed: str) -> None:
    query = reader.understand(typed)
    assert not query.understood
    assert matched(query) == [typed]


def test_padding_is_not_searched(reader: Understander) -> None:
    assert matched(reader.understand("请问有没有透气的T恤吗")) == ["透气", "t", "恤"]


def test_sizes_are_only_those_of_the_catalogue() -> None:
    sizes = {"42": "42", "500 ml": "500 ml", "4kg": "4kg"}
    assert [name for name, _, _ in find_sizes("42码 500毫升 4公斤 43码 7克 42号线", sizes)] == ["42", "500 ml", "4kg"]


def test_a_title_in_either_script_is_marked(reader: Understander) -> None:
    assert highlight("紅色連帽衫", reader.understand("连帽衫")) == "紅色<em>連帽衫</em>"
    assert highlight("红色连帽衫", reader.understand("連帽衫")) == "红色<em>连帽衫</em>"


@given(st.text(st.sampled_from("红黑女男士款的了吧和T恤裙子鞋42码元以下到 abc紅機"), max_size=16))
def test_any_chinese_is_read(reader: Understander, text: str) -> None:
    query = reader.understand(text)
    places = [term.text for term in query.terms]
    assert all(places)
    assert all(u.text.strip() for u in query.understood)
