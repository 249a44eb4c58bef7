"""What a shopper may be typing: titles, categories and other shoppers' searches."""

from __future__ import annotations

import html
import math
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal

from aisle.retrieve.completions import WORD, Completions, fold_word, words_of
from aisle.types import Suggestion

Kind = Literal["query", "category", "product"]

BOOSTS: Final[Mapping[str, float]] = {"query": 0.4, "category": 0.5, "product": 0.0}
"""A category or a search that others made leads further than one product."""

PER_DOUBLING: Final = 0.03
"""Added for each doubling of an entry's popularity."""

MAX_DELTA: Final = 500
DELTA_REFRESH_S: Final = 0.2
MAX_TYPED: Final = 100
MAX_POPULAR: Final = 20
NO_QUERIES: Final[Mapping[str, int]] = {}
NONE_HIDDEN: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """A text that may be suggested. `popularity` counts events or searches; 0 is fine.

    `key` names the product, so that a change of it replaces its entry.
    """

    text: str
    kind: Kind = "product"
    item_id: str = ""
    image_link: str = ""
    popularity: float = 0.0
    key: str = ""


def _key(entry: Entry) -> str:
    return entry.key or entry.item_id


def _shown(entry: Entry) -> tuple[str, ...]:
    return entry.text, entry.kind, entry.item_id, entry.image_link


class _Shelf:
    """Entries with their index; equal texts are one row, `others` keeps those behind the first.

    Past `queries` join when they are fit to be shown and all their words are in the entries.
    """

    def __init__(self, entries: Iterable[Entry], queries: Mapping[str, int] = NO_QUERIES) -> None:
        rows: dict[tuple[str, ...], int] = {}
        self.entries: list[Entry] = []
        self.others: dict[int, list[Entry]] = {}
        counts: list[float] = []
        known: dict[str, str] = {}  # each word once: a million titles share some thousands
        searches = (Entry(text, "query", popularity=count) for text, count in queries.items() if is_shareable(text))
        for entry in chain(entries, searches):
            words = tuple(words_of(entry.text))
            if not words:
                continue
            if entry.kind != "query":
                words = tuple([known.setdefault(word, word) for word in words])
            elif not known.keys() >= set(words):
                continue  # most likely a typing error: the catalogue has no such word
            row = rows.setdefault(words, len(rows))
            if row == len(self.entries):
                self.entries.append(entry)
                counts.append(entry.popularity)
                continue
            counts[row] += entry.popularity
            better = BOOSTS[entry.kind] > BOOSTS[self.entries[row].kind]
            self.others.setdefault(row, []).append(self.entries[row] if better else entry)
            if better:
                self.entries[row] = entry
        self.words = list(rows)
        boosts = [BOOSTS[e.kind] + PER_DOUBLING * math.log2(1 + n) for e, n in zip(self.entries, counts, strict=True)]
        self.index = Completions(self.words, boosts)

    def entry(self, row: int, hidden: frozenset[str]) -> Entry | None:
        """What to show for a row when some keys are hidden; None: nothing is left of it."""
        entry = self.entries[row]
        if not hidden or _key(entry) not in hidden:
            return entry
        return next((e for e in self.others.get(row, ()) if _key(e) not in hidden), None)


class Suggester:
    """Suggests as one types, tolerant of one typing error.

    `rebuild` takes everything (seconds for a large catalogue: call it from a
    background thread); `upsert` and `remove` take single products, which the
    next answer shows. `stale` says that a rebuild is due.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._main, self._delta = _Shelf(()), _Shelf(())
        self._popular: tuple[Entry, ...] = ()
        self._changed: dict[str, Entry | None] = {}
        self._hidden: frozenset[str] = frozenset()
        self._dirty = False
        self._delta_at = 0.0

    def __len__(self) -> int:
        return len(self._main.entries) + len(self._delta.entries)

    @property
    def stale(self) -> bool:
        """Whether so much changed since the last rebuild that another one pays."""
        return len(self._changed) > MAX_DELTA

    def rebuild(self, entries: Iterable[Entry], queries: Mapping[str, int] | None = None) -> None:
        """Take all products and categories, and past searches with their counts.

        A search is suggested only when it is fit to be shown to others and all
        its words are in the catalogue, which leaves typing errors out.
        """
        listed = list(entries)
        shelf = _Shelf(listed, queries or NO_QUERIES)
        searched = sorted((e for e in shelf.entries if e.kind == "query"), key=lambda e: -e.popularity)
        taken = {_key(entry): _shown(entry) for entry in listed}
        with self._lock:
            # What changed after `entries` were gathered is not among them: it stays in the delta.
            self._changed = {
                key: entry
                for key, entry in self._changed.items()
                if (key in taken if entry is None else taken.get(key) != _shown(entry))
            }
            self._main, self._popular = shelf, tuple(searched[:MAX_POPULAR])
            self._refresh_delta()

    def upsert(self, entries: Iterable[Entry]) -> None:
        """Add or replace products by their `key`."""
        with self._lock:
            self._change((_key(entry), entry) for entry in entries)

    def remove(self, keys: Iterable[str]) -> None:
        """Suggest these products no more."""
        with self._lock:
            self._change((key, None) for key in keys)

    def _change(self, changes: Iterable[tuple[str, Entry | None]]) -> None:
        for key, entry in changes:
            self._changed.pop(key, None)  # so that the newest change stands last
            self._changed[key] = entry
            self._dirty = True

    def _refresh_delta(self) -> None:
        newest = {key: e for key, e in list(self._changed.items())[-MAX_DELTA:] if e is not None}
        self._delta = _Shelf(newest.values())
        self._hidden = frozenset(newest) | {key for key, e in self._changed.items() if e is None}
        self._dirty, self._delta_at = False, time.monotonic()

    # --------------------------------------------------------------- answers

    def suggest(self, prefix: str, top_k: int = 8) -> list[Suggestion]:
        """The best completions of what is typed so far; for nothing typed, what others searched for most."""
        if self._dirty and time.monotonic() - self._delta_at > DELTA_REFRESH_S:
            with self._lock:
                if self._dirty:
                    self._refresh_delta()
        typed = prefix[:MAX_TYPED]
        words = words_of(typed)
        if not typed.strip():
            return [Suggestion(e.text, e.kind, e.popularity, highlight=html.escape(e.text)) for e in self._popular][
                :top_k
            ]
        if not words or top_k <= 0:
            return []
        last_whole = typed[-1].isspace()
        main, delta, hidden = self._main, self._delta, self._hidden
        found: dict[tuple[str, ...], tuple[float, Entry, tuple[str, ...]]] = {}
        for shelf in (main, delta):
            for row, score, as_meant in shelf.index.search(words, last_whole=last_whole, top_k=top_k):
                entry = shelf.entry(row, hidden if shelf is main else NONE_HIDDEN)
                if entry is None:
                    continue
                same = shelf.words[row]
                if same not in found or found[same][0] < score:
                    found[same] = (score, entry, as_meant)
        best = sorted(found.values(), key=lambda f: -f[0])[:top_k]
        return [
            Suggestion(e.text, e.kind, round(score, 4), e.item_id, e.image_link, highlight(e.text, as_meant))
            for score, e, as_meant in best
        ]


def highlight(text: str, words: Iterable[str]) -> str:
    """The text as HTML with the begun words in <em>."""
    wanted = sorted(set(words), key=len, reverse=True)
    parts, end = [], 0
    for match in WORD.finditer(text):
        folded = fold_word(match[0])
        word = next((w for w in wanted if folded.startswith(w)), None)
        if word is None:
            continue
        # Folding may change a word's length (ß, ﬁ): then the whole word is marked.
        stop = match.start() + (len(word) if len(folded) == len(match[0]) else len(match[0]))
        parts += [html.escape(text[end : match.start()]), "<em>", html.escape(text[match.start() : stop]), "</em>"]
        end = stop
    return "".join(parts) + html.escape(text[end:])


# ------------------------------------------------- what may be shown to others

_CONTACT: Final = re.compile(r"@|https?:|www\.|\d(?:[\s().-]*\d){6,}")
_RUDE: Final = frozenset(
    """anal arse ass asshole bastard bitch bollocks cock cum cunt dick dildo fag faggot fuck fucker fucking
    motherfucker nigger nigga penis piss porn pussy rape retard shit slut tits twat vagina wank whore xxx""".split()  # noqa: SIM905
)


def is_shareable(query: str) -> bool:
    """Whether a search may be suggested to others: no address, number of a person, or abuse in it."""
    text = query.strip()
    return 2 <= len(text) <= 60 and not _CONTACT.search(text) and not _RUDE.intersection(words_of(text))


def category_entries(categories: Mapping[str, int]) -> list[Entry]:
    """Entries for category paths with their number of products: the leaf's name, once each.

    A leaf of several paths (Men > Tops, Women > Tops) is suggested with its
    parent before it as well, as `Men Tops`.
    """
    paths: dict[str, list[tuple[str, ...]]] = {}
    counts: dict[tuple[str, ...], int] = {}
    for path, count in categories.items():
        parts = tuple(part.strip() for part in path.split(">") if part.strip())
        for end in range(1, len(parts) + 1):
            if parts[:end] not in counts:
                paths.setdefault(parts[end - 1], []).append(parts[:end])
            counts[parts[:end]] = counts.get(parts[:end], 0) + count
    entries = []
    for leaf, of_leaf in paths.items():
        entries.append(Entry(leaf, "category", item_id="", popularity=sum(counts[p] for p in of_leaf)))
        if len(of_leaf) > 1:
            entries += [Entry(" ".join(p[-2:]), "category", popularity=counts[p]) for p in of_leaf if len(p) > 1]
    return entries
