"""Prompts as files: what is said to a language model, with places for what changes.

A file has sections, each after its name in brackets on a line of its own:
`system` for the task, `question` for each text, and `answer` where examples
are given. Lines that begin with # before the first section are remarks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from aisle.errors import InvalidRequest
from aisle.ports import Message
from aisle.ports.language import quoted

FOLDER: Final = Path(__file__).parent / "templates"
LANGUAGES: Final = ("en", "zh")
CLASSIFY: Final = frozenset({"labels", "text", "label"})
RANK: Final = frozenset({"history", "queries", "candidates", "n"})
_NOTHING: Final = {"en": "nothing yet", "zh": "暂无"}
_SECTION: Final = re.compile(r"^\[([a-z]+)\]\s*$")
_PLACE: Final = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Template:
    """The sections of a file by name, and the file's name for those who mend it."""

    sections: Mapping[str, str]
    name: str

    @classmethod
    def read(cls, file: Path, places: frozenset[str], required: Sequence[str]) -> Self:
        """Raises InvalidRequest for sections or placeholders that are missing or that nothing fills."""
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"template {file}: cannot be read ({error})", field="template") from error
        sections: dict[str, list[str]] = {}
        now: list[str] | None = None
        for number, line in enumerate(text.splitlines(), 1):
            if head := _SECTION.match(line):
                if head[1] not in ("system", "question", "answer") or head[1] in sections:
                    told = "there are only system, question and answer, each once"
                    raise InvalidRequest(f"template {file.name}, line {number}: [{head[1]}]: {told}", field="template")
                now = sections[head[1]] = []
            elif now is not None:
                now.append(line)
            elif line.strip() and not line.startswith("#"):
                raise InvalidRequest(f"template {file.name}, line {number}: stands in no section", field="template")
        found = cls({name: "\n".join(lines).strip() for name, lines in sections.items()}, file.name)
        used = {place for body in found.sections.values() for place in _PLACE.findall(body)}
        if strange := sorted(used - places):
            known = ", ".join(f"{{{place}}}" for place in sorted(places))
            raise InvalidRequest(f"template {file.name}: nothing fills {{{strange[0]}}}; use {known}", field="template")
        missing = [f"{{{place}}}" for place in required if place not in used]
        missing += [] if "question" in found.sections else ["[question]"]
        if missing:
            raise InvalidRequest(f"template {file.name}: lacks {', '.join(missing)}", field="template")
        return found

    def fill(self, section: str, values: Mapping[str, str]) -> str:
        """The section with its places filled, each once: what is filled in is not looked at again."""
        return _PLACE.sub(lambda place: values.get(place[1], place[0]), self.sections.get(section, ""))


def classify_template(language: str = "en", file: Path | None = None) -> Template:
    """How texts are sorted into kinds, in `language` or from a file of one's own. Raises InvalidRequest."""
    return Template.read(file or _own("classify", language), CLASSIFY, ("labels", "text", "label"))


@dataclass(frozen=True, slots=True)
class RankPrompt:
    """Titles and searches to the messages that ask for an order; each title a quoted line with its number."""

    template: Template
    language: str = "en"

    @classmethod
    def of(cls, language: str = "en", file: Path | None = None) -> Self:
        """Raises InvalidRequest."""
        return cls(Template.read(file or _own("rank", language), RANK, ("history", "candidates")), language)

    def __call__(self, history: Sequence[str], queries: Sequence[str], candidates: Sequence[str]) -> list[Message]:
        values = {
            "history": self._lines([f"- {quoted(title)}" for title in history]),
            "queries": self._lines([f"- {quoted(query)}" for query in queries]),
            "candidates": self._lines([f"{n}. {quoted(title)}" for n, title in enumerate(candidates, 1)]),
            "n": str(len(candidates)),
        }
        system = self.template.fill("system", values)
        asked = Message("user", self.template.fill("question", values))
        return [Message("system", system), asked] if system else [asked]

    def _lines(self, lines: Sequence[str]) -> str:
        return "\n".join(lines) if lines else _NOTHING[self.language]


def _own(kind: str, language: str) -> Path:
    if language not in LANGUAGES:
        told = f"there is no template in {language!r}: use {' or '.join(LANGUAGES)}, or give a file"
        raise InvalidRequest(told, field="language")
    return FOLDER / f"{kind}.{language}.txt"
