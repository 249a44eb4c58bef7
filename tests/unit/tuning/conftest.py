"""A transformer small enough to learn in a second, and a shop whose judgements follow a rule."""

import json

import numpy as np
import pytest

from aisle.learn.judgements import Judgements

COLOURS = ("red", "blue", "green", "black", "white", "pink", "grey", "gold")
# What shoppers call a thing, and what the shop calls it: only judgements can tell.
THINGS = {"sweater": "pullover", "sofa": "couch", "spigot": "faucet", "trousers": "pants", "lamp": "lantern",
          "rug": "carpet", "bag": "satchel", "cup": "mug", "robe": "gown", "tap": "valve"}  # fmt: skip


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The folder of a random model in Hugging Face's format."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("source")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *("##" + c for c in letters), *COLOURS, *THINGS]
    words += THINGS.values()
    tokenizer = Tokenizer(models.WordPiece({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(words), max_position_embeddings=64, initializer_range=0.3, **sizes)
    BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48}))
    return folder


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
