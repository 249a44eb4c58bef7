"""A title with what matched in <em>, safe to put in a page."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from aisle.types import Query
from aisle.understand.text import is_han, spans_like, stem, words

_UNSAFE = frozenset("&<>\"'")


def highlight(title: str, query: Query) -> str:
    """HTML-escaped `title` with <em> around the query's words, in any form of them."""
    return highlighter(query)(title)


def highlighter(query: Query) -> Callable[[str], str]:
    """`highlight` for the many titles of one answer: the query is read once."""
    stems: set[str] = set()
    runs: list[str] = []
    for term in query.terms:
        for form in (term.text, *(text for text, _ in term.expansions)):
            for word in words(form):
                if word.is_han:
                    runs.append(word.text)
                else:
                    stems.update(stem(part) for part in (word.text, *word.text.split("-")) if part)
    if not stems and not runs:
        return escape
    begins = {stemmed[:2] for stemmed in stems}  # a stem differs from its word in the end only

    def marked(title: str) -> str:
        marks: list[tuple[int, int]] = []
        for start, end, word in spans_like(title, begins):
            if word[:2] in begins and stem(word) in stems:
                marks.append((start, end))
            elif runs and is_han(word):
                marks += _chinese(word, start, runs)
            elif "-" in word:
                marks += _parts(word, start, title, stems)
        if not marks:
            return escape(title)
        safe = _as_it_is if _UNSAFE.isdisjoint(title) else escape
        parts: list[str] = []
        last = 0
        for start, end in marks:
            parts += (safe(title[last:start]), "<em>", safe(title[start:end]), "</em>")
            last = end
        parts.append(safe(title[last:]))
        return "".join(parts)

    return marked


def _as_it_is(text: str) -> str:
    return text


def _parts(word: str, start: int, title: str, stems: set[str]) -> list[tuple[int, int]]:
    """The words inside a hyphenated one."""
    marks: list[tuple[int, int]] = []
    if "-" in word and title[start : start + len(word)].lower() == word:
        for part in word.split("-"):
            if part and stem(part) in stems:
                marks.append((start, start + len(part)))
            start += len(part) + 1
    return marks


def _chinese(text: str, start: int, runs: list[str]) -> list[tuple[int, int]]:
    """The longest pieces of two or more characters that the query also has."""
    marks: list[tuple[int, int]] = []
    i = 0
    while i < len(text):
        n = next((n for n in range(min(len(text) - i, 12), 1, -1) if any(text[i : i + n] in run for run in runs)), 0)
        if not n and any(run == text[i] for run in runs):
            n = 1
        if n:
            marks.append((start + i, start + i + n))
        i += n or 1
    return marks
