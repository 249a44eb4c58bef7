"""What commands share: the console, and progress bars on standard error."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_BARS = 12
"""Bars shown at a time."""


def console(*, error: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=error)


class Bars:
    """Progress bars on standard error: one a stage, made when the stage begins."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console(error=True),
        )
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Callable[[str, int, int], None]:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if not self._tasks:
            self._progress.start()
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total or None)
            for earlier in self._progress.tasks[:-_BARS]:  # beyond a screen, the newest would be cut off
                self._progress.update(earlier.id, visible=False)
        self._progress.update(self._tasks[stage], completed=done, total=total or None)
