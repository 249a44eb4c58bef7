"""A transformer small enough to learn in a second, and a shop whose judgements follow a rule."""

import numpy as np
import pytest

from aisle.learn.judgements import Judgements
from aisle.testing.small_encoder import make_small_encoder

COLOURS = ("red", "blue", "green", "black", "white", "pink", "grey", "gold")
# What shoppers call a thing, and what the shop calls it: only judgements can tell.
THINGS = {"sweater": "pullover", "sofa": "couch", "spigot": "faucet", "trousers": "pants", "lamp": "lantern",
          "rug": "carpet", "bag": "satchel", "cup": "mug", "robe": "gown", "tap": "valve"}  # fmt: skip


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The folder of a random encoder in Hugging Face's format."""
    return make_small_encoder(tmp_path_factory.mktemp("source"), [*COLOURS, *THINGS, *THINGS.values()], layers=3)


@pytest.fixture(scope="session")
def shop():
    """Judgements, the texts of the products by ord, and what retrieval finds for each query (at random)."""
    texts = [f"{colour} {called}" for called in THINGS.values() for colour in COLOURS]
    queries = [f"{colour} {thing}" for thing in THINGS for colour in COLOURS]
    rng = np.random.default_rng(0)
    rows = []
    for query in range(len(queries)):
        thing, colour = divmod(query, len(COLOURS))
        rows.append((query, query, 1.0))
        rows.append((query, thing * len(COLOURS) + (colour + 1) % len(COLOURS), 0.3))
    columns = np.array(rows)
    judgements = Judgements(
        tuple(queries),
        columns[:, 0].astype(np.int32),
        columns[:, 1].astype(np.int32),
        columns[:, 2].astype(np.float32),
        np.ones(len(rows), np.float32),
    )
    candidates = [rng.choice(len(texts), 20, replace=False).astype(np.int32) for _ in queries]
    return judgements, texts, candidates
