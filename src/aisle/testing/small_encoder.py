"""A sentence encoder small enough for a test: real, with random weights, made in a second, fetched nowhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def make_small_encoder(
    folder: Path, words: Sequence[str], *, layers: int = 2, heads: int = 2, pad_to: int = 0, letters: bool = True
) -> Path:
    """Write a BERT of 32 numbers a token and 64 neurons, as Hugging Face keeps it; returns the folder.

    The tokenizer is as `save_small_tokenizer` writes it.
    """
    import torch
    from transformers import BertConfig, BertModel

    n_words = save_small_tokenizer(folder, words, pad_to=pad_to, letters=letters)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=n_words, hidden_size=32, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=64,
        max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 48}), "utf-8")
    return folder


def save_small_tokenizer(folder: Path, words: Sequence[str], *, pad_to: int = 0, letters: bool = True) -> int:
    """Write a tokenizer.json that knows the words and, with `letters`, spells all others; returns its size.

    `pad_to` has it pad to so many tokens, as those of sentence encoders are often saved.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    folder.mkdir(parents=True, exist_ok=True)
    spelt = [*_LETTERS, *("##" + letter for letter in _LETTERS)] if letters else []
    known = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *spelt, *words]))
    tokenizer = Tokenizer(models.WordPiece({word: number for number, word in enumerate(known)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    if pad_to:
        tokenizer.enable_padding(length=pad_to)
    tokenizer.save(str(folder / "tokenizer.json"))
    return len(known)
