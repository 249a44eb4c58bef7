"""How long a catalogue takes to become searchable.

    python benchmarks/indexing.py --products FILE [--map title=name …]

Imports the file into a fresh shop through `Shop.import_products` and prints, as a last line of JSON:
seconds from the start of the import until every product is found by its words, and until every product is
also found by its meaning; seconds for encoding the same texts alone, in the same run and on the same
encoder; seconds of a second import of the same file; and the ratios between them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from aisle.intake.columns import parse_mapping
from aisle.represent.texts import text_of
from aisle.settings import Settings
from aisle.shop import Shop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=Path, required=True, help="the feed")
    parser.add_argument("--map", action="append", default=[], help="OUR=THEIRS, as for aisle import")
    parser.add_argument("--shop", type=Path, help="keep the shop here (must not exist); otherwise a temporary folder")
    parser.add_argument("--no-encoding-alone", action="store_true", help="leave out the comparison")
    arguments = parser.parse_args()
    if not arguments.products.exists():
        parser.error(f"{arguments.products} is not there")
    mapping = parse_mapping(arguments.map)

    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.shop or Path(temporary) / "shop"
        with Shop.open(folder, settings=Settings()) as shop:
            parts = shop._parts  # the benchmark looks behind the facade, to see when each index is done
            started = time.perf_counter()
            summary = shop.import_products(arguments.products, mapping=mapping)
            stored_s = time.perf_counter() - started
            seq = parts.stores.catalog.seq()
            while shop.health()["index_lag"]:
                time.sleep(0.01)
            lexical_s = time.perf_counter() - started
            assert shop.search("", record=False).n_hits == parts.stores.catalog.count()[1]
            shop.wait_indexed()
            full_s = time.perf_counter() - started

            started = time.perf_counter()
            again = shop.import_products(arguments.products, mapping=mapping)
            shop.wait_indexed()
            second_s = time.perf_counter() - started
            assert again.n_added == again.n_changed == 0, again

            alone_s = None
            if not arguments.no_encoding_alone and parts.indexes.encoder is not None:
                texts = list(dict.fromkeys(text_of(g) for g in _groups(shop, seq)))
                started = time.perf_counter()
                for start in range(0, len(texts), 1024):
                    parts.indexes.encoder.encode(texts[start : start + 1024])
                alone_s = time.perf_counter() - started

    result = {
        "products": summary.n_added,
        "rejected": summary.n_rejected,
        "stored_s": round(stored_s, 2),
        "lexically_searchable_s": round(lexical_s, 2),
        "fully_searchable_s": round(full_s, 2),
        "second_import_s": round(second_s, 2),
        "second_import_speedup": round(full_s / second_s, 1),
    }
    if alone_s is not None:
        result |= {"encoding_alone_s": round(alone_s, 2), "full_ratio": round(full_s / alone_s, 3)}
    print(json.dumps(result))


def _groups(shop: Shop, last_seq: int) -> list:
    groups, seq = [], 0
    while seq < last_seq and (page := shop._parts.stores.catalog.changed(seq, 4000)):
        groups += page
        seq = max(g.seq for g in page)
    return [g for g in groups if g.products]


if __name__ == "__main__":
    main()
