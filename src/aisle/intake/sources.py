"""A file from a stranger: what it is, how it is encoded, and bounds on what it may unpack to."""

from __future__ import annotations

import codecs
import gzip
import os
import re
import stat
import tempfile
import weakref
import zlib
from pathlib import Path
from typing import BinaryIO, Literal, TextIO, TypeAlias

from aisle.errors import IntakeError

Kind: TypeAlias = Literal["delimited", "jsonl", "json", "parquet", "xml"]

MAX_UNPACKED_BYTES = 8 << 30
"""What a .gz may unpack to."""
MAX_RATIO = 200
"""How much a .gz over `FREE_UNPACKED_BYTES` may grow; real feeds grow 5 to 60 times."""
FREE_UNPACKED_BYTES = 64 << 20

_CHUNK = 1 << 20
_KINDS: dict[str, Kind] = {
    ".tsv": "delimited", ".csv": "delimited", ".txt": "delimited", ".tab": "delimited",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".parquet": "parquet", ".pq": "parquet",
    ".xml": "xml", ".rss": "xml", ".atom": "xml",
}  # fmt: skip
_BINARY_MAGIC = (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"PK\x03\x04", b"\x7fELF", b"BZh", b"\xfd7zXZ", b"Rar!")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\x0b\x0c\x1b"))
_UNDECODED = re.compile("[\udc80-\udcff]")


class Source:
    """One readable file, unpacked when it was gzipped. Raises IntakeError when it cannot be opened."""

    def __init__(self, file: Path) -> None:
        self.name = file.name or str(file)
        self.path = file
        try:
            status = os.stat(file)
        except (OSError, ValueError) as error:
            raise IntakeError(f"{file}: cannot be opened ({_why(error)}); check the path") from None
        if not stat.S_ISREG(status.st_mode):
            raise IntakeError(f"{file}: not a file; give the path of one file")
        head = self._head(16)
        if not head:
            raise IntakeError(f"{self.name}: the file is empty; nothing was changed")
        inner = Path(self.name)
        if head.startswith(b"\x1f\x8b"):
            self._unpack(status.st_size)
            head = self._head(16)
            inner = Path(self.name[:-3]) if self.name.lower().endswith(".gz") else inner
            if not head:
                raise IntakeError(f"{self.name}: the file is empty; nothing was changed")
        self.suffix = inner.suffix.lower()
        self.kind: Kind = self._kind(head)
        self._encoding: tuple[str, str] | None = None

    def open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise IntakeError(f"{self.name}: cannot be read ({_why(error)})") from None

    def open_text(self) -> TextIO:
        """Text with its line ends untouched. Undecodable bytes of a mixed file arrive as surrogates."""
        encoding, errors = self.encoding
        return self.path.open(encoding=encoding, errors=errors, newline="")

    @property
    def encoding(self) -> tuple[str, str]:
        """(encoding, error handler). Raises IntakeError for a file that is no text."""
        if self._encoding is None:
            self._encoding = self._detect()
        return self._encoding

    @property
    def is_mixed(self) -> bool:
        """Whether some bytes are not of the encoding that the rest is in."""
        return self.encoding[1] == "surrogateescape"

    def _head(self, size: int) -> bytes:
        with self.open() as stream:
            return stream.read(size)

    def _kind(self, head: bytes) -> Kind:
        if head.startswith(b"PAR1"):
            return "parquet"
        if self.suffix in _KINDS:
            return _KINDS[self.suffix]
        start = head.removeprefix(codecs.BOM_UTF8).lstrip()
        if start.startswith(b"<"):
            return "xml"
        if start.startswith((b"{", b"[")):
            return "jsonl"
        return "delimited"

    def _unpack(self, packed: int) -> None:
        """Into a temporary file: the whole archive is then known to be sound before a row is taken."""
        descriptor, name = tempfile.mkstemp(prefix="aisle-", suffix=".unpacked")
        weakref.finalize(self, _remove, name)
        bound = min(MAX_UNPACKED_BYTES, max(FREE_UNPACKED_BYTES, packed * MAX_RATIO))
        written = 0
        try:
            with os.fdopen(descriptor, "wb") as out, self.open() as stream, gzip.GzipFile(fileobj=stream) as archive:
                while chunk := archive.read(_CHUNK):
                    written += len(chunk)
                    if written > bound:
                        raise IntakeError(
                            f"{self.name}: unpacks to more than {bound >> 20} MiB, which no feed of its size does; "
                            "unpack it yourself if you trust it"
                        )
                    out.write(chunk)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise IntakeError(f"{self.name}: damaged or cut off ({error}); fetch it again") from None
        except OSError as error:
            raise IntakeError(f"{self.name}: cannot be unpacked ({_why(error)})") from None
        self.path = Path(name)

    def _detect(self) -> tuple[str, str]:
        head = self._head(65_536)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return self._strict("utf-16")
        if head.startswith(_BINARY_MAGIC):
            raise self._binary()
        n_nul = head.count(0)
        if n_nul > len(head) // 5 and len(head) >= 4:
            # Text of European letters in UTF-16 has a zero in every second byte.
            return self._strict("utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be")
        n_controls = len(head) - len(head.translate(None, _CONTROLS))
        if n_controls > max(len(head) // 50, 4 if len(head) > 64 else 1):
            raise self._binary()
        if self._decodes("utf-8"):
            return "utf-8-sig", "strict"
        n_good, n_bad = self._count_bytes()
        if n_good > n_bad:
            return "utf-8-sig", "surrogateescape"
        if n_controls:
            raise self._binary()
        return ("cp1252" if self._decodes("cp1252") else "latin-1"), "strict"

    def _strict(self, encoding: str) -> tuple[str, str]:
        if not self._decodes(encoding):
            raise self._binary()
        return encoding, "strict"

    def _decodes(self, encoding: str) -> bool:
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        try:
            with self.open() as stream:
                while chunk := stream.read(_CHUNK):
                    decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except (UnicodeDecodeError, UnicodeError):
            return False
        return True

    def _count_bytes(self) -> tuple[int, int]:
        """Characters beyond ASCII that are UTF-8, and bytes that are not."""
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        n_good = n_bad = 0
        with self.open() as stream:
            while chunk := stream.read(_CHUNK):
                text = decoder.decode(chunk)
                bad = len(_UNDECODED.findall(text))
                n_bad += bad
                n_good += len(text) - len(text.encode("ascii", "ignore")) - bad
        return n_good, n_bad

    def _binary(self) -> IntakeError:
        return IntakeError(
            f"{self.name}: not text; write it as UTF-8 (TSV, CSV, XML, JSON lines) or as Parquet; nothing was changed"
        )


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _remove(name: str) -> None:
    try:
        os.unlink(name)
    except OSError:
        pass
