"""Reviews, promotions, pages, photos and the file of rejects."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path

import pytest

from aisle.errors import IntakeError, StorageError
from aisle.intake.media import MAX_IMAGE_BYTES, MediaFolder, image_kind
from aisle.intake.pages import read_pages
from aisle.intake.promotions import read_promotions
from aisle.intake.rejects import RejectFile
from aisle.intake.reviews import read_reviews
from aisle.types import Page, Product, Promotion, Reject, Review


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    folder = tmp_path / "feed"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "Red Mug.png").write_bytes(png())
    (tmp_path / "secret.png").write_bytes(png())
    return folder


def test_photos_come_into_the_shop_once(feed: Path, tmp_path: Path) -> None:
    media = MediaFolder(feed, tmp_path / "media")
    product = Product("1", "Mug", image_link="images/Red Mug.png", additional_image_links=("images/Red%20Mug.png",))
    done = media.localised(product)
    [name] = os.listdir(tmp_path / "media")
    assert done.image_link == f"/media/{name}" == done.additional_image_links[0]
    assert name.startswith("red-mug-")
    assert (tmp_path / "media" / name).read_bytes() == png()
    assert media.notes == ()
    again = MediaFolder(feed, tmp_path / "media")
    assert again.localised(product) == done
    assert again.localised(done) == done
    assert os.listdir(tmp_path / "media") == [name]


def test_links_to_other_sites_stay(feed: Path, tmp_path: Path) -> None:
    product = Product(
        "1", "Mug", image_link="https://cdn.example/a.png", additional_image_links=("//cdn.example/b.png",)
    )
    assert MediaFolder(feed, tmp_path / "media").localised(product) is product


@pytest.mark.parametrize(
    "link",
    ["../secret.png", "link.png", "images/../../secret.png", "%2e%2e/secret.png", "/etc/passwd",
     "/media/../secret.png", "..\\secret.png", "door/secret.png", "images", "none.png", "text.png", "empty.png",
     "huge.png", "a\x00.png", "x" * 5000],
)  # fmt: skip
def test_nothing_outside_the_feed_and_nothing_but_pictures_is_taken(feed: Path, tmp_path: Path, link: str) -> None:
    (feed / "link.png").symlink_to(tmp_path / "secret.png")
    (feed / "door").symlink_to(tmp_path)
    (feed / "text.png").write_text("<svg onload='x'/>")
    (feed / "empty.png").touch()
    with (feed / "huge.png").open("wb") as stream:
        stream.truncate(MAX_IMAGE_BYTES + 1)
    media = MediaFolder(feed, tmp_path / "media")
    assert media.localised(Product("1", "Mug", image_link=link)).image_link == ""
    assert len(media.notes) == 1
    assert not (tmp_path / "media").exists()


def test_the_next_image_stands_in_for_a_missing_one(feed: Path, tmp_path: Path) -> None:
    product = Product("1", "Mug", image_link="none.png", additional_image_links=("images/Red Mug.png",))
    done = MediaFolder(feed, tmp_path / "media").localised(product)
    assert done.image_link.startswith("/media/red-mug-")
    assert done.additional_image_links == ()


def test_picture_kinds_are_told_by_their_bytes() -> None:
    assert image_kind(b"\xff\xd8\xff\xe0") == "jpg"
    assert image_kind(b"RIFF....WEBPVP8 ") == "webp"
    assert image_kind(b"....ftypavif") == "avif"
    assert image_kind(b"<svg/>") == ""


def test_reviews(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(
        "item_id,rating,title,text,reviewer,date\n"
        "A,5,Good,<b>Warm</b> 👍,Ann,2024-02-01\nA,5 ,Good,Warm 👍,Ann,2024-02-01\n"
        "A,6,x,,,\n,3,x,,,\nA,,x,,,\nA,3,x,,,someday\n"
    )
    rows = list(read_reviews(path))
    reviews = [r for r in rows if isinstance(r, Review)]
    assert reviews[0] == reviews[1]
    assert (reviews[0].text, reviews[0].rating, reviews[0].time_ms) == ("Warm 👍", 5.0, 1_706_745_600_000)
    assert [(r.line, r.field) for r in rows if isinstance(r, Reject)] == [
        (4, "rating"), (5, "item_id"), (6, "rating"), (7, "time")
    ]  # fmt: skip
    path.write_text("item_id,text\nA,b\n")
    with pytest.raises(IntakeError, match="no rating column"):
        read_reviews(path)


def test_promotions(tmp_path: Path) -> None:
    path = tmp_path / "promotions.csv"
    path.write_text(
        "name,description,simple_action,coupon_code,starts,ends\n"
        "4th free,Buy 3,buy_x_get_y,H20,2026-01-01,2026-01-31\n,none,,,,\n"
        "Late,,,,2026-02-01,2026-01-01\n4th free,other,,,,\n"
    )
    rows = list(read_promotions(path))
    [offer] = [r for r in rows if isinstance(r, Promotion)]
    assert (offer.name, offer.coupon_code, offer.details) == ("4th free", "H20", {"simple_action": "buy_x_get_y"})
    assert (offer.starts_ms, offer.ends_ms) == (1_767_225_600_000, 1_769_903_999_999)
    assert [(r.line, r.field) for r in rows if isinstance(r, Reject)] == [(3, "name"), (4, "ends"), (5, "promotion_id")]
    assert next(iter(read_promotions(path))) == offer


def test_pages(tmp_path: Path) -> None:
    (tmp_path / "home.txt").write_text("Home Page\n\nnan\n")
    (tmp_path / "about.txt").write_text("About us\n\nWe sell 5 < 6 things.\n\nTwo\n")
    (tmp_path / "about.md").write_text("# About\nother\n")
    (tmp_path / "returns.html").write_text(
        "<html><head><title>Returns &amp; more</title><style>p{}</style></head>"
        "<body><p>Within 30 days.</p></body></html>"
    )
    (tmp_path / "photo.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    (tmp_path / "notes.csv").write_text("x")
    outside = tmp_path.parent / f"{tmp_path.name}-outside.txt"
    outside.write_text("Secret\nword\n")
    (tmp_path / "door.txt").symlink_to(outside)
    rows = list(read_pages(tmp_path))
    pages = {r.page_id: r for r in rows if isinstance(r, Page)}
    assert {k: p.title for k, p in pages.items()} == {"about": "About", "returns": "Returns & more"}
    assert pages["returns"].text == "Within 30 days."
    assert sorted(r.file for r in rows if isinstance(r, Reject)) == ["about.txt", "door.txt", "home.txt", "photo.txt"]
    with pytest.raises(IntakeError, match="no such folder"):
        read_pages(tmp_path / "none")


def test_rejects_are_appended_as_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    rejects = RejectFile(path)
    rejects.write([Reject("f.csv", 2, "price", "not a price", "abc")])
    rejects.write([Reject("f\udcff.csv", 3, "", "why", "ق\n")])
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows[0] == {"file": "f.csv", "line": 2, "field": "price", "reason": "not a price", "value": "abc"}
    assert rows[1]["value"] == "ق\n"
    assert rejects.n_written == 2
    with pytest.raises(StorageError):
        RejectFile(tmp_path / "none" / "rejects.jsonl").write([])
