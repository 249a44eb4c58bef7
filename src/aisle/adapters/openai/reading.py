"""Reading what an endpoint answers: which choice it names, and how sure of it the words' likelihoods say it was."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from aisle.errors import LanguageNonsense
from aisle.types import Scores

LEAST: Final = 1e-6
"""Probability of a choice that stood among none of the likeliest words."""

_THOUGHTS: Final = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_KEY: Final = re.compile(r'"choice"\s*:\s*"')


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer with the logarithm of its probability, and what else might have stood there."""

    text: str
    logprob: float
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said, whether it was cut off, and the pieces, where the server tells them."""

    text: str
    is_cut: bool = False
    tokens: tuple[Token, ...] = ()


def read_answer(found: Mapping[str, Any], where: str) -> Answer:
    """The first choice of a chat completion. Raises LanguageNonsense where there is none."""
    try:
        first = found["choices"][0]
        text = first["message"]["content"]
        if not isinstance(text, str):
            refusal = first["message"].get("refusal")
            raise LanguageNonsense(f"{where} declines to answer: {refusal[:200]}" if isinstance(refusal, str) else
                                   f"{where} answers without any text")  # fmt: skip
        is_cut = first.get("finish_reason") == "length"
        return Answer(text, is_cut, _tokens(first.get("logprobs")))
    except (LookupError, TypeError, AttributeError):
        raise LanguageNonsense(f"{where} answers with no choices[0].message.content") from None


def _tokens(told: Any) -> tuple[Token, ...]:
    """The pieces of an answer; none where anything about them is not as it should be."""
    try:
        return tuple(
            Token(
                str(one["token"]),
                _logarithm(one["logprob"]),
                tuple((str(other["token"]), _logarithm(other["logprob"])) for other in one.get("top_logprobs") or ()),
            )
            for one in told["content"]
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return ()


def _logarithm(value: Any) -> float:
    found = float(value)
    if math.isnan(found):
        raise ValueError("not a number")
    return min(found, 0.0)


def without_thoughts(text: str) -> str:
    """What was said, without what some models think aloud before it."""
    return _THOUGHTS.sub("", text, count=1) if text.lstrip().startswith("<think>") else text


def read_choice(text: str, choices: Sequence[str]) -> int | None:
    """The place of the one choice that an answer names; None where it names none, or several.

    It may be JSON with a `choice`, the choice itself, or a sentence with it.
    """
    said = without_thoughts(text).strip()
    try:
        told = json.loads(said)
    except (ValueError, RecursionError):
        told = said
    if isinstance(told, dict):
        told = told.get("choice")
    said = str(told) if isinstance(told, (str, int)) else ""
    plain = [choice.strip().casefold() for choice in choices]
    bare = said.strip().strip("\"'`*.。“”").strip().casefold()
    if bare in plain:
        return plain.index(bare)
    if isinstance(told, int):
        return None
    left, found = said.casefold(), []
    for place in sorted(range(len(plain)), key=lambda place: -len(plain[place])):
        # A longer choice is looked for first, and taken out: "red wine" is no mention of "red".
        left, n = re.subn(_whole(plain[place]), "\0", left)
        if n:
            found.append(place)
    return found[0] if len(found) == 1 else None


def _whole(choice: str) -> str:
    """A pattern of the choice where it is no part of a longer word; Chinese has no marks between words."""
    before = r"(?<![0-9a-z_])" if re.match(r"[0-9a-z_]", choice) else ""
    after = r"(?![0-9a-z_])" if re.search(r"[0-9a-z_]$", choice) else ""
    return before + re.escape(choice) + after


def graded(tokens: Sequence[Token], choices: Sequence[str], chosen: int) -> Scores | None:
    """Probabilities float32[n] of the choices, by what else might have stood where their ways part.

    At each piece of the answer the other likely pieces lead towards other
    choices; what leads towards several is shared among them. None where the
    server told too little.
    """
    said = "".join(token.text for token in tokens)
    start = _begin(said, choices[chosen])
    if start is None:
        return None
    # As in JSON: what is asked for with a schema is answered so, and plain words look the same.
    names = [json.dumps(choice.strip(), ensure_ascii=False)[1:-1].lower() for choice in choices]
    mass = np.zeros(len(names))
    live, path, at, seen = list(range(len(names))), 1.0, 0, False
    for token in tokens:
        begin, at = at, at + len(token.text)
        if at <= start:
            continue
        head = said[begin:start] if begin < start else ""
        prefix = said[start:begin].lower() if begin > start else ""
        there = [place for place in live if _leads(names[place], said[start:at].lower())]
        for text, logprob in token.others:
            if text == token.text or not text.startswith(head):
                continue
            way = (prefix + text[len(head) :]).lower()
            to = [
                place for place in live if place not in there and _leads(names[place], way if prefix else way.lstrip())
            ]
            mass[to] += path * math.exp(logprob) / max(1, len(to))
        seen = seen or bool(token.others)
        path *= math.exp(token.logprob)
        live = there
        if len(live) <= 1:
            break
    if not seen or chosen not in live:
        return None
    mass[live] += path / len(live)
    mass = np.maximum(mass, LEAST)
    found: Scores = (mass / mass.sum()).astype(np.float32)
    return found


def _begin(said: str, choice: str) -> int | None:
    """Where in the answer the choice begins."""
    key = _KEY.search(said)
    at = key.end() if key else said.lower().find(choice.strip().lower())
    return at if at >= 0 and len(said.lower()) == len(said) else None


def _leads(name: str, way: str) -> bool:
    """Whether what was said so far is a beginning of the name, or the name and its end."""
    return bool(way) and (name.startswith(way) or (way.startswith(name) and not way[len(name)].isalnum()))
