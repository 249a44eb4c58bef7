"""Price limits in the shopper's own words: "under $60", "between 20 and 40", 100到200元."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_CURRENCY = r"(?:us\$|\$|€|£|¥|usd\s?|eur\s?|gbp\s?|cny\s?|rmb\s?)"
_UNIT = r"(?:\s?(?:dollars?|bucks?|usd|euros?|eur|pounds?|gbp|yuan|rmb|cny|€|£|¥|\$|元|块钱|块))"
_SPELT = {
    "ten": 10, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000,
}  # fmt: skip
_NUMBER = (
    rf"(\d{{1,3}}(?:,\d{{3}})+(?:\.\d{{1,4}})?|\d{{1,9}}(?:\.\d{{1,4}})?|(?:(?:a|one)\s)?(?:{'|'.join(_SPELT)})\b)"
)
# A number with another unit is no price: "under 5 lbs", "below 30 inches", "over 18 years".
_NOT_OTHER = (
    r"(?![\d.]*\d)(?!-\d)(?!\s?(?:%|°|\"|''|lbs?\b|kgs?\b|g\b|oz\b|mm\b|cm\b|km\b|m\b|inch|in\b(?=\s*$)|ft\b|foot|feet|yards?\b|"
    r"gb\b|tb\b|mb\b|w\b|watts?\b|v\b|volts?\b|hz\b|mah\b|ml\b|l\b|lit|gal|cu\b|qt\b|mph\b|years?\b|yrs?\b|months?\b|"
    r"days?\b|hours?\b|hrs?\b|min|pieces?\b|pcs\b|packs?\b|people|persons?\b|x\b|厘米|米|公斤|斤|克|寸|英寸|升|岁|个|件))"
)
_BELOW = r"(?:under|below|less\s+than|cheaper\s+than|lower\s+than|<)"
_AT_MOST = r"(?:up\s+to|at\s+most|no\s+more\s+than|not\s+over|not\s+more\s+than|max(?:imum)?\s+price|within|<=|≤)"
_ABOVE = r"(?:over|above|more\s+than|higher\s+than|greater\s+than|>)"
_AT_LEAST = r"(?:at\s+least|no\s+less\s+than|not\s+less\s+than|min(?:imum)?\s+price|starting\s+(?:at|from)|>=|≥)"
_EDGE, _END = r"(?<![^\W\d_])(?<!-)", r"(?![^\W_])"

_AROUND = r"(?:around|about|approximately|approx|roughly|circa)"

CENT = 0.01
AROUND = 0.2
"""How far from "around $50" a price may lie, as a share of it."""


@dataclass(frozen=True, slots=True)
class PriceLimit:
    """A price in [low, high], said by text[start:end]. "Under 60" ends a cent below."""

    start: int
    end: int
    low: float | None
    high: float | None


def _n(text: str) -> float:
    if text[0].isdigit():
        return float(text.replace(",", ""))
    return float(_SPELT[text.lower().split()[-1]])


Bounds = tuple[float | None, float | None]
_Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], Bounds]]


def _rule(pattern: str, bounds: Callable[[re.Match[str]], Bounds]) -> _Rule:
    return re.compile(pattern, re.IGNORECASE), bounds


def _between(match: re.Match[str]) -> Bounds:
    low, high = sorted((_n(match[1]), _n(match[2])))
    return low, high


def _just_below(match: re.Match[str]) -> Bounds:
    return None, max(0.0, round(_n(match[1]) - CENT, 4))


def _just_above(match: re.Match[str]) -> Bounds:
    return round(_n(match[1]) + CENT, 4), None


def _at_most(match: re.Match[str]) -> Bounds:
    return None, _n(match[match.lastindex or 1])


def _at_least(match: re.Match[str]) -> Bounds:
    return _n(match[match.lastindex or 1]), None


def _about(match: re.Match[str]) -> Bounds:
    n = _n(match[1])
    return round(n * (1 - AROUND), 2), round(n * (1 + AROUND), 2)


_DASH = r"\s*(?:-|–|—|~|to|到|至)\s*"
_MONEY = rf"{_CURRENCY}?\s?{_NUMBER}{_UNIT}?"
_RULES: tuple[_Rule, ...] = (
    _rule(rf"{_EDGE}between\s+{_MONEY}\s+(?:and|to|-)\s+{_MONEY}{_NOT_OTHER}{_END}", _between),
    _rule(rf"{_EDGE}from\s+{_MONEY}\s+(?:to|until|till)\s+{_MONEY}{_NOT_OTHER}{_END}", _between),
    _rule(rf"{_CURRENCY}\s?{_NUMBER}{_UNIT}?{_DASH}{_CURRENCY}?\s?{_NUMBER}{_UNIT}?{_NOT_OTHER}{_END}", _between),
    _rule(rf"(?:价格|价钱|预算)?在?{_MONEY}{_DASH}{_MONEY}(?:之间|左右)", _between),
    _rule(rf"(?<![A-Za-z0-9_.-]){_NUMBER}{_UNIT}?{_DASH}{_NUMBER}{_UNIT}", _between),
    _rule(rf"(?:低于|少于|不到|小于)\s?{_MONEY}{_NOT_OTHER}", _just_below),
    _rule(rf"(?:不超过|不高于|最多|最高)\s?{_MONEY}{_NOT_OTHER}", _at_most),
    _rule(rf"(?:高于|超过|多于|大于)\s?{_MONEY}{_NOT_OTHER}", _just_above),
    _rule(rf"(?:不低于|不少于|至少|最低)\s?{_MONEY}{_NOT_OTHER}", _at_least),
    _rule(rf"{_MONEY}\s?(?:以下|以内|之内|内)", _at_most),
    _rule(rf"{_MONEY}\s?(?:以上|起)", _at_least),
    _rule(rf"{_MONEY}\s?(?:左右|上下)", _about),
    _rule(rf"{_EDGE}max(?:imum)?\.?\s+(?:{_CURRENCY}\s?{_NUMBER}|{_NUMBER}{_UNIT}){_NOT_OTHER}{_END}", _at_most),
    _rule(rf"{_EDGE}min(?:imum)?\.?\s+(?:{_CURRENCY}\s?{_NUMBER}|{_NUMBER}{_UNIT}){_NOT_OTHER}{_END}", _at_least),
    _rule(rf"{_EDGE}{_AROUND}\s+{_CURRENCY}\s?{_NUMBER}{_UNIT}?{_NOT_OTHER}{_END}", _about),
    _rule(rf"{_EDGE}{_AROUND}\s+{_NUMBER}{_UNIT}{_END}", _about),
    _rule(rf"{_EDGE}{_AT_MOST}\s*{_MONEY}{_NOT_OTHER}{_END}", _at_most),
    _rule(rf"{_EDGE}{_AT_LEAST}\s*{_MONEY}{_NOT_OTHER}{_END}", _at_least),
    _rule(rf"{_EDGE}{_BELOW}\s*{_MONEY}{_NOT_OTHER}{_END}", _just_below),
    _rule(rf"{_EDGE}{_ABOVE}\s*{_MONEY}{_NOT_OTHER}{_END}", _just_above),
    _rule(rf"{_EDGE}from\s+{_MONEY}{_NOT_OTHER}{_END}(?:\s+(?:on|up|upwards?)\b)?", _at_least),
    _rule(rf"(?<![\w.]){_MONEY}\s+(?:or|and)\s+(?:less|under|below|cheaper){_END}", _at_most),
    _rule(rf"(?<![\w.]){_MONEY}\s+(?:or|and)\s+(?:more|over|above|up){_END}", _at_least),
)
_DIGIT = re.compile(rf"\d|{'|'.join(_SPELT)}", re.IGNORECASE)


def find_prices(text: str) -> list[PriceLimit]:
    """Every limit in cleaned text, in order, none overlapping another."""
    if not _DIGIT.search(text):
        return []
    found: list[PriceLimit] = []
    for pattern, bounds in _RULES:
        for match in pattern.finditer(text):
            if all(match.end() <= p.start or match.start() >= p.end for p in found):
                found.append(PriceLimit(match.start(), match.end(), *bounds(match)))
    return sorted(found, key=lambda p: p.start)
