"""Searches that mean harm, and an encoder that hangs: a plainer answer in time, and one line in the log."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty import WORDS_ONLY, found, made, product
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st
from starlette.testclient import TestClient

from aisle.errors import InvalidFilter, InvalidRequest
from aisle.ports import LexicalResult
from aisle.retrieve import meaning
from aisle.retrieve.hybrid import HybridRetriever
from aisle.settings import SearchSettings, Settings
from aisle.shop import Shop
from aisle.types import Clause, Query, Vectors
from aisle.web.app import create_app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("search") / "shop")


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[Shop]:
    with Shop.open(folder, settings=WORDS_ONLY) as opened:
        yield opened


@pytest.fixture(scope="module")
def ask(shop: Shop) -> Iterator[Callable[..., Any]]:
    app = create_app(shop, keys=shop.keys, password=shop.admin_password, secret=shop.secret)
    headers = {"X-Aisle-Key": shop.keys.storefront_key}
    with TestClient(app, raise_server_exceptions=False) as client:
        yield lambda body: client.post("/v1/search", json=body, headers=headers)


# ----------------------------------------------------------------- injection

INJECTED = [
    '"hoodie', "hoodie'", '"red" AND "hoodie"', "title:hoodie", "ord:1 hoodie", "codes.color:1 hoodie", "hoodie^1000",
    "hoodie~2", "hood*", "*:*", "*", "hoodie AND NOT hoodie", "hoodie OR 1=1", "[a TO b] hoodie", "{a TO *} hoodie",
    "price:[* TO 1] hoodie", "IN [hoodie]", "hoodie\\", "\\\\\\\"", "hoodie\x00", "\x00", "\u202ehoodie",
    "\u200f\u200e",
    "+hoodie -hoodie", "(((((hoodie", ")))", "👟" * 200, "hoodie 👟", "/ho.*/", "hoodie/x", "_exists_:title",
    "(" * 3_000 + "hoodie" + ")" * 3_000, '"' * 10_000, "hoodie " + "a" * 10_000, "hoodie AND " * 1_000,
]  # fmt: skip


@pytest.mark.parametrize("query", INJECTED, ids=lambda q: ascii(q[:14]))
def test_the_indexs_own_syntax_is_only_text(ask: Callable[..., Any], query: str) -> None:
    answer = ask({"query": query})
    assert answer.status_code == 200
    body = answer.json()
    assert body["degraded"] == []
    titles = [hit["title"] for hit in body["hits"]]
    if "hoodie" in query[:500] and "not" not in query.lower() and "-hoodie" not in query and "/" not in query:
        assert titles, "the word that is a product's is still looked for"
        assert all("Hoodie" in title for title in titles[:5])


@given(st.text(st.sampled_from("hodie \"':*~^()[]{}\\+-!&|/?<>=\x00\u202eAND OR NOT TO"), max_size=200))
@trying(max_examples=60, deadline=None)
def test_no_mixture_of_syntax_breaks_a_search(shop: Shop, query: str) -> None:
    slate = shop.search(query, record=False)
    assert slate.n_hits >= len(slate.hits)


def test_five_thousand_words_are_a_bounded_search(shop: Shop) -> None:
    words = " ".join(f"word{n}" for n in range(5_000))
    slate = shop.search(words + " hoodie", record=False)
    assert slate.query is not None
    assert len(slate.query.terms) <= 32
    whole = shop._parts.understander.understand(" ".join(["hoodie watch lamp bottle"] * 1_250))
    assert len(whole.text) <= shop.settings.server.max_query_chars
    assert len(whole.terms) <= 32


# ---------------------------------------------------- regular-expression bombs

BOMBS = r"""
from aisle.understand.filters import parse_filters
from aisle.understand.lexicon import Lexicon
from aisle.understand.query import Understander
from aisle.understand.text import language_of, normalise, words
from aisle.errors import AisleError
reads = Understander(Lexicon.empty(), max_chars=100_000)
n = 20_000
for bomb in (
    "a" * n + "!", "1" * n, "1 " * n, "1," * n, "1." * n, "$" * n, "$1" * n, "under " * n, "between 1 and " * n,
    "1 to " * n, "less than " * n, "x" * n + "l", "-" * n, " -" * n, "a-" * n, "\u7801" * n, "10" * n + "\u5143",
    "1\u5143\u4ee5" * n, "\t \u3000" * n, "e" + "\u0301" * n, "'" * n, "a'" * n, "<" * n, "&#" * n,
    "not " * n, "5.5.5-" * n, "4k" * n, "cheap" + " " * n + "er",
):
    reads.understand(bomb)
    words(bomb)
    language_of(bomb)
    normalise(bomb, len(bomb))
    for filters in (bomb[:4000], "color:" + bomb[:4000], "(" * 2000 + bomb[:100]):
        try:
            parse_filters(filters)
        except AisleError:
            pass
print("read")
"""


def test_no_pattern_takes_forever() -> None:
    """In a process of its own: a pattern that explodes cannot be interrupted. It reads far more than a shop does."""
    done = subprocess.run([sys.executable, "-c", BOMBS], capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout.strip() == "read", done.stderr[-2000:]


# -------------------------------------------------------------------- facets


def test_ten_thousand_facets_are_refused(ask: Callable[..., Any], shop: Shop) -> None:
    names = [f"field{n}" for n in range(10_000)]
    for facets in (names, ",".join(names)):
        answer = ask({"query": "hoodie", "facets": facets})
        assert answer.status_code == 400
        assert "facets" in answer.text
    with pytest.raises(InvalidRequest, match="at most 100"):
        shop.search("hoodie", facets=names)
    assert shop.search("hoodie", facets=["color"] * 10_000).facets["color"]


def test_an_attribute_with_ten_thousand_values_is_counted_in_part(tmp_path: Path) -> None:
    with Shop.open(tmp_path / "s", settings=WORDS_ONLY) as shop:
        shop.upsert_products(
            replace(product(f"P{n}", f"Part {n}"), attributes={"serial": (f"s{n}",)}) for n in range(10_000)
        )
        assert shop.wait_indexed(120)
        slate = shop.search("part", facets=("serial",))
        assert slate.n_hits == 10_000
        assert 1 <= len(slate.facets["serial"]) <= 1_000
        assert {v.count for v in slate.facets["serial"]} == {1}
        (one,) = shop.search("part", filters="serial:s7777").hits
        assert one.item_id == "P7777"
        many = " OR ".join(f"serial:s{n}" for n in range(10_000))
        with pytest.raises(InvalidFilter, match="longer"):
            shop.search("part", filters=many)
        clause = Clause("serial", tuple(f"s{n}" for n in range(10_000)))
        assert shop.search("part", filters=(clause,)).n_hits == 10_000


# ------------------------------------------------------------------- encoder

SOFA = Query("sofa", semantic_text="sofa")


class Encoder:
    """An axis for every text, until it is told to hang, to raise, or to give something else."""

    name, dim = "axes", 3

    def __init__(self) -> None:
        self.n_calls, self.gives = 0, np.array([1, 0, 0], np.float32)
        self.error: BaseException | None = None
        self.go = threading.Event()
        self.go.set()

    def covers(self, language: str) -> bool:
        return language == "en"

    def encode(self, texts: Any) -> Vectors:
        self.n_calls += 1
        self.go.wait()
        if self.error is not None:
            raise self.error
        return np.tile(self.gives, (len(texts), 1))


class Dense:
    dim = 3

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __len__(self) -> int:
        return 2

    def search(self, vector: Vectors, top_k: int, allowed: Any = None, *, beam: int | None = None) -> Any:
        if self.error is not None and top_k > 2:
            raise self.error
        return np.array([0], np.int32), np.array([0.9], np.float32)

    def vectors(self, ords: Any) -> Vectors:
        if self.error is not None:
            raise self.error
        return np.tile(np.array([1, 0, 0], np.float32), (len(ords), 1))


class Lexical:
    def search(self, query: Query, **asked: Any) -> LexicalResult:
        near = asked["neighbours"]
        ords = np.array([1, *(near().tolist() if near is not None else ())], np.int32)
        return LexicalResult(ords, np.ones(len(ords), np.float32), len(ords), {}, {})


@pytest.fixture
def encoder() -> Iterator[Encoder]:
    made = Encoder()
    yield made
    made.go.set()


@pytest.fixture
def retriever(encoder: Encoder) -> HybridRetriever:
    settings = SearchSettings(encoder_timeout_ms=60, neighbours=2)
    return HybridRetriever(Lexical(), Dense(), encoder, settings)  # type: ignore[arg-type]


def asked(retriever: HybridRetriever, text: str) -> tuple[list[int], tuple[str, ...]]:
    answer = retriever.retrieve(Query(text, semantic_text=text))
    return answer.ords.tolist(), answer.degraded


def test_an_encoder_that_hangs_is_not_waited_for(
    retriever: HybridRetriever, encoder: Encoder, caplog: pytest.LogCaptureFixture
) -> None:
    assert asked(retriever, "sofa") == ([1, 0], ())
    encoder.go.clear()
    with caplog.at_level(logging.WARNING):
        answers = [asked(retriever, f"hangs {n}") for n in range(200)]
    assert answers == [([1], ("encoder",))] * 200
    assert asked(retriever, "sofa") == ([1, 0], ()), "what was read before is still known"
    assert encoder.n_calls <= 1 + meaning.THREADS, "it is left alone meanwhile"
    assert len(caplog.records) == 1, "one entry, not one a query"


def test_what_hung_is_used_again_once_it_answers(
    retriever: HybridRetriever, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "FIRST_PAUSE_S", 600.0)
    encoder.go.clear()
    assert asked(retriever, "late") == ([1], ("encoder",))
    encoder.go.set()
    _until(lambda: asked(retriever, "late") == ([1, 0], ()))
    assert asked(retriever, "another") == ([1, 0], ())


def test_after_a_pause_one_query_tries_again(
    retriever: HybridRetriever, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(meaning, "LONGEST_PAUSE_S", 0.0)
    encoder.go.clear()
    for n in range(3 * meaning.THREADS):  # more than there are threads to hang
        assert asked(retriever, f"hangs {n}") == ([1], ("encoder",))
    assert encoder.n_calls <= meaning.THREADS
    encoder.go.set()
    _until(lambda: asked(retriever, "again") == ([1, 0], ()))


def test_four_shoppers_at_once_meet_an_encoder_that_hangs(retriever: HybridRetriever, encoder: Encoder) -> None:
    encoder.go.clear()
    answers: list[Any] = []

    def shopper(me: int) -> None:
        answers.extend(asked(retriever, f"{me} {n}") for n in range(50))

    threads = [threading.Thread(target=shopper, args=(me,), daemon=True) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [([1], ("encoder",))] * 200


@pytest.mark.parametrize(
    "gives",
    [
        np.full(3, np.nan, np.float32),
        np.full(3, np.inf, np.float32),
        np.zeros(3, np.float32),
        np.full(3, 1e30, np.float32),
        np.ones(2, np.float32),
        np.array(["a", "b", "c"]),
    ],
    ids=["nan", "infinite", "nought", "huge", "short", "text"],
)
def test_garbage_is_no_meaning(retriever: HybridRetriever, encoder: Encoder, gives: Any) -> None:
    encoder.gives = gives
    assert asked(retriever, "garbage") == ([1], ("encoder",))
    encoder.gives = np.array([1, 0, 0], np.float32)
    assert asked(retriever, "garbage") == ([1, 0], ())


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("x"), MemoryError(), TimeoutError("own"), SystemExit(1)])
def test_whatever_an_encoder_raises_words_answer(
    retriever: HybridRetriever, encoder: Encoder, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    encoder.error = error
    with caplog.at_level(logging.WARNING):
        assert [asked(retriever, f"raises {n}") for n in range(20)] == [([1], ("encoder",))] * 20
    assert len(caplog.records) == 1
    encoder.error = None
    assert asked(retriever, "fine") == ([1, 0], ())


def test_vectors_that_cannot_be_read_leave_the_words(encoder: Encoder) -> None:
    dense = Dense()
    retriever = HybridRetriever(Lexical(), dense, encoder, SearchSettings(neighbours=2))  # type: ignore[arg-type]
    dense.error = RuntimeError("broken")
    answer = retriever.retrieve(SOFA)
    assert (answer.vector, answer.degraded, answer.cosine.any()) == (None, ("dense",), False)
    assert not len(retriever.nearest(SOFA, 10)[0])
    dense.error = None
    assert len(retriever.nearest(SOFA, 10)[0])
    assert retriever.retrieve(SOFA).cosine.all()


def test_without_a_limit_the_encoder_is_asked_directly(encoder: Encoder) -> None:
    dense = Dense()
    retriever = HybridRetriever(Lexical(), dense, encoder, SearchSettings(encoder_timeout_ms=0))  # type: ignore[arg-type]
    before = threading.active_count()
    assert asked(retriever, "sofa") == ([1, 0], ())
    assert threading.active_count() == before


def test_the_threads_of_a_retriever_end_with_it(encoder: Encoder) -> None:
    retriever = HybridRetriever(Lexical(), Dense(), encoder, SearchSettings())  # type: ignore[arg-type]
    for n in range(10):
        asked(retriever, f"{n}")
    before = _encoding()
    assert before >= 1
    del retriever
    _until(lambda: _encoding() < before)


def test_a_shop_whose_encoder_hangs_answers_over_http(tmp_path: Path) -> None:
    settings = Settings(search={"encoder_timeout_ms": 3_000})  # type: ignore[arg-type]
    with Shop.open(tmp_path / "s", settings=settings) as shop:
        shop.upsert_products([product(f"P{n}", f"Hoodie {n}") for n in range(8)])
        assert shop.wait_indexed(120)
        assert shop.search("warm clothes").degraded == ()
        encoder: Any = shop._parts.indexes.encoder
        go = threading.Event()
        whole = encoder._run
        encoder._run = lambda *given: go.wait() and whole(*given)
        app = create_app(shop, keys=shop.keys, password=shop.admin_password, secret=shop.secret)
        with TestClient(app, raise_server_exceptions=False) as client:
            for query in ("hoodie for winter", "hoodie for spring", "nothing like it at all"):
                key = {"X-Aisle-Key": shop.keys.storefront_key}
                answer = client.get("/v1/search", params={"query": query}, headers=key)
                assert answer.status_code == 200
                assert answer.json()["degraded"] == ["encoder"]
                assert bool(answer.json()["hits"]) == ("hoodie" in query)
        go.set()
        _until(lambda: shop.search("garment with a hood").degraded == ())
        assert found(shop.search("hoodie 3"))[0] == "P3"


def _encoding() -> int:
    return sum(thread.name == "aisle-encoder" for thread in threading.enumerate())


def _until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)
