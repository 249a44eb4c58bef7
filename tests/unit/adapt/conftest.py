"""A random transformer small enough to learn in a second, and labelled texts that follow a rule."""

import dataclasses

import numpy as np
import pytest

from aisle import Settings, Shop
from aisle.learn.adapt import fitting
from aisle.learn.adapt.labelled import Labelled
from aisle.testing.small_encoder import make_small_encoder

THINGS = {"wear": ("sweater", "robe", "trousers", "cap"), "home": ("sofa", "lamp", "rug", "cup"),
          "tools": ("drill", "saw", "spigot", "nail")}  # fmt: skip
COLOURS = ("red", "blue", "green", "black", "white", "pink", "grey", "gold")


QUICK_FULL = {"epochs": 15, "batch": 16, "learning_rate": 3e-3, "held": 0.2, "head_rate": 10.0, "layer_decay": 1.0,
              "contrast": 0.0}  # fmt: skip
"""A recipe for full tuning that suits a random model: it has more to learn than a pretrained one."""
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


class Killed(BaseException):
    """Stands for a process that ends in the middle."""


@dataclasses.dataclass
class Steps:
    """Numbers of the steps that trainings began, in order; the one that is `dies_at` (once) is never taken."""

    begun: list[int]
    dies_at: int = -1


@pytest.fixture
def steps(monkeypatch):
    """Every step of every training is saved, and told here."""
    told, step = Steps([]), fitting._Fit._step

    def watched(self, number, done):
        told.begun.append(number)
        if number == told.dies_at:
            told.dies_at = -1
            raise Killed
        step(self, number, done)

    monkeypatch.setattr(fitting, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(fitting._Fit, "_step", watched)
    return told


@pytest.fixture
def shop(source, tmp_path):
    settings = Settings(encoder={"model": str(source)}, train={"threads": 1})
    with Shop.open(tmp_path / "shop", create=True, settings=settings) as opened:
        yield opened


@pytest.fixture
def labels_file(tmp_path):
    import polars as pl

    texts, labels = texts_of(400, 1)
    pl.DataFrame({"text": texts, "label": labels}).write_csv(tmp_path / "labels.csv")
    return tmp_path / "labels.csv"
