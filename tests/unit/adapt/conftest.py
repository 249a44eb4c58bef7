"""A random transformer small enough to learn in a second, and labelled texts that follow a rule."""

import numpy as np
import pytest

from aisle.learn.adapt.labelled import Labelled
from aisle.testing.small_encoder import make_small_encoder

THINGS = {"wear": ("sweater", "robe", "trousers", "cap"), "home": ("sofa", "lamp", "rug", "cup"),
          "tools": ("drill", "saw", "spigot", "nail")}  # fmt: skip
COLOURS = ("red", "blue", "green", "black", "white", "pink", "grey", "gold")


WORDS = [*COLOURS, *(word for of_kind in THINGS.values() for word in of_kind), "wanted", "please", "a"]


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The folder of a random encoder in Hugging Face's format."""
    return make_small_encoder(tmp_path_factory.mktemp("source"), WORDS)


def texts_of(n, seed):
    """Texts whose label is the kind of thing; every other word says nothing."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(n):
        kind = str(rng.choice(list(THINGS)))
        words = [*rng.choice(COLOURS, 3).tolist(), str(rng.choice(THINGS[kind]))]
        texts.append(" ".join(rng.permutation(words).tolist()))
        labels.append(kind)
    return texts, labels


@pytest.fixture(scope="session")
def labelled():
    return Labelled.of(*texts_of(400, 1))


@pytest.fixture(scope="session")
def few():
    return Labelled.of(*texts_of(160, 1))


@pytest.fixture(scope="session")
def unseen(labelled):
    return Labelled.of(*texts_of(100, 2), names=labelled.names)


@pytest.fixture
def labels_file(tmp_path):
    import polars as pl

    texts, labels = texts_of(400, 1)
    pl.DataFrame({"text": texts, "label": labels}).write_csv(tmp_path / "labels.csv")
    return tmp_path / "labels.csv"
