"""Prompts to answers: any model that goes on with a conversation."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from aisle.errors import InvalidRequest
from aisle.types import Scores


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a model chose: `probabilities` float32[n] of the choices, which sum to 1.

    Where the model only named one, that one has all of it, and `graded` is False.
    """

    probabilities: Scores
    graded: bool

    @property
    def best(self) -> int:
        """The place of the likeliest choice."""
        return int(self.probabilities.argmax())


@runtime_checkable
class LanguageModel(Protocol):
    """Goes on with a conversation. Safe to share between threads.

    Every call ends within `timeout_s` (None: the model's own setting) or soon
    after, and raises LanguageFailed when there is no answer that can be used.
    """

    @property
    def name(self) -> str:
        """Which model it is, for logs and results."""

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        timeout_s: float | None = None,
    ) -> str:
        """What the model says next, up to the first of `stop`, which is left out; at most `max_tokens` long.

        Temperature 0 takes the likeliest word each time. None: as many tokens as the settings say.
        """

    def choose(self, messages: Sequence[Message], choices: Sequence[str], *, timeout_s: float | None = None) -> Chosen:
        """Which of the `choices`, at least one and all distinct, the model says next; it cannot say anything else."""

    def close(self) -> None:
        """Let go of what it holds; a later call takes it up again."""


_NO_CONTROL = str.maketrans("<>[]", "‹›()")
"""Chat formats mark their turns by `<|…|>`, `<s>` and `[INST]`: text of others must not spell them."""


def quoted(text: str, limit: int = 200) -> str:
    """Others' text as one line in quotation marks, at most `limit` characters of it.

    What a shopper or a feed wrote stays within its quotation marks: it can end
    neither them nor its line nor the turn, nor hide characters that are not seen.
    """
    plain = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Zs") else c for c in text[: 4 * limit])
    seen = "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn"))
    short = " ".join(seen.translate(_NO_CONTROL).split())
    return json.dumps(short if len(short) <= limit else short[: limit - 1] + "…", ensure_ascii=False)


def checked_choices(choices: Sequence[str]) -> tuple[str, ...]:
    """The choices, none of them empty and all distinct also without their case. Raises InvalidRequest."""
    found = tuple(choices)
    if not found or not all(choice.strip() for choice in found):
        raise InvalidRequest("there must be a choice, and none may be empty", field="choices")
    if len({choice.strip().casefold() for choice in found}) < len(found):
        raise InvalidRequest("the choices must differ by more than their case", field="choices")
    return found
