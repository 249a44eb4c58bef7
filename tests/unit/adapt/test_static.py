"""A table of tokens comes near to its teacher, and nearer once it was tuned."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from aisle.adapters.numpy.static_encoder import StaticTextEncoder
from aisle.errors import InvalidRequest, ModelDamaged
from aisle.learn.adapt.static import StaticRecipe, fit_static
from aisle.ports import TextEncoder
from aisle.represent.card import STATIC_FILE, StaticCard, sha256_of
from aisle.testing.encoder import TextEncoderContract

from .lighter_model import TEXTS, make_source, vectors_of

ORDER = np.random.default_rng(0).permutation(len(TEXTS))
SEEN, UNSEEN = ORDER[::2], ORDER[1::2]


def some(rows):
    return [TEXTS[row] for row in rows]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def vectors(source):
    return vectors_of(source, TEXTS)


@pytest.fixture(scope="module")
def fitted(source, vectors):
    return fit_static(some(SEEN), vectors[SEEN], source=source, recipe=StaticRecipe(dims=24))


@pytest.fixture(scope="module")
def folder(source, fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("static")
    save_file(dict(fitted.arrays), folder / STATIC_FILE)
    (folder / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    files = {name: sha256_of(folder / name) for name in (STATIC_FILE, "tokenizer.json")}
    StaticCard(
        name="small-static", model="small", source_hash=files[STATIC_FILE], dim=32, parity=fitted.cosine,
        files=files, max_tokens=48,
    ).write(folder)  # fmt: skip
    return folder


class TestStaticEncoder(TextEncoderContract):
    @pytest.fixture
    def encoder(self, folder):
        return StaticTextEncoder(folder, max_tokens=32)


def test_tuning_brings_it_nearer_also_on_texts_it_never_saw(fitted, folder, vectors):
    assert fitted.cosine > fitted.begun
    encoder = StaticTextEncoder(folder)
    assert isinstance(encoder, TextEncoder)
    unseen = float((encoder.encode(some(UNSEEN)) * vectors[UNSEEN]).sum(1).mean())
    assert unseen == pytest.approx(fitted.cosine, abs=0.03)
    assert unseen > fitted.begun


def test_a_token_begins_with_what_the_teacher_says_of_it_alone(source):
    from tokenizers import Tokenizer

    from aisle.learn.adapt.static import _alone

    vocabulary = Tokenizer.from_file(str(source / "tokenizer.json")).get_vocab()
    words = ["mug", "red", "soft"]
    found = _alone(source, np.array([vocabulary[word] for word in words]), 1, lambda _done: None)
    assert (found * vectors_of(source, words)).sum(1).min() > 0.999


def test_the_table_is_small(fitted):
    assert fitted.arrays["codes"].dtype == np.int8
    assert fitted.arrays["codes"].shape[1] == 24
    assert fitted.arrays["basis"].shape == (24, 32)


def test_all_components_lose_nothing_but_roundings(source, vectors, fitted):
    whole = fit_static(some(SEEN), vectors[SEEN], source=source, recipe=StaticRecipe(dims=0))
    assert whole.arrays["codes"].shape[1] == 32
    assert whole.cosine == fitted.cosine  # measured before the rows are shortened


def test_it_knows_the_words_of_its_vocabulary(folder):
    encoder = StaticTextEncoder(folder, languages=("en",))
    assert encoder.knows("pullover")
    assert not encoder.knows("pulover")
    assert encoder.covers("en")


def test_a_damaged_table_is_refused(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / STATIC_FILE).write_bytes((folder / STATIC_FILE).read_bytes()[:-10])
    with pytest.raises(ModelDamaged, match="altered"):
        StaticTextEncoder(tmp_path)


def test_too_few_texts_are_told(source, vectors):
    with pytest.raises(InvalidRequest, match="add some"):
        fit_static(TEXTS[:20], vectors[:20], source=source)
