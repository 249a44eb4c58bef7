"""Versions of the indexes on disk, and who may write them.

indexes/
  current              the name of the version that serves, replaced atomically
  owner.lock           held (flock) by the one process that writes
  v000001/lexical/     the lexical index
  v000001/dense/       snapshots of the dense index
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import IO

if os.name == "posix":
    import fcntl


_VERSION = re.compile(r"v\d+")


class IndexFolder:
    """The `indexes` folder of a shop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._pointer = folder / "current"
        self._lock_file: IO[str] | None = None

    # ------------------------------------------------------------- ownership

    @property
    def owned(self) -> bool:
        """Whether this process is the one that writes."""
        return self._lock_file is not None

    def claim(self) -> bool:
        """Try to become the owner; the lock goes with the process, however it ends."""
        if self._lock_file is not None:
            return True
        handle = (self.folder / "owner.lock").open("a+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            return False
        with contextlib.suppress(OSError):  # for a person who looks; the lock holds on a full disk too
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
        self._lock_file = handle
        return True

    def release(self) -> None:
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    # -------------------------------------------------------------- versions

    def current(self) -> Path | None:
        """The version that serves, or None before the first, or when the pointer is unreadable."""
        try:
            name = self._pointer.read_text("ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        folder = self.folder / name
        return folder if _VERSION.fullmatch(name) and folder.is_dir() else None

    def create(self) -> Path:
        """An empty folder for the next version; it does not serve until `switch`."""
        numbers = [int(p.name[1:]) for p in self.folder.glob("v*") if p.name[1:].isdigit()]
        folder = self.folder / f"v{max(numbers, default=0) + 1:06d}"
        folder.mkdir()
        return folder

    def switch(self, version: Path) -> None:
        """Let `version` serve from now on: one atomic rename."""
        temporary = self._pointer.with_suffix(".new")
        with temporary.open("w", encoding="utf-8") as handle:
            handle.write(version.name)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(self._pointer)

    def discard(self, version: Path) -> None:
        """Remove a version that came to nothing; never the serving one."""
        if version != self.current():
            shutil.rmtree(version, ignore_errors=True)

    def clean(self) -> None:
        """Remove every version but the serving one: leftovers of killed builds and of switches."""
        keep = self.current()
        for folder in self.folder.glob("v*"):
            if folder != keep and folder.is_dir():
                shutil.rmtree(folder, ignore_errors=True)

    def keep_only(self, prefix: str, names: set[str]) -> None:
        """Remove what begins with `prefix` in the serving version and goes on with none of `names`; the owner only."""
        current = self.current()
        if not self.owned or current is None:
            return
        for folder in current.glob(f"{prefix}*"):
            if folder.name.removeprefix(prefix) not in names:
                shutil.rmtree(folder, ignore_errors=True)
