"""Pruning takes what is needed least, and what is left is really smaller."""

import json

import numpy as np
import pytest

from aisle.errors import ModelError
from aisle.learn.adapt.prune import Size, prune
from aisle.learn.tuning import Tokens

from .lighter_model import TEXTS, make_source, vectors_of


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def taught(source):
    texts = TEXTS[::8]
    return Tokens(source / "tokenizer.json", 48).of(texts), vectors_of(source, texts)


def read(source):
    from aisle.models.text import read_transformer

    return read_transformer(source)


def test_what_is_left_is_smaller_and_comes_back_from_its_folder(source, taught, tmp_path):
    from aisle.models.text import read_transformer

    network = read(source)
    kept = prune(network, source, Size(2, 3, 40), *taught)
    assert len(kept.layers) == 2
    assert [len(one) for one in kept.heads] == [3, 3]
    assert [len(one) for one in kept.neurons] == [40, 40]
    layer = network.encoder.layer[0]
    assert layer.attention.self.query.weight.shape == (24, 32)
    assert layer.output.dense.weight.shape == (32, 40)
    network.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    again = read_transformer(tmp_path)
    assert sum(p.numel() for p in again.parameters()) == sum(p.numel() for p in network.parameters())
    before, after = (vectors_of(folder, TEXTS[:20]) for folder in (source, tmp_path))
    assert 0.2 < float((before * after).sum(1).mean()) < 0.9999


def test_what_is_not_said_is_a_share_of_what_there_is(source, taught):
    kept = prune(read(source), source, Size(), *taught)
    assert (len(kept.layers), len(kept.heads[0]), len(kept.neurons[0])) == (2, 3, 32)


def test_nothing_asked_for_changes_nothing(source, taught, tmp_path):
    network = read(source)
    assert prune(network, source, Size(0, 0, 0), *taught).layers == (0, 1, 2)
    network.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    np.testing.assert_allclose(vectors_of(tmp_path, TEXTS[:5]), vectors_of(source, TEXTS[:5]), atol=1e-5)


def test_a_head_and_neurons_that_do_nothing_go_first_and_cost_nothing(source, taught, tmp_path):
    import torch

    from aisle.models.text import read_transformer

    quiet = read(source)
    with torch.no_grad():
        for layer in quiet.encoder.layer:
            layer.attention.output.dense.weight[:, 8:16] = 0  # the second head says nothing
            layer.output.dense.weight[:, 5:20] = 0
    folder = tmp_path / "quiet"
    quiet.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    network = read_transformer(folder)
    wanted = vectors_of(folder, TEXTS[::8])
    # The network is the teacher here: a first-order measure needs an error to begin with, as a real student has.
    kept = prune(network, folder, Size(0, 3, 49), taught[0], taught[1])
    assert all(1 not in heads for heads in kept.heads)
    assert all(not set(neurons) & set(range(5, 20)) for neurons in kept.neurons)
    network.save_pretrained(tmp_path / "pruned")
    (tmp_path / "pruned" / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    np.testing.assert_allclose(vectors_of(tmp_path / "pruned", TEXTS[::8]), wanted, atol=1e-4)


def test_a_layer_that_does_nothing_goes_first(source, taught, tmp_path):
    import torch

    quiet = read(source)
    with torch.no_grad():
        middle = quiet.encoder.layer[1]
        for dense in (middle.attention.output.dense, middle.output.dense):
            dense.weight.zero_()
            dense.bias.zero_()
    folder = tmp_path / "quiet"
    quiet.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    wanted = vectors_of(folder, TEXTS[::8])
    assert prune(read(folder), folder, Size(2, 0, 0), taught[0], wanted).layers == (0, 2)


@pytest.mark.parametrize("size", [Size(9, 0, 0), Size(0, 5, 0), Size(0, 0, 65)])
def test_more_than_there_is_says_how_much_there_is(source, taught, size):
    with pytest.raises(ModelError, match="0 keeps all of them"):
        prune(read(source), source, size, *taught)


def test_a_model_of_another_kind_keeps_its_heads_and_says_so(taught, source, tmp_path):
    from transformers import DistilBertConfig, DistilBertModel

    config = DistilBertConfig(vocab_size=200, dim=32, n_layers=2, n_heads=4, hidden_dim=64)
    DistilBertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="only its layers"):
        prune(read(tmp_path), tmp_path, Size(1, 2, 32), *taught)
    network = read(tmp_path)
    assert prune(network, tmp_path, Size(), *taught).heads == ()
    network.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["n_layers"] == 1
    assert len(read(tmp_path).transformer.layer) == 1
