"""The folder of a training under way: who trains, and what is finished already.

    models/.work/lock                    held by the process that trains
    models/.work/run.json                what the training is about
    models/.work/<name>/<stage>/         a trainer's own checkpoints
    models/.work/<name>/<stage>.done/    a finished fit

A training that was killed is taken up where it was, as long as it is about the
same log, catalogue, settings and release; otherwise it begins anew.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import orjson
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from aisle.errors import ShopBusy, StorageError
from aisle.learn.fitted import Fitted
from aisle.types import now_ms

STALE_HOURS: Final = 24.0
"""A training that was killed longer ago is not worth finishing: the log has grown."""


class Workbench:
    """One training of a shop. Use as a context; `begin` first."""

    def __init__(self, models: Path) -> None:
        self._root = models / ".work"
        self._lock: int | None = None
        self.resumed = False

    def __enter__(self) -> Self:
        """Raises ShopBusy while another process trains this shop, StorageError."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"{self._root} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            who = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
            os.close(lock)
            raise ShopBusy(
                f"this shop is being trained already{f' (process {who})' if who else ''}; "
                "wait until that has ended, or stop it"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def begin(self, about: Mapping[str, Any]) -> dict[str, Any]:
        """What the training is about: `about`, or what a killed one about the same was.

        `last_seq` alone may differ: the log that the killed one read is a part
        of today's, and its checkpoints belong to that part.
        """
        kept = self._kept_run()
        same = {**about, "last_seq": 0} == {**kept.get("about", {}), "last_seq": 0}
        fresh = now_ms() - kept.get("started_ms", 0) < STALE_HOURS * 3_600_000
        if same and fresh and kept["about"].get("last_seq", 0) <= about["last_seq"]:
            self.resumed = True
            return dict(kept["about"])
        self.clear()
        self._write("run.json", {"about": dict(about), "started_ms": now_ms()})
        return dict(about)

    def _kept_run(self) -> dict[str, Any]:
        try:
            kept = orjson.loads((self._root / "run.json").read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return {}
        return kept if isinstance(kept, dict) and isinstance(kept.get("about"), dict) else {}

    def clear(self) -> None:
        """Nothing is under way any more."""
        for entry in self._root.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != "lock":
                entry.unlink(missing_ok=True)

    def folder(self, name: str, stage: str) -> Path:
        """Where a fit may keep checkpoints; made if need be."""
        folder = self._root / name / stage
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def keep(self, fitted: Fitted, name: str, stage: str) -> Fitted:
        """Put a finished fit by, so that it need not be fitted again. Raises StorageError."""
        folder, done = self.folder(name, stage), self._done(name, stage)
        making = done.with_suffix(".new")
        try:
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir()
            save_file({k: np.ascontiguousarray(a) for k, a in fitted.arrays.items()}, making / "arrays.safetensors")
            (making / "files").mkdir()
            for file, source in fitted.files.items():
                shutil.copyfile(source, making / "files" / file)
            card = {"name": fitted.name, "params": dict(fitted.params), "metrics": dict(fitted.metrics)}
            (making / "card.json").write_bytes(orjson.dumps(card, option=orjson.OPT_SERIALIZE_NUMPY))
            making.rename(done)
        except (OSError, SafetensorError) as error:
            raise StorageError(f"{self._root} cannot be written: {error}") from error
        shutil.rmtree(folder, ignore_errors=True)  # the checkpoints have done their work
        return self.kept(name, stage) or fitted

    def kept(self, name: str, stage: str) -> Fitted | None:
        """A fit that was finished before; None when there is none, or it cannot be read."""
        done = self._done(name, stage)
        try:
            card = orjson.loads((done / "card.json").read_bytes())
            files = {file.name: file for file in (done / "files").iterdir()}
            return Fitted(card["name"], load_file(done / "arrays.safetensors"), files, card["params"], card["metrics"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            shutil.rmtree(done, ignore_errors=True)
            return None

    def _done(self, name: str, stage: str) -> Path:
        return self._root / name / f"{stage}.done"

    def versions(self) -> dict[str, Any]:
        """Versions that this training has made so far, by model."""
        try:
            return dict(orjson.loads((self._root / "versions.json").read_bytes()))
        except (OSError, ValueError):
            return {}

    def made(self, name: str, version: str) -> None:
        """Remember a version, so that a training that is taken up does not make it again."""
        self._write("versions.json", {**self.versions(), name: version})

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        making = self._root / f"{name}.new"
        try:
            making.write_bytes(orjson.dumps(content))
            making.replace(self._root / name)
        except OSError as error:
            raise StorageError(f"{self._root} cannot be written: {error.strerror}") from error


def at_work(models: Path) -> bool:
    """Whether a process trains there now.

    The lock is tried only where somebody's number stands in it: one who trains
    wrote it and one who ended took it away, so that looking never stands in the
    way of a training that begins.
    """
    try:
        lock = os.open(models / ".work" / "lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if not os.pread(lock, 1, 0):
            return False
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False  # it was killed
    finally:
        os.close(lock)
