"""Help pages: found by words at once and by meaning soon, and never encoded while a shopper waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from aisle.adapters.sqlite.content import SqliteContentStore
from aisle.adapters.sqlite.database import Database
from aisle.errors import ModelError
from aisle.retrieve.reading import Library
from aisle.types import Page, Review

PAGES = [Page(f"p{n}", f"Page {n}", f"About matter{n:02}.") for n in range(40)]


class Encoder:
    """Counts what it reads; two texts are near when they begin alike."""

    name, dim = "counting", 4

    def __init__(self) -> None:
        self.read: list[str] = []
        self.failing = False

    def covers(self, language: str) -> bool:
        return language == "en"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        if self.failing:
            raise ModelError("out of memory")
        self.read += texts
        vectors = np.array([[len(text), ord(text[0]), 1.0, 2.0] for text in texts], np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def content(tmp_path: Path) -> Iterator[SqliteContentStore]:
    database = Database(tmp_path / "aisle.db")
    yield SqliteContentStore(database)
    database.close()


def library_of(content: SqliteContentStore, encoder: Encoder, stored: dict[str, np.ndarray] | None = None) -> Library:
    """Of a shop in English, with its stored vectors."""
    kept = {} if stored is None else stored

    def embed(texts: Sequence[str], encode: bool) -> dict[str, np.ndarray]:
        new = [text for text in texts if text not in kept]
        if encode and new:
            kept.update(zip(new, encoder.encode(new), strict=True))
        return {text: kept[text] for text in texts if text in kept}

    return Library(content, encoder, "en", embed)


def caught_up(library: Library) -> None:
    while library.follow():
        pass


def test_a_question_has_only_itself_encoded(content: SqliteContentStore) -> None:
    encoder = Encoder()
    library = library_of(content, encoder)
    content.upsert_pages(PAGES)
    assert not library.has(content.version())
    library.follow(encode=False)
    assert [page.page_id for page, _ in library.pages_for("matter07", "en", 1)] == ["p7"]  # by its words
    assert encoder.read == []
    assert not library.has(content.version())
    caught_up(library)
    assert library.has(content.version())
    assert len(encoder.read) == 40
    library.pages_for("matter07", "en", 1)
    assert encoder.read[40:] == ["matter07"]
    library.pages_for("matter08", "zh", 1)
    assert len(encoder.read) == 41  # a language that it does not read


def test_only_pages_that_changed_are_encoded_anew(content: SqliteContentStore) -> None:
    encoder = Encoder()
    library = library_of(content, encoder)
    content.upsert_pages(PAGES)
    caught_up(library)
    before = library.pages
    content.upsert_reviews([Review("r1", "M1", 5.0)])
    caught_up(library)
    assert library.has(content.version())
    assert library.pages is before
    content.upsert_pages([Page("p3", "Page 3", "Something else.")])
    caught_up(library)
    assert encoder.read[40:] == ["Page 3. Something else."]
    assert library.pages is not before
    encoder.failing = True
    content.upsert_pages([Page("p4", "Page 4", "Refunds.")])
    with pytest.raises(ModelError):
        library.follow()
    assert not library.has(content.version())
    assert np.linalg.norm(library._shelf.vectors, axis=1).round(3).tolist().count(0.0) == 1  # the others keep theirs
    assert [page.page_id for page, _ in library.pages_for("refunds", "zh", 1)] == ["p4"]


def test_another_process_finds_what_is_stored(content: SqliteContentStore) -> None:
    encoder, stored = Encoder(), {}
    content.upsert_pages(PAGES)
    caught_up(library_of(content, encoder, stored))
    other = library_of(content, encoder, stored)
    other.follow(encode=False)
    assert other.has(content.version())
    assert len(encoder.read) == 40


def test_pages_are_found_by_words_while_the_encoder_fails(content: SqliteContentStore) -> None:
    encoder = Encoder()
    encoder.failing = True
    library = library_of(content, encoder)
    content.upsert_pages(PAGES)
    with pytest.raises(ModelError):
        library.follow()
    assert [page.page_id for page, _ in library.pages_for("matter07", "en", 1)] == ["p7"]
    assert not library.has(content.version())
    encoder.failing = False
    caught_up(library)
    assert library.has(content.version())


def test_without_an_encoder_for_the_shop_words_are_all(content: SqliteContentStore) -> None:
    encoder = Encoder()
    content.upsert_pages(PAGES)
    for library in (Library(content, encoder, "zh", None), Library(content, None, "en", None)):
        caught_up(library)
        assert library.has(content.version())
        assert library.pages_for("matter07", "en", 1)
    assert encoder.read == []
