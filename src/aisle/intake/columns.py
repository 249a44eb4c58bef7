"""Column names: ours, the names others give to the same thing, and a shop's own mapping."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from aisle.errors import IntakeError

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^\w]+")


@lru_cache(maxsize=8192)
def plain_name(column: str) -> str:
    """`g:Image Link`, `imageLink` and `IMAGE-LINK` are all `image_link`."""
    name = column.strip().removeprefix("g:")[:200]
    return _OTHER.sub("_", _CAMEL.sub("_", name)).strip("_").lower()


def parse_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """`["title=name"]` as `{"title": "name"}`: our field, then the file's column. Raises IntakeError."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not equals or not ours.strip() or not theirs.strip():
            raise IntakeError(f"cannot read the mapping {pair[:80]!r}: write OURS=THEIRS, as title=name")
        mapping[ours.strip()] = theirs.strip()
    return mapping


class Columns:
    """Which columns of a row feed which of our fields.

    `synonyms` lists for each field the (plain) names it is known by, best first.
    """

    def __init__(self, synonyms: Mapping[str, tuple[str, ...]]) -> None:
        self.fields = tuple(synonyms)
        self._known: dict[str, tuple[str, int]] = {}
        for field, names in synonyms.items():
            for rank, name in enumerate((field, *names)):
                self._known.setdefault(name, (field, rank))

    def find(self, column: str) -> tuple[str, int] | None:
        """Our field and how good a name for it the column is (0 best); None when unknown."""
        return self._known.get(column) or self._known.get(plain_name(column))

    def has(self, field: str, columns: Iterable[str]) -> bool:
        return any((found := self.find(column)) and found[0] == field for column in columns)

    def resolve(self, columns: Iterable[str], mapping: Mapping[str, str] | None = None) -> dict[str, str]:
        """Our field to the best of the file's columns; the mapping wins."""
        best: dict[str, tuple[int, str]] = {}
        for column in columns:
            found = self.find(column)
            if found and (found[0] not in best or found[1] < best[found[0]][0]):
                best[found[0]] = (found[1], column)
        chosen = {field: column for field, (_, column) in best.items()}
        chosen.update(mapping or {})
        return chosen

    def checked(self, mapping: Mapping[str, str] | None, columns: Iterable[str], file: str) -> dict[str, str]:
        """The mapping with columns spelt as in the file. Raises IntakeError for a name that is nowhere."""
        present = list(columns)
        by_plain = {plain_name(column): column for column in reversed(present)}
        spelt: dict[str, str] = {}
        for ours, theirs in (mapping or {}).items():
            if ours not in self.fields and not ours.startswith("attributes."):
                near = difflib.get_close_matches(ours, self.fields, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"our fields are: {', '.join(self.fields)}"
                raise IntakeError(f"the mapping names an unknown field {ours!r}; {hint}")
            column = theirs if theirs in present else by_plain.get(plain_name(theirs))
            if column is None:
                raise IntakeError(f"{file}: no column {theirs!r} (mapped to {ours}); it has: {listing(present)}")
            spelt[ours] = column
        return spelt


def listing(names: Iterable[str], limit: int = 20) -> str:
    """Names for a message, not too many."""
    shown = [name[:40] for name in names]
    return (", ".join(shown[:limit]) + (", …" if len(shown) > limit else "")) or "none"
