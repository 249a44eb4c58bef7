"""The simulated shop as files, in the formats any shop would bring."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from aisle.demo.catalogue import picture_keys, products
from aisle.demo.images import draw_all
from aisle.demo.pages import OFFERS, PAGES_EN, PAGES_ZH
from aisle.demo.reviews import reviews
from aisle.demo.traffic import simulate
from aisle.demo.world import DAY_MS, World
from aisle.types import Event, EventItem, Product, Progress

FEED_COLUMNS = (
    "id", "item_group_id", "title", "description", "link", "image_link", "additional_image_link", "availability",
    "price", "sale_price", "brand", "condition", "product_type", "color", "size", "gender", "material", "pattern",
    "quantity", "product_detail",
)  # fmt: skip


def _silent(stage: str, done: int, total: int) -> None:
    """No progress wanted."""


def write_demo_files(
    folder: Path,
    world: World,
    *,
    images: bool = True,
    traffic_seed: int = 1,
    workers: int = 2,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Write feed.tsv, images/, events.jsonl, reviews.csv, promotions.csv and pages/ into `folder`.

    Returns how many of each were written. `progress(stage, done, total)` is called now and
    then; total is 0 where it is not known beforehand.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tell = progress or _silent
    counts = {"products": write_feed(folder / "feed.tsv", world, tell)}
    if images:
        counts["images"] = draw_all(folder / "images", picture_keys(world), tell, workers)
    counts["events"] = write_events(folder / "events.jsonl", world, traffic_seed, tell)
    counts["reviews"] = write_reviews(folder / "reviews.csv", world, tell)
    counts["promotions"] = write_promotions(folder / "promotions.csv", world)
    counts["pages"] = write_pages(folder / "pages", world)
    return counts


@contextmanager
def _replacing(path: Path) -> Iterator[IO[str]]:
    """Write beside the file, then take its place: a file is whole or absent."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        yield file
    part.replace(path)


def feed_row(product: Product) -> tuple[str, ...]:
    """A product as Google Merchant columns."""
    detail = ";".join(f"{name}:{'/'.join(values)}" for name, values in product.attributes.items())
    return (
        product.item_id, product.group_id, product.title, product.description, product.link, product.image_link,
        ",".join(product.additional_image_links), product.availability, str(product.price or ""),
        str(product.sale_price or ""), product.brand, product.condition, product.product_type, product.color,
        product.size, product.gender, product.material, product.pattern, str(product.quantity), detail,
    )  # fmt: skip


def write_feed(path: Path, world: World, tell: Progress = _silent) -> int:
    """The catalogue as a tab-separated Merchant feed; returns the number of items. Streams."""
    n = 0
    with _replacing(path) as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(FEED_COLUMNS)
        for product in products(world):
            table.writerow(feed_row(product))
            n += 1
            if n % 2000 == 0:
                tell("products", n, 0)
    tell("products", n, n)
    return n


def _item_json(item: EventItem) -> dict[str, Any]:
    body: dict[str, Any] = {"item_id": item.item_id}
    if item.price is not None:
        body |= {"price": float(item.price.amount), "quantity": item.quantity}
    if item.index is not None:
        body["index"] = item.index
    if item.item_list_id:
        body["item_list_id"] = item.item_list_id
    return body


def event_json(event: Event) -> dict[str, Any]:
    """An event as the API and the event files take it (GA4 names; times in milliseconds, UTC)."""
    body: dict[str, Any] = {"name": event.name, "event_id": event.event_id, "visitor_id": event.visitor_id}
    if event.session_id:
        body["session_id"] = event.session_id
    body["time_ms"] = event.time_ms
    if event.list_id:
        body["list_id"] = event.list_id
    if event.query:
        body["query"] = event.query
    if event.items:
        body["items"] = [_item_json(item) for item in event.items]
    if event.value is not None:
        body |= {"value": float(event.value.amount), "currency": event.value.currency}
    elif event.items and event.items[0].price is not None:
        body["currency"] = event.items[0].price.currency
    return body


def write_events(path: Path, world: World, seed: int = 1, tell: Progress = _silent) -> int:
    """A month of traffic, one JSON object a line; returns the number of events."""
    n, n_days = 0, world.config.days
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    with _replacing(path) as file:
        for event in simulate(world, seed=seed):
            file.write(encode(event_json(event)) + "\n")
            n += 1
            if n % 2000 == 0:
                tell("traffic (days)", min((event.time_ms - world.start_ms) // DAY_MS, n_days), n_days)
    tell("traffic (days)", n_days, n_days)
    return n


def _moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def write_reviews(path: Path, world: World, tell: Progress = _silent) -> int:
    """Reviews as CSV: item_id, rating, title, text, reviewer, time."""
    n = 0
    with _replacing(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("item_id", "rating", "title", "text", "reviewer", "time"))
        for review in reviews(world):
            row = (review.item_id, f"{review.rating:g}", review.title, review.text, review.reviewer)
            table.writerow((*row, _moment(review.time_ms)))
            n += 1
    tell("reviews", n, n)
    return n


def write_promotions(path: Path, world: World) -> int:
    """Promotions as CSV: name, description, starts, ends, coupon_code."""
    language = 1 if world.config.language == "zh" else 0
    end = world.config.end_ms
    with _replacing(path) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("name", "description", "starts", "ends", "coupon_code"))
        for offer in OFFERS:
            window = (_moment(end + offer.starts_days * DAY_MS), _moment(end + offer.ends_days * DAY_MS))
            table.writerow((offer.name[language], offer.description[language], *window, offer.coupon_code))
    return len(OFFERS)


def write_pages(folder: Path, world: World) -> int:
    """Help pages, one text file each; the first line is the title."""
    folder.mkdir(parents=True, exist_ok=True)
    pages: Mapping[str, str] = PAGES_ZH if world.config.language == "zh" else PAGES_EN
    for name, text in pages.items():
        (folder / f"{name}.txt").write_text(text + "\n", encoding="utf-8")
    return len(pages)
