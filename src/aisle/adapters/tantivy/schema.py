"""What the index holds, and how text becomes tokens."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import tantivy

from aisle.han import HAN_RUN, has_han, simplified
from aisle.index.documents import Document

if TYPE_CHECKING:
    import jieba

FIELD_WEIGHTS: dict[str, float] = {
    "title": 2.0, "kind": 1.2, "brand": 1.0, "traits": 0.9, "details": 0.35, "text": 0.35,
}  # fmt: skip
"""What a word is worth where: the name of a product says what it is, its description what it goes with."""

CHINESE_TITLE, CHINESE_TEXT = "zh_title", "zh_text"
CHINESE_WEIGHTS: dict[str, float] = {CHINESE_TITLE: 2.0, CHINESE_TEXT: 0.5}
CHINESE_PARTS = "zh_parts"
"""Single characters and pairs of them in names: what finds 鞋 in 跑步鞋, and whatever was cut otherwise."""

PARTS_WEIGHT = 0.8
WORDS = "words"
"""The unstemmed words of titles, kinds, brands and traits: what spelling is corrected to."""

MAX_TOKEN_CHARS = 64
MAX_OWN_WORD = 8
"""Characters up to which a brand or a value is taken for one word."""


def build_schema() -> tantivy.Schema:
    """Text by field, folded values as JSON codes for filters and facets, numbers for ranges and sorting."""
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("ord", indexed=True, fast=True)
    for name in FIELD_WEIGHTS:
        builder.add_text_field(name, tokenizer_name="stemmed", index_option="freq")
    for name in CHINESE_WEIGHTS:
        builder.add_text_field(name, tokenizer_name="segmented", index_option="freq")
    builder.add_text_field(CHINESE_PARTS, tokenizer_name="segmented", index_option="basic")
    builder.add_text_field(WORDS, tokenizer_name="plain", index_option="basic")
    for name in ("item_id", "group_id"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("fields", fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_json_field("codes", fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_json_field("variants", fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_json_field("shown", fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_float_field("price", fast=True)
    builder.add_float_field("price_low", fast=True)
    builder.add_unsigned_field("first_seen", fast=True)
    return builder.build()


def _analyzer(tokenizer: tantivy.Tokenizer, *, stem: bool) -> tantivy.TextAnalyzer:
    builder = (
        tantivy.TextAnalyzerBuilder(tokenizer)
        .filter(tantivy.Filter.remove_long(MAX_TOKEN_CHARS))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
    )
    return (builder.filter(tantivy.Filter.stemmer("english")) if stem else builder).build()


STEMMED = _analyzer(tantivy.Tokenizer.simple(), stem=True)
PLAIN = _analyzer(tantivy.Tokenizer.simple(), stem=False)
SEGMENTED = _analyzer(tantivy.Tokenizer.whitespace(), stem=False)


def register(index: tantivy.Index) -> None:
    """Make the analyzers known to an index; tantivy does not keep them on disk."""
    index.register_tokenizer("stemmed", STEMMED)
    index.register_tokenizer("plain", PLAIN)
    index.register_tokenizer("segmented", SEGMENTED)


@lru_cache(65_536)
def value_code(key: str) -> int:
    """48 bits that stand for a folded value: counting numbers is three times faster than counting strings.

    Among a million values of one field two share a code once in 500 shops.
    """
    return int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=6).digest(), "big")


class ChineseWords:
    """Cuts Chinese into words with jieba, which is loaded (a second, 100 MB) when Chinese first appears.

    Traditional characters are cut as simplified ones. `own` gives the shop's
    own words when jieba is loaded; `learn` adds those that come later.
    """

    def __init__(self, cache_folder: Path, own: Callable[[], Iterable[str]] = tuple) -> None:
        self._folder = cache_folder
        self._own = own
        self._lock = threading.Lock()
        self._jieba: jieba.Tokenizer | None = None
        self._known: set[str] = set()

    @property
    def is_loaded(self) -> bool:
        return self._jieba is not None

    def cut(self, text: str, *, finely: bool) -> list[str]:
        """The words of every Chinese run in `text`; `finely` adds the words inside long words, for indexing."""
        words: list[str] = []
        for run in HAN_RUN.findall(simplified(text)):
            words.extend(self._loaded().lcut_for_search(run) if finely else self._loaded().lcut(run))
        return words

    def learn(self, values: Iterable[str]) -> None:
        """Take brands, categories and values for words: no dictionary has them all."""
        fresh = {
            run
            for value in values
            if has_han(value)
            for run in HAN_RUN.findall(simplified(value))
            if 2 <= len(run) <= MAX_OWN_WORD and run not in self._known
        }
        if not fresh:
            return
        tokenizer = self._loaded()
        with self._lock:
            for word in sorted(fresh, key=len):
                tokenizer.add_word(word)
            self._known |= fresh

    def _loaded(self) -> Any:
        if self._jieba is not None:
            return self._jieba
        own = tuple(self._own())
        with self._lock:
            if self._jieba is None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # its import is older than today's Python
                    import jieba

                jieba.setLogLevel(60)
                self._folder.mkdir(parents=True, exist_ok=True)
                tokenizer = jieba.Tokenizer()
                tokenizer.tmp_dir = str(self._folder)
                tokenizer.cache_file = "jieba.cache"
                tokenizer.initialize()
                self._jieba = tokenizer
        self.learn(own)
        return self._jieba


def chinese_parts(text: str) -> list[str]:
    """Each Chinese character and each pair of neighbours, once, as simplified ones."""
    parts: dict[str, None] = {}
    for run in HAN_RUN.findall(simplified(text)):
        parts.update(dict.fromkeys(run))
        parts.update(dict.fromkeys(run[i : i + 2] for i in range(len(run) - 1)))
    return list(parts)


def own_words(doc: Document) -> Iterator[str]:
    """What a document calls its maker, its shelf and its traits."""
    yield doc.brand
    yield from doc.kind.split(">")
    for name, values in doc.shown.items():
        if name != "product_type":
            yield from values


def to_json(doc: Document, chinese: ChineseWords) -> str:
    """A document as tantivy reads it."""
    row: dict[str, Any] = {
        "ord": doc.ord,
        "title": doc.title, "kind": doc.kind, "brand": doc.brand,
        "traits": doc.traits, "details": doc.details, "text": doc.text,
        WORDS: [doc.title, doc.kind, doc.brand, doc.traits],
        "item_id": [i.casefold() for i in doc.item_ids],
        "group_id": doc.group_id.casefold(),
        "fields": list(doc.values),
        "codes": {name: [value_code(v) for v in found] for name, found in doc.values.items()},
        "variants": doc.variants, "shown": doc.shown,
        "price": doc.prices,
        "first_seen": doc.first_seen_ms,
    }  # fmt: skip
    if doc.prices:
        row["price_low"] = doc.prices[0]
    for name, text in _chinese_text(doc):
        if has_han(text):
            row[name] = " ".join(chinese.cut(text, finely=True))
            if name == CHINESE_TITLE:
                row[CHINESE_PARTS] = " ".join(chinese_parts(text))
    return orjson.dumps(row).decode()


def _chinese_text(doc: Document) -> Iterator[tuple[str, str]]:
    yield CHINESE_TITLE, " ".join((doc.title, doc.kind, doc.brand, doc.traits))
    yield CHINESE_TEXT, " ".join((doc.details, doc.text))
