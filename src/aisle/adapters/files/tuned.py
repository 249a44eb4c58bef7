"""Folders that `aisle tune` wrote, a version or one of its own: checked before they are read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson

from aisle.errors import InvalidRequest, ModelDamaged

CARD = "card.json"


def checked(folder: Path, *kinds: str) -> dict[str, Any]:
    """What the card says of the model, whose kind is one of these.

    Raises InvalidRequest for a model of another kind, ModelDamaged when a file is missing, truncated or altered.
    """
    try:
        card = orjson.loads((folder / CARD).read_bytes())
        params, sums = dict(card["params"]), dict(card["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(f"{folder}: no model that aisle tune made can be read from it ({error})") from error
    kind = params.get("kind", "labels")
    if kind not in kinds:
        raise InvalidRequest(f"{folder} holds a model of {kind}, not of {' or '.join(kinds)}", field="folder")
    for name, wanted in sums.items():
        try:
            with (folder / Path(name).name).open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise ModelDamaged(f"{folder / name}: {error.strerror}; tune again") from error
        if found != wanted:
            raise ModelDamaged(f"{folder / name}: truncated or altered; tune again")
    return params
