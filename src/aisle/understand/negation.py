"""What a shopper does not want: "without hood", "not red", "no polyester", -leather, leather-free, 不要红色."""

from __future__ import annotations

from collections.abc import Sequence

from aisle.types import Clause, Understood
from aisle.understand.draft import Draft
from aisle.understand.lexicon import MAX_PHRASE_WORDS, Meaning
from aisle.understand.text import Word, stem
from aisle.understand.units import MEASURES
from aisle.understand.wordlists import GENDERS, NEGATIONS, SAME_COLORS, STOP_WORDS

_FREE = frozenset({"free"})
_ON = frozenset({"or", "and", "nor", "和", "或"})
_RANK = {"material": 0, "attribute": 1, "category": 2, "brand": 3}
_LEAST = 0.3
_TRIGGERS = tuple(sorted((n for n in NEGATIONS if not n.isascii()), key=len, reverse=True))


def take_unwanted(draft: Draft, spoken: list[Word]) -> list[Word]:
    """Make conditions of what is not wanted; the words that are left."""
    kept: list[Word] = []
    i = 0
    while i < len(spoken):
        word = spoken[i]
        n = _named(draft, spoken, i)  # "non-stick", "wrinkle free" and "No Fear" are names here
        if n:
            kept += spoken[i : i + n]
            i += n
        elif (start := _after_trigger(draft.text, spoken, i)) is not None:
            i = _exclude_all(draft, spoken, i, start, kept)
        elif i + 1 < len(spoken) and spoken[i + 1].text in _FREE and _meant(draft, [word]):
            _exclude(draft, [word])  # leather free
            draft.gone.add(spoken[i + 1].start)
            i += 2
        elif word.text.endswith("-free") and _meant(draft, [_part(word, word.text[:-5])]):
            _exclude(draft, [_part(word, word.text[:-5])])
            i += 1
        elif word.text.startswith("non-") and _meant(draft, [_part(word, word.text[4:])]):
            _exclude(draft, [_part(word, word.text[4:])])
            i += 1
        elif word.is_han and (trigger := next((t for t in _TRIGGERS if word.text.startswith(t)), "")):
            rest = word.text[len(trigger) :]
            _exclude(draft, [Word(rest, word.start + len(trigger), word.end, rest)])
            draft.gone.add(word.start)
            i += 1
        else:
            kept.append(word)
            i += 1
    return kept if kept or draft.understood else spoken


def _after_trigger(text: str, spoken: Sequence[Word], i: int) -> int | None:
    """Where what is not wanted begins, when spoken[i] says that something is not."""
    word = spoken[i]
    if word.text in NEGATIONS:
        return i + 1
    if word.text == "w" and text[word.end : word.end + 2] == "/o":
        return i + 2
    if word.text in ("other", "rather") and i + 1 < len(spoken) and spoken[i + 1].text == "than":
        return i + 2
    if (
        len(word.text) > 2
        and word.text not in MEASURES
        and word.start
        and text[word.start - 1] == "-"
        and (word.start == 1 or text[word.start - 2] == " ")
    ):
        return i
    return None


def _exclude_all(draft: Draft, spoken: Sequence[Word], trigger: int, start: int, kept: list[Word]) -> int:
    """Exclude what follows the trigger, and what "or" adds to it; where reading goes on."""
    draft.gone.update(w.start for w in spoken[trigger:start])
    i = start
    while i < len(spoken) and spoken[i].text in ("for", "in", "any", "the", "a", "an", "made", "of", "with", "from"):
        draft.gone.add(spoken[i].start)
        i += 1
    if i >= len(spoken) or spoken[i].text in STOP_WORDS or spoken[i].text[0].isdigit():
        if i == trigger:  # "-5", "-the": no trigger after all
            kept.append(spoken[i])
            return i + 1
        return i  # "no. 5", "not that": nothing is named
    i += _exclude_longest(draft, spoken, i)
    while i + 1 < len(spoken) and spoken[i].text in _ON:
        both = spoken[i].text in ("or", "nor", "或") or _same_kind(draft, spoken, i + 1)
        if not both or spoken[i + 1].text in NEGATIONS or not _longest(draft, spoken, i + 1)[1]:
            break
        draft.gone.add(spoken[i].start)
        i += 1 + _exclude_longest(draft, spoken, i + 1)
    return i


def _exclude_longest(draft: Draft, spoken: Sequence[Word], i: int) -> int:
    n, _ = _longest(draft, spoken, i)
    _exclude(draft, spoken[i : i + n])
    return n


def _same_kind(draft: Draft, spoken: Sequence[Word], i: int) -> bool:
    """Whether what stands there is of the kind that was excluded last: "no leather and suede"."""
    found = _longest(draft, spoken, i)[1]
    last = next((u for u in reversed(draft.understood) if u.clause.exclude), None)
    return found is not None and last is not None and found.field == last.clause.field


def _longest(draft: Draft, spoken: Sequence[Word], i: int) -> tuple[int, Clause | None]:
    for n in range(min(MAX_PHRASE_WORDS, len(spoken) - i), 0, -1):
        if found := _meant(draft, spoken[i : i + n]):
            return n, found[1]
    return 1, None


def _named(draft: Draft, spoken: Sequence[Word], i: int) -> int:
    """How many words from there are a name in this shop that only looks like a negation."""
    for n in range(min(MAX_PHRASE_WORDS, len(spoken) - i), 0, -1):
        part = spoken[i : i + n]
        looks = part[0].text in NEGATIONS or part[-1].text in _FREE or part[-1].text.endswith("-free")
        if looks and draft.lexicon.phrases.get(" ".join(w.stem for w in part)):
            return n
    if spoken[i].text in ("no", "non") and i + 1 < len(spoken) and spoken[i + 1].stem in draft.lexicon.shelves.denied:
        return 2
    return 0


def _meant(draft: Draft, part: Sequence[Word]) -> tuple[str, Clause] | None:
    """Kind and clause of what a phrase names: a colour, whom it is for, a material, a trait, a category."""
    lexicon = draft.lexicon
    if len(part) == 1:
        word = part[0].text
        name = SAME_COLORS.get(word, word)
        if values := lexicon.colors.get(word) or lexicon.colors.get(name):
            return "color", Clause("color", values)
        genders = tuple(lexicon.genders[g] for g in GENDERS.get(word, ()) if g in lexicon.genders)
        if genders:
            return "gender", Clause("gender", genders)
    found: list[Meaning] = sorted(
        (m for m in lexicon.phrases.get(" ".join(w.stem for w in part), ()) if m.confidence >= _LEAST),
        key=lambda m: _RANK.get(m.kind, 9),
    )
    if found:
        values = tuple(v for m in found if m.field == found[0].field for v in m.values)
        return found[0].kind, Clause(found[0].field, values)
    return None


def _exclude(draft: Draft, part: Sequence[Word]) -> None:
    text = draft.text[part[0].start : part[-1].end] if part[0].is_han else " ".join(w.text for w in part)
    found = _meant(draft, part)
    if found is None:
        meaning = Understood("word", text, Clause("words", tuple(w.text for w in part), exclude=True), 0.85, hard=True)
    else:
        kind, clause = found
        clause = Clause(clause.field, clause.values, exclude=True)
        meaning = Understood(kind, text, clause, draft.sure_of(part, 0.95), hard=True)  # type: ignore[arg-type]
    draft.add(meaning)
    draft.gone.update(w.start for w in part)


def _part(word: Word, text: str) -> Word:
    return Word(text, word.start, word.end, stem(text))
