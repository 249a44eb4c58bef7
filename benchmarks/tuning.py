"""What tuning on judgements is worth: the text encoder by itself, and the cross-encoder over the best twenty.

    python benchmarks/tuning.py --data ../shared/data/homedepot --out FOLDER [--seconds 600] [--threads 1]
        [--only bi_encoder | cross_encoder] [--choose]

Both are fitted on the judgements of one half of the queries (a hash of their
ids, as in blending.py) and measured on the other half over the whole catalogue;
with `--choose` they are fitted on nine tenths of the first half and measured on
its last tenth, which is how recipes are chosen. FOLDER keeps checkpoints and the
exported models: the same command goes on where it was stopped. The last line is JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aisle.adapters.onnx.cross_encoder import OnnxCrossEncoder
from aisle.adapters.onnx.text_encoder import OnnxTextEncoder
from aisle.adapters.tantivy.lexical_index import TantivyLexicalIndex
from aisle.learn.bi_encoder import CARD_FILE, fit_bi_encoder
from aisle.learn.cross_encoder import fit_cross_encoder
from aisle.learn.judgements import Judgements
from aisle.represent.embed import embed
from aisle.represent.encoders import ensure_encoder, source_of
from aisle.represent.texts import text_of
from aisle.settings import EncoderSettings, SearchSettings
from aisle.training.encoder import export_tuned
from aisle.types import Group, Ords, Scores, Vectors
from aisle.understand.lexicon import Lexicon
from aisle.understand.query import Understander
from blending import FileVectors, Judged, interval, ndcg, read

DEPTHS = (100, 200, 600)
RERANKED = 20


@dataclass(frozen=True, slots=True)
class Words:
    """What the words of a query find, best first: `ords` int32[n], `bm25` float32[n]."""

    ords: Ords
    bm25: Scores


@dataclass(frozen=True, slots=True)
class Space:
    """Products and queries as one encoder reads them, with the least cosine of a neighbour."""

    products: Vectors
    queries: Vectors
    cut: float

    def nearest(self, row: int) -> Ords:
        scores = self.products @ self.queries[row]
        top = np.argpartition(-scores, DEPTHS[-1])[: DEPTHS[-1]] if len(scores) > DEPTHS[-1] else np.arange(len(scores))
        return top[np.argsort(-scores[top], kind="stable")].astype(np.int32)


def blended(words: Words, near: Ords, space: Space, row: int, settings: SearchSettings) -> tuple[Ords, Scores]:
    """The candidates of a search in the order of its blend, and their scores."""
    near = near[: settings.neighbours]
    near = near[space.products[near] @ space.queries[row] >= space.cut]
    found = words.ords[: settings.top_k]
    ords = np.concatenate([found, near[~np.isin(near, found)]])
    bm25 = np.zeros(len(space.products), np.float32)
    bm25[words.ords] = words.bm25
    scores = settings.dense_weight * (space.products[ords] @ space.queries[row]) + settings.match_bonus * (
        bm25[ords] > 0
    )
    scores = scores + (1 - settings.dense_weight) * bm25[ords] / max(float(bm25[ords].max(initial=0.0)), 1e-9)
    order = np.argsort(-scores, kind="stable")
    return ords[order], scores[order]


def recall(query: Judged, ords: Ords) -> float:
    relevant = {o for o, gain in query.gains.items() if gain > 0}
    return len(relevant & set(ords.tolist())) / len(relevant)


def judgements_of(judged: Sequence[Judged]) -> Judgements:
    rows = [(n, ord_, gain / 2) for n, query in enumerate(judged) for ord_, gain in query.gains.items()]
    query, ords, gain = zip(*rows, strict=True)
    return Judgements(
        tuple(q.text for q in judged), np.array(query, np.int32), np.array(ords, np.int32),
        np.array(gain, np.float32), np.ones(len(rows), np.float32),
    )  # fmt: skip


def measured(
    judged: Sequence[Judged], rows: Sequence[int], words: Sequence[Words], space: Space
) -> dict[str, list[float]]:
    """Figures of each query of `rows`: by meaning alone, blended, and what both sides hold."""
    settings, found = SearchSettings(), {}
    for row in rows:
        query, near = judged[row], space.nearest(row)
        ords, _ = blended(words[row], near, space, row, settings)
        one = {"meaning ndcg@10": ndcg(query, near), "meaning recall@100": recall(query, near[:100]),
               "blend ndcg@10": ndcg(query, ords), "blend recall@100": recall(query, ords[:100])}  # fmt: skip
        for depth in DEPTHS:
            one[f"recall of {depth} + {depth}"] = recall(query, np.union1d(words[row].ords[:depth], near[:depth]))
        for name, value in one.items():
            found.setdefault(name, []).append(value)
    return found


def rerank(
    judged: Sequence[Judged], rows: Sequence[int], words: Sequence[Words], space: Space, texts: Sequence[str],
    reranker: OnnxCrossEncoder,
) -> dict[str, list[float]]:  # fmt: skip
    """nDCG@10 of the blend, of the cross-encoder's order of its best, and of both scores together; ms a query."""
    settings, found = SearchSettings(), {}
    for row in rows:
        ords, scores = blended(words[row], space.nearest(row), space, row, settings)
        top, base = ords[:RERANKED], scores[:RERANKED]
        started = time.perf_counter()
        said = reranker.score(judged[row].text, [texts[o] for o in top.tolist()])
        one = {"ms": 1000 * (time.perf_counter() - started), "blend": ndcg(judged[row], top),
               "cross-encoder": ndcg(judged[row], top[np.argsort(-said, kind="stable")])}  # fmt: skip
        for weight in (0.5, 1.0, 2.0):
            both = base + weight / (1 + np.exp(-said))
            one[f"both, weight {weight}"] = ndcg(judged[row], top[np.argsort(-both, kind="stable")])
        for name, value in one.items():
            found.setdefault(name, []).append(value)
    return found


def searched(groups: Sequence[Group], texts: Sequence[str]) -> tuple[list[Words], list[str]]:
    """What words find for each text, and the text that is read for its meaning."""
    with tempfile.TemporaryDirectory() as temporary:
        lexical = TantivyLexicalIndex(Path(temporary) / "lexical", cache_folder=Path(temporary))
        lexical.upsert(groups)
        lexical.commit(len(groups))
        understander = Understander(Lexicon.of(lexical))
        found, meant = [], []
        for text in texts:
            query = understander.understand(text)
            result = lexical.search(query, top_k=DEPTHS[-1])
            order = np.argsort(-result.bm25, kind="stable")
            found.append(Words(result.ords[order], result.bm25[order]))
            meant.append(query.semantic_text.strip() or text)
        lexical.close()
    return found, meant


def space_of(
    encoder: OnnxTextEncoder, groups: Sequence[Group], queries: Sequence[str], cache: Path, cut: float
) -> Space:
    store = FileVectors(cache / f"{encoder.name}.npz")
    embedded = embed(groups, encoder, store, lambda told, done, of: print(f"{told}: {done} of {of}", flush=True))
    products = np.zeros((len(groups), encoder.dim), np.float32)
    products[embedded.ords] = embedded.vectors
    return Space(products, encoder.encode(list(queries)), cut)


def told(title: str, figures: Mapping[str, Sequence[float]]) -> dict[str, float]:
    means = {name: round(float(np.mean(values)), 4) for name, values in figures.items()}
    print(f"{title}: " + ", ".join(f"{name} {value:.4f}" for name, value in means.items()), flush=True)
    return means


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("AISLE_DATA"), help="folder of homedepot")
    parser.add_argument("--out", type=Path, required=True, help="where checkpoints and models are kept")
    parser.add_argument("--seconds", type=float, default=600.0, help="for each of the two; 0: no limit")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("bi_encoder", "cross_encoder"))
    parser.add_argument("--choose", action="store_true", help="measure on a fold of the training half")
    given = parser.parse_args()
    folder = given.data / "homedepot" if given.data and (given.data / "homedepot").is_dir() else given.data
    if folder is None or not (folder / "qrels.txt").exists():
        print("no data: give --data a folder with products.csv, queries.csv and qrels.txt", file=sys.stderr)
        return 2
    given.out.mkdir(parents=True, exist_ok=True)
    groups, judged = read(folder)
    texts = [text_of(group) for group in groups]
    fold = [hashlib.sha256(q.query_id.encode()).digest()[1] % 10 == 0 for q in judged]
    asked = [q.validation and f if given.choose else not q.validation for q, f in zip(judged, fold, strict=True)]
    among = np.array([q.validation and not a for q, a in zip(judged, asked, strict=True)])
    rows = np.flatnonzero(asked).tolist()

    settings = EncoderSettings(threads=given.threads)
    words, meant = searched(groups, [q.text for q in judged])
    plain = OnnxTextEncoder(ensure_encoder(settings, given.out / "models"), threads=given.threads)
    space = space_of(plain, groups, meant, given.out, SearchSettings().neighbour_cut)
    candidates = [blended(w, space.nearest(n), space, n, SearchSettings())[0][:100] for n, w in enumerate(words)]
    judgements, source = judgements_of(judged), source_of(settings)
    common: dict[str, Any] = {
        "source": source, "among": among, "seconds": given.seconds, "threads": given.threads, "seed": given.seed,
    }  # fmt: skip
    summary: dict[str, Any] = {"benchmark": "tuning", "n_train": int(among.sum()), "n_test": len(rows)}

    if given.only != "cross_encoder":
        started = time.perf_counter()
        fitted = fit_bi_encoder(
            judgements, texts, candidates, export=export_tuned, work=given.out / "bi_encoder", **common
        )
        assert fitted is not None
        seconds = time.perf_counter() - started
        tuned = OnnxTextEncoder(given.out / "bi_encoder" / "exported", card=CARD_FILE, threads=given.threads)
        after = measured(judged, rows, words, space_of(tuned, groups, meant, given.out, fitted.params["neighbour_cut"]))
        before = measured(judged, rows, words, space)
        gain = np.array(after["blend ndcg@10"]) - np.array(before["blend ndcg@10"])
        summary["bi_encoder"] = {
            "before": told("as it came", before), "after": told("tuned", after), "seconds": round(seconds),
            "blend_gain_interval95": interval(gain), "steps": fitted.params["steps"],
        }  # fmt: skip
    if given.only != "bi_encoder":
        started = time.perf_counter()
        fitted = fit_cross_encoder(judgements, texts, candidates, work=given.out / "cross_encoder", **common)
        assert fitted is not None
        seconds = time.perf_counter() - started
        reranker = OnnxCrossEncoder(given.out / "cross_encoder" / "exported", threads=given.threads)
        figures = rerank(judged, rows, words, space, texts, reranker)
        took = figures.pop("ms")
        gain = np.array(figures["both, weight 1.0"]) - np.array(figures["blend"])
        summary["cross_encoder"] = {
            **told(f"ndcg@10 of the best {RERANKED} put in order anew", figures), "gain_interval95": interval(gain),
            "p50_ms": round(float(np.median(took)), 1), "seconds": round(seconds), "steps": fitted.params["steps"],
        }  # fmt: skip
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
