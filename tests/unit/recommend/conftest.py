"""A catalogue of 40 products in 4 categories, as arrays."""

from dataclasses import dataclass

import numpy as np
import pytest

from aisle.ports import Shopper

N = 40


@dataclass
class Facts:
    alive: np.ndarray
    in_stock: np.ndarray
    has_image: np.ndarray
    category: np.ndarray
    brand: np.ndarray
    first_seen_ms: np.ndarray
    price: np.ndarray
    categories: tuple = ("Men > Tops", "Men > Tops > Hoodies", "Women > Tops", "Gear")
    brands: tuple = ("Acme", "Bolt", "Cove", "Dune", "Echo", "Fern", "Gale")
    version: int = 1


@pytest.fixture
def facts():
    return Facts(
        alive=np.ones(N, bool),
        in_stock=np.ones(N, bool),
        has_image=np.ones(N, bool),
        category=(np.arange(N) % 4).astype(np.int32),
        brand=(np.arange(N) % 7).astype(np.int32),
        first_seen_ms=np.arange(N, dtype=np.int64),
        price=np.linspace(10, 49, N).astype(np.float32),
    )


def ords(*values):
    return np.array(values, np.int32)


def shopper(recent=(), *, session=(), purchased=(), cart=(), disliked=()):
    weights = np.ones(len(recent), np.float32)
    return Shopper("v", ords(*recent), weights, ords(*session), ords(*purchased), ords(*cart), ords(*disliked))


class Dense:
    """Exact cosine over unit vectors on a circle: neighbours in number are neighbours in angle."""

    def __init__(self, n=N):
        angles = np.linspace(0, np.pi, n)
        self.rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        self.searches = 0

    def search(self, vector, top_k, allowed=None, *, beam=None):
        self.searches += 1
        cosines = self.rows @ vector
        best = np.argsort(-cosines, kind="stable")[:top_k]
        return best.astype(np.int32), cosines[best]

    def vectors(self, wanted):
        known = (wanted >= 0) & (wanted < len(self.rows))
        return np.where(known[:, None], self.rows[np.where(known, wanted, 0)], 0).astype(np.float32)


def csr(lists, n=N):
    """CSR arrays from {ord: [(neighbour, weight), …]}."""
    indptr = np.zeros(n + 1, np.int64)
    indptr[1:] = np.cumsum([len(lists.get(o, ())) for o in range(n)])
    pairs = [pair for o in range(n) for pair in lists.get(o, ())]
    return indptr, np.array([p[0] for p in pairs], np.int32), np.array([p[1] for p in pairs], np.float32)
