"""Sizes with units, however they are written: "8 ft", 8', "8-foot" and "8 feet" are one measure."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNITS: dict[str, tuple[str, ...]] = {
    "inch": ("inch", "inches", "in", '"', "″", "''", "英寸", "寸"),
    "foot": ("foot", "feet", "ft", "'", "′", "英尺"),
    "yard": ("yard", "yards", "yd"),
    "mm": ("mm", "millimeter", "millimeters", "millimetre", "millimetres", "毫米"),
    "cm": ("cm", "centimeter", "centimeters", "centimetre", "centimetres", "厘米"),
    "m": ("m", "meter", "meters", "metre", "metres"),
    "ml": ("ml", "milliliter", "milliliters", "millilitre", "millilitres", "毫升"),
    "l": ("l", "liter", "liters", "litre", "litres", "升"),
    "oz": ("oz", "ounce", "ounces", "盎司"),
    "gal": ("gal", "gallon", "gallons"),
    "lb": ("lb", "lbs", "pound", "pounds", "磅"),
    "kg": ("kg", "kgs", "kilo", "kilos", "kilogram", "kilograms", "公斤", "千克"),
    "g": ("g", "gram", "grams", "克"),
    "gb": ("gb", "gigabyte", "gigabytes"),
    "tb": ("tb", "terabyte", "terabytes"),
    "w": ("w", "watt", "watts", "瓦"),
    "v": ("v", "volt", "volts", "伏"),
}
"""A unit's short name and all ways to write it."""

_NAME = {written: name for name, ways in UNITS.items() for written in ways}
MEASURES = frozenset(_NAME)
"""All ways to write a unit."""

_WRITTEN = "|".join(sorted((re.escape(w) for w in _NAME), key=len, reverse=True))
_MEASURE = re.compile(rf"(?<![\w.,/$€£¥])(\d{{1,5}}(?:[./]\d{{1,4}})?)[\s-]?({_WRITTEN})(?![^\W\d_])\.?", re.IGNORECASE)
_GLUED = re.compile(r"^(\d{1,5}(?:\.\d{1,4})?)([a-z]{1,3})$")
_BY = re.compile(r"^(\d{1,4})x(\d{1,4})(?:x(\d{1,4}))?$")


@dataclass(frozen=True, slots=True)
class Measure:
    """A number with its unit, at text[start:end]; `name` is its one form, as "8 foot"."""

    start: int
    end: int
    name: str


def find_measures(text: str) -> list[Measure]:
    """Every number with a unit, in order."""
    return [Measure(m.start(), m.end(), f"{m[1]} {_NAME[m[2].lower()]}") for m in _MEASURE.finditer(text)]


def measure_name(value: str) -> str:
    """The one form of a value that is a measure and nothing else; else the value itself."""
    match = _MEASURE.fullmatch(value.strip())
    return f"{match[1]} {_NAME[match[2].lower()]}" if match else value


def other_forms(word: str) -> tuple[str, ...]:
    """How else a word with a unit may be written: "8ft" → "8 ft", "8 foot"…; "feet" → "ft"…; "2x4" → "2 4"."""
    if (name := _NAME.get(word)) and len(word) > 1:
        return tuple(w for w in UNITS[name] if w != word and w.isalpha())
    if match := _GLUED.match(word):
        name = _NAME.get(match[2], "")
        return tuple(f"{match[1]} {w}" for w in UNITS[name] if w.isalpha()) if name else ()
    if match := _BY.match(word):
        return (" ".join(n for n in match.groups() if n),)
    return ()
