"""Merchant feeds in XML: RSS 2.0 `<item>` and Atom `<entry>` with Google's `g:` names; plain `<product>` too.

Read as a stream into one item at a time. A document type that declares entities
is refused before anything is expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from aisle.errors import IntakeError
from aisle.intake.sources import Source

if TYPE_CHECKING:
    from aisle.intake.tables import Entry

_GOOGLE = "{http://base.google.com/ns/1.0}"
_ITEMS = frozenset({"item", "entry", "product"})
_CHUNK = 1 << 16
_MAX_TEXT = 32 << 20
_PROBED_ITEMS = 200

Value = str | list[object] | dict[str, str]


class _Items:
    """A parser target that collects finished items and keeps no tree."""

    def __init__(self) -> None:
        self.done: list[tuple[int, dict[str, object]]] = []
        self.line_of: object = None
        self._depth = 0
        self._item_depth = 0
        self._start_line = 0
        self._item: dict[str, object] = {}
        self._google: set[str] = set()
        self._parts: list[str] = []
        self._size = 0
        self._inner: dict[str, str] = {}
        self._link = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if not self._item_depth:
            if _local(tag) in _ITEMS:
                self._item_depth = self._depth
                self._item, self._google = {}, set()
                parser = self.line_of
                self._start_line = int(getattr(parser, "CurrentLineNumber", 0))
            return
        if self._depth == self._item_depth + 1:
            self._inner = {}
            # Atom writes <link href="…"/>; rel="alternate" (or none) is the page itself.
            rel = attributes.get("rel", "alternate")
            self._link = attributes.get("href", "") if _local(tag) == "link" and rel == "alternate" else ""
        self._parts, self._size = [], 0

    def data(self, text: str) -> None:
        if self._item_depth and self._size < _MAX_TEXT:
            self._parts.append(text)
            self._size += len(text)

    def end(self, tag: str) -> None:
        depth = self._depth - self._item_depth
        if self._item_depth:
            if depth == 0:
                self.done.append((self._start_line, self._item))
                self._item_depth = 0
            elif depth == 1:
                self._take(tag, "".join(self._parts).strip() or self._link)
            elif depth == 2 and len(self._inner) < 50:
                self._inner[_local(tag)] = "".join(self._parts).strip()
            self._parts, self._size = [], 0
        self._depth -= 1

    def close(self) -> None:
        return None

    def _take(self, tag: str, text: str) -> None:
        value: object = dict(self._inner) if self._inner else text
        if not value:
            return
        name = _local(tag)
        is_google = tag.startswith(_GOOGLE)
        # g:title is the product's; the title beside it is the page's.
        if name in self._google and not is_google:
            return
        present = self._item.get(name)
        if present is None or (is_google and name not in self._google):
            self._item[name] = value
        elif isinstance(present, list):
            if len(present) < 200:
                present.append(value)
        else:
            self._item[name] = [present, value]
        if is_google:
            self._google.add(name)


def _local(tag: str) -> str:
    name = tag.rpartition("}")[2]
    return name.removeprefix("g:")


def check(source: Source) -> tuple[str, ...]:
    """One quick pass: well-formed, no entities, some items. Returns the names its first items use."""
    columns: dict[str, None] = {}
    n_items = 0
    for _, item in rows(source):
        if n_items < _PROBED_ITEMS and isinstance(item, dict):
            columns.update(dict.fromkeys(item))
        n_items += 1
    if not n_items:
        raise IntakeError(f"{source.name}: no <item>, <entry> or <product> in it; is it a product feed?")
    return tuple(columns)


def rows(source: Source) -> Iterator[Entry]:
    """(line, item) for every item. Raises IntakeError with the line where the file stops being XML."""
    target = _Items()
    parser = DefusedXMLParser(target=target, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    target.line_of = parser.parser
    try:
        with source.open() as stream:
            while chunk := stream.read(_CHUNK):
                parser.feed(chunk)
                yield from target.done
                target.done.clear()
        parser.close()
        yield from target.done
    except DefusedXmlException as error:
        raise IntakeError(
            f"{source.name}, line {parser.parser.CurrentLineNumber}: declares entities or refers outside "
            f"({type(error).__name__}), which is refused; remove the document type"
        ) from None
    except ParseError as error:
        line = error.position[0] if getattr(error, "position", None) else 1
        raise IntakeError(f"{source.name}, line {line}: not well-formed XML ({error}); nothing was changed") from None
    except (ValueError, LookupError, AttributeError) as error:
        raise IntakeError(f"{source.name}: cannot be read as XML ({error}); nothing was changed") from None
