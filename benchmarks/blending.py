"""How words and meaning are best made into one order, measured on judged queries.

    python benchmarks/blending.py --data ../shared/data/homedepot [--sample N] [--run-out FILE] [--cache FOLDER]

The whole catalogue is searched through the product's own path: the query is
understood, the lexical index, the encoder, the dense index and HybridRetriever
answer it. Weights, cuts and normalisations are chosen on one half of the queries
(a hash of their ids) and reported on the other. nDCG@10 has gain grade - 1, and
0 for what nobody judged. The last line is JSON.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aisle.adapters.faiss.index import FaissDenseIndex
from aisle.adapters.onnx.text_encoder import OnnxTextEncoder
from aisle.adapters.tantivy.lexical_index import TantivyLexicalIndex
from aisle.rank.blend import blend
from aisle.represent.embed import embed
from aisle.represent.encoders import ensure_encoder
from aisle.represent.texts import hash_of
from aisle.retrieve.hybrid import HybridRetriever
from aisle.settings import EncoderSettings, SearchSettings
from aisle.types import Group, Ords, Product, Query, Scores, Vectors
from aisle.understand.lexicon import Lexicon
from aisle.understand.query import Understander

_DEPTH = 300
"""Candidates of each side that are gathered once; every variant is a choice among them."""
_DISCOUNT = 1 / np.log2(np.arange(2, 12))
_WEIGHTS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_BONUSES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
_CUTS = (0.3, 0.4, 0.5, 0.6, 0.7)
_NEIGHBOURS = (0, 20, 50, 200, 300)


@dataclass(frozen=True, slots=True)
class Judged:
    """A query with the gains of its judged products and the best possible DCG."""

    query_id: str
    text: str
    gains: dict[int, float]
    ideal: float

    @property
    def validation(self) -> bool:
        return hashlib.sha256(self.query_id.encode()).digest()[0] % 2 == 0


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that any variant may use: candidates with both scores, and each side's own ranking."""

    ords: Ords
    bm25: Scores
    cosine: Scores
    matched: NDArray[np.bool_]
    lexical_rank: NDArray[np.int32]  # _DEPTH: not among the lexical matches
    dense_rank: NDArray[np.int32]  # _DEPTH: not among the neighbours


Rank = Callable[[Gathered], Ords]


class FileVectors:
    """A vector store in one file, so that a second run encodes nothing."""

    def __init__(self, file: Path) -> None:
        self._file, self._known = file, {}
        if file.exists():
            with np.load(file) as stored:
                self._known = dict(zip(stored["hashes"].tolist(), stored["vectors"], strict=True))

    def get(self, hashes: Sequence[str], model: str) -> dict[str, Vectors]:
        return {h: self._known[h] for h in hashes if h in self._known}

    def put(self, hashes: Sequence[str], model: str, vectors: Vectors) -> None:
        self._known.update(zip(hashes, vectors, strict=True))
        temporary = self._file.with_suffix(".tmp.npz")
        np.savez(temporary, hashes=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        temporary.replace(self._file)


class CachedEncoder:
    """The encoder with a memory of queries; products are remembered by `embed`."""

    def __init__(self, encoder: OnnxTextEncoder, store: FileVectors) -> None:
        self.name, self.dim, self.covers = encoder.name, encoder.dim, encoder.covers
        self._encoder, self._store = encoder, store

    def encode(self, texts: Sequence[str]) -> Vectors:
        hashes = [hash_of(text) for text in texts]
        known = self._store.get(hashes, self.name)
        new = {h: text for h, text in zip(hashes, texts, strict=True) if h not in known}
        if new:
            vectors = self._encoder.encode(list(new.values()))
            known.update(zip(new, vectors, strict=True))
            if len(new) > 1:
                self._store.put(list(new), self.name, vectors)
        return np.stack([known[h] for h in hashes])


# ----------------------------------------------------------------------- data


def read(folder: Path) -> tuple[list[Group], list[Judged]]:
    """The catalogue, one group a product, and the queries that have a relevant one."""
    with (folder / "products.csv").open(encoding="utf-8", newline="") as lines:
        rows = [(row["id"], row["title"]) for row in csv.DictReader(lines)]
    groups = [Group(n, i, (Product(i, title),), seq=n + 1) for n, (i, title) in enumerate(rows)]
    ord_of = {group.group_id: group.ord for group in groups}
    gains: dict[str, dict[int, float]] = {}
    with (folder / "qrels.txt").open(encoding="utf-8") as lines:
        for line in lines:
            query_id, _, item_id, grade = line.split()
            gains.setdefault(query_id, {})[ord_of[item_id]] = float(grade) - 1
    judged = []
    with (folder / "queries.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found = gains.get(row["query_id"], {})
            best = sorted(found.values(), reverse=True)[:10]
            ideal = float(np.dot(best, _DISCOUNT[: len(best)]))
            if ideal > 0:
                judged.append(Judged(row["query_id"], row["text"], found, ideal))
    return groups, judged


def ndcg(query: Judged, ranked: Ords) -> float:
    gains = [query.gains.get(int(o), 0.0) for o in ranked[:10]]
    return float(np.dot(gains, _DISCOUNT[: len(gains)])) / query.ideal


def recall(query: Judged, ranked: Ords) -> float:
    relevant = {o for o, gain in query.gains.items() if gain > 0}
    return len(relevant & set(ranked[:100].tolist())) / len(relevant)


# ------------------------------------------------------------------- gathering


def gather(
    queries: Sequence[Query], lexical: TantivyLexicalIndex, dense: FaissDenseIndex, encoder: CachedEncoder
) -> Iterator[Gathered]:
    everything = SearchSettings(top_k=_DEPTH, neighbours=_DEPTH, neighbour_cut=-1)
    retriever = HybridRetriever(lexical, dense, encoder, everything)
    for query in queries:
        words = lexical.search(query, top_k=_DEPTH)
        found = retriever.retrieve(query)
        near: Ords = np.empty(0, np.int32)
        if found.vector is not None:
            near = dense.search(encoder.encode([query.semantic_text.strip()])[0], _DEPTH)[0]
        best_words = words.ords[np.argsort(-words.bm25, kind="stable")]
        yield Gathered(
            found.ords,
            found.bm25,
            found.cosine,
            found.matched,
            _ranks(found.ords, best_words),
            _ranks(found.ords, near),
        )


def _ranks(ords: Ords, ranking: Ords) -> NDArray[np.int32]:
    place = {int(o): n for n, o in enumerate(ranking)}
    return np.array([place.get(int(o), _DEPTH) for o in ords], np.int32)


# -------------------------------------------------------------------- variants


def _by(scores: Scores | NDArray[np.floating], ords: Ords) -> Ords:
    return ords[np.argsort(-scores, kind="stable")[:100]]


def chosen(found: Gathered, n_neighbours: int, cut: float, n_words: int = 200) -> Gathered:
    """The candidates that these settings would have had."""
    near = (found.dense_rank < n_neighbours) & (found.cosine >= cut)
    kept = near | (found.lexical_rank < n_words)
    columns = (found.ords, found.bm25, found.cosine, found.matched, found.lexical_rank, found.dense_rank)
    return Gathered(*(column[kept] for column in columns))


def words_only(found: Gathered) -> Ords:
    kept = found.lexical_rank < _DEPTH
    return _by(-found.lexical_rank[kept].astype(np.float32), found.ords[kept])


def meaning_only(found: Gathered) -> Ords:
    kept = found.dense_rank < _DEPTH
    return _by(-found.dense_rank[kept].astype(np.float32), found.ords[kept])


def reciprocal_ranks(found: Gathered) -> Ords:
    def share(ranks: NDArray[np.int32]) -> NDArray[np.float64]:
        return np.where(ranks < _DEPTH, 1.0 / (61.0 + ranks), 0.0)

    return _by(share(found.lexical_rank) + share(found.dense_rank), found.ords)


def _stretched(values: Scores) -> Scores:
    return (values - values.min(initial=0)) / max(float(np.ptp(values)) if len(values) else 0.0, 1e-9)


def _standard(values: Scores) -> Scores:
    return (values - values.mean()) / (values.std() + 1e-6) if len(values) else values


NORMALISATIONS: dict[str, Callable[[Scores, Scores, float], Scores]] = {
    "bm25 / max": lambda b, c, w: blend(b, c, weight=w),
    "bm25 / 30": lambda b, c, w: (1 - w) * b / 30 + w * c,
    "bm25 / (bm25 + 10)": lambda b, c, w: (1 - w) * b / (b + 10) + w * c,
    "min-max both": lambda b, c, w: (1 - w) * _stretched(b) + w * _stretched(c),
    "z-scores": lambda b, c, w: (1 - w) * _standard(b) + w * _standard(c),
}


def blended(name: str, weight: float, bonus: float, n_neighbours: int, cut: float) -> Rank:
    score = NORMALISATIONS[name]

    def rank(found: Gathered) -> Ords:
        kept = chosen(found, n_neighbours, cut)
        return _by(score(kept.bm25, kept.cosine, weight) + bonus * kept.matched, kept.ords)

    return rank


# ------------------------------------------------------------------------ main


@dataclass(frozen=True, slots=True)
class Half:
    queries: list[Judged]
    found: list[Gathered]

    @classmethod
    def of(cls, pairs: Sequence[tuple[Judged, Gathered]]) -> Half:
        return cls([q for q, _ in pairs], [f for _, f in pairs])

    def each(self, rank: Rank, measure: Callable[[Judged, Ords], float] = ndcg) -> NDArray[np.float64]:
        return np.array([measure(q, rank(f)) for q, f in zip(self.queries, self.found, strict=True)])


def interval(differences: NDArray[np.float64], n_draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of paired differences."""
    draws = np.random.default_rng(0).integers(0, len(differences), (n_draws, len(differences)))
    low, high = np.percentile(differences[draws].mean(axis=1), [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("AISLE_DATA"), help="folder of homedepot")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "aisle-bench")
    parser.add_argument("--sample", type=int, default=0, help="use only that many queries")
    parser.add_argument("--run-out", type=Path, help="write what the present settings answer as a TREC run")
    given = parser.parse_args()
    folder = given.data / "homedepot" if given.data and (given.data / "homedepot").is_dir() else given.data
    if folder is None or not (folder / "qrels.txt").exists():
        print("no data: give --data a folder with products.csv, queries.csv and qrels.txt", file=sys.stderr)
        return 2
    given.cache.mkdir(parents=True, exist_ok=True)
    groups, judged = read(folder)
    if given.sample:
        judged = sorted(judged, key=lambda q: hashlib.sha256(q.query_id.encode()).digest()[1:])[: given.sample]
    print(f"{len(groups)} products, {len(judged)} judged queries", flush=True)

    settings = EncoderSettings()
    plain = OnnxTextEncoder(ensure_encoder(settings, given.cache / "models"), max_tokens=settings.max_tokens)
    store = FileVectors(given.cache / f"{plain.name}.npz")
    encoder = CachedEncoder(plain, store)
    started = time.perf_counter()
    embedded = embed(groups, plain, store)
    print(f"{embedded.n_encoded} titles encoded in {time.perf_counter() - started:.0f} s", flush=True)
    dense = FaissDenseIndex(plain.dim)
    dense.upsert(embedded.ords, embedded.vectors)
    with tempfile.TemporaryDirectory() as temporary:
        lexical = TantivyLexicalIndex(Path(temporary) / "lexical", cache_folder=Path(temporary))
        lexical.upsert(groups)
        lexical.commit(len(groups))
        understander = Understander(Lexicon.of(lexical))
        queries = [understander.understand(q.text) for q in judged]
        encoder.encode(sorted({q.semantic_text.strip() for q in queries if q.semantic_text.strip()}))
        started = time.perf_counter()
        found = list(gather(queries, lexical, dense, encoder))
        print(f"candidates gathered in {time.perf_counter() - started:.0f} s", flush=True)
        if given.run_out:
            write_run(
                given.run_out, judged, queries, groups, HybridRetriever(lexical, dense, encoder, SearchSettings())
            )
        lexical.close()
    report(judged, found)
    return 0


def write_run(
    file: Path, judged: Sequence[Judged], queries: Sequence[Query], groups: Sequence[Group], retriever: HybridRetriever
) -> None:
    """What search answers with its settings as they are, in the format of TREC."""
    settings = SearchSettings()
    with file.open("w", encoding="utf-8") as out:
        for q, query in zip(judged, queries, strict=True):
            found = retriever.retrieve(query)
            scores = blend(
                found.bm25,
                found.cosine,
                weight=settings.dense_weight,
                matched=found.matched,
                bonus=settings.match_bonus,
            )
            for place, row in enumerate(np.argsort(-scores, kind="stable")[:100], start=1):
                item_id = groups[found.ords[row]].group_id
                out.write(f"{q.query_id} Q0 {item_id} {place} {scores[row]:.6f} aisle\n")


def report(judged: Sequence[Judged], found: Sequence[Gathered]) -> None:
    pairs = list(zip(judged, found, strict=True))
    halves = [Half.of([(q, f) for q, f in pairs if q.validation is side]) for side in (True, False)]
    validation, test = halves
    present = SearchSettings()
    n, cut = present.neighbours, present.neighbour_cut

    def choose(name: str, bonuses: Sequence[float]) -> tuple[float, float]:
        """The weight and bonus with the best nDCG@10 on the validation half."""
        grid = [(w, b) for w in _WEIGHTS for b in bonuses]
        return max(grid, key=lambda at: float(validation.each(blended(name, at[0], at[1], n, cut)).mean()))

    weight, bonus = choose("bm25 / max", _BONUSES)
    now = blended("bm25 / max", present.dense_weight, present.match_bonus, n, cut)
    variants: dict[str, Rank] = {
        "BM25 alone": words_only,
        "meaning alone": meaning_only,
        "reciprocal ranks": reciprocal_ranks,
        "the settings as they are": now,
        f"best on validation: {weight}, {bonus}": blended("bm25 / max", weight, bonus, n, cut),
    }
    for name in NORMALISATIONS:
        w, b = choose(name, (0.0,))
        variants[f"{name}: {w}, no bonus"] = blended(name, w, b, n, cut)
    for b in _BONUSES:
        variants[f"bonus {b}"] = blended("bm25 / max", present.dense_weight, b, n, cut)
    for w in _WEIGHTS:
        variants[f"weight {w}"] = blended("bm25 / max", w, present.match_bonus, n, cut)
    for k in _NEIGHBOURS:
        variants[f"neighbours {k}"] = blended("bm25 / max", present.dense_weight, present.match_bonus, k, cut)
    for c in _CUTS:
        variants[f"cut {c}"] = blended("bm25 / max", present.dense_weight, present.match_bonus, n, c)
    print(f"\n{'':34} validation        test\n{'':34} nDCG@10  R@100    nDCG@10  R@100")
    figures = {}
    for name, rank in variants.items():
        row = [half.each(rank, measure).mean() for half in halves for measure in (ndcg, recall)]
        figures[name] = [round(float(value), 4) for value in row]
        print(f"{name:34} {row[0]:.4f}   {row[1]:.4f}   {row[2]:.4f}   {row[3]:.4f}", flush=True)
    base = test.each(words_only)
    gain = test.each(now) - base
    summary = {
        "benchmark": "blending",
        "n_validation": len(validation.queries),
        "n_test": len(test.queries),
        "ndcg10_test": figures["the settings as they are"][2],
        "ndcg10_bm25_test": figures["BM25 alone"][2],
        "gain": round(float(gain.mean()), 4),
        "gain_interval95": interval(gain),
        "recall100_test": figures["the settings as they are"][3],
        "chosen": {"weight": weight, "bonus": bonus},
        "settings": {
            k: getattr(present, k) for k in ("dense_weight", "match_bonus", "neighbours", "neighbour_cut", "top_k")
        },
        "figures": figures,
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    sys.exit(main())
