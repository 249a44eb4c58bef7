"""Vectors of tokens that are looked up and added: no network at all, microseconds a query.

Each token begins with the vector that the teacher gives it alone (model2vec,
Tulkens and van Dongen 2024), weighed by how rare it is (SIF, Arora et al.
2017). Then the shop's own texts tune all of them at once: the sum of a text's
tokens is to be the teacher's vector of the text, a ridge regression that stays
near the beginning and is solved by conjugate gradients. What is left is a
table in the teacher's own space, its rows shortened by their principal
components and kept in int8. Departs from model2vec, whose vectors live in a
space of their own and see no texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aisle.errors import InvalidRequest
from aisle.learn.adapt.distil import LEAST_TEXTS
from aisle.learn.tuning import Tokens, run_bucketed
from aisle.models.pooling import pooling_of
from aisle.types import Progress, Scores, Vectors

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_MOST_TOKENS: Final = 60_000
"""Of a larger vocabulary only the tokens that the texts have get a vector; the others say nothing."""
_AT_ONCE: Final = 1024


@dataclass(frozen=True, slots=True)
class StaticRecipe:
    """How the table is made.

    A token of frequency p weighs rare / (rare + p). `strengths` are tried on a
    tenth of the texts and the best is taken: how strongly a token's vector holds
    to its beginning, in texts. `dims` are the principal components that are
    kept (0: all); `steps` those of the conjugate gradients.
    """

    rare: float = 1e-3
    strengths: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0)
    dims: int = 256
    steps: int = 12
    tokens: int = 128


@dataclass(frozen=True, slots=True)
class Static:
    """Arrays codes int8[v, k], scales float32[v], basis float32[k, dim] and bias float32[dim].

    A text's vector is bias plus the mean of codes[t] * scales[t] over its tokens
    t, times basis, scaled to length 1. `begun` and `cosine` are the mean cosine
    to the teacher on texts left out, before and after tuning.
    """

    arrays: Mapping[str, NDArray[Any]]
    begun: float
    cosine: float
    strength: float


def fit_static(
    texts: Sequence[str],
    vectors: Vectors,
    *,
    source: Path,
    recipe: StaticRecipe | None = None,
    threads: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Static:
    """The table for the teacher in `source`; `vectors` float32[n, dim] are the teacher's of `texts`.

    Raises InvalidRequest with too few texts.
    """
    recipe = recipe or StaticRecipe()
    tell = progress or (lambda _stage, _done, _of: None)
    if len(texts) < LEAST_TEXTS:
        raise InvalidRequest(f"{len(texts)} texts are too few ({LEAST_TEXTS} at least); add some", field="texts")
    read = Tokens(source / "tokenizer.json", recipe.tokens, special=False).of(texts)
    n_tokens = _vocabulary(source)
    counts = np.bincount(np.concatenate([np.empty(0, np.int64), *read]), minlength=n_tokens)
    needed = np.arange(n_tokens) if n_tokens <= _MOST_TOKENS else np.flatnonzero(counts)
    table = np.zeros((n_tokens, vectors.shape[1]), np.float32)
    table[needed] = _alone(source, needed, threads, lambda n: tell("reading the vocabulary", n, len(needed)))
    bias = vectors.mean(0)
    table[needed] -= table[needed].mean(0)
    table *= (recipe.rare / (recipe.rare + (counts + 1.0) / (counts.sum() + n_tokens)))[:, None].astype(np.float32)

    order = np.random.default_rng(seed).permutation(len(texts))
    n_held = max(1, len(texts) // 10)
    held, learned = order[:n_held], order[n_held:]
    means = _means(read, n_tokens)
    table *= _fitting_scale(means[learned] @ table, vectors[learned] - bias)
    begun = _nearness(means[held] @ table + bias, vectors[held])
    n_fits = len(recipe.strengths) + 1
    scored = []
    for number, strength in enumerate(recipe.strengths):
        tell("tuning the table", number, n_fits)
        moved = _tuned(means[learned], vectors[learned] - bias, table, strength, recipe.steps)
        scored.append((_nearness(means[held] @ moved + bias, vectors[held]), strength, moved))
    cosine, strength, best = max(scored, key=lambda one: one[0])
    if cosine <= begun:
        cosine, strength, best = begun, 0.0, table
    else:
        best = _tuned(means, vectors - bias, table, strength, recipe.steps)
    tell("tuning the table", n_fits, n_fits)
    return Static(_packed(best, bias, counts, recipe.dims), begun, cosine, strength)


def _vocabulary(source: Path) -> int:
    from tokenizers import Tokenizer

    return max(Tokenizer.from_file(str(source / "tokenizer.json")).get_vocab().values()) + 1


def _alone(source: Path, tokens: NDArray[np.intp], threads: int, tell: Callable[[int], None]) -> Vectors:
    """The teacher's vector of each token by itself, between the model's own first and last tokens."""
    import torch
    from tokenizers import Tokenizer

    from aisle.models.text import SentenceNetwork, fast_arithmetic, read_transformer

    torch.set_num_threads(threads)
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()  # as saved it may pad every text to 128 tokens
    around = [int(one) for one in tokenizer.encode("").ids]
    first, last = around[: (len(around) + 1) // 2], around[(len(around) + 1) // 2 :]
    network = SentenceNetwork(read_transformer(source), pooling_of(source)[0], additive_mask=False).eval()
    ids = [np.array([*first, token, *last], np.int64) for token in tokens.tolist()]
    parts = []
    with torch.no_grad(), fast_arithmetic():
        for begin in range(0, len(ids), _AT_ONCE):
            parts.append(run_bucketed(network, ids[begin : begin + _AT_ONCE], 256).float().numpy())
            tell(min(begin + _AT_ONCE, len(ids)))
    return np.concatenate(parts)


def _means(read: Sequence[NDArray[np.int64]], n_tokens: int) -> csr_matrix:
    """Sparse float32[texts, tokens]: each row the shares of its tokens."""
    from scipy.sparse import csr_matrix

    sizes = np.array([len(ids) for ids in read])
    places = np.concatenate([[0], np.cumsum(sizes)])
    share = np.repeat(1.0 / np.maximum(sizes, 1), sizes).astype(np.float32)
    made = csr_matrix((share, np.concatenate([np.empty(0, np.int64), *read]), places), (len(read), n_tokens))
    made.sum_duplicates()
    return made


def _tuned(means: csr_matrix, wanted: Vectors, table: Vectors, strength: float, steps: int) -> Vectors:
    """The table after ridge regression around itself: conjugate gradients, each column by itself, all at once."""
    there = np.flatnonzero(np.diff(means.tocsc().indptr))  # tokens that no text has stay where they are
    means = means[:, there]
    back = means.T.tocsr()
    ridge = strength / max(1.0, float(np.diff(means.indptr).mean())) ** 2  # a text of usual length weighs its token so
    diagonal = (np.asarray(means.power(2).sum(0), np.float32).ravel() + ridge)[:, None]
    moved = np.zeros((len(there), table.shape[1]), np.float32)
    rest = back @ (wanted - means @ table[there])
    way = rest / diagonal
    size = (rest * way).sum(0)
    for _ in range(steps):
        turned = back @ (means @ way) + ridge * way
        length = size / np.maximum((way * turned).sum(0), 1e-30)
        moved += length * way
        rest -= length * turned
        ahead = rest / diagonal
        size, before = (rest * ahead).sum(0), size
        way = ahead + (size / np.maximum(before, 1e-30)) * way
    found = table.copy()
    found[there] += moved
    return found


def _fitting_scale(found: Vectors, wanted: Vectors) -> np.float32:
    """What the sums are to be multiplied by to come nearest to what is wanted."""
    return np.float32((found * wanted).sum() / max(float((found * found).sum()), 1e-12))


def _nearness(found: Vectors, vectors: Vectors) -> float:
    length = np.maximum(np.linalg.norm(found, axis=1), 1e-9)
    return float(((found * vectors).sum(1) / length).mean())


def _packed(table: Vectors, bias: Vectors, counts: NDArray[np.int64], dims: int) -> dict[str, NDArray[Any]]:
    """The rows by their principal components (weighed by how often each token occurs), each row in int8."""
    dims = min(dims, table.shape[1]) or table.shape[1]
    weight = (counts + 1.0)[:, None] ** 0.5
    _, basis = np.linalg.eigh((table * weight).T @ (table * weight))
    basis = np.ascontiguousarray(basis[:, ::-1][:, :dims].T, np.float32)  # [k, dim]
    short = table @ basis.T  # [v, k]
    scales: Scores = (np.abs(short).max(1) / 127).astype(np.float32)
    codes = np.rint(short / np.maximum(scales, 1e-12)[:, None]).astype(np.int8)
    return {"codes": codes, "scales": scales, "basis": basis, "bias": bias.astype(np.float32)}
