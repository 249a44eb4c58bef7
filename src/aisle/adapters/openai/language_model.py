"""A language model behind an endpoint that speaks OpenAI's chat completions.

Servers differ in what they take: a schema for the answer, likelihoods, a name
for the limit of tokens. What one refuses is not sent to it again, and what it
would have given is made up for here.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from aisle.adapters.openai.reading import Answer, graded, read_answer, read_choice, without_thoughts
from aisle.adapters.openai.transport import Refused, Transport
from aisle.errors import LanguageLate, LanguageNonsense, SettingsError
from aisle.ports import Chosen, Message
from aisle.ports.language import checked_choices
from aisle.types import Scores

log = logging.getLogger("aisle.language")

LIKELIEST: Final = 20
"""Other words of which the likelihood is asked; the most that OpenAI's own endpoint tells."""

_PATH: Final = "/chat/completions"
_MOST_STOPS: Final = 4
_PARTS: Final = {
    "response_format": ("response_format", "json_schema", "guided", "structured", "grammar", "schema"),
    "logprobs": ("top_logprobs", "logprobs", "log_probs"),
    "max_tokens": ("max_completion_tokens", "max_tokens"),
    "temperature": ("temperature",),
    "stop": ("stop",),
}
"""What a server may refuse to take, and the words by which its error tells which."""


class OpenAiLanguageModel:
    """`model` at `endpoint`, such as http://localhost:8000/v1. Safe to share between threads.

    Raises SettingsError for an endpoint that is none. The key is sent in the
    header of each request, and stands nowhere else.
    """

    def __init__(
        self,
        endpoint: str,
        model: str,
        *,
        api_key: str = "",
        timeout_s: float = 20.0,
        max_tokens: int = 256,
        retries: int = 2,
    ) -> None:
        if not model:
            raise SettingsError("language.model: name the model that the endpoint shall use")
        self._transport = Transport(endpoint, api_key=api_key, timeout_s=timeout_s, retries=retries)
        self._model, self._timeout_s, self._max_tokens = model, timeout_s, max_tokens
        self._refused: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._model

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        timeout_s: float | None = None,
    ) -> str:
        """What the model says next; see the port."""
        until = self._until(timeout_s)
        most = self._max_tokens if max_tokens is None else max_tokens
        wanted: dict[str, Any] = {"temperature": temperature, "max_tokens": most}
        if stop:
            wanted["stop"] = list(stop)[:_MOST_STOPS]
        text = without_thoughts(self._ask(messages, wanted, until).text)
        # A server may know fewer ends than were given, or leave them in.
        return text[: min((at for end in stop if end and (at := text.find(end)) >= 0), default=len(text))]

    def choose(self, messages: Sequence[Message], choices: Sequence[str], *, timeout_s: float | None = None) -> Chosen:
        """Which of the choices comes next; graded where the server tells likelihoods.

        An answer that names none of them is sent back once, with what was wrong with it.
        """
        names = checked_choices(choices)
        if len(names) == 1:
            return Chosen(np.ones(1, np.float32), graded=True)
        until = self._until(timeout_s)
        longest = max(len(name.encode(errors="replace")) for name in names)
        wanted = {
            "temperature": 0.0,
            "max_tokens": 32 + 2 * longest,  # no word is longer than its bytes, and JSON may escape them
            "response_format": _schema(names),
            "logprobs": True,
        }
        asked = _with_choices(messages, names)
        answer = self._ask(asked, wanted, until)
        place = read_choice(answer.text, names)
        if place is None:
            answer = self._ask(_corrected(asked, answer), wanted, until)
            place = read_choice(answer.text, names)
        if place is None:
            raise LanguageNonsense(
                f"{self._model} answers {answer.text[:80]!r}, which is none of the {len(names)} choices"
            )
        found = graded(answer.tokens, names, place) if answer.tokens else None
        return Chosen(_all_of_it(len(names), place), graded=False) if found is None else Chosen(found, graded=True)

    def close(self) -> None:
        """End what is under way."""
        self._transport.close()

    # ---------------------------------------------------------------- inside

    def _until(self, timeout_s: float | None) -> float:
        return time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)

    def _ask(self, messages: Sequence[Message], wanted: dict[str, Any], until: float) -> Answer:
        """One answer, asked for without what this server refuses to take.

        What it refused is remembered only once it answers without: else it was something else.
        """
        dropped: set[str] = set()
        while True:
            refused = self._refused | dropped
            left = until - time.monotonic()
            if left <= 0:
                raise LanguageLate(f"{self._model} had no time left to answer")
            try:
                found = self._transport.post(_PATH, self._body(messages, wanted, refused), left)
            except Refused as error:
                part = _part_refused(error, wanted, refused)
                if part is None:
                    raise
                dropped.add(part)
                continue
            if dropped:
                log.info("%s takes no %s", self._model, ", no ".join(sorted(dropped)))
                with self._lock:
                    self._refused = self._refused | dropped
            return read_answer(found, self._model)

    def _body(self, messages: Sequence[Message], wanted: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
        }
        for part, value in wanted.items():
            if part == "max_tokens":
                body["max_completion_tokens" if part in refused else part] = value
            elif part not in refused:
                body |= {part: value, **({"top_logprobs": LIKELIEST} if part == "logprobs" else {})}
        return body


def _part_refused(error: Refused, wanted: dict[str, Any], refused: frozenset[str]) -> str | None:
    """Which part of the request a server does not take, by its own words or, of what may be left out, the first."""
    if error.status not in (400, 422):
        return None
    told = error.detail.lower()
    if "context" in told or "too long" in told:  # the prompt is, and no part of the request
        return None
    left = [part for part in wanted if part not in refused]
    named = [part for part in left if any(word in told for word in _PARTS[part])]
    if named:
        # A word may stand in two names: the server's own complaint comes first in its words.
        return min(named, key=lambda part: min(at for word in _PARTS[part] if (at := told.find(word)) >= 0))
    return next((part for part in ("response_format", "logprobs") if part in left), None)


def _schema(names: Sequence[str]) -> dict[str, Any]:
    choice = {"type": "string", "enum": list(names)}
    schema = {"type": "object", "properties": {"choice": choice}, "required": ["choice"], "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "choice", "strict": True, "schema": schema}}


def _with_choices(messages: Sequence[Message], names: Sequence[str]) -> list[Message]:
    listed = ", ".join(json.dumps(name, ensure_ascii=False) for name in names)
    told = f'Answer with JSON, {{"choice": …}}, and nothing else. The choice is exactly one of: {listed}'
    if messages and messages[-1].role == "user":
        return [*messages[:-1], Message("user", f"{messages[-1].content}\n\n{told}")]
    return [*messages, Message("user", told)]


def _corrected(asked: Sequence[Message], answer: Answer) -> list[Message]:
    wrong = (
        "Your answer was cut off before its end."
        if answer.is_cut
        else "Your answer names none of the choices, or several."
    )
    said = answer.text[:500] or "…"
    return [*asked, Message("assistant", said), Message("user", f"{wrong} Answer with exactly one of them, as asked.")]


def _all_of_it(n: int, place: int) -> Scores:
    found = np.zeros(n, np.float32)
    found[place] = 1.0
    return found
