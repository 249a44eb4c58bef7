"""The tantivy index keeps the port's contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.adapters.tantivy import TantivyLexicalIndex
from aisle.testing.lexical import LexicalIndexContract


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """jieba's dictionary takes a second to build: once for all tests."""
    return tmp_path_factory.mktemp("cache")


class TestTantivyLexicalIndex(LexicalIndexContract):
    @pytest.fixture
    def index(self, tmp_path: Path, cache_folder: Path) -> Iterator[TantivyLexicalIndex]:
        opened = TantivyLexicalIndex(tmp_path / "lexical", cache_folder=cache_folder)
        yield opened
        opened.close()
