"""How a sentence encoder makes one vector of its tokens, as its own files say. Imports no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, cast

from aisle.errors import ModelError

Pooling = Literal["mean", "cls", "max"]


def pooling_of(source: Path) -> tuple[Pooling, int | None]:
    """How the model's own files pool tokens, and how many tokens they say it reads (None: unsaid).

    Raises ModelError for a module that is not one of transformer, pooling, normalisation.
    """
    limit: int | None = None
    limits = source / "sentence_bert_config.json"
    if limits.exists():
        limit = json.loads(limits.read_text("utf-8")).get("max_seq_length")
    listed = source / "modules.json"
    if not listed.exists():
        return "mean", limit
    pooling: Pooling = "mean"
    for module in json.loads(listed.read_text("utf-8")):
        kind = module["type"].rsplit(".", 1)[-1]
        if kind == "Pooling":
            config = json.loads((source / module["path"] / "config.json").read_text("utf-8"))
            chosen = [k.removeprefix("pooling_mode_") for k, v in config.items() if k.startswith("pooling_mode_") and v]
            named = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
            if len(chosen) != 1 or chosen[0] not in named:
                raise ModelError(f"{source}: pooling {' + '.join(chosen)} is not supported (use mean, cls or max)")
            pooling = cast(Pooling, named[chosen[0]])
        elif kind not in ("Transformer", "Normalize"):
            raise ModelError(f"{source}: module {kind} is not supported")
    return pooling, limit
