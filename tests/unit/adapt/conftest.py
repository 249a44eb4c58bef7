"""A random transformer small enough to learn in a second, and labelled texts that follow a rule."""

import json

import numpy as np
import pytest

from aisle.learn.adapt.labelled import Labelled

THINGS = {"wear": ("sweater", "robe", "trousers", "cap"), "home": ("sofa", "lamp", "rug", "cup"),
          "tools": ("drill", "saw", "spigot", "nail")}  # fmt: skip
COLOURS = ("red", "blue", "green", "black", "white", "pink", "grey", "gold")


def vocabulary():
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters), *COLOURS]
    return words + [word for of_kind in THINGS.values() for word in of_kind] + ["wanted", "please", "a"]


def save_tokenizer(folder):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece({word: n for n, word in enumerate(vocabulary())}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The folder of a random encoder in Hugging Face's format."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("source")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(vocabulary()), max_position_embeddings=64, initializer_range=0.3, **sizes)
    BertModel(config).save_pretrained(folder)
    save_tokenizer(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48}))
    return folder


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
