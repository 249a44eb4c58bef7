"""Learning to rank: what is known of candidates, trees as ONNX, and a shop that learns from judgements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from aisle import Event, EventItem, Product, Settings, Shop
from aisle.adapters.onnx.ranker import OnnxRanker
from aisle.errors import ModelDamaged
from aisle.evaluate.ranked import Compared, ndcg_of
from aisle.index.title_words import TitleWords
from aisle.learn.ranking import Lists, fit_ranking
from aisle.rank.matching import MATCH_FEATURES, AskedWords, asked_words, match_features
from aisle.serving.search_ranking import tokens
from aisle.training.search_evidence import Gathered, Known, shown
from aisle.types import Group, LoggedEvent

TITLES = ["red running shoe", "shoe rack 24 in.", "running watch", "12 in. red lamp for a shoe cupboard"]


@pytest.fixture
def words() -> TitleWords:
    known = TitleWords(tokens)
    known.apply([Group(n, f"P{n}", (Product(f"P{n}", title),)) for n, title in enumerate(TITLES)])
    return known


def asked(words: TitleWords, text: str) -> AskedWords:
    table = words.table
    codes = [table.code_of(t) for t in tokens(text)]
    numbers = np.array([t.isdigit() for t in tokens(text)])
    return asked_words([[(code, 1.0)] for code in codes], table.rarity(np.array(codes, np.int32)), numbers)


def features(words: TitleWords, text: str) -> dict[str, list[float]]:
    table = words.table
    found = match_features(asked(words, text), table.title[:4], table.names[:4], table.is_number)
    assert tuple(found) == MATCH_FEATURES
    assert all(column.dtype == np.float32 and np.isfinite(column).all() for column in found.values())
    return {name: column.round(3).tolist() for name, column in found.items()}


def test_how_words_lie_in_titles(words: TitleWords) -> None:
    found = features(words, "running shoes")
    assert found["title_share"] == [1.0, 0.5, 0.5, 0.5]
    assert found["title_all"] == [1.0, 0.0, 0.0, 0.0]
    assert found["pairs"] == [1.0, 0.0, 0.0, 0.0]
    assert found["last_word"] == [1.0, 1.0, 0.0, 1.0]
    assert found["first_word"] == [1.0, 0.0, 1.0, 0.0]
    assert found["last_word_end"][0] == 1.0
    assert found["foreign_numbers"] == [0.0, 1.0, 0.0, 1.0]
    assert found["rarest_missing"][0] == 0.0


def test_numbers_and_unknown_words(words: TitleWords) -> None:
    found = features(words, "24 in shoe rack")
    assert found["numbers"] == [0.0, 1.0, 0.0, 0.0]
    assert found["foreign_numbers"] == [0.0, 0.0, 0.0, 1.0]
    nothing = features(words, "zebra")
    assert nothing["title_share"] == [0.0] * 4
    assert features(words, "")["title_length"] == [3.0, 4.0, 2.0, 8.0]


def test_titles_that_change_and_go(words: TitleWords) -> None:
    shoe = words.table.code_of("shoe")
    assert words.table.frequency[shoe] == 3
    words.apply([Group(0, "P0", (Product("P0", "blue sandal"),)), Group(1, "P1", ())])
    assert words.table.frequency[shoe] == 1
    assert words.table.n_products == 3
    assert (words.table.title[1] < 0).all()
    assert words.table.rarity(np.array([-1], np.int32))[0] > words.table.rarity(np.array([shoe], np.int32))[0]


def lists(n: int = 120, seed: int = 0) -> Lists:
    """Lists in which the second feature tells what is good, and the third is always the same."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 30, n)
    rows = rng.random((sizes.sum(), 3)).astype(np.float32)
    rows[:, 2] = 1.0
    gain = np.clip(np.rint(rows[:, 1] * 12) / 12, 0, 1).astype(np.float32)
    return Lists(
        ("noise", "good", "same"), rows, gain, np.ones(len(rows), np.float32), sizes.astype(np.int32),
        rng.integers(0, 20, n).astype(np.int32),
    )  # fmt: skip


def test_learns_what_tells_and_writes_it_exactly(tmp_path: Path) -> None:
    given = lists()
    fitted = fit_ranking(given, work=tmp_path, seed=1)
    assert fitted is not None
    assert fitted.params["features"] == ["noise", "good"]
    assert fitted.params["importance"]["good"] > 0.8
    ranker = OnnxRanker(fitted.files["model.onnx"], fitted.params["features"])
    other = lists(seed=5)
    scores = ranker.score(np.ascontiguousarray(other.features[:, :2]))
    assert np.corrcoef(scores, other.gain)[0, 1] > 0.9
    assert len(ranker.score(np.empty((0, 2), np.float32))) == 0
    with pytest.raises(ModelDamaged, match="3 are named"):
        OnnxRanker(fitted.files["model.onnx"], ("a", "b", "c"))


def test_the_written_trees_are_the_trees(tmp_path: Path) -> None:
    import lightgbm

    from aisle.learn.trees import write_onnx

    rng = np.random.default_rng(3)
    rows = rng.normal(size=(3000, 6)).astype(np.float32)
    target = rows[:, 0] * rows[:, 1] + np.sin(rows[:, 2])
    booster = lightgbm.train(
        {"verbose": -1, "num_threads": 1, "use_missing": False}, lightgbm.Dataset(rows, target), 80
    )
    write_onnx(booster, tmp_path / "model.onnx")
    fresh = np.concatenate([rng.normal(size=(5000, 6)).astype(np.float32), rows])  # thresholds lie at values of rows
    mine = OnnxRanker(tmp_path / "model.onnx", [str(n) for n in range(6)]).score(fresh)
    np.testing.assert_allclose(mine, booster.predict(fresh), atol=2e-5)


def test_too_little_to_learn_from(tmp_path: Path) -> None:
    few = lists(10)
    assert fit_ranking(few, work=tmp_path) is None
    silent = lists()
    silent.gain[:] = 0
    assert fit_ranking(silent, work=tmp_path) is None


def test_what_one_order_gains_on_another() -> None:
    assert ndcg_of(np.array([0.0, 1.0])) == pytest.approx(1 / np.log2(3))
    gain = np.tile(np.array([0.0, 1.0], np.float32), 30)
    sizes, ideal = np.full(30, 2, np.int32), np.ones(30)
    good, bad = gain, -gain
    found = Compared.of(sizes, gain, ideal, good, bad)
    assert (found.n, found.mean) == (30, 1.0)
    assert found.low == pytest.approx(1 - 1 / np.log2(3))
    assert Compared.of(sizes, gain, ideal * 0, good, bad).n == 0


# ------------------------------------------------------------------- the shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Shoppers here call lamps lights, and judge that what is named so at the front is meant."""
    settings = Settings.checked({"encoder": {"model": ""}, "search": {"cache_size": 0}}, "test")
    with Shop.open(tmp_path / "shop", settings=settings) as opened:
        rng = np.random.default_rng(0)
        kinds = ["lamp", "shoe", "table", "chair", "kettle", "rug", "clock", "vase"]
        makers = ["Oak", "Elm", "Ash", "Fir", "Bay"]
        rows, judged = [], ["query,item_id,grade"]
        for n in range(400):
            kind, other = rng.choice(kinds, 2, replace=False)
            rows.append(Product(f"P{n}", f"{makers[n % 5]} {kind} for a {other} {n % 7}"))
        opened.upsert_products(rows)
        assert opened.wait_indexed(60)
        for maker in makers:
            for kind in kinds:
                judged += [
                    f"{maker} {kind},{p.item_id},{2 if f'{maker} {kind}' in p.title else 0}"
                    for p in rows
                    if kind in p.title and maker in p.title
                ]
        (tmp_path / "judged.csv").write_text("\n".join(judged))
        summary = opened.import_judgements(tmp_path / "judged.csv")
        assert summary.n_rejected == 0
        yield opened


def share_meant(shop: Shop, query: str) -> float:
    hits = shop.search(query).hits[:4]
    return sum(query in hit.title for hit in hits) / len(hits)


def test_a_shop_learns_to_rank_from_judgements(shop: Shop) -> None:
    queries = [f"{maker} {kind}" for maker in ("Oak", "Elm", "Ash") for kind in ("lamp", "shoe", "rug", "vase")]
    before = np.mean([share_meant(shop, q) for q in queries])
    (version,) = shop.train(only=["ranking"])
    assert version.active, version.note
    assert version.metrics["ranking.adds_low"] > 0
    assert np.mean([share_meant(shop, q) for q in queries]) > max(before, 0.9)
    slate = shop.search("Oak lamp", visitor_id="v")
    assert slate.model_versions["ranking"] == version.version
    assert not slate.degraded
    assert {"pairs", "bm25", "popular"} <= set(slate.features)
    assert all(len(column) == len(slate.hits) for column in slate.features.values())


def test_a_shop_learns_from_its_own_answers(shop: Shop, tmp_path: Path) -> None:
    """No judgements, only what was shown and taken: shoppers here want what is from Elm and Ash."""
    with Shop.open(tmp_path / "other", settings=shop.settings) as other:
        other.upsert_products([p for n in range(400) for p in shop.item(f"P{n}").group.products])
        assert other.wait_indexed(60)
        other._parts.ranking.catch_up()
        kinds = ["lamp", "shoe", "table", "chair", "kettle", "rug", "clock", "vase"]
        liked = ("Elm", "Ash")
        for visit in range(240):
            visitor, kind = f"v{visit}", kinds[visit % 8]
            query = f"{kind} {kinds[(visit // 8) % 8]} {'' if visit % 3 else visit % 7}".strip()
            slate = other.search(query, visitor_id=visitor)
            taken = [hit for hit in slate.hits if hit.title.startswith(liked)][:3]
            items = tuple(EventItem(hit.item_id) for hit in taken)
            if items:
                other.record(Event("add_to_cart", visitor, items, list_id=slate.list_id, query=query))
        found = shown_of(other)
        assert len(found.lists) > 200
        assert set(found.lists.weight[found.lists.gain > 0].tolist()) == {0.5}
        assert found.column("bm25").any()


def shown_of(shop: Shop) -> Gathered:
    parts = shop._parts
    parts.stores.slates.flush()

    def events(_stage: str) -> Iterator[LoggedEvent]:
        return iter(parts.stores.events.read(0, 100_000))

    return shown(parts, Known.of(parts, events), events)


def test_an_order_does_not_win_because_it_was_shown() -> None:
    rng, n = np.random.default_rng(3), 3000
    looked = np.tile((1 / np.arange(1, 9)).astype(np.float32), n)
    answers = np.tile(np.repeat([0.3, 0.6], 4), n)  # the better half stands where few look
    gain = (rng.random(8 * n) < looked * answers).astype(np.float32)
    sizes = np.full(n, 8, np.int32)
    rows = np.zeros((8 * n, 1), np.float32)
    lists = Lists(("bm25",), rows, gain, np.ones(8 * n, np.float32), sizes, np.zeros(n, np.int32))
    found = Gathered(lists, np.arange(n), np.zeros(8 * n, np.int32), looked, np.ones(n))
    as_shown = np.tile(-np.arange(8.0), n).astype(np.float32)
    taken = Compared.of(sizes, gain, np.ones(n), answers.astype(np.float32), as_shown)
    true = Compared.of(sizes, found.true_gain, np.ones(n), answers.astype(np.float32), as_shown)
    assert taken.high < 0 < true.low


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    settings = Settings.checked({"encoder": {"model": ""}}, "test")
    with Shop.open(tmp_path / "empty", settings=settings) as shop:
        (version,) = shop.train(only=["ranking"])
        assert not version.version
        assert "too few" in version.note


def test_a_ranking_that_cannot_be_read_makes_a_plainer_answer(shop: Shop) -> None:
    (version,) = shop.train(only=["ranking"])
    assert version.active
    folder, path = shop.path / "models" / "ranking" / version.version, shop.path
    (folder / "model.onnx").write_bytes(b"cut off")
    settings = shop.settings
    shop.close()
    with Shop.open(path, settings=settings) as again:
        slate = again.search("Oak lamp")
        assert slate.n_hits > 0
        assert "ranking" not in slate.model_versions
        assert any("ranking" in told for told in again.health()["degraded"])


def test_the_last_good_ranking_goes_on_beside_a_damaged_one(shop: Shop) -> None:
    (first,) = shop.train(only=["ranking"])
    (second,) = shop.train(only=["ranking"])
    assert second.active, second.note
    path, settings = shop.path, shop.settings
    shop.close()
    (path / "models" / "ranking" / second.version / "model.onnx").write_bytes(b"cut off")
    with Shop.open(path, settings=settings) as again:
        assert again.search("Oak lamp").model_versions["ranking"] == first.version


def test_what_a_shopper_likes_is_logged_beside_everybodys_answer(tmp_path: Path) -> None:
    """Else no ranking could ever learn that it matters who asks."""
    with Shop.open(tmp_path / "brands", settings=Settings.checked({"encoder": {"model": ""}}, "test")) as shop:
        shop.upsert_products(
            [Product(f"P{n}", f"Lamp {n}", brand=("Oak", "Elm")[n % 2], product_type="Lights") for n in range(6)]
        )
        assert shop.wait_indexed(60)
        first = shop.search("lamp", visitor_id="likes")
        assert not any(first.features["shopper_brand"])
        shop.record(Event("view_item", "likes", (EventItem("P0"),)))
        again = shop.search("lamp", visitor_id="likes")
        assert [hit.item_id for hit in again.hits] == [hit.item_id for hit in first.hits]
        assert list(again.features["shopper_brand"]) == [1.0 if hit.brand == "Oak" else 0.0 for hit in again.hits]
        assert list(again.features["shopper_category"]) == [1.0] * 6
        assert not any(shop.search("lamp", visitor_id="other").features["shopper_brand"])


def test_a_product_newer_than_the_words_has_none(words: TitleWords) -> None:
    title, names = words.table.of(np.array([0, 999], np.int32))
    assert (title[0] >= 0).any()
    assert (title[1] < 0).all()
    assert (names[1] < 0).all()
    empty, _ = TitleWords(tokens).table.of(np.array([3], np.int32))
    assert (empty < 0).all()
