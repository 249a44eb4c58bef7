"""Whom a product is for: women, boys, my father."""

from __future__ import annotations

from collections.abc import Sequence

from aisle.types import Clause, Understood
from aisle.understand.draft import Draft
from aisle.understand.text import Word
from aisle.understand.wordlists import AGES, GENDERS, GENDERS_AFTER_FOR, RECIPIENTS

_GIFTS = frozenset({"gift", "gifts", "present", "presents", "birthday", "christmas", "anniversary", "礼物", "送"})
_BETWEEN = frozenset({"my", "a", "an", "the", "his", "her", "our", "your", "old", "year"})


def take_people(draft: Draft, spoken: Sequence[Word]) -> None:
    """Genders filter where they are said of the thing; a gift's receiver and an age only lift."""
    genders = draft.lexicon.genders
    gifts = {w.start for w in spoken if w.text in _GIFTS}
    is_gift = bool(gifts)
    if len(gifts) < len(spoken):
        draft.optional |= gifts  # few products say that they are one
    for i, word in enumerate(spoken):
        after_for = _after_for(spoken, i)
        sure = True
        meant = GENDERS.get(word.text)
        if meant is None and after_for:
            meant = GENDERS_AFTER_FOR.get(word.text)
            sure = not is_gift
        if meant is None and (after_for or is_gift or word.is_han) and word.text in RECIPIENTS:
            meant, sure = (RECIPIENTS[word.text],), False
            draft.optional.add(word.start)
        if age := AGES.get(word.text):
            shown = draft.lexicon.ages.get(age, age)
            draft.add(Understood("age", word.text, Clause("age_group", (shown,)), draft.sure_of([word], 0.9)))
        if meant is None:
            continue
        # Who asks for men's things also wants what is for everybody.
        values = tuple(dict.fromkeys(genders[g] for g in (*meant, "unisex") if g in genders))
        if values and any(g in genders for g in meant):
            confidence = draft.sure_of([word], 0.97 if sure else 0.75)
            draft.add(Understood("gender", word.text, Clause("gender", values), confidence, hard=sure))
            draft.optional.add(word.start)


def _after_for(spoken: Sequence[Word], i: int) -> bool:
    for before in reversed(spoken[max(0, i - 3) : i]):
        if before.text == "for":
            return True
        if before.text not in _BETWEEN:
            return False
    return False
