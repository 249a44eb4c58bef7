"""What a training found, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aisle.types import ModelVersion

if TYPE_CHECKING:
    from rich.table import Table


def models_table(versions: Sequence[ModelVersion]) -> Table:
    """A row a model: its version, whether it serves, and if not, why; how long its fits took."""
    from rich.table import Table

    table = Table(title="Models", title_justify="left")
    for column in ("model", "version", "serves"):
        table.add_column(column, no_wrap=True)
    table.add_column("seconds", justify="right")
    table.add_column("note")
    for version in versions:
        seconds = version.metrics.get("training_seconds")
        took = "" if seconds is None else f"{seconds:.0f}"
        table.add_row(version.name, version.version or "none", "yes" if version.active else "no", took, version.note)
    return table


def sources_table(versions: Sequence[ModelVersion]) -> Table | None:
    """A row a source: what it finds alone and what it adds to the others; None when nothing was measured."""
    from rich.table import Table

    metrics: dict[str, float] = {}
    for version in versions:
        metrics |= version.metrics
    names = source_names(metrics)
    n_cases = int(metrics.get("cases", 0))
    if not names or not n_cases:
        return None
    adds = any(f"{name}.adds" in metrics for name in names)
    table = Table(
        title=f"What each source finds of {n_cases:,} held-out steps", title_justify="left",
        caption="± is half of the 95% interval of the paired difference", caption_justify="left",
    )  # fmt: skip
    table.add_column("source", no_wrap=True)
    for column in ("recall@20", "MRR@20", "recall over popularity", *(("MRR it adds",) if adds else ())):
        table.add_column(column, justify="right")
    for name in names:
        cells = [f"{metrics[f'{name}.{figure}']:.4f}" for figure in ("recall@20", "mrr@20")]
        cells += [_interval(metrics, f"{name}.{figure}") for figure in ("gain", *(("adds",) if adds else ()))]
        table.add_row(name, *cells)
    return table


def source_names(metrics: Mapping[str, float]) -> list[str]:
    """The sources that were measured: popularity first, then from the best to the least."""
    suffix = ".recall@20"
    names = [key.removesuffix(suffix) for key in metrics if key.endswith(suffix)]
    return sorted(names, key=lambda name: (name != "popularity", -metrics[name + suffix]))


def _interval(metrics: Mapping[str, float], key: str) -> str:
    if key not in metrics:
        return ""
    return f"{metrics[key]:+.4f} ± {(metrics[f'{key}_high'] - metrics[f'{key}_low']) / 2:.4f}"
