"""A language model small enough for a test: real, with random weights, made in a second, fetched nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_CORPUS = (
    "You sort what shoppers write. Answer with the kind, and nothing else.",
    "The kinds are: delivery, refund, size, positive, negative, red, blue, green.",
    "Order these products for the shopper, best first. Answer with their numbers: 3, 1, 2, 10, 12, 20",
    '{"choice": "refund"} {"choice": "delivery"}',
    "when will my parcel arrive? I want my money back. does this hoodie come in large?",
    "system user assistant",
)
CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


def make_small_language_model(folder: Path, *, chat: bool = True, positions: int = 4096, seed: int = 0) -> Path:
    """Write a causal model of two layers, with a tokenizer of bytes, as Hugging Face keeps them; returns the folder."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(_CORPUS, vocab_size=400, min_frequency=1, special_tokens=special, show_progress=False)
    made: Any = PreTrainedTokenizerFast
    tokenizer = made(tokenizer_object=trained._tokenizer, pad_token="<|pad|>", eos_token="<|end|>")
    tokenizer.add_special_tokens({"additional_special_tokens": special[2:]})
    if chat:
        tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        initializer_range=0.3,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder
