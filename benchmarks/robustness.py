"""How much of the first page survives a typing error, a dropped word, two words swapped.

    python benchmarks/robustness.py --data ../shared/data/homedepot --cache FOLDER [--tuned FOLDER] [--queries 500]

For queries that nothing was tuned on: the share of the top 10 that is still in
the top 10 when the query is perturbed, and nDCG@10 then, for the search by
words, by meaning, and blended, with the encoder as it comes and, given `--tuned`
(the folder `bi_encoder/exported` that tuning.py left), with the tuned one.
Queries that a perturbation leaves as they are do not count for it. The last line is JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from aisle.adapters.onnx.text_encoder import OnnxTextEncoder
from aisle.learn.bi_encoder import CARD_FILE
from aisle.learn.perturb import dropped, mistyped, swapped
from aisle.represent.encoders import ensure_encoder
from aisle.settings import EncoderSettings, SearchSettings
from aisle.types import Ords
from blending import Judged, ndcg, read
from tuning import Space, Words, blended, searched, space_of

KINDS: dict[str, Callable[[str, np.random.Generator], str]] = {
    "typing error": mistyped,
    "dropped word": dropped,
    "swapped words": swapped,
}


def tops(words: Sequence[Words], space: Space) -> dict[str, list[Ords]]:
    """The first ten of each query, by each way of searching."""
    settings = SearchSettings()
    near = [space.nearest(row) for row in range(len(words))]
    both = [blended(w, n, space, row, settings)[0] for row, (w, n) in enumerate(zip(words, near, strict=True))]
    return {
        "words": [w.ords[:10] for w in words],
        "meaning": [n[:10] for n in near],
        "blend": [b[:10] for b in both],
    }


def survive(before: Sequence[Ords], after: Sequence[Ords]) -> float:
    shares = [len(np.intersect1d(a, b)) / len(a) for a, b in zip(before, after, strict=True) if len(a)]
    return round(float(np.mean(shares)), 4)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("AISLE_DATA"), help="folder of homedepot")
    parser.add_argument("--cache", type=Path, required=True, help="where vectors are kept, as tuning.py's --out")
    parser.add_argument("--tuned", type=Path)
    parser.add_argument("--cut", type=float, default=0.5, help="its least cosine of a neighbour (neighbour_cut)")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    folder = given.data / "homedepot" if given.data and (given.data / "homedepot").is_dir() else given.data
    if folder is None or not (folder / "qrels.txt").exists():
        print("no data: give --data a folder with products.csv, queries.csv and qrels.txt", file=sys.stderr)
        return 2
    given.cache.mkdir(parents=True, exist_ok=True)
    groups, judged = read(folder)
    held = sorted((q for q in judged if not q.validation), key=lambda q: hashlib.sha256(q.query_id.encode()).digest())
    held = held[: given.queries]
    rng = np.random.default_rng(0)
    asked: list[tuple[str, Judged, str]] = [("as typed", query, query.text) for query in held]
    for kind, change in KINDS.items():
        changed = [(kind, query, change(query.text, rng)) for query in held]
        asked += [one for one in changed if one[2] != one[1].text]
    words, meant = searched(groups, [text for _, _, text in asked])
    settings = EncoderSettings(threads=given.threads)
    encoders = {"as it came": OnnxTextEncoder(ensure_encoder(settings, given.cache / "models"), threads=given.threads)}
    if given.tuned:
        encoders["tuned"] = OnnxTextEncoder(given.tuned, card=CARD_FILE, threads=given.threads)
    present = SearchSettings().neighbour_cut
    summary: dict[str, object] = {"benchmark": "robustness", "n_queries": len(held)}
    for name, encoder in encoders.items():
        found = tops(words, space_of(encoder, groups, meant, given.cache, given.cut if name == "tuned" else present))
        for way, ranked in found.items():
            plain = {
                query.query_id: top for (kind, query, _), top in zip(asked, ranked, strict=True) if kind == "as typed"
            }
            for kind in ("as typed", *KINDS):
                rows = [(query, top) for (k, query, _), top in zip(asked, ranked, strict=True) if k == kind]
                share = survive([plain[query.query_id] for query, _ in rows], [top for _, top in rows])
                quality = round(float(np.mean([ndcg(query, top) for query, top in rows])), 4)
                summary[f"{name}, {way}, {kind}"] = {"survives": share, "ndcg@10": quality, "n": len(rows)}
                print(
                    f"{name:11} {way:8} {kind:14} survives {share:.4f}  ndcg@10 {quality:.4f}  n {len(rows)}",
                    flush=True,
                )
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
