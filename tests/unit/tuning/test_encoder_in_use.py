"""A tuned encoder takes over as a whole, or not at all."""

import hashlib
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from aisle.adapters.faiss.index import FaissDenseIndex
from aisle.adapters.files.models import FilesModelStore
from aisle.adapters.sqlite.catalog import SqliteCatalogStore
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.vectors import SqliteVectorStore
from aisle.errors import ModelDamaged
from aisle.index.followers import DenseFollower
from aisle.learn.bi_encoder import BI_ENCODER
from aisle.represent.embed import embed
from aisle.serving.encoder_in_use import EncoderInUse, Pair
from aisle.types import Product

DIM = 8


@dataclass
class FakeEncoder:
    """Vectors by a hash of name and text; counts what it reads."""

    name: str
    n_read: int = 0
    dim: int = DIM

    def covers(self, language):
        return True

    def encode(self, texts):
        self.n_read += len(texts)
        seeds = [int.from_bytes(hashlib.sha256(f"{self.name}{t}".encode()).digest()[:8], "big") for t in texts]
        rows = np.stack([np.random.default_rng(seed).normal(size=DIM) for seed in seeds]).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Process:
    """One process that serves the shop in a folder; the owner encodes, others read."""

    def __init__(self, folder, *, owner=True, batch=4):
        self.database = Database(folder / "shop.db")
        self.catalog, self.vectors = SqliteCatalogStore(self.database), SqliteVectorStore(self.database)
        self.models = FilesModelStore(folder / "models")
        self.owner, self.batch, self.encoders, self.switches = owner, batch, {}, []
        base = FakeEncoder("base")
        pair = Pair(base, self.follower(base))
        while pair.dense.step():
            pass
        self.meaning = EncoderInUse(
            self.models, pair, self.open, self.catalog.seq, lambda names: self.switches.append(sorted(names))
        )

    def follower(self, encoder):
        self.encoders[encoder.name] = encoder

        def embedded(groups, may_encode):
            found = embed(groups, encoder, self.vectors, encode_new=may_encode)
            return dict(zip(found.ords.tolist(), found.vectors, strict=True))

        return DenseFollower(self.catalog, FaissDenseIndex(DIM), seq=0, embed=embedded, owner=lambda: self.owner,
                             save=lambda _seq: None, poll_s=1, batch=self.batch)  # fmt: skip

    def open(self, place):
        encoder = FakeEncoder((place / "model.onnx").read_text())
        return encoder, self.follower(encoder)

    def promote(self, tmp_path, name, **params):
        (tmp_path / "weights").write_text(name)
        made = self.models.create(
            BI_ENCODER, {"x": np.zeros(1, np.float32)}, files={"model.onnx": tmp_path / "weights"}, params=params
        )
        self.models.promote(BI_ENCODER, made.version)
        return made.version

    def settle(self):
        while self.meaning.follow():
            pass

    @property
    def serving(self):
        return self.meaning.now.encoder.name

    def whole(self):
        """Whether every product is in the index that serves, as the encoder that serves reads it."""
        pair = self.meaning.now
        groups = [g for g in self.catalog.changed(0, 1000) if g.products]
        found = embed(groups, FakeEncoder(pair.encoder.name), Forgetful())
        return len(pair.dense.dense) == len(groups) and np.allclose(
            pair.dense.dense.vectors(found.ords), found.vectors, atol=1e-6
        )


class Forgetful:
    def get(self, hashes, model):
        return {}

    def put(self, hashes, model, vectors):
        pass


@pytest.fixture
def shop(tmp_path):
    process = Process(tmp_path)
    process.catalog.upsert([Product(f"P{n}", f"Thing number {n}") for n in range(11)])
    process.settle()
    while process.meaning.now.dense.step():
        pass
    return process


def test_the_old_pair_serves_until_the_new_index_is_whole(shop, tmp_path):
    shop.promote(tmp_path, "tuned", neighbour_cut=0.3)
    seen = []
    while shop.meaning.follow():
        seen.append(shop.serving)
        assert shop.whole()
    assert seen == ["base", "base"]
    assert (shop.serving, shop.meaning.now.cut, shop.switches) == ("tuned", 0.3, [["base", "tuned"]])
    assert shop.whole()


def test_the_tuned_index_follows_the_catalogue(shop, tmp_path):
    shop.promote(tmp_path, "tuned")
    shop.settle()
    shop.catalog.upsert([Product("P1", "Another name"), Product("NEW", "New thing")])
    shop.catalog.delete(["P2"])
    shop.settle()
    assert shop.whole()
    assert shop.encoders["tuned"].n_read == 13


def test_a_new_version_is_followed_while_the_one_before_still_learns_of_changes(shop, tmp_path):
    shop.promote(tmp_path, "first")
    shop.settle()
    shop.promote(tmp_path, "second")
    assert shop.meaning.follow()
    shop.catalog.upsert([Product("NEW", "New thing")])
    while shop.serving == "first":
        shop.meaning.follow()
    assert (shop.serving, shop.whole()) == ("second", True)


def test_going_back_reads_nothing_again(shop, tmp_path):
    first = shop.promote(tmp_path, "first")
    shop.settle()
    shop.promote(tmp_path, "second")
    shop.settle()
    assert shop.models.rollback(BI_ENCODER).version == first
    shop.settle()
    assert (shop.serving, shop.encoders["first"].n_read, shop.whole()) == ("first", 0, True)


def test_going_back_to_the_settings_encoder_is_there_at_once(shop, tmp_path):
    shop.promote(tmp_path, "base")
    shop.settle()
    shop.promote(tmp_path, "tuned")
    shop.settle()
    assert shop.serving == "tuned"
    shop.models.rollback(BI_ENCODER)
    shop.meaning.follow(read=False)
    assert (shop.serving, shop.whole(), len(shop.meaning.followers)) == ("base", True, 1)


def test_a_process_that_only_reads_waits_for_the_vectors_and_then_follows(shop, tmp_path):
    reader = Process(tmp_path, owner=False)
    shop.promote(tmp_path, "tuned")
    reader.settle()
    assert (reader.serving, reader.meaning.building) == ("base", "v000001")
    shop.settle()
    for _ in range(5):
        reader.settle()
    assert (reader.serving, reader.encoders["tuned"].n_read, reader.whole()) == ("tuned", 0, True)


def test_a_damaged_version_leaves_the_good_one_and_says_so(shop, tmp_path):
    shop.promote(tmp_path, "good")
    shop.settle()
    bad = shop.promote(tmp_path, "bad")
    (shop.models.folder(BI_ENCODER, bad) / "model.onnx").write_text("altered")
    for _ in range(3):
        with pytest.raises(ModelDamaged, match=bad):
            shop.meaning.follow()
    assert (shop.serving, shop.whole()) == ("good", True)
    fresh = Process(tmp_path)
    for _ in range(5):
        with pytest.raises(ModelDamaged, match=bad):
            fresh.meaning.follow()
    assert (fresh.serving, fresh.whole()) == ("good", True)


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_a_process_that_ends_anywhere_leaves_a_whole_pair_and_its_work(shop, tmp_path, steps):
    shop.promote(tmp_path, "tuned")
    for _ in range(steps):
        shop.meaning.follow()
    read = shop.encoders["tuned"].n_read if steps else 0
    after = Process(tmp_path)  # nothing was closed: what is not on the disk is gone
    assert (after.serving, after.whole()) == ("base", True)
    after.settle()
    assert (after.serving, after.whole(), after.encoders["tuned"].n_read) == ("tuned", True, 11 - read)


def test_without_an_encoder_there_is_nothing_to_follow(shop, tmp_path):
    shop.promote(tmp_path, "tuned")
    nothing = EncoderInUse(shop.models, None, shop.open, shop.catalog.seq, lambda names: None)
    assert nothing.follow() is False
    assert nothing.now is None


_SLOWLY = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_encoder_in_use import FakeEncoder, Process
read = FakeEncoder.encode
FakeEncoder.encode = lambda self, texts: (time.sleep(0.03), read(self, texts))[1]
shop = Process(Path(sys.argv[1]), batch=1)
print("open", flush=True)
shop.settle()
print(shop.serving, flush=True)
time.sleep(60)
"""


@pytest.mark.crash
def test_killed_at_any_moment_the_next_process_serves_a_whole_pair(shop, tmp_path):
    shop.promote(tmp_path, "tuned")
    rng = np.random.default_rng(0)
    for _ in range(4):
        command = [sys.executable, "-c", _SLOWLY, str(tmp_path), str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "open\n"
            time.sleep(float(rng.uniform(0, 0.25)))
            process.kill()
        after = Process(tmp_path)
        assert (after.serving, after.whole()) == ("base", True)
    after.settle()
    assert (after.serving, after.whole()) == ("tuned", True)
    assert after.encoders["tuned"].n_read < 11
