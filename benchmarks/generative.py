"""A generative retriever, tried: a query is turned into the identifiers of products, code by code.

    python benchmarks/generative.py --data ../shared/data/homedepot --cache FOLDER [--epochs 30] [--threads 1]

Identifiers are semantic: a product's vector is quantised in three levels, each
on what the one before left over (residual k-means, as TIGER, Rajput et al.
2023). The shop's own encoder, frozen, reads; a decoder of three networks says
the codes one after the other, learned from titles (product -> its own codes)
and from judged queries of one half. A beam search over the codes that exist
finds products for the queries of the other half. The encoder is frozen because
that is what a shop could afford to train again whenever a product is new: the
decoder knows no product that it was not trained on. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import faiss
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from aisle.adapters.onnx.text_encoder import OnnxTextEncoder
from aisle.represent.encoders import ensure_encoder
from aisle.settings import EncoderSettings, SearchSettings
from aisle.types import Ords, Vectors
from blending import Judged, ndcg, read
from tuning import DEPTHS, recall, searched, space_of, told

LEVELS, CODES, BEAM = 3, 128, 200


class Decoder(nn.Module):
    """The next code, given the vector that was read float32[b, dim] and the codes so far int64[b, level]."""

    def __init__(self, dim: int, width: int = 512) -> None:
        super().__init__()
        self.codes = nn.ModuleList(nn.Embedding(CODES, 128) for _ in range(LEVELS - 1))
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Linear(dim + 128 * level, width), nn.GELU(), nn.Dropout(0.1), nn.Linear(width, width),
                          nn.GELU(), nn.Linear(width, CODES))
            for level in range(LEVELS)
        )  # fmt: skip

    def forward(self, vectors: Tensor, so_far: Tensor) -> Tensor:
        level = so_far.shape[1]
        said = [table(so_far[:, n]) for n, table in enumerate(self.codes[:level])]
        logits: Tensor = self.levels[level](torch.cat([vectors, *said], 1))  # [b, CODES]
        return logits


def identifiers(vectors: Vectors) -> NDArray[np.int64]:
    """Codes int64[n, LEVELS] of vectors float32[n, dim]."""
    left, found = vectors.copy(), []
    for level in range(LEVELS):
        kmeans = faiss.Kmeans(vectors.shape[1], CODES, niter=15, seed=level, max_points_per_centroid=400)
        kmeans.train(left)
        _, codes = kmeans.index.search(left, 1)
        found.append(codes[:, 0])
        left = left - kmeans.centroids[codes[:, 0]]
    return np.stack(found, 1).astype(np.int64)


def learn(
    decoder: Decoder, vectors: Tensor, codes: Tensor, weight: Tensor, epochs: int, rng: np.random.Generator
) -> None:
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-3, weight_decay=0.01)
    steps = epochs * -(-len(vectors) // 512)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps + 1)
    for epoch in range(epochs):
        total = 0.0
        for rows in np.array_split(rng.permutation(len(vectors)), -(-len(vectors) // 512)):
            noise = 0.02 * torch.from_numpy(rng.standard_normal((len(rows), vectors.shape[1])).astype(np.float32))
            read = nn.functional.normalize(vectors[rows] + noise)
            loss = torch.zeros(())
            for level in range(LEVELS):
                logits = decoder(read, codes[rows, :level])
                each = nn.functional.cross_entropy(logits, codes[rows, level], reduction="none")
                loss = loss + (each * weight[rows]).sum() / weight[rows].sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach())
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: loss {total / -(-len(vectors) // 512):.3f}", flush=True)


class Trie:
    """Which codes may follow, and the products at the end: only identifiers that exist are said."""

    def __init__(self, codes: NDArray[np.int64]) -> None:
        self.after: dict[tuple[int, ...], list[int]] = {}
        self.products: dict[tuple[int, ...], list[int]] = {}
        for ord_, path in enumerate(map(tuple, codes.tolist())):
            for level in range(LEVELS):
                children = self.after.setdefault(path[:level], [])
                if path[level] not in children:
                    children.append(path[level])
            self.products.setdefault(path, []).append(ord_)


def generate(decoder: Decoder, trie: Trie, vector: Tensor) -> Ords:
    """Products in the order of the likelihood of their identifiers, by a beam search."""
    beam: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for _ in range(LEVELS):
        so_far = torch.tensor([path for _, path in beam], dtype=torch.int64).reshape(len(beam), -1)
        chance = decoder(vector.expand(len(beam), -1), so_far).log_softmax(1).numpy()
        longer = [
            (score + float(row[code]), (*path, code))
            for (score, path), row in zip(beam, chance, strict=True)
            for code in trie.after[path]
        ]
        beam = sorted(longer, reverse=True)[:BEAM]
    return np.array([ord_ for _, path in beam for ord_ in trie.products[path]], np.int32)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("AISLE_DATA"), help="folder of homedepot")
    parser.add_argument("--cache", type=Path, required=True, help="where vectors are kept, as tuning.py's --out")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--queries", type=int, default=0, help="measure on so many of the other half; 0: all")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    folder = given.data / "homedepot" if given.data and (given.data / "homedepot").is_dir() else given.data
    if folder is None or not (folder / "qrels.txt").exists():
        print("no data: give --data a folder with products.csv, queries.csv and qrels.txt", file=sys.stderr)
        return 2
    given.cache.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(given.threads)
    faiss.omp_set_num_threads(given.threads)
    torch.manual_seed(0)
    groups, judged = read(folder)
    known = [query for query in judged if query.validation]
    asked = sorted((q for q in judged if not q.validation), key=lambda q: sha256(q.query_id.encode()).digest())
    asked = asked[: given.queries or None]
    words, meant = searched(groups, [query.text for query in asked])
    settings = EncoderSettings(threads=given.threads)
    encoder = OnnxTextEncoder(ensure_encoder(settings, given.cache / "models"), threads=given.threads)
    space = space_of(encoder, groups, meant, given.cache, SearchSettings().neighbour_cut)
    learned = encoder.encode([query.text for query in known])

    started = time.perf_counter()
    codes = identifiers(space.products)
    trie = Trie(codes)
    pairs = [(n, o, g / 2) for n, q in enumerate(known) for o, g in q.gains.items() if g > 0]
    rows, ords, gains = zip(*pairs, strict=True)
    vectors = torch.from_numpy(np.concatenate([space.products, learned[list(rows)]]))
    targets = torch.from_numpy(np.concatenate([codes, codes[list(ords)]]))
    weight = torch.from_numpy(np.concatenate([np.full(len(codes), 0.5), gains]).astype(np.float32))
    decoder = Decoder(encoder.dim)
    learn(decoder, vectors, targets, weight, given.epochs, np.random.default_rng(0))
    seconds = time.perf_counter() - started

    decoder.eval()
    figures: dict[str, list[float]] = {}
    taken: list[float] = []
    with torch.no_grad():
        for row, query in enumerate(asked):
            began = time.perf_counter()
            said = generate(decoder, trie, torch.from_numpy(space.queries[row])[None])
            taken.append(1000 * (time.perf_counter() - began))
            add(figures, query, said, space.nearest(row), words[row].ords)
    summary = {
        "benchmark": "generative", "n_queries": len(asked), "identifiers": len(trie.products), "products": len(groups),
        "seconds": round(seconds), "p50_ms": round(float(np.median(taken)), 1), **told("on the other half", figures),
    }  # fmt: skip
    print(json.dumps(summary))
    return 0


def add(figures: dict[str, list[float]], query: Judged, said: Ords, near: Ords, words: Ords) -> None:
    """The figures of one query: generated, by meaning, and what each adds to the words."""
    depth = DEPTHS[0]
    both: Sequence[tuple[str, float]] = (
        ("generated ndcg@10", ndcg(query, said)),
        ("generated recall@100", recall(query, said[:depth])),
        ("meaning ndcg@10", ndcg(query, near)),
        ("meaning recall@100", recall(query, near[:depth])),
        ("words + meaning", recall(query, np.union1d(words[:depth], near[:depth]))),
        ("words + generated", recall(query, np.union1d(words[:depth], said[:depth]))),
        ("words + half of each", recall(query, np.union1d(words[:depth], np.union1d(near[:50], said[:50])))),
    )
    for name, value in both:
        figures.setdefault(name, []).append(value)


if __name__ == "__main__":
    sys.exit(main())
