"""The simulated catalogue is believable, varied, consistent, and the same for the same seed."""

from dataclasses import replace
from itertools import islice
from random import Random

import pytest

from aisle.demo.catalogue import group_products, picture_keys, products, variant_ids
from aisle.demo.kinds import KIND_INDEX, KINDS
from aisle.demo.queries import write_query
from aisle.demo.world import Need, World, WorldConfig


def test_the_same_seed_gives_the_same_catalogue(world):
    again = World(world.config)
    assert list(products(again)) == list(products(world))
    other = World(replace(world.config, seed=6))
    assert list(products(other)) != list(products(world))


def test_ids_are_unique_and_variants_share_their_group(world):
    rows = list(products(world))
    assert len({p.item_id for p in rows}) == len(rows)
    assert len({p.key for p in rows}) == 240
    assert any(p.group_id for p in rows)
    assert any(not p.group_id for p in rows)
    for number in range(240):
        group = group_products(world, number)
        assert [p.item_id for p in group] == variant_ids(world, number)
        assert {p.key for p in group} == {world.group_id(number)}
        assert len({p.title for p in group}) == 1
        assert len({(p.color, p.size) for p in group}) == len(group)


def test_there_are_many_leaf_categories_and_hardly_any_title_twice(world):
    rows = {p.key: p for p in products(world)}.values()
    assert len({p.product_type for p in rows}) >= 20
    assert len({p.title for p in rows}) > 0.97 * len(rows)
    assert len({p.description for p in rows}) > 0.97 * len(rows)


def test_products_agree_with_themselves(world):
    for p in products(world):
        assert p.price is not None
        assert p.price.amount > 0
        assert p.sale_price is None or p.sale_price < p.price
        assert (p.availability == "out_of_stock") == (p.quantity == 0)
        assert p.image_link.startswith("images/")
        assert p.color.lower() in p.image_link
        assert 1 < p.description.count(".") < 8
        if p.pattern == "Striped":
            assert p.image_link.endswith("-2.jpg")


def test_a_chinese_catalogue_reads_chinese(world):
    chinese = World(replace(world.config, language="zh"))
    for ours, theirs in zip(products(chinese), products(world), strict=True):
        assert ours.item_id == theirs.item_id
        for text in (ours.title, ours.description, ours.product_type, ours.color):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in text)


def test_a_chinese_shop_writes_and_prices_as_chinese_shops_do(world):
    chinese = World(replace(world.config, language="zh", currency="CNY"))
    assert list(products(World(chinese.config))) == list(products(chinese)), "the same seed, the same shop"
    rows = {p.key: p for p in products(chinese)}.values()
    assert len({p.title for p in rows}) > 0.97 * len(rows)
    latin = [p for p in rows if p.brand.isascii()]
    assert 0.2 < len(latin) / len(rows) < 0.8, "makers of gear write themselves in Latin letters, others do not"
    assert all(p.brand in p.title for p in latin)
    assert sum(any(word.isascii() and any(c.isdigit() for c in word) for word in p.title.split()) for p in rows) > 20
    assert {p.price.currency for p in rows} == {"CNY"}
    dollars = {p.key: p for p in products(world)}
    ratios = sorted(float(p.price.amount / dollars[p.key].price.amount) for p in rows)
    assert 6 < ratios[len(ratios) // 2] < 8


def test_chinese_shoppers_write_in_many_ways(world):
    chinese = World(replace(world.config, language="zh", currency="CNY"))
    rng = Random(3)
    hoodie = KIND_INDEX["hoodie"]
    typed = {write_query(chinese, Need(hoodie, colour=10, max_price=300.0), 1, rng) for _ in range(60)}
    assert any("卫衣" in text for text in typed)
    assert any("连帽衫" in text for text in typed)
    assert any(" " in text for text in typed)
    assert all("红色" in text and "300" in text for text in typed if "红" in text)


def test_a_large_catalogue_streams():
    big = World(WorldConfig(n_groups=50_000, n_shoppers=10))
    first = list(islice(products(big), 20))
    assert len(first) == 20


def test_kinds_refer_to_each_other():
    for kind in KINDS:
        assert set(kind.companions) <= KIND_INDEX.keys()
    assert len({kind.category_en for kind in KINDS}) == len(KINDS)


def test_pictures_are_shared_by_what_looks_the_same(world):
    keys = picture_keys(world)
    assert len(keys) == len(set(keys))
    assert {p.image_link for p in products(world)} == {f"images/{key}.jpg" for key in keys}


@pytest.mark.parametrize("wrong", [{"n_groups": 0}, {"n_shoppers": 0}, {"days": 0}, {"language": "fr"}])
def test_an_impossible_world_is_refused(wrong):
    with pytest.raises(ValueError):
        WorldConfig(**wrong)
