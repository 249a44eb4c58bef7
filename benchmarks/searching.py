"""How fast a search is against what it cannot do without: encoding the query, BM25, and a search of vectors.

    python benchmarks/searching.py --data DIR [--shop DIR] [--queries 400] [--profile]

DIR has `products.csv` of retrotech (upc, name, manufacturer, short_description, long_description). It is imported into
a fresh shop, which with --shop stays in that folder and is taken from there the next time; what is asked is asked
of a copy. Queries are distinct and never asked before, made from the catalogue's titles, brands and categories with
colours, prices and typing errors; facets and slate recording are on. Each search takes turns with the ingredients of
another query, so that both meet the same machine: the shop's encoder alone; tantivy's own BM25 of the query's words in
titles, the best 200; faiss's own search of as many neighbours as the shop asks for. With --profile the searches are
profiled instead, and where the time went is printed. The last line is JSON; times in milliseconds.

    search_ratio   p50 of a search / (p50 of encoding + BM25 + vector search)
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import random
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import tantivy

from aisle.shop import Shop
from aisle.wiring import create_shop
from serving import catalogue, copied, distinct_queries, ms_since, p50, p99, say

WARM = 60
COLORS = ("black", "white", "red", "blue", "silver", "pink", "grey", "green")
ASIDES = ("under ${}", "between {} and 500", "less than {} dollars", "for men", "on sale", "cheap", "best", "new")
_WORD = re.compile(r"\w+")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of retrotech")
    parser.add_argument("--shop", type=Path, help="where the shop stays")
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--profile", action="store_true", help="where the time goes instead of how much")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if not (options.data / "products.csv").exists():
        parser.error(f"{options.data / 'products.csv'} is not there")
    with ExitStack() as stack:
        place = options.shop or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "shop"
        if not (place / "aisle.db").exists():
            build(place, options.data / "products.csv")
        folder = stack.enter_context(copied(place))
        shop = stack.enter_context(Shop.open(folder, create=False))
        shop.wait_indexed(timeout_s=600)
        queries = asked_of(shop, random.Random(options.seed), WARM + 2 * options.queries)
        if options.profile:
            profile(shop, queries)
        else:
            print(json.dumps(measure(shop, queries[:WARM], queries[WARM::2], queries[WARM + 1 :: 2])))


def build(folder: Path, products: Path) -> None:
    create_shop(folder)
    with Shop.open(folder, create=False) as shop:
        shop.import_products(products, mapping={"item_id": "upc", "title": "name", "brand": "manufacturer"})
        shop.wait_indexed()


def asked_of(shop: Shop, rng: random.Random, n: int) -> list[str]:
    """Distinct queries; half of them say something that is to be understood."""
    products = catalogue(shop, rng)
    made: dict[str, None] = {}
    for query in distinct_queries(products, rng, n):
        if rng.random() < 0.2:
            query = f"{rng.choice(COLORS)} {query}"
        if rng.random() < 0.15 and (brand := rng.choice(products).brand):
            query = f"{brand.lower()} {query}"
        if rng.random() < 0.2:
            query = f"{query} {rng.choice(ASIDES).format(rng.randint(5, 400))}"
        made.setdefault(query)
    return list(made)


def measure(shop: Shop, warm: list[str], timed: list[str], others: list[str]) -> dict[str, Any]:
    encode, words, vectors = ingredients(shop)
    for query in warm:
        shop.search(query)
        vectors(encode(query))
        words(query)
    whole: list[float] = []
    pieces: dict[str, list[float]] = {"encode": [], "bm25": [], "vector": []}
    n_ranked: list[int] = []
    n_degraded = 0
    for query, other in zip(timed, others, strict=False):
        started = time.perf_counter()
        slate = shop.search(query)
        whole.append(ms_since(started))
        n_degraded += bool(slate.degraded)
        n_ranked.append(min(slate.n_hits, shop.settings.search.top_k))
        started = time.perf_counter()
        vector = encode(other)
        pieces["encode"].append(ms_since(started))
        started = time.perf_counter()
        words(other)
        pieces["bm25"].append(ms_since(started))
        started = time.perf_counter()
        vectors(vector)
        pieces["vector"].append(ms_since(started))
    each = {f"{name}_p50": p50(times) for name, times in pieces.items()}
    ratio = p50(whole) / sum(each.values())
    say(f"search p50 {p50(whole):.2f} ms, p99 {p99(whole):.2f} ms = {ratio:.2f} x {each}; {n_degraded} degraded")
    return {
        "benchmark": "searching",
        "n_products": int(shop._parts.columns.facts.alive.sum()),
        "n_queries": len(whole),
        "ranked_p50": p50(n_ranked),
        "search_p50": p50(whole),
        "search_p99": p99(whole),
        **each,
        "search_ratio": round(ratio, 3),
        "search_degraded": n_degraded,
    }


def ingredients(shop: Shop) -> tuple[Callable[[str], Any], Callable[[str], Any], Callable[[Any], Any]]:
    """The encoder, tantivy and faiss as the shop has them, without anything of the shop around them."""
    parts, search = shop._parts, shop.settings.search
    indexes = parts.indexes
    encoder, dense = indexes.encoder, indexes.dense
    assert encoder is not None
    assert dense is not None
    index = tantivy.Index.open(str(indexes.version / "lexical"))
    analyzer = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.ascii_fold())
        .filter(tantivy.Filter.stemmer("english"))
        .build()
    )
    searcher, schema = index.searcher(), index.schema

    def words(query: str) -> Any:
        terms = [tantivy.Query.term_query(schema, "title", token, "freq") for token in analyzer.analyze(query)]
        found = searcher.search(tantivy.Query.boolean_query([(tantivy.Occur.Should, t) for t in terms]), search.top_k)
        return found.hits

    return (
        lambda query: encoder.encode([query])[0],
        words,
        lambda vector: dense.dense.search(vector, search.neighbours),
    )


def profile(shop: Shop, queries: list[str]) -> None:
    for query in queries[:WARM]:
        shop.search(query)
    profiler = cProfile.Profile()
    profiler.enable()
    for query in queries[WARM:]:
        shop.search(query)
    profiler.disable()
    for order in ("tottime", "cumulative"):
        pstats.Stats(profiler).sort_stats(order).print_stats(45)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
