"""Words that an encoder does not know, given to it: so a model of English begins to read Chinese.

A model that splits words into pieces reads a character it has never met as
"unknown", and all such characters as the same. Each gets a place of its own
here, drawn about the mean of the words that are known and as spread as they
are (Hewitt 2021); `pretraining.MaskedWords` with a recipe whose `words` is
true then learns what they mean from the shop's own texts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aisle.errors import InvalidRequest, ModelError, StorageError

_TOKENIZER: Final = "tokenizer.json"
_SPLITS: Final = "WordPiece"


def unknown_words(source: Path, texts: Sequence[str], *, least: int = 20, most: int = 20_000) -> list[str]:
    """What the texts say at least `least` times and the model in `source` reads as unknown, the most frequent first.

    Raises ModelError for a tokenizer of another kind than WordPiece: those spell whatever they do not know.
    """
    tokenizer, _ = _read(source)
    counts: Counter[str] = Counter()
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
        counts.update(word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal))
    found = [word for word, times in counts.most_common() if times >= least and _unknown(tokenizer, word)]
    return found[:most]


def add_words(source: Path, words: Sequence[str], folder: Path, *, seed: int = 0) -> int:
    """Write the model in `source` with those words added to its vocabulary; returns how many words it has then.

    `folder` must not be there yet. Raises InvalidRequest without words that are new, ModelError, StorageError.
    """
    import torch

    from aisle.models.text import read_transformer, save_transformer

    _, told = _read(source)
    vocabulary: dict[str, int] = told["model"]["vocab"]
    new = [word for word in dict.fromkeys(words) if word not in vocabulary]
    if not new:
        raise InvalidRequest("the model knows all these words", field="words")
    body = read_transformer(source)
    first: int = max(body.get_input_embeddings().weight.shape[0], max(vocabulary.values()) + 1)
    body.resize_token_embeddings(first + len(new), mean_resizing=False)
    with torch.no_grad():
        known, added = body.get_input_embeddings().weight.split([first, len(new)])
        drawn = torch.randn(added.shape, generator=torch.Generator().manual_seed(seed))
        added.copy_(known.mean(0) + drawn * known.std(0))
    vocabulary |= {word: first + number for number, word in enumerate(new)}
    try:
        folder.mkdir(parents=True)
        save_transformer(body, source, folder, kept=(".json",))  # vocab.txt would not tell the truth
        (folder / _TOKENIZER).write_text(json.dumps(told, ensure_ascii=False), "utf-8")
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}") from error
    return first + len(new)


def _read(source: Path) -> tuple[Any, dict[str, Any]]:
    """The tokenizer, and its file as JSON."""
    from tokenizers import Tokenizer

    try:
        told = json.loads((source / _TOKENIZER).read_text("utf-8"))
        kind = told["model"]["type"]
        tokenizer = Tokenizer.from_file(str(source / _TOKENIZER))
    except Exception as error:  # the library raises Exception itself
        raise ModelError(f"{source}: no tokenizer that can be read ({error})") from error
    if kind != _SPLITS:
        raise ModelError(f"{source}: its tokenizer is of the kind {kind}, which spells what it does not know")
    return tokenizer, told


def _unknown(tokenizer: Any, word: str) -> bool:
    unknown = tokenizer.token_to_id("[UNK]")
    return any(piece.id == unknown for piece in tokenizer.model.tokenize(word))
