"""What a shopper may be typing: titles, categories and other shoppers' searches."""

from __future__ import annotations

import html
import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Final, Literal, NamedTuple

from aisle.han import has_han, simplified, syllables
from aisle.retrieve.completions import WORD, Completions, fold_word, words_of
from aisle.retrieve.pinyin import Pinyin
from aisle.types import Money, Suggestion

Kind = Literal["query", "category", "product"]

BOOSTS: Final[Mapping[str, float]] = {"query": 0.4, "category": 0.5, "product": 0.0}
"""A category or a search that others made leads further than one product."""

PER_DOUBLING: Final = 0.03
"""Added for each doubling of an entry's popularity."""

MAX_DELTA: Final = 500
DELTA_REFRESH_S: Final = 0.2
MAX_TYPED: Final = 100
MAX_POPULAR: Final = 20
MAX_CACHED: Final = 4096
MAX_RECENT: Final = 3
MAX_RECENT_UNTYPED: Final = 5
PERSONAL: Final = 0.35
"""Added for what the session is about; as much as a hundred searches by others."""

FROM_PINYIN: Final = 0.2
"""Taken from texts that hold a phrase which was typed in pinyin, against the phrase itself."""

MOSTLY: Final = 0.8
"""Share of a word's products that a longer word has, from which the word is only its beginning."""

READ_FURTHER: Final = 2
"""Readings of pinyin that are looked for in titles."""

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
    price: Money | None = None
    was: Money | None = None


@dataclass(frozen=True, slots=True)
class Mine:
    """What one shopper did lately: own searches, the newest first, and how much the session is about an entry.

    `liking` gives [0, 1]. Nothing of it is kept after the answer.
    """

    queries: tuple[str, ...] = ()
    liking: Callable[[Entry], float] | None = None


NOBODY: Final = Mine()


class Found(NamedTuple):
    """An entry that matches: how well, the beginnings it was found by, whether it has all words."""

    score: float
    entry: Entry
    words: tuple[str, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Typed:
    """The answer to a keystroke. `n_whole` of the products have all the words."""

    suggestions: list[Suggestion]
    products: list[Suggestion]
    n_whole: int = 0


def _key(entry: Entry) -> str:
    return entry.key or entry.item_id


def _shown(entry: Entry) -> tuple[object, ...]:
    return entry.text, entry.kind, entry.item_id, entry.image_link, entry.price, entry.was


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
        self.row_of = rows
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
        self._pinyin = Pinyin({})
        self._cache: dict[tuple[str, int], list[Found]] = {}
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

    def rebuild(
        self,
        entries: Iterable[Entry],
        queries: Mapping[str, int] | None = None,
        chinese: Mapping[str, int] = NO_QUERIES,
    ) -> None:
        """Take all products and categories, and past searches with their counts.

        A search is suggested only when it is fit to be shown to others and all
        its words are in the catalogue, which leaves typing errors out.
        `chinese` are the catalogue's Chinese words with how many products have
        them: what may be typed in pinyin besides searches and categories.
        """
        listed = list(entries)
        shelf = _Shelf(listed, queries or NO_QUERIES)
        searched = sorted((e for e in shelf.entries if e.kind == "query"), key=lambda e: -e.popularity)
        taken = {_key(entry): _shown(entry) for entry in listed}
        pinyin = Pinyin(_phrases(shelf.entries, chinese))
        with self._lock:
            # What changed after `entries` were gathered is not among them: it stays in the delta.
            self._changed = {
                key: entry
                for key, entry in self._changed.items()
                if (key in taken if entry is None else taken.get(key) != _shown(entry))
            }
            self._main, self._pinyin, self._popular = shelf, pinyin, tuple(searched[:MAX_POPULAR])
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
        self._cache = {}

    # --------------------------------------------------------------- answers

    def suggest(self, prefix: str, top_k: int = 8, mine: Mine = NOBODY) -> list[Suggestion]:
        """The best completions of what is typed so far, products among them."""
        return self.complete(prefix, top_k, mine=mine).suggestions

    def complete(self, prefix: str, top_k: int = 8, *, n_products: int = 0, mine: Mine = NOBODY) -> Typed:
        """The best completions of what is typed so far; for nothing typed, what others searched for most.

        With `n_products`, so many products come beside searches and categories, else among them.
        The shopper's own searches come first.
        """
        typed = prefix[:MAX_TYPED]
        words = tuple(words_of(typed))
        if not typed.strip():
            own = [_own(text) for text in mine.queries[:MAX_RECENT_UNTYPED] if is_shareable(text)]
            said = {tuple(words_of(s.text)) for s in own}
            popular = [
                _suggestion(Found(e.popularity, e, ())) for e in self._popular if tuple(words_of(e.text)) not in said
            ]
            return Typed([*own, *popular][:top_k], [])
        if not words or top_k <= 0:
            return Typed([], [])
        found = self._candidates(typed, words, 2 * (top_k + n_products))
        if mine.liking is not None:
            liking = mine.liking
            found = sorted(
                (f._replace(score=f.score + PERSONAL * liking(f.entry)) for f in found), key=lambda f: -f.score
            )
        own = [_own(t, words) for t in mine.queries if self._begun(t, words) and is_shareable(t)][:MAX_RECENT]
        said = {tuple(words_of(s.text)) for s in own}
        others = [f for f in found if not (f.entry.kind == "query" and tuple(words_of(f.entry.text)) in said)]
        if not n_products:
            return Typed([*own, *map(_suggestion, others)][:top_k], [])
        products = [f for f in others if f.entry.kind == "product"]
        products.sort(key=lambda f: not f.whole)
        completions = [_suggestion(f) for f in others if f.entry.kind != "product"]
        return Typed(
            [*own, *completions][:top_k],
            [_suggestion(f) for f in products[:n_products]],
            sum(f.whole for f in products[:n_products]),
        )

    def completed(self, prefix: str) -> str:
        """What is typed with its last word as it is likeliest to end, pinyin as Chinese."""
        typed = prefix[:MAX_TYPED]
        words = words_of(typed)
        if not words or typed[-1].isspace():
            return typed
        if read := self._pinyin.read(words, 1):
            return joined([*words[: read[0].begins], read[0].phrase])
        if self._main.index.knows(words[-1]) or len(words[-1]) < 2:
            return typed
        likeliest = self._main.index.likeliest(words[-1])
        return joined([*words[:-1], likeliest]) if likeliest else typed

    def _candidates(self, typed: str, words: tuple[str, ...], top_k: int) -> list[Found]:
        """What matches for anybody, best first; kept, since many type the same."""
        if self._dirty and time.monotonic() - self._delta_at > DELTA_REFRESH_S:
            with self._lock:
                if self._dirty:
                    self._refresh_delta()
        cache, last_whole = self._cache, typed[-1].isspace()
        asked = (" ".join(words) + " " * last_whole, top_k)
        kept = cache.get(asked)
        if kept is None:
            kept = self._search(words, last_whole, top_k)
            if len(cache) >= MAX_CACHED:
                cache.clear()
            cache[asked] = kept
        return kept

    def _search(self, words: tuple[str, ...], last_whole: bool, top_k: int) -> list[Found]:
        main, delta, hidden = self._main, self._delta, self._hidden
        found: dict[tuple[str, ...], Found] = {}

        def offer(same: tuple[str, ...], one: Found) -> None:
            if same not in found or found[same].score < one.score:
                found[same] = one

        def look(words: tuple[str, ...], last_whole: bool, *, less: float = 0.0, forgiving: bool = True) -> None:
            for shelf in (main, delta):
                matches = shelf.index.search(words, last_whole=last_whole, top_k=top_k, forgiving=forgiving)
                for row, score, as_meant, whole in matches:
                    entry = shelf.entry(row, hidden if shelf is main else NONE_HIDDEN)
                    if entry is not None:
                        offer(shelf.words[row], Found(score - less, entry, as_meant, whole))

        read = self._pinyin.read(words, top_k)
        # What reads well as pinyin is no misspelt Latin word.
        look(words, last_whole, forgiving=not read or bool(read[0].begins))
        for one in read:
            text = joined([*words[: one.begins], one.phrase])
            same = tuple(words_of(text))
            row = main.row_of.get(same)
            entry = main.entry(row, hidden) if row is not None else Entry(text, "query")
            if entry is not None and all(main.index.knows(word) for word in words[: one.begins]):
                offer(same, Found(one.score + BOOSTS[entry.kind], entry, tuple(words_of(one.phrase))))
        for one in read[:READ_FURTHER]:
            phrase = words_of(one.phrase)
            # Chinese has a word a character: that many words must not count for more than what was typed.
            less = FROM_PINYIN + 0.9 * (len(phrase) - 1) + (1 - one.score) * 0.5
            look((*words[: one.begins], *phrase), True, less=less, forgiving=False)
        ranked = sorted(found.values(), key=lambda f: (not f.whole, -f.score))
        # What lacks a word helps only where nothing has them all, and characters in common say nothing.
        some = not ranked or ranked[0].whole or any(not w.isascii() and has_han(w) for w in words)
        return [f for f in ranked if f.whole or not some][:top_k]

    def _begun(self, query: str, words: tuple[str, ...]) -> bool:
        """Whether every word typed begins a word of the query, or the typed pinyin begins it."""
        have = words_of(query)
        if all(any(word.startswith(typed) for word in have) for typed in words):
            return True
        if not len(self._pinyin) or not has_han(query) or not all(w.isascii() for w in words):
            return False
        said, letters = syllables(query), "".join(words)
        return "".join(said).startswith(letters) or (
            len(letters) > 1 and "".join(s[0] for s in said).startswith(letters)
        )


def joined(words: Sequence[str]) -> str:
    """Words as one writes them: no spaces between Chinese ones."""
    text = ""
    for word in words:
        text += word if not text or (has_han(text[-1]) and has_han(word[0])) else f" {word}"
    return text


def _suggestion(found: Found) -> Suggestion:
    e = found.entry
    marked = highlight(e.text, found.words)
    return Suggestion(e.text, e.kind, round(found.score, 4), e.item_id, e.image_link, marked, False, e.price, e.was)


def _own(text: str, words: tuple[str, ...] = ()) -> Suggestion:
    return Suggestion(text, "query", 0.0, highlight=highlight(text, words), recent=True)


def _phrases(entries: Iterable[Entry], chinese: Mapping[str, int]) -> dict[str, float]:
    """What may be typed in pinyin, with weights in [0, 1]: the catalogue's words, and what is suggested itself."""
    most = math.log2(1 + max(chinese.values(), default=1))
    ordered = sorted(chinese)
    phrases: dict[str, float] = {}
    for word, after in zip_longest(ordered, ordered[1:], fillvalue=""):
        # 连衣 is only the beginning of 连衣裙.
        if not (after.startswith(word) and chinese[after] >= MOSTLY * chinese[word]):
            phrases[word] = 0.8 * math.log2(1 + chinese[word]) / most
    for entry in entries:
        if entry.kind != "product" and has_han(entry.text):
            phrases[simplified(entry.text)] = 1.0
    return phrases


def highlight(text: str, words: Iterable[str]) -> str:
    """The text as HTML with the begun words in <em>."""
    wanted = sorted(set(words), key=len, reverse=True)
    firsts = {w[0] for w in wanted}
    parts, end = [], 0
    for match in WORD.finditer(text):
        first = match[0][0]
        if first.isascii() and first.lower() not in firsts:
            continue  # nearly all words
        folded = fold_word(match[0])
        word = next((w for w in wanted if folded.startswith(w)), None)
        if word is None:
            continue
        # Folding may change a word's length (ß, ﬁ): then the whole word is marked.
        stop = match.start() + (len(word) if len(folded) == len(match[0]) else len(match[0]))
        parts += [html.escape(text[end : match.start()]), "<em>", html.escape(text[match.start() : stop]), "</em>"]
        end = stop
    return ("".join(parts) + html.escape(text[end:])).replace("</em><em>", "")


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
