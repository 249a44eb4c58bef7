"""The model registry, on plain folders.

    models/<name>/<version>/arrays.safetensors   the numbers
    models/<name>/<version>/model.onnx           whatever further files the model has
    models/<name>/<version>/card.json            params, metrics, SHA-256 of each file
    models/<name>/active                         one line: the version that serves

A version is written under a temporary name, made durable, and renamed; the
pointer is replaced in one step. A killed process leaves either all or nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save_file

from aisle.errors import InvalidRequest, ModelDamaged, NotFound, StorageError
from aisle.types import NOTHING, ModelVersion, now_ms

KEPT_VERSIONS = 3
"""Versions of a model that stay, the active one and its predecessor always among them."""

ARRAYS = "arrays.safetensors"
CARD = "card.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
_TEMPORARY = ".new-"


class FilesModelStore:
    """Versions of models below one folder; several processes may share it."""

    def __init__(self, root: Path | str, *, kept_versions: int = KEPT_VERSIONS) -> None:
        self._root = Path(root)
        self._kept = max(2, kept_versions)
        with _disk():
            self._root.mkdir(parents=True, exist_ok=True)
        self._sweep()

    # ---------------------------------------------------------------- writing

    def create(
        self,
        name: str,
        arrays: Mapping[str, np.ndarray],
        *,
        files: Mapping[str, Path] = NOTHING,
        params: Mapping[str, Any] = NOTHING,
        metrics: Mapping[str, float] = NOTHING,
        note: str = "",
    ) -> ModelVersion:
        """Write a version, not yet active; `files` are copied into it. Older ones beyond the kept number go.

        Raises StorageError, and InvalidRequest for a file that may not have its name.
        """
        folder = self._folder(name)
        for file in files:
            if not _NAME.fullmatch(file) or file in (ARRAYS, CARD):
                raise InvalidRequest(f"model {name}: no file may be called {file[:80]!r}", field="files")
        created_ms = now_ms()
        with _disk():
            folder.mkdir(exist_ok=True)
        with self._lock(name), _disk():
            version = self._next_version(name)
            temporary = folder / f"{_TEMPORARY}{version}"
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            try:
                contiguous = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
                try:
                    save_file(contiguous, temporary / ARRAYS)
                except SafetensorError as error:
                    raise StorageError(f"model {name} could not be written: {error}") from error
                for file, source in files.items():
                    shutil.copyfile(source, temporary / file)
                card = {
                    "name": name,
                    "version": version,
                    "created_ms": created_ms,
                    "params": dict(params),
                    "metrics": {key: float(value) for key, value in metrics.items()},
                    "note": note,
                    "sha256": {file: _sha256(temporary / file) for file in (ARRAYS, *files)},
                }
                (temporary / CARD).write_bytes(
                    orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)
                )
                for written in (*(temporary / file for file in (ARRAYS, *files, CARD)), temporary):
                    _sync(written)
                temporary.rename(folder / version)
                _sync(folder)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
            self._prune(name)
        return self._read(name, version, active=False)

    def promote(self, name: str, version: str) -> None:
        """Make a version the active one, in one step. Raises NotFound, ModelDamaged."""
        self.arrays(name, version)
        with self._lock(name), _disk():
            before = self._pointers(name)
            if before[:1] == [version]:
                return
            # The second line is where rollback() goes.
            self._point(name, [version, *before[:1]])

    def rollback(self, name: str) -> ModelVersion:
        """Make the version before the active one active again. Raises NotFound when there is none."""
        pointers = self._pointers(name)
        if len(pointers) < 2 or not self._card(name, pointers[1]).exists():
            raise NotFound(f"model {name!r} has no earlier version to go back to")
        self.promote(name, pointers[1])
        return self._read(name, pointers[1], active=True)

    # ---------------------------------------------------------------- reading

    def active(self, name: str) -> ModelVersion | None:
        """The version that serves; None when none was promoted. Raises ModelDamaged for an unreadable card."""
        pointers = self._pointers(name)
        return self._read(name, pointers[0], active=True) if pointers else None

    def promoted(self, name: str) -> list[str]:
        """The version that serves and the one it replaced. Raises ModelDamaged when the pointer is unreadable."""
        return self._pointers(name)

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """Versions of one model or of all, newest first. One whose card is unreadable is left out."""
        names = [name] if name is not None else sorted(f.name for f in self._root.iterdir() if _NAME.fullmatch(f.name))
        found = []
        for one in names:
            active = self._pointers(one)[:1]
            for version in reversed(self._version_names(one)):
                try:
                    found.append(self._read(one, version, active=active == [version]))
                except ModelDamaged:
                    continue
        return found

    def arrays(self, name: str, version: str) -> dict[str, np.ndarray]:
        """The arrays of a version. Raises NotFound; ModelDamaged when any of its files is missing or was altered."""
        folder = self.folder(name, version)
        checksums = self._read_card(name, version).get("sha256")
        if not isinstance(checksums, dict) or ARRAYS not in checksums:
            raise _damaged(folder, "its card lists no checksum")
        try:
            content = (folder / ARRAYS).read_bytes()  # read once: what is checked is what is used
            found = {ARRAYS: hashlib.sha256(content).hexdigest()}
            found |= {file: _sha256(folder / file) for file in checksums if file != ARRAYS and _NAME.fullmatch(file)}
        except OSError as error:
            raise _damaged(folder, f"{Path(error.filename or ARRAYS).name}: {error.strerror}") from error
        for file, checksum in checksums.items():
            if found.get(file) != checksum:
                raise _damaged(folder, f"{file} does not match its checksum")
        try:
            return dict(load_arrays(content))
        except (SafetensorError, ValueError) as error:
            raise _damaged(folder, f"{ARRAYS}: {error}") from error

    def folder(self, name: str, version: str) -> Path:
        """Where a version's files are. Raises NotFound."""
        folder = self._folder(name) / version
        if not _NAME.fullmatch(version) or not folder.is_dir():
            raise NotFound(f"model {name!r} has no version {version[:80]!r}")
        return folder

    # ----------------------------------------------------------------- inside

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InvalidRequest(f"not a model's name: {name[:80]!r} (use a-z, 0-9, _ . -)", field="name")
        return self._root / name

    def _card(self, name: str, version: str) -> Path:
        return self._folder(name) / version / CARD

    def _version_names(self, name: str) -> list[str]:
        """Oldest first."""
        folder = self._folder(name)
        if not folder.is_dir():
            return []
        return sorted(f.name for f in folder.iterdir() if f.is_dir() and _NAME.fullmatch(f.name))

    def _next_version(self, name: str) -> str:
        """Counts up for good: a number is not given again after its version was pruned."""
        taken = [*self._version_names(name), *self._pointers(name)]
        newest = max((int(v[1:]) for v in taken if re.fullmatch(r"v\d+", v)), default=0)
        return f"v{newest + 1:06d}"

    def _pointers(self, name: str) -> list[str]:
        """The active version and the one before it, as far as there are."""
        try:
            return (self._folder(name) / "active").read_text("ascii").split()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(self._folder(name), f"active: {error}") from error

    def _point(self, name: str, versions: list[str]) -> None:
        folder = self._folder(name)
        temporary = folder / f"{_TEMPORARY}active"
        temporary.write_text("\n".join(versions) + "\n", "ascii")
        _sync(temporary)
        os.replace(temporary, folder / "active")
        _sync(folder)

    def _read_card(self, name: str, version: str) -> dict[str, Any]:
        folder = self._folder(name) / version
        try:
            card = orjson.loads((folder / CARD).read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise _damaged(folder, f"{CARD}: {error}") from error
        if not isinstance(card, dict):
            raise _damaged(folder, f"{CARD} is not an object")
        return card

    def _read(self, name: str, version: str, *, active: bool) -> ModelVersion:
        card = self._read_card(name, version)
        try:
            return ModelVersion(
                name, version, int(card["created_ms"]), active, card["metrics"], card["params"], card["note"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(self._folder(name) / version, f"{CARD}: {error!r}") from error

    def _prune(self, name: str) -> None:
        """Remove the oldest versions, but never the active one or the one it replaced."""
        kept = set(self._pointers(name)[:2])
        for version in self._version_names(name)[: -self._kept]:
            if version not in kept:
                shutil.rmtree(self._folder(name) / version, ignore_errors=True)

    def _sweep(self) -> None:
        """Clear away what killed processes left, unless one is at work there now."""
        for leftover in self._root.glob(f"*/{_TEMPORARY}*"):
            name = leftover.parent.name
            if not _NAME.fullmatch(name):
                continue
            try:
                with self._lock(name, wait=False):
                    if leftover.is_dir():
                        shutil.rmtree(leftover, ignore_errors=True)
                    else:
                        leftover.unlink(missing_ok=True)
            except OSError:
                continue

    @contextmanager
    def _lock(self, name: str, *, wait: bool = True) -> Iterator[None]:
        """One writer a model, over all processes; the kernel frees it when its holder dies."""
        descriptor = os.open(self._folder(name) / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield
        finally:
            os.close(descriptor)


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"the model store cannot be written: {error}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _damaged(folder: Path, why: str) -> ModelDamaged:
    return ModelDamaged(f"{folder}: {why}; roll back to another version or train again")
