"""A random transformer, small enough to be taught in seconds, and texts of its few words."""

from pathlib import Path

import numpy as np

from aisle.testing.small_encoder import make_small_encoder

COLOURS = ("red", "blue", "green", "black", "white", "pink", "grey", "gold")
THINGS = ("pullover", "couch", "faucet", "pants", "lantern", "carpet", "satchel", "mug", "gown", "valve")
MORE = ("small", "large", "soft", "hard", "new", "old")
TEXTS = [f"{more} {colour} {thing}" for more in MORE for colour in COLOURS for thing in THINGS]


def make_source(folder: Path) -> Path:
    """A folder in Hugging Face's format: 3 layers, 4 heads of 8, 64 neurons; it pads, as those of sentence encoders."""
    return make_small_encoder(folder, [*COLOURS, *THINGS, *MORE], layers=3, heads=4, pad_to=40)


def vectors_of(source: Path, texts: list[str]) -> np.ndarray:
    """float32[n, dim] by the model itself."""
    import torch

    from aisle.learn.tuning import Tokens, run_bucketed
    from aisle.models.text import SentenceNetwork, read_transformer

    network = SentenceNetwork(read_transformer(source), "mean", additive_mask=False)
    with torch.no_grad():
        return run_bucketed(network, Tokens(source / "tokenizer.json", 48).of(texts), 64).numpy()
