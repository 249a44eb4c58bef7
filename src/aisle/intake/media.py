"""Photos beside a feed, taken into the shop's `media/` folder under names made of their content."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from aisle.intake.notes import Notes
from aisle.types import Product

MAX_IMAGE_BYTES = 20 << 20
MEDIA_PREFIX = "/media/"

# SVG is not among them: it can carry scripts, and the storefront would serve it.
_MAGIC = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))
_SCHEME = re.compile(r"^(?:[a-zA-Z][a-zA-Z0-9+.\-]*:|//)")
_UNSAFE = re.compile(r"[^a-z0-9_-]+")


class MediaFolder:
    """Brings relative image links into a shop's media folder, each file once.

    `feed_folder` is where the feed lies and bounds what may be read; nothing
    outside it is touched, whatever a link or a symbolic link says.
    """

    def __init__(self, feed_folder: Path, media_folder: Path) -> None:
        self._feed = Path(os.path.realpath(feed_folder))
        self._media = media_folder
        self._known: dict[str, str] = {}
        self._notes = Notes()

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be taken, one line a reason."""
        return self._notes.lines()

    def localised(self, product: Product) -> Product:
        """The product with `/media/…` in place of relative links; links to missing files are left out."""
        links = (product.image_link, *product.additional_image_links)
        if not any(links):
            return product
        kept = [new for link in links if link and (new := self.localise(link))]
        if tuple(kept) == tuple(link for link in links if link):
            return product
        return replace(product, image_link=kept[0] if kept else "", additional_image_links=tuple(kept[1:]))

    def localise(self, link: str) -> str:
        """`/media/…` for a relative link, http(s) links as they are, "" with a note for what cannot be had."""
        if _SCHEME.match(link):
            return link
        known = self._known.get(link)
        if known is None:
            try:
                known = self._take(link)
            except (_Refused, OSError, ValueError) as error:
                reason = error.reason if isinstance(error, _Refused) else "cannot be read"
                self._notes.add(f"image left out: {reason}", link)
                known = ""
            self._known[link] = known
        return known

    def _take(self, link: str) -> str:
        if link.startswith(MEDIA_PREFIX):
            name = link.removeprefix(MEDIA_PREFIX)
            if "/" not in name and name not in ("", ".", "..") and (self._media / name).is_file():
                return link
        file = self._confined(link)
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _Refused("not a file")
            if not 0 < status.st_size <= MAX_IMAGE_BYTES:
                raise _Refused(f"empty, or larger than {MAX_IMAGE_BYTES >> 20} MiB")
            data = stream.read(MAX_IMAGE_BYTES + 1)
        kind = image_kind(data)
        if not kind:
            raise _Refused("not a JPEG, PNG, WebP, GIF or AVIF picture")
        stem = _UNSAFE.sub("-", file.stem.lower()).strip("-")[:60] or "image"
        name = f"{stem}-{hashlib.sha256(data).hexdigest()[:12]}.{kind}"
        self._put(file, status, data, self._media / name)
        return MEDIA_PREFIX + name

    def _confined(self, link: str) -> Path:
        for text in dict.fromkeys((link, unquote(link))):
            if "\x00" in text or "\\" in text or Path(text).is_absolute() or ".." in Path(text).parts:
                raise _Refused("the link leads out of the feed's folder")
            file = Path(os.path.realpath(self._feed / text))
            if not file.is_relative_to(self._feed):
                raise _Refused("the link leads out of the feed's folder")
            if file.exists():
                return file
        raise _Refused("no such file")

    def _put(self, file: Path, status: os.stat_result, data: bytes, target: Path) -> None:
        """Hard link, else copy; whole or not at all."""
        if target.exists() and target.stat().st_size == len(data):
            return
        self._media.mkdir(parents=True, exist_ok=True)
        part = self._media / f".{secrets.token_hex(8)}.part"
        try:
            try:
                os.link(file, part, follow_symlinks=False)
                linked = os.stat(part)
                if (linked.st_dev, linked.st_ino) != (status.st_dev, status.st_ino):
                    raise OSError("changed meanwhile")
            except OSError:
                part.unlink(missing_ok=True)
                part.write_bytes(data)
            os.replace(part, target)
        finally:
            # Renaming one hard link onto another of the same file leaves both.
            part.unlink(missing_ok=True)


class _Refused(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def image_kind(data: bytes) -> str:
    """jpg, png, gif, webp or avif by the first bytes; "" for anything else."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "avif"
    return ""
