"""The demo's files are what a shop would bring, and agree with each other."""

import csv
import json
from statistics import mean

import pytest

from aisle.demo.files import FEED_COLUMNS, write_demo_files
from aisle.demo.reviews import reviews
from aisle.demo.world import World, WorldConfig
from aisle.types import EVENT_NAMES, Money


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    world = World(WorldConfig(n_groups=70, n_shoppers=60, seed=3, days=4))
    counts = write_demo_files(folder, world, images=False)
    assert counts["products"] > 70
    return folder


def read(path, **options):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, **options))


def test_the_feed_has_merchant_columns(folder):
    rows = read(folder / "feed.tsv", delimiter="\t")
    assert tuple(rows[0]) == FEED_COLUMNS
    for row in rows:
        assert Money.parse(row["price"]).currency == "USD"
        assert " > " in row["product_type"] or row["product_type"]
        assert row["product_detail"].startswith("Features:")


def test_events_and_reviews_name_items_of_the_feed(folder):
    ids = {row["id"] for row in read(folder / "feed.tsv", delimiter="\t")}
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text("utf-8").splitlines()]
    assert events
    for event in events:
        assert event["name"] in EVENT_NAMES
        assert {item["item_id"] for item in event.get("items", [])} <= ids
    assert [e["time_ms"] for e in events] == sorted(e["time_ms"] for e in events)
    rows = read(folder / "reviews.csv")
    assert rows
    assert {row["item_id"] for row in rows} <= ids
    assert {float(row["rating"]) for row in rows} <= {1.0, 2.0, 3.0, 4.0, 5.0}


def test_there_are_promotions_and_help(folder):
    offers = read(folder / "promotions.csv")
    assert {"name", "description", "starts", "ends", "coupon_code"} == set(offers[0])
    pages = sorted((folder / "pages").glob("*.txt"))
    assert len(pages) >= 5
    for page in pages:
        title, _, text = page.read_text("utf-8").partition("\n")
        assert 2 < len(title) < 60
        assert len(text) > 40


def test_no_half_written_file_is_left(folder):
    assert not list(folder.glob("*.part"))


def test_better_products_are_rated_better(world):
    good, bad = [], []
    for review in reviews(world):
        quality = world.goods.quality[world.numbers([review.item_id])[0]]
        (good if quality > 0 else bad).append(review.rating)
    assert mean(good) > mean(bad) + 0.5
