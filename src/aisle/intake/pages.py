"""Help pages: a folder of .txt, .md and .html files, one page each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from aisle.errors import IntakeError
from aisle.intake.sources import Source
from aisle.intake.tables import reject
from aisle.intake.text import one_line, prose
from aisle.types import Page, Reject

MAX_FILE_BYTES = 5 << 20
MAX_TEXT_CHARS = 200_000
_SUFFIXES = frozenset({".txt", ".md", ".markdown", ".html", ".htm"})
_TITLE = re.compile(r"<title\b[^<>]*>([^<]*)", re.IGNORECASE)
_HEADING = re.compile(r"<h1\b[^<>]*>([^<]*)", re.IGNORECASE)
_HEAD = re.compile(r"</head\s*>", re.IGNORECASE)
_EMPTY = frozenset({"", "nan", "null", "none", "n/a"})


def read_pages(source: Path) -> Iterator[Page | Reject]:
    """Pages and rejects of a folder (or of one file), in the order of their names.

    The page's id is its path without the ending. Raises IntakeError at once
    when there is no folder or no page in it.
    """
    source = Path(source)
    if source.is_file():
        if source.suffix.lower() not in _SUFFIXES:
            raise IntakeError(f"{source}: a help page is a .txt, .md or .html file")
        return _pages(source.parent, [source])
    if not source.is_dir():
        raise IntakeError(f"{source}: no such folder; give a folder of .txt, .md or .html files")
    try:
        files = sorted(
            Path(folder) / name
            for folder, _, names in os.walk(source)
            for name in names
            if Path(name).suffix.lower() in _SUFFIXES and not name.startswith(".")
        )
    except OSError as error:
        raise IntakeError(f"{source}: cannot be read ({error})") from None
    if not files:
        raise IntakeError(f"{source}: no .txt, .md or .html file in it")
    return _pages(source, files)


def _pages(root: Path, files: list[Path]) -> Iterator[Page | Reject]:
    real_root = Path(os.path.realpath(root))
    seen: set[str] = set()
    for file in files:
        name = str(file.relative_to(root))
        page_id = one_line(Path(name).with_suffix("").as_posix(), 256)
        if not Path(os.path.realpath(file)).is_relative_to(real_root):
            yield reject(name, 1, "", "a link to a file outside the folder")
            continue
        if page_id in seen:
            yield reject(name, 1, "page_id", "another file of this name, with another ending, came first", page_id)
            continue
        try:
            if file.stat().st_size > MAX_FILE_BYTES:
                yield reject(name, 1, "text", f"larger than {MAX_FILE_BYTES >> 20} MiB")
                continue
            with Source(file).open_text() as stream:
                title, text = _split(stream.read(), file.suffix.lower())
        except (IntakeError, OSError) as error:
            yield reject(name, 1, "", str(error))
            continue
        if text.strip().lower() in _EMPTY:
            yield reject(name, 1, "text", "the page has no text", text)
            continue
        seen.add(page_id)
        yield Page(page_id, title or Path(name).stem, text)


def _split(raw: str, suffix: str) -> tuple[str, str]:
    """Title and body: the <title> (or first heading) of HTML, the first line of anything else."""
    raw = raw.removeprefix("\ufeff")
    if suffix in {".html", ".htm"}:
        found = _TITLE.search(raw) or _HEADING.search(raw)
        head = _HEAD.search(raw)
        body, _ = prose(raw[head.end() :] if head else _TITLE.sub("<title>", raw, count=1), MAX_TEXT_CHARS)
        return (one_line(found[1], 300) if found else ""), body
    first, _, rest = raw.replace("\r\n", "\n").replace("\r", "\n").lstrip().partition("\n")
    # Text is kept as written: a "<" in a text file is no tag.
    lines = (one_line(line, 20_000) for line in rest.strip()[:MAX_TEXT_CHARS].split("\n"))
    return one_line(first.lstrip("#").strip(), 300), re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
