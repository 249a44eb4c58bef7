"""What every lexical index must hold to.

class TestMine(LexicalIndexContract):
    @pytest.fixture
    def index(self): return Mine()             # empty, writable
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import partial

import numpy as np
import pytest

from aisle.errors import InvalidFilter, InvalidRequest
from aisle.ports import LexicalIndex, LexicalResult
from aisle.types import Availability, Clause, Filters, Group, Money, Product, Query, Term, Understood


def item(
    title: str,
    *,
    item_id: str = "",
    color: str = "",
    size: str = "",
    price: float | None = None,
    sale: float | None = None,
    availability: Availability = "in_stock",
    **more: str,
) -> Product:
    """A product in few words."""
    return Product(
        item_id=item_id or title.replace(" ", "-"),
        title=title,
        color=color,
        size=size,
        availability=availability,
        price=None if price is None else Money(Decimal(str(price))),
        sale_price=None if sale is None else Money(Decimal(str(sale))),
        **more,  # type: ignore[arg-type]
    )


def group(ord_: int, *items: Product, first_seen_ms: int = 0) -> Group:
    return Group(ord_, items[0].item_id if items else f"g{ord_}", items, seq=ord_ + 1, first_seen_ms=first_seen_ms)


def words(text: str) -> Query:
    """A query of plain words, as if nothing was understood."""
    return Query(text, terms=tuple(Term(w) for w in text.split()), semantic_text=text)


def where(field: str, *values: str, exclude: bool = False) -> Clause:
    return Clause(field, values, exclude=exclude)


def counted(result: LexicalResult, field: str) -> dict[str, int]:
    return {v.value: v.count for v in result.facets[field]}


def shop() -> list[Group]:
    """Seven groups; ord is the place in the list."""
    tops = "Women > Tops > Hoodies & Sweatshirts"
    return [
        group(
            0,
            item("Hera Hoodie-S-Red", color="Red", size="S", price=40, gender="female", product_type=tops),
            item("Hera Hoodie-M-Blue", color="Blue", size="M", price=48, gender="female", product_type=tops),
            first_seen_ms=10,
        ),
        group(
            1,
            item("Mona Hoodie-M-Red", color="Red", size="M", price=60, gender="female", product_type=tops),
            item("Mona Hoodie-S-Red", color="Red", size="S", price=60, product_type=tops, availability="out_of_stock"),
            first_seen_ms=20,
        ),
        group(
            2, item("Summit Watch", price=54, sale=44, product_type="Gear > Watches", brand="Luma"), first_seen_ms=70
        ),
        group(3, item("Gym Bag", price=30, product_type="Gear > Bags", description="Room for a watch and a hoodie.")),
        group(4, item("Café Crème Mug", price=12, product_type="Kitchen > Mugs", brand="LUMA", material="Clay/Tin")),
        group(
            5, item("Yoga Strap 6 foot", product_type="Gear > Fitness", description="Stretch further.", brand="Luma")
        ),
        group(6, item("Yoga Brick", price=5, product_type="Gear > Fitness", color="Red/Grey", size="M")),
    ]


class LexicalIndexContract:
    """Override the fixture; inherit the tests."""

    @pytest.fixture
    def index(self) -> LexicalIndex:
        raise NotImplementedError("give an empty, writable index")

    @pytest.fixture
    def filled(self, index: LexicalIndex) -> LexicalIndex:
        index.upsert(shop())
        index.commit(7)
        return index

    def found(self, index: LexicalIndex, text: str = "", filters: Filters = (), **more: object) -> list[int]:
        """Ords for plain words; checks that the count and the scores agree with them."""
        result = index.search(words(text), filters=filters, **more)  # type: ignore[arg-type]
        assert result.ords.dtype == np.int32
        assert result.bm25.dtype == np.float32
        assert len(result.ords) == len(result.bm25) == len(set(result.ords.tolist()))
        assert result.n_hits >= len(result.ords)
        return [int(o) for o in result.ords]

    # ------------------------------------------------------------------ words

    def test_is_empty_at_first(self, index: LexicalIndex) -> None:
        assert isinstance(index, LexicalIndex)
        assert self.found(index, "hoodie") == []
        assert self.found(index) == []
        assert index.applied_seq() == 0
        assert index.search(words(""), facets=("color", "price")).facets["color"] == ()

    def test_finds_a_word_whatever_its_form_case_or_accent(self, filled: LexicalIndex) -> None:
        assert set(self.found(filled, "HOODIES")) == {0, 1, 3}
        assert self.found(filled, "cafe mugs") == [4]
        assert self.found(filled, "Ｍｕｇ") in ([4], [])  # full-width letters are folded by understanding

    def test_a_word_in_the_title_beats_one_in_the_description(self, filled: LexicalIndex) -> None:
        assert self.found(filled, "watch") == [2, 3]
        assert self.found(filled, "hoodie")[-1] == 3

    def test_all_words_first_then_most_then_any(self, filled: LexicalIndex) -> None:
        assert self.found(filled, "yoga strap")[0] == 5
        assert set(self.found(filled, "yoga mat")) == {5, 6}
        assert set(self.found(filled, "yoga unheardof watch")) == {2, 3, 5, 6}
        assert self.found(filled, "unheardof") == []

    def test_words_that_need_not_match_only_add_to_the_score(self, filled: LexicalIndex) -> None:
        query = Query("red hoodie", terms=(Term("red", required=False), Term("hoodie")))
        assert set(filled.search(query).ords.tolist()) == {0, 1, 3}

    def test_further_forms_match_with_less_weight(self, filled: LexicalIndex) -> None:
        query = Query("hodie", terms=(Term("hodie", expansions=(("hoodie", 0.8), ("gym bag", 0.3))),))
        result = filled.search(query)
        assert set(result.ords.tolist()) == {0, 1, 3}
        exact = filled.search(words("hoodie"))
        best = dict(zip(exact.ords.tolist(), exact.bm25.tolist(), strict=True))
        assert dict(zip(result.ords.tolist(), result.bm25.tolist(), strict=True))[0] < best[0]

    def test_what_was_understood_raises_a_product(self, filled: LexicalIndex) -> None:
        plain = filled.search(words("yoga"))
        boosted = Query(
            "yoga", terms=(Term("yoga"),), understood=(Understood("color", "", where("color", "Red"), 0.9),)
        )
        assert plain.ords.tolist() != []
        assert filled.search(boosted).ords.tolist()[0] == 6
        assert filled.search(boosted).n_hits == plain.n_hits

    @pytest.mark.parametrize(
        "text",
        [
            '"',
            "title:hoodie",
            "a AND (b",
            "\\",
            '+-!(){}[]^"~*?:/',
            "🙂",
            "مرحبا",
            "\x00\x1b",
            "'; DROP",
            "红色",
            "ß" * 300,
        ],
    )
    def test_any_text_is_only_words(self, filled: LexicalIndex, text: str) -> None:
        self.found(filled, text)
        assert filled.search(Query(text, terms=(Term(text),)), facets=("color",)).n_hits >= 0

    def test_signs_alone_find_nothing_and_no_words_find_everything(self, filled: LexicalIndex) -> None:
        assert self.found(filled, "???") == []
        assert sorted(self.found(filled)) == list(range(7))

    def test_chinese_is_found_by_its_words(self, index: LexicalIndex) -> None:
        index.upsert([group(0, item("红色连衣裙", description="夏季新款")), group(1, item("蓝色衬衫", color="蓝色"))])
        index.commit(1)
        assert self.found(index, "连衣裙") == [0]
        assert self.found(index, "蓝色衬衫") == [1]
        assert self.found(index, "夏季连衣裙") == [0]
        assert self.found(index, "", (where("color", "蓝色"),)) == [1]

    def test_chinese_is_found_in_either_script_and_by_one_character(self, index: LexicalIndex) -> None:
        index.upsert(
            [group(0, item("紅色連衣裙")), group(1, item("步昂缓震跑步鞋", brand="步昂")), group(2, item("T恤"))]
        )
        index.commit(1)
        for written in ("红色连衣裙", "紅色連衣裙"):
            assert self.found(index, written) == [0]
        assert self.found(index, "鞋") == [1]
        assert self.found(index, "裙") == [0]
        assert self.found(index, "步昂") == [1]
        assert self.found(index, "恤") == [2]
        assert self.found(index, "运动鞋") == [1], "a word that no product has is looked for by its last character"

    def test_the_words_of_chinese_are_told(self, index: LexicalIndex) -> None:
        assert index.vocabulary("chinese") == []
        index.upsert([group(0, item("紅色連衣裙")), group(1, item("蓝色连衣裙")), group(2, item("hoodie"))])
        index.commit(1)
        assert dict(index.vocabulary("chinese"))["连衣裙"] == 2
        assert "hoodie" not in dict(index.vocabulary("chinese"))

    # ---------------------------------------------------------------- filters

    @pytest.mark.parametrize(
        ("clauses", "expected"),
        [
            ([where("color", "red")], {0, 1, 6}),
            ([where("color", "RED", "blue")], {0, 1, 6}),
            ([where("color", "Red"), where("color", "Blue")], {0}),
            ([where("color", "grey")], {6}),
            ([where("color", "Red", exclude=True)], {2, 3, 4, 5}),
            ([where("brand", "luma")], {2, 4, 5}),
            ([where("category", "Gear")], {2, 3, 5, 6}),
            ([where("product_type", "gear>fitness")], {5, 6}),
            ([where("material", "tin")], {4}),
            ([where("gender", "Women")], {0, 1}),
            ([where("availability", "out of stock")], {1}),
            ([where("on_sale", "true")], {2}),
            ([where("item_id", "gym-bag", "yoga-brick")], {3, 6}),
            ([Clause("price", low=41, high=47)], {2}),
            ([Clause("price", high=12)], {4, 6}),
            ([Clause("price", low=60)], {1}),
            ([Clause("price", low=50, high=40)], set()),
            ([Clause("price", high=12, exclude=True)], {0, 1, 2, 3, 5}),
            ([where("color", "no such colour")], set()),
        ],
    )
    def test_filters(self, filled: LexicalIndex, clauses: list[Clause], expected: set[int]) -> None:
        assert set(self.found(filled, "", tuple(clauses))) == expected

    @pytest.mark.parametrize(
        ("clauses", "expected"),
        [
            ([where("color", "Red"), where("size", "M")], {1, 6}),
            ([where("color", "Blue"), where("size", "M")], {0}),
            ([where("color", "Red", "Blue"), where("size", "M")], {0, 1, 6}),
            ([where("color", "Red"), where("size", "S"), where("availability", "in_stock")], {0}),
            ([where("size", "S"), where("availability", "in_stock")], {0}),
            ([where("color", "Red"), where("size", "M", exclude=True)], set()),
        ],
    )
    def test_conditions_hold_in_one_variant(
        self, filled: LexicalIndex, clauses: list[Clause], expected: set[int]
    ) -> None:
        assert set(self.found(filled, "", tuple(clauses))) == expected

    def test_an_unknown_field_is_named_with_its_neighbours(self, filled: LexicalIndex) -> None:
        with pytest.raises(InvalidFilter, match=r"colr.*color"):
            filled.search(words(""), filters=(where("colr", "Red"),))
        with pytest.raises(InvalidFilter, match="no field"):
            filled.search(words(""), facets=("nothing",))
        with pytest.raises(InvalidFilter, match="counted"):
            filled.search(words(""), facets=("item_id",))
        for clause in (Clause("price"), Clause("color", low=1), Clause("color"), Clause("price", ("cheap",))):
            with pytest.raises(InvalidFilter):
                filled.search(words(""), filters=(clause,))
        with pytest.raises(InvalidRequest):
            filled.search(words(""), sort="best")

    def test_attributes_filter_and_count_by_their_names(self, index: LexicalIndex) -> None:
        bag = Product("b", "Bag", attributes={"Strap Type": ("Long", "short"), "用途": ("旅行",), "a.b": ("x",)})
        index.upsert([group(0, bag), group(1, item("Box"))])
        index.commit(1)
        assert {"strap_type", "用途", "a_b"} <= set(index.fields())
        for clause in (
            where("strap_type", "LONG"),
            where("Strap Type", "short"),
            where("用途", "旅行"),
            where("a.b", "X"),
        ):
            assert self.found(index, "", (clause,)) == [0]
        assert counted(index.search(words(""), facets=("strap_type",)), "strap_type") == {"Long": 1, "short": 1}
        assert self.found(index, "travel long") == [0]

    # ------------------------------------------------------ facets, neighbours

    def test_facets_count_the_hit_set(self, filled: LexicalIndex) -> None:
        result = filled.search(words("hoodie"), facets=("color", "category", "price", "gender"))
        assert result.n_hits == 3
        assert counted(result, "color") == {"Red": 2, "Blue": 1}
        assert counted(result, "category") == {
            "Women": 2, "Women > Tops": 2, "Women > Tops > Hoodies & Sweatshirts": 2, "Gear": 1, "Gear > Bags": 1,
        }  # fmt: skip
        assert result.facet_stats["price"] == (30.0, 60.0)
        assert counted(filled.search(words(""), facets=("brand",)), "brand") == {"Luma": 3}

    @pytest.mark.parametrize("text", ["", "hoodie", "yoga mat", "red watch"])
    @pytest.mark.parametrize("neighbours", [None, (0, 4, 6)])
    @pytest.mark.parametrize(
        "chosen",
        [
            (),
            (where("color", "Red"),),
            (where("size", "M"),),
            (where("color", "Red", "Blue"), where("availability", "in_stock")),
            (where("size", "S", "M"), where("color", "Blue", exclude=True)),
            (Clause("price", high=50),),
        ],
    )
    def test_a_count_is_what_the_click_will_find(
        self, filled: LexicalIndex, text: str, neighbours: Sequence[int] | None, chosen: Filters
    ) -> None:
        near = None if neighbours is None else partial(np.array, neighbours, np.int32)
        fields = ("color", "size", "availability", "product_type", "brand")
        result = filled.search(words(text), neighbours=near, filters=chosen, facets=fields)
        assert result.n_hits == len(result.ords)
        for field in fields:
            for value, count in counted(result, field).items():
                narrower = filled.search(words(text), neighbours=near, filters=(*chosen, where(field, value)))
                assert (field, value, count) == (field, value, narrower.n_hits)

    def test_neighbours_join_the_hit_set_under_the_filters(self, filled: LexicalIndex) -> None:
        near = partial(np.array, [4, 2, 99], np.int32)
        result = filled.search(words("bag"), neighbours=near, facets=("brand",))
        assert result.ords.tolist()[0] == 3
        assert set(result.ords.tolist()) == {2, 3, 4}
        assert result.n_hits == 3
        assert counted(result, "brand") == {"Luma": 2}
        scores = dict(zip(result.ords.tolist(), result.bm25.tolist(), strict=True))
        assert scores[4] == 0.0 < scores[3]
        cheap = filled.search(words("bag"), neighbours=near, filters=(Clause("price", high=20),))
        assert cheap.ords.tolist() == [4]
        assert filled.search(words("unheardof"), neighbours=near).n_hits == 2

    def test_the_best_are_kept_and_all_are_counted(self, filled: LexicalIndex) -> None:
        result = filled.search(words(""), top_k=2)
        assert (len(result.ords), result.n_hits) == (2, 7)

    # ------------------------------------------------------------------- sorts

    def test_sorts_page_through_the_hit_set(self, filled: LexicalIndex) -> None:
        def pages(sort: str, size: int) -> list[int]:
            found: list[int] = []
            for offset in range(0, 8, size):
                found += self.found(filled, sort=sort, top_k=size, offset=offset)
            return found

        assert pages("price_asc", 2) == [6, 4, 3, 0, 2, 1, 5]  # without a price: last
        assert pages("price_desc", 3)[:2] == [1, 2]
        assert pages("price_desc", 3)[-1] == 5
        assert pages("newest", 4)[:3] == [2, 1, 0]
        near = partial(np.array, [6], np.int32)
        assert self.found(filled, "hoodie", neighbours=near, sort="price_asc") == [6, 3, 0, 1]

    # ----------------------------------------------------------------- changes

    def test_changes_are_seen_once_committed_and_again_when_repeated(self, filled: LexicalIndex) -> None:
        changed: Iterable[Group] = [group(2, item("Summit Clock", price=1)), group(3), group(9, item("New Bag"))]
        filled.upsert(list(changed))
        assert self.found(filled, "watch") == [2, 3]
        for seq in (8, 8, 9):
            filled.upsert(list(changed))
            filled.upsert(list(changed))
            filled.commit(seq)
            assert filled.applied_seq() == seq
            assert self.found(filled, "clock") == [2]
            assert self.found(filled, "watch") == []
            assert self.found(filled, "bag") == [9]
            assert filled.search(words("")).n_hits == 7
        filled.upsert([group(77)])  # never there
        filled.commit(10)
        assert filled.search(words("")).n_hits == 7

    def test_vocabulary_and_frequencies(self, filled: LexicalIndex) -> None:
        assert filled.vocabulary("color") == [("Red", 3), ("Blue", 1), ("Grey", 1)]
        assert filled.vocabulary("color", 1) == [("Red", 3)]
        found = dict(filled.vocabulary("words"))
        assert found["yoga"] == 2
        assert filled.document_frequency("Hoodies") == 3
        assert filled.document_frequency("unheardof") == 0
        assert filled.document_frequency("?") == 0
        assert {"color", "price", "item_id"} <= set(filled.fields())
