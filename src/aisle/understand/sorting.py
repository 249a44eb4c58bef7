"""What order the shopper wishes, and whether only what is reduced: "cheapest", "best rated", "new", "on sale"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_GOOD = r"(?:best|top|highest|high|highly|well|good|great|excellent|better)"
_PATTERNS: tuple[tuple[str, float, str], ...] = (
    ("price_desc", 0.95, r"most\s+expensive|priciest|high(?:est)?[\s-]price[sd]?|high\s+to\s+low"),
    ("price_asc", 0.95, r"cheapest|least\s+expensive|lowest[\s-](?:price[sd]?|cost)|most\s+affordable|low\s+to\s+high"),
    ("price_asc", 0.7, r"not\s+(?:too\s+|so\s+|very\s+)?expensive|cheap(?:er)?(?!\s+than)|affordable|inexpensive"),
    ("price_asc", 0.9, r"(?:sort(?:ed)?|order(?:ed)?)\s+by\s+price"),
    ("rating", 0.9, r"(?:sort(?:ed)?|order(?:ed)?)\s+by\s+ratings?"),
    ("rating", 0.7, r"(?:good|best|high|great|better|top)[\s-]quality"),
    ("rating", 0.95, rf"(?:with\s+)?(?:the\s+)?{_GOOD}[\s-](?:rated|reviewed|reviews?|ratings?)"),
    ("rating", 0.9, r"(?:(?:at\s+least|over|above)\s+)?[345](?:\.\d)?\+?[\s-]?stars?"
                    r"(?:\s+(?:and|or)\s+(?:up|more|above))?"),
    ("newest", 0.95, r"newest|latest|new(?:ly)?\s+(?:arrivals?|arrived|releases?|added|in\s+stock)|"
                     r"just\s+(?:in|arrived)|what(?:'s|’s|s|\s+is)\s+new|recently\s+added"),
    ("newest", 0.7, r"(?:brand\s+)?new"),
    ("sale", 0.9, r"(?<!any\s)discount(?=\s+[^\W\d])(?!\s+(?:codes?|on|for|available))"),
    ("sale", 0.95, r"(?:that\s+(?:is|are)\s+)?on\s+(?:sale|offer|discount)|discounted|reduced(?:\s+price)?|"
                   r"marked\s+down|clearance|(?<!for\s)sales?"),
)  # fmt: skip
_CHINESE: tuple[tuple[str, float, str], ...] = (
    ("price_desc", 0.95, r"最贵(?:的)?|价格最高(?:的)?"),
    ("price_asc", 0.95, r"最便宜(?:的)?|价格最低(?:的)?|最实惠(?:的)?"),
    ("price_asc", 0.7, r"便宜(?:点)?(?:的)?|实惠(?:的)?|平价(?:的)?"),
    (
        "rating",
        0.9,
        r"(?:最)?好评(?:最多|最高|率高)?(?:的)?|评[分价](?:最|很)?[高好](?:的)?|最高评[分价](?:的)?|口碑(?:最|很)?好(?:的)?",
    ),
    ("newest", 0.9, r"最新(?:款|上架)?(?:的)?|新[款品](?:的)?|新到(?:的)?|刚上架(?:的)?|上新"),
    ("sale", 0.95, r"打折(?:的)?|特价(?:的)?|降价(?:的)?|折扣(?!码|券)(?:的)?|促销(?!活动)(?:的|中)?|清仓(?:的)?"),
)
_RULES = tuple(
    (name, sure, re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE)) for name, sure, pattern in _PATTERNS
) + tuple((name, sure, re.compile(pattern)) for name, sure, pattern in _CHINESE)
_ANY = re.compile(
    r"expens|cost|pric|cheap|low|sort|order|qualit|afford|rated|review|rating|star|new|latest|just|recent|sale|offer|discount|reduced|"
    r"marked|clearance|[贵便价实好评口新刚上打特降折促清]",
    re.IGNORECASE,
)

SURE = 0.8


@dataclass(frozen=True, slots=True)
class Wish:
    """An order or `sale`, said by text[start:end]; below `SURE` a known name in the shop wins over it."""

    start: int
    end: int
    name: Literal["price_asc", "price_desc", "rating", "newest", "sale"]
    confidence: float


def find_wishes(text: str) -> list[Wish]:
    """Every wish in cleaned text, in order, none overlapping another."""
    if not _ANY.search(text):
        return []
    found: list[Wish] = []
    for name, confidence, pattern in _RULES:
        for match in pattern.finditer(text):
            if all(match.end() <= w.start or match.start() >= w.end for w in found):
                found.append(Wish(match.start(), match.end(), name, confidence))  # type: ignore[arg-type]
    return sorted(found, key=lambda w: w.start)
