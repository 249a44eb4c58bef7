"""Suggestions: what is begun, what is mistyped, what just changed, what must stay private."""

import random
import string

import pytest

from aisle.retrieve import suggest
from aisle.retrieve.suggest import Entry, Suggester, category_entries, highlight, is_shareable

TITLES = [
    "Chaz Kangeroo Hoodie", "Teton Pullover Hoodie", "Bruno Compete Hoodie", "Sprite Yoga Strap 6 foot",
    "Sprite Foam Yoga Brick", "Dual Handle Cardio Ball", "Push It Messenger Bag", "Driven Backpack",
    "Samsung Wireless Headphones", "Sony Noise Cancelling Headphones", "Café Crème Mug", "红色连衣裙", "蓝色连衣裙",
    "A & B <Set>",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(suggest, "DELTA_REFRESH_S", -1.0)


@pytest.fixture
def suggester():
    made = Suggester()
    made.rebuild([Entry(t, item_id=f"p{n}", key=str(n)) for n, t in enumerate(TITLES)])
    return made


def texts(suggester, prefix, top_k=5):
    return [s.text for s in suggester.suggest(prefix, top_k)]


def test_begun_words_in_any_order(suggester):
    assert texts(suggester, "dri")[0] == "Driven Backpack"
    assert texts(suggester, "yoga s")[0] == "Sprite Yoga Strap 6 foot"
    assert texts(suggester, "headphones sam")[0] == "Samsung Wireless Headphones"
    assert set(texts(suggester, "hoo")[:3]) == set(TITLES[:3])


def test_the_beginning_of_a_title_comes_before_its_middle(suggester):
    assert texts(suggester, "s")[0].startswith("S")


@pytest.mark.parametrize(
    "typed",
    ["smasung", "amsung", "zamsung", "ssamsung", "samsnug wir", "samsung wierless", "hedphones sams", "samsumg "],
)
def test_one_typing_error_is_forgiven(suggester, typed):
    assert "Samsung Wireless Headphones" in texts(suggester, typed)


def test_any_one_error_anywhere_is_forgiven(suggester):
    rng = random.Random(5)
    for _ in range(300):
        word = rng.choice(["kangeroo", "messenger", "backpack", "headphones", "cardio"])
        at, letter = rng.randrange(len(word)), rng.choice(string.ascii_lowercase)
        wrong = rng.choice(
            [word[:at] + letter + word[at:], word[:at] + word[at + 1 :], word[:at] + letter + word[at + 1 :]]
        )
        assert any(word in t.lower() for t in texts(suggester, wrong)), wrong


def test_what_was_typed_right_comes_before_what_may_be_meant(suggester):
    suggester.upsert([Entry("Ban Hammer", item_id="n", key="n")])
    assert texts(suggester, "ban")[0] == "Ban Hammer"


def test_chinese_goes_by_characters(suggester):
    assert texts(suggester, "红色")[0] == "红色连衣裙"
    assert set(texts(suggester, "连衣")) == {"红色连衣裙", "蓝色连衣裙"}


def test_accents_case_and_width_do_not_matter(suggester):
    assert texts(suggester, "CAFE CREME") == ["Café Crème Mug"]
    assert texts(suggester, "ｃａｆé") == ["Café Crème Mug"]


@pytest.mark.parametrize(
    "odd", ["", "   ", "\x00", "🙂", "!!!", '"', "a" * 10_000, "zzzzzzzz", "\u202e\u0627\u0628", "\ud800"]
)
def test_odd_input_is_no_error(suggester, odd):
    assert isinstance(suggester.suggest(odd, 5), list)
    assert suggester.suggest("s", 0) == []
    assert Suggester().suggest(odd or "a") == []


def test_the_typed_part_is_marked_and_the_rest_escaped(suggester):
    assert suggester.suggest("b s")[0].highlight == "A &amp; <em>B</em> &lt;<em>S</em>et&gt;"
    assert suggester.suggest("samsnug")[0].highlight == "<em>Samsung</em> Wireless Headphones"
    assert highlight("Café", ["caf"]) == "<em>Caf</em>é"


def test_changes_show_at_once(suggester):
    suggester.upsert([Entry("Zephyr Lamp", item_id="z", key="z"), Entry("Driven Rucksack", item_id="p7", key="7")])
    assert texts(suggester, "zeph") == ["Zephyr Lamp"]
    assert texts(suggester, "driven") == ["Driven Rucksack"]
    assert texts(suggester, "zehpyr") == ["Zephyr Lamp"]
    suggester.remove(["z", "7"])
    assert texts(suggester, "zeph") == []
    assert "Driven Rucksack" not in texts(suggester, "driven")


def test_a_change_while_rebuilding_is_not_lost():
    made = Suggester()
    gathered = [Entry("Old Name", item_id="1", key="1"), Entry("Gone Soon", item_id="2", key="2")]
    made.upsert([Entry("New Name", item_id="1", key="1")])
    made.remove(["2"])
    made.rebuild(gathered)
    assert texts(made, "new n") == ["New Name"]
    assert not {"Old Name", "Gone Soon"} & {*texts(made, "old n"), *texts(made, "gone")}
    made.rebuild([Entry("New Name", item_id="1", key="1")])
    assert texts(made, "new n") == ["New Name"]
    assert not made.stale


def test_equal_titles_are_one_suggestion_until_the_last_is_gone():
    made = Suggester()
    made.rebuild([Entry("Twin Mug", item_id="1", key="1"), Entry("twin mug", item_id="2", key="2")])
    assert len(texts(made, "twin")) == 1
    made.remove(["1"])
    assert [s.item_id for s in made.suggest("twin")] == ["2"]
    made.remove(["2"])
    assert texts(made, "twin") == []


def test_many_changes_ask_for_a_rebuild():
    made = Suggester()
    made.upsert(Entry(f"Thing {n}", key=str(n)) for n in range(suggest.MAX_DELTA + 1))
    assert made.stale
    assert texts(made, f"thing {suggest.MAX_DELTA}") == [f"Thing {suggest.MAX_DELTA}"]


def test_searches_of_others_are_suggested_when_fit():
    made = Suggester()
    queries = {"yoga strap": 9, "yoga starp": 3, "yoga jo@example.com": 5, "yoga 0171 555 1234": 5, "yoga shit": 5}
    made.rebuild([Entry(t, item_id=str(n)) for n, t in enumerate(TITLES)], queries)
    found = made.suggest("yoga", 8)
    assert [s.text for s in found if s.kind == "query"] == ["yoga strap"]
    assert found[0].text == "yoga strap"


@pytest.mark.parametrize(
    ("query", "fit"),
    [("red hoodie", True), ("iphone 12 pro", True), ("a@b.de", False), ("+49 171 5551234", False), ("www.x.com", False),
     ("4111 1111 1111 1111", False), ("x" * 61, False), ("a", False), ("fuck", False), ("裙子", True)],
)  # fmt: skip
def test_what_may_be_shown_to_others(query, fit):
    assert is_shareable(query) is fit


def test_categories_are_suggested_by_leaf_and_told_apart_by_parent():
    entries = category_entries({"Men > Tops > Hoodies": 5, "Women > Tops": 3, "Gear": 2})
    assert {e.text for e in entries} == {"Men", "Women", "Gear", "Hoodies", "Tops", "Men Tops", "Women Tops"}
    made = Suggester()
    made.rebuild([*entries, Entry("Hoodies for all", item_id="1")])
    first = made.suggest("hood")[0]
    assert (first.text, first.kind) == ("Hoodies", "category")
