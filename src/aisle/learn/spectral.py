"""Item vectors from co-occurrence alone, in seconds: where sequence models begin."""

from __future__ import annotations

import numpy as np

from aisle.types import Vectors

REACH = 10
"""Places between two steps that still count as together."""
SMOOTHING = 0.75
"""Power of an item's count: rare items are not taken for soul mates of all they met (word2vec's choice)."""


def spectral_vectors(flat: np.ndarray, starts: np.ndarray, n_items: int, dim: int, *, seed: int = 0) -> Vectors:
    """Unit vectors float32[n_items, dim]; rows of zeros for items that were never together with another.

    `flat` int[m] are the steps of all sequences, `starts` int64[k + 1] where each
    begins. A truncated factorisation of the positive pointwise mutual information
    of items at most `REACH` steps apart (Levy and Goldberg 2014), nearer pairs
    counting more. A transformer that begins here needs a tenth of the epochs.
    """
    from scipy import sparse
    from scipy.sparse.linalg import eigsh

    rng = np.random.default_rng(seed)
    vectors = np.zeros((n_items, dim), np.float32)
    owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    counts = sparse.csr_matrix((n_items, n_items), dtype=np.float64)
    for distance in range(1, min(REACH, len(flat))):
        near = np.flatnonzero(owner[:-distance] == owner[distance:])
        if not len(near):
            break
        a, b = flat[near], flat[near + distance]
        weight = np.full(len(near), distance**-0.5)
        counts = counts + sparse.csr_matrix((weight, (a, b)), shape=counts.shape)
    counts = (counts + counts.T).tocoo()
    other = counts.row != counts.col
    row, col, count = counts.row[other], counts.col[other], counts.data[other]
    if not len(row):
        return vectors
    degree = np.bincount(row, count, minlength=n_items)
    total = degree.sum()
    expected = degree[row] * degree[col] ** SMOOTHING * total ** (1 - SMOOTHING) / total
    information = np.maximum(np.log(count / expected), 0.0)
    matrix = sparse.csr_matrix((information, (row, col)), shape=counts.shape)
    rank = min(dim, n_items - 2)
    if rank < 1:
        return vectors
    # The largest eigenvalues, not the largest absolute ones: along a negative one, what is together lies opposite.
    strength, axes = eigsh(matrix, rank, which="LA", v0=rng.standard_normal(n_items), maxiter=1000, tol=1e-3)
    found = axes * np.sqrt(np.maximum(strength, 0))
    length = np.linalg.norm(found, axis=1, keepdims=True)
    known = length[:, 0] > 1e-6
    vectors[known, :rank] = (found / np.maximum(length, 1e-6))[known]
    return vectors
