"""Sizes of this shop: "size M", XL, "8 ft"; "medium" and 42 where the category comes in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aisle.types import Clause, Understood
from aisle.understand import chinese
from aisle.understand.draft import Draft
from aisle.understand.text import Word
from aisle.understand.units import find_measures

_LETTERS = re.compile(r"^(?:x{1,4}s|x{1,5}l|[2-6]xl|[2-6]xs|xxs|xxxl)$")
_SPOKEN: dict[tuple[str, ...], str] = {
    ("extra", "extra", "large"): "xxl", ("extra", "large"): "xl", ("x", "large"): "xl", ("x-large",): "xl",
    ("extra-large",): "xl", ("xx-large",): "xxl", ("extra", "small"): "xs", ("x", "small"): "xs", ("x-small",): "xs",
    ("extra-small",): "xs", ("small",): "s", ("medium",): "m", ("large",): "l",
}  # fmt: skip


def take_sizes(draft: Draft, spoken: Sequence[Word]) -> None:
    """Sizes filter when they are said clearly, or when the category that was named comes in them."""
    sizes = draft.lexicon.sizes
    if not sizes:
        return
    own = {s for path in draft.category for s in draft.lexicon.sizes_of.get(path, ())}
    for name, start, end in chinese.find_sizes(draft.text, sizes):
        _size(draft, name, draft.text[start:end], _within(spoken, start, end))
    for measure in find_measures(draft.text):
        if measure.name in sizes:
            used = _within(spoken, measure.start, measure.end)
            _size(draft, measure.name, draft.text[measure.start : measure.end].strip(), used)
    for i, word in enumerate(spoken):
        if word.start in draft.gone:
            continue
        if word.text in ("size", "sizes", "sz") and i + 1 < len(spoken):
            after = spoken[i + 1]
            both = f"{after.text} {spoken[i + 2].text}" if i + 2 < len(spoken) else ""
            if both in sizes:
                _size(draft, both, f"{word.text} {both}", spoken[i : i + 3])
            elif _known(after.text, sizes):
                _size(draft, _known(after.text, sizes), f"{word.text} {after.text}", spoken[i : i + 2])
            elif (name := _SPOKEN.get((after.text,), "")) in sizes:
                _size(draft, name, f"{word.text} {after.text}", spoken[i : i + 2])
        elif _LETTERS.match(word.text):
            if name := _known(word.text, sizes):
                _size(draft, name, word.text, [word])
        elif own:
            _of_category(draft, spoken, i, own)


def _of_category(draft: Draft, spoken: Sequence[Word], i: int, own: set[str]) -> None:
    """ "medium" of a hoodie, 42 of boots, and no size of a bag."""
    for n in (3, 2, 1):
        part = spoken[i : i + n]
        name = _SPOKEN.get(tuple(w.text for w in part), "")
        if name in own:
            _size(draft, name, " ".join(w.text for w in part), part, 0.9)
            return
    word = spoken[i]
    if word.text in own and (word.text.isdigit() or len(word.text) <= 3):
        _size(draft, word.text, word.text, [word], 0.85)


def _size(draft: Draft, name: str, text: str, used: Sequence[Word], confidence: float = 0.95) -> None:
    clause = Clause("size", (draft.lexicon.sizes[name],))
    draft.add(Understood("size", text, clause, confidence, hard=True))
    draft.gone.update(w.start for w in used)


def _known(name: str, sizes: Mapping[str, str]) -> str:
    """The name, or the other way to write it (2xl, xxl), that the shop has."""
    if name in sizes:
        return name
    return _other(name) if _LETTERS.match(name) and _other(name) in sizes else ""


def _other(name: str) -> str:
    """2xl ↔ xxl."""
    if name[0].isdigit():
        return "x" * int(name[0]) + name[-1]
    n = name.count("x")
    return f"{n}x{name[-1]}" if n > 1 else name


def _within(spoken: Sequence[Word], start: int, end: int) -> list[Word]:
    return [w for w in spoken if start <= w.start < end]
