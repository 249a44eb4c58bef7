"""The pages' words, in English and Simplified Chinese.

`messages/en.json` and `messages/zh.json` hold the same keys (a test enforces
it). Keys that begin with `admin.` are for the admin's pages, the others for the
storefront's. A key that ends in `.one` or `.other` is chosen by a number.
`{name}` in a message is filled in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

LANGUAGE_NAMES: Mapping[str, str] = MappingProxyType({"en": "English", "zh": "中文"})


def _read(language: str) -> Mapping[str, str]:
    file = Path(__file__).parent / "messages" / f"{language}.json"
    messages: dict[str, str] = json.loads(file.read_text("utf-8"))
    return MappingProxyType(messages)


CATALOGUES: Mapping[str, Mapping[str, str]] = MappingProxyType({name: _read(name) for name in LANGUAGE_NAMES})


def translate(language: str, key: str, **fill: object) -> str:
    """The message of a key; KeyError when no catalogue has it, so that a missing word fails a test."""
    text = CATALOGUES[language][key]
    for name, value in fill.items():
        text = text.replace("{" + name + "}", str(value))
    return text
