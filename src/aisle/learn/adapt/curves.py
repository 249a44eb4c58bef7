"""What a training measured, step by step: plain lines, TensorBoard, and Weights & Biases or MLflow where wanted."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import orjson

from aisle.errors import SettingsError, StorageError

FILE: Final = "curves.jsonl"
Tracker = Literal["", "wandb", "mlflow"]


class Curves:
    """Writes `curves.jsonl` (step, name, value) and TensorBoard's files below `folder`. Use as a context.

    `tracker` also sends the numbers to Weights & Biases or MLflow, as those are
    configured on this machine. Raises SettingsError when it is not installed,
    StorageError when the disk refuses.
    """

    def __init__(self, folder: Path, *, name: str, about: Mapping[str, Any], tracker: Tracker = "") -> None:
        self._folder, self._name, self._about = folder, name, dict(about)
        self._tracker: Any = _tracker(tracker) if tracker else None
        self._kind = tracker
        self._run: Any = None

    def __enter__(self) -> Self:
        from torch.utils.tensorboard import SummaryWriter

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer: Any = SummaryWriter(str(self._folder / "tensorboard"))
        except OSError as error:
            raise StorageError(f"{self._folder} cannot be written: {error.strerror}") from error
        if self._kind == "wandb":
            self._run = self._tracker.init(project="aisle", name=self._name, config=self._about)
        elif self._kind == "mlflow":
            self._run = self._tracker.start_run(run_name=self._name)
            self._tracker.log_params(self._about)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        if self._kind == "wandb":
            self._run.finish()
        elif self._kind == "mlflow":
            self._tracker.end_run()

    def begin_at(self, step: int) -> None:
        """Forget what a killed training wrote after the checkpoint of that step: it will be written again."""
        file = self._folder / FILE
        if not file.exists():
            return
        kept = [line for line in file.read_bytes().splitlines(keepends=True) if _step_of(line) <= step]
        if step == 0:
            kept = []
        making = file.with_suffix(".new")
        making.write_bytes(b"".join(kept))
        making.replace(file)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Values that are not finite are left out. Raises StorageError."""
        told = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        lines = [orjson.dumps({"step": step, "name": name, "value": value}) + b"\n" for name, value in told.items()]
        try:
            with (self._folder / FILE).open("ab") as file:
                file.write(b"".join(lines))
            for name, value in told.items():
                self._writer.add_scalar(name, value, step)
        except OSError as error:
            raise StorageError(f"{self._folder / FILE} cannot be written: {error.strerror}") from error
        if self._kind == "wandb":
            self._run.log(told, step=step)
        elif self._kind == "mlflow":
            self._tracker.log_metrics(told, step=step)


def _step_of(line: bytes) -> int:
    try:
        return int(orjson.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return 1 << 60  # half a line: the process was killed while it wrote


def _tracker(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SettingsError(
            f"train.tracker is {name!r}, but {name} is not installed: pip install {name}, or leave train.tracker empty"
        ) from error
