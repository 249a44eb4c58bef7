"""A random transformer, small enough to be taught in seconds, and texts of its few words."""

import json
from pathlib import Path

import numpy as np

COLOURS = ("red", "blue", "green", "black", "white", "pink", "grey", "gold")
THINGS = ("pullover", "couch", "faucet", "pants", "lantern", "carpet", "satchel", "mug", "gown", "valve")
MORE = ("small", "large", "soft", "hard", "new", "old")
TEXTS = [f"{more} {colour} {thing}" for more in MORE for colour in COLOURS for thing in THINGS]


def make_source(folder: Path) -> Path:
    """A folder in Hugging Face's format: 3 layers, 4 heads of 8, 64 neurons."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *("##" + c for c in letters), *COLOURS, *THINGS, *MORE]
    tokenizer = Tokenizer(models.WordPiece({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.enable_padding(length=40)  # as those of sentence encoders are saved
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(words), max_position_embeddings=64, initializer_range=0.3, **sizes)
    BertModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48}))
    return folder


def vectors_of(source: Path, texts: list[str]) -> np.ndarray:
    """float32[n, dim] by the model itself."""
    import torch

    from aisle.learn.tuning import Tokens, run_bucketed
    from aisle.models.text import SentenceNetwork, read_transformer

    network = SentenceNetwork(read_transformer(source), "mean", additive_mask=False)
    with torch.no_grad():
        return run_bucketed(network, Tokens(source / "tokenizer.json", 48).of(texts), 64).numpy()
