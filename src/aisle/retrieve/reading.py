"""Community content for a reader: guides and help pages, and reviews worth reading.

Pages are found by meaning where an encoder reads their language, and by the
words that they share with the product everywhere. Reviews are chosen for how
much they tell, not for how kind they are.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from aisle.errors import AisleError
from aisle.ports import ContentStore, TextEncoder
from aisle.types import Group, Page, Review, Vectors

log = logging.getLogger("aisle.retrieve")

MOST_ENCODED: Final = 400
"""Pages that are read by the encoder; a shop with more finds the others by words."""

READ_CHARS: Final = 600
"""Characters of a page that the encoder reads: what it is about stands at its beginning."""

_AT_ONCE: Final = 16
"""Pages that are encoded together: searches need the encoder meanwhile."""

NEAR: Final = 0.25
"""Least score for a page to be about a product: cosine, or its share of the product's telling words."""

NEARLY: Final = 0.75
"""Share of the best page's score from which another page answers a question too."""

PASSAGE_CHARS: Final = 260

TELLING_CHARS: Final = 300.0
"""A review of this length tells all that one can; a longer one no more."""

_WORD: Final = re.compile(r"[a-z0-9]{3,}", re.IGNORECASE)
_CJK: Final = re.compile(r"[\u3400-\u9fff]+")
_COMMON: Final = frozenset(
    """and are but for from has have not our that the their them they this was with you your
    one two three four five six ten first without like""".split()  # noqa: SIM905
)


_VAGUE: Final = frozenset({"policy", "policie", "information", "question", "shop", "store", "cost", "time", "long"})
"""What any help page may be called; a question for one is about its other words."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Something to read. `about` is the item it is about, or that led to it; higher `score` is better."""

    kind: Literal["page", "review"]
    reading_id: str
    title: str
    text: str
    score: float
    about: str = ""
    subject: str = ""
    rating: float | None = None
    reviewer: str = ""


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The pages of one moment, `words` of each, and how many pages each word is on.

    `vectors` float32[m, dim] of the first m, zeros for those that are still `unread`; None where none is known.
    """

    version: int = -1
    pages: tuple[Page, ...] = ()
    words: tuple[Counter[str], ...] = ()
    frequency: Counter[str] = field(default_factory=Counter)
    vectors: Vectors | None = None
    unread: tuple[str, ...] = ()


EmbedTexts = Callable[[Sequence[str], bool], Mapping[str, Vectors]]
"""Vectors by text of those texts that have one; the flag allows encoding what has none."""


class Library:
    """The shop's pages and reviews, ready to be matched. One thread follows the store, any number ask.

    Pages are encoded, by `embed`, where the encoder reads the shop's `language`.
    """

    def __init__(
        self, content: ContentStore, encoder: TextEncoder | None, language: str, embed: EmbedTexts | None
    ) -> None:
        self._content, self._encoder, self._language, self._embed = content, encoder, language, embed
        self._shelf = _Shelf()
        self._known: dict[str, Vectors] = {}

    @property
    def pages(self) -> tuple[Page, ...]:
        """All of them; another tuple after a change."""
        return self._shelf.pages

    def has(self, version: int) -> bool:
        """Whether the pages of that version of the content are found, by meaning too where an encoder reads them."""
        return self._shelf.version >= version and not self._shelf.unread

    def follow(self, *, encode: bool = True) -> bool:
        """Take in what changed, and encode some of the pages that were never read; True when there are more.

        Those are found by words until then. Raises what the encoder raises.
        """
        version = self._content.version()
        if version != self._shelf.version:
            pages = tuple(self._content.pages())
            if pages == self._shelf.pages:  # it was a review that changed
                self._shelf = replace(self._shelf, version=version)
            else:
                words = tuple(Counter(_words(f"{p.title} {p.title} {p.text}")) for p in pages)
                frequency = Counter(word for w in words for word in w)
                self._shelf = self._read(_Shelf(version, pages, words, frequency), encode=False)
        if encode and self._shelf.unread:
            self._shelf = self._read(self._shelf, encode=True)
            return bool(self._shelf.unread)
        return False

    def _read(self, shelf: _Shelf, *, encode: bool) -> _Shelf:
        """With the vectors that are known or stored and, if it may `encode`, some more."""
        encoder = self._encoder
        if self._embed is None or encoder is None or not encoder.covers(self._language):
            return shelf
        texts = [f"{p.title}. {p.text[:READ_CHARS]}" for p in shelf.pages[:MOST_ENCODED]]
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known |= self._embed(new[:_AT_ONCE] if encode else new, encode)
        self._known = {text: self._known[text] for text in texts if text in self._known}
        vectors = np.zeros((len(texts), encoder.dim), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._known.get(text, 0.0)
        unread = tuple(text for text in new if text not in self._known)
        return replace(shelf, vectors=vectors if self._known else None, unread=unread)

    def pages_about(self, groups: Sequence[Group], vectors: Vectors | None, top_k: int) -> list[Reading]:
        """Pages about some products, best first.

        `vectors` float32[n, dim] are theirs in the encoder's space (None: unknown).
        """
        shelf = self._shelf
        pages, words, frequency, of_pages = shelf.pages, shelf.words, shelf.frequency, shelf.vectors
        if not pages or not groups:
            return []
        meaning = np.full((len(groups), len(pages)), 0.0)
        if of_pages is not None and vectors is not None and vectors.shape[1] == of_pages.shape[1]:
            meaning[:, : len(of_pages)] = vectors @ of_pages.T
        shared = np.array([[_overlap(_words(_text_of(g)), w, frequency, len(pages)) for w in words] for g in groups])
        scores = 0.5 * np.clip(meaning, 0, 1) + 0.5 * shared if meaning.any() else shared
        best = scores.max(axis=0)
        found = []
        for place in np.argsort(-best, kind="stable")[:top_k].tolist():
            if best[place] < NEAR:
                break
            page, group = pages[place], groups[int(scores[:, place].argmax())]
            found.append(
                Reading(
                    "page", page.page_id, page.title, _excerpt(page.text, page.title), float(best[place]),
                    group.lead.item_id, group.lead.title,
                )
            )  # fmt: skip
        return found

    def pages_for(self, question: str, language: str, top_k: int) -> list[tuple[Page, str]]:
        """Pages that answer a question, best first, each with the passage that does."""
        shelf = self._shelf
        pages, words, frequency, of_pages = shelf.pages, shelf.words, shelf.frequency, shelf.vectors
        asked = _words(question)
        asked = [w for w in asked if w not in _VAGUE] or asked
        if not pages:
            return []
        scores = np.array([_share(asked, w, frequency, len(pages)) for w in words])
        titles = np.array([_share(asked, Counter(_words(p.title)), frequency, len(pages)) for p in pages])
        scores = scores + 0.5 * titles
        encoder = self._encoder
        if of_pages is not None and encoder is not None and encoder.covers(language):
            try:
                scores[: len(of_pages)] += of_pages @ encoder.encode([question])[0]
            except (AisleError, RuntimeError, OSError, MemoryError) as error:
                log.warning("pages are found by words only: %s", error)
        best = np.argsort(-scores, kind="stable")[:top_k].tolist()
        # The second best only when it is nearly as good: a wrong page is worse than none.
        kept = [place for place in best if scores[place] >= max(NEAR, NEARLY * scores[best[0]])]
        return [(pages[place], _passage(pages[place], asked, frequency, len(pages))) for place in kept]

    def reviews_of(self, groups: Sequence[Group], top_k: int, *, each: int = 1) -> list[Reading]:
        """The reviews of some products that tell the most, at most so many `each`."""
        found: list[Reading] = []
        for group in groups:
            ids = list(dict.fromkeys((group.group_id, *(p.item_id for p in group.products))))
            told = sorted(self._content.reviews(ids, 50), key=lambda r: (-_telling(r), r.review_id))
            found += [
                Reading(
                    "review", r.review_id, r.title, r.text, _telling(r), r.item_id, group.lead.title,
                    r.rating, r.reviewer,
                )
                for r in told[:each]
                if r.text.strip()
            ]  # fmt: skip
        return sorted(found, key=lambda r: -r.score)[:top_k]


def _text_of(group: Group) -> str:
    """What a product is, in few words: a description's many words would find any page."""
    lead = group.lead
    worn = "size" if lead.size and lead.gender else ""
    return f"{lead.title} {lead.product_type.replace('>', ' ')} {lead.material} {worn}"


def _words(text: str) -> list[str]:
    """Words without a plural's s; of Chinese every two characters that stand together."""
    pairs = [run[at : at + 2] for run in _CJK.findall(text) for at in range(len(run) - 1)]
    words = [w[:-1] if len(w) > 4 and w.endswith("s") else w for w in _WORD.findall(text.lower()) if w not in _COMMON]
    return words + pairs


def _overlap(words: Iterable[str], page: Counter[str], frequency: Counter[str], n_pages: int) -> float:
    """The share of the product's words that the page has, the rarer among pages the heavier; in [0, 1]."""
    weights = {w: math.log1p(n_pages / frequency[w]) for w in set(words) if w in frequency}
    total = sum(weights.values())
    have = sum(weight for w, weight in weights.items() if w in page)
    return have / total * min(1.0, have / 3) if total else 0.0


def _share(asked: Iterable[str], page: Counter[str], frequency: Counter[str], n_pages: int) -> float:
    """The share of a question's words that a page has, the rarer the heavier; in [0, 1]."""
    weights = {w: math.log1p(n_pages / frequency[w]) for w in set(asked) if w in frequency}
    total = sum(weights.values())
    return sum(weight for w, weight in weights.items() if w in page) / total if total else 0.0


def _passage(page: Page, asked: Sequence[str], frequency: Counter[str], n_pages: int) -> str:
    """The lines of a page that have most of the question's words."""
    lines = [" ".join(line.split()) for line in page.text.splitlines()]
    lines = [line for line in lines if line and line != page.title]
    if not lines:
        return ""
    scores = [_share(asked, Counter(_words(line)), frequency, n_pages) for line in lines]
    at = max(range(len(lines)), key=lambda i: (scores[i] * min(1.0, len(lines[i]) / 40), -i))
    return _excerpt(" ".join(lines[at : at + 4]), "", PASSAGE_CHARS)


def _telling(review: Review) -> float:
    """How much a review tells, in [0, 1]: its length up to a limit, a title, a clear verdict."""
    length = min(1.0, len(review.text) / TELLING_CHARS)
    verdict = abs(review.rating - 3) / 2
    return 0.7 * length + 0.2 * verdict + 0.1 * bool(review.title.strip())


def _excerpt(text: str, title: str, chars: int = 220) -> str:
    """The beginning of a page, without the title that it repeats, cut at a word."""
    body = text.strip()
    if title and body.startswith(title):
        body = body[len(title) :].strip()
    body = " ".join(body.split())
    if len(body) <= chars:
        return body
    cut = body[:chars]
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut).rstrip(" ,.;:") + "…"
