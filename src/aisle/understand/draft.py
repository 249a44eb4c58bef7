"""A query while it is read: what each reader of it sees, and leaves for the next."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from aisle.types import Understood
from aisle.understand.lexicon import Lexicon
from aisle.understand.text import Word

_WORD = re.compile(r"\w+")


@dataclass(slots=True)
class Draft:
    """One pass over one text.

    `gone` are starts of words that are conditions and no words to match,
    `optional` of words that need not match again since a filter already asks
    for them; `forms` are further forms of a word by its start.
    """

    lexicon: Lexicon
    text: str
    ignored: Collection[str] = ()
    understood: list[Understood] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    optional: set[int] = field(default_factory=set)
    forms: dict[int, list[tuple[str, float]]] = field(default_factory=dict)
    trust: dict[int, float] = field(default_factory=dict)
    """By start of a word: how sure it is that the word was meant, where it was mended."""

    def add(self, understood: Understood) -> None:
        """Take in a meaning, unless the shopper has taken it back: then its words ask for nothing."""
        if is_ignored(understood, self.ignored):
            return
        if all((u.kind, u.clause, u.hard) != (understood.kind, understood.clause, understood.hard)
               for u in self.understood):  # fmt: skip
            self.understood.append(understood)

    def sure_of(self, used: Collection[Word], confidence: float) -> float:
        """A meaning's confidence, less where it rests on a word that was mended."""
        return round(confidence * min((self.trust.get(w.start, 1.0) for w in used), default=1.0), 3)

    @property
    def category(self) -> tuple[str, ...]:
        """The paths of the category that was named, when one was."""
        return next((u.clause.values for u in self.understood if u.kind == "category" and not u.clause.exclude), ())


def name_of(understood: Understood) -> str:
    """By which the shopper takes it back: its kind and words, as "color:red"; never with a comma."""
    return f"{understood.kind}:{_plain(understood.text)}"


def is_ignored(understood: Understood, ignored: Collection[str]) -> bool:
    """Whether it was taken back: by kind, or by kind and words or value."""
    if not ignored:
        return False
    own = {_plain(understood.text), *(_plain(v) for v in understood.clause.values)}
    for name in ignored:
        kind, _, words = name.partition(":")
        if kind.strip() == understood.kind and (not words or _plain(words) in own):
            return True
    return False


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
