"""Which category a title's words lead to: "duffle" is a bag in this shop, though no category is called so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from aisle.understand.text import stem

LEAST = 0.65
"""Confidence from which a category is predicted."""

MAX_WORDS = 60_000

_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
_DENIED = re.compile(r"(?<![^\W_])non?[ -]([^\W_]+)")


class Shelves:
    """Counts, for each stem, in which categories the titles with it stand; read once, then only asked."""

    def __init__(self, titles: Iterable[tuple[str, str]]) -> None:
        """`titles` are titles with category paths; paths that end alike are one shelf."""
        counts: dict[str, Counter[str]] = {}
        paths: dict[str, dict[str, None]] = {}
        denied: set[str] = set()
        for title, path in titles:
            lower = title[:200].lower()
            if "no" in lower:
                denied.update(stem(word) for word in _DENIED.findall(lower))
            if not path:
                continue
            label = path.rpartition(" > ")[2]
            paths.setdefault(label, {})[path] = None
            for root in {stem(word) for word in _WORD.findall(lower) if len(word) > 2}:
                if root in counts or len(counts) < MAX_WORDS:
                    counts.setdefault(root, Counter())[label] += 1
        self.denied = frozenset(denied)
        """Stems that follow "no" or "non" in a title: "non slip" is what a mat is, not what it is to be without."""
        self._paths = {label: tuple(found) for label, found in paths.items()}
        # One title proves little: a share of n titles is taken as if one more spoke against it.
        self._of = {
            root: tuple((label, n / (c.total() + 1)) for label, n in c.most_common(3) if n * 3 > c.total())
            for root, c in counts.items()
        }

    def knows(self, root: str) -> bool:
        """Whether any title has a word of this stem."""
        return root in self._of

    def predict(self, stems: Sequence[str]) -> tuple[tuple[str, ...], float]:
        """The paths of the likeliest category for some words, and how sure; nothing below `LEAST`."""
        doubt: dict[str, float] = {}
        for root in dict.fromkeys(stems):
            for label, share in self._of.get(root, ()):
                doubt[label] = doubt.get(label, 1.0) * (1.0 - share)
        if not doubt:
            return (), 0.0
        label = min(doubt, key=lambda name: (doubt[name], name))
        confidence = round(1.0 - doubt[label], 3)
        return (self._paths[label], confidence) if confidence >= LEAST else ((), 0.0)
