"""`aisle tune`: parse, call the shop, print a table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from aisle.shop import Shop
    from aisle.types import ModelVersion

Bars = Callable[[], AbstractContextManager[Callable[[str, int, int], None]]]


def add_tune(
    app: typer.Typer, open_shop: Callable[[Path], Shop], bars: Bars, print_json: Callable[[Any], None]
) -> None:
    """Put the command on the command line, which lends it how shops are opened and progress is shown."""

    @app.command()
    def tune(
        folder: Annotated[Path, typer.Argument(metavar="SHOP", help="The shop's folder.", show_default=False)],
        data: Annotated[Path, typer.Option(help="Labelled texts: CSV, TSV, JSONL or Parquet.")],
        task: Annotated[str, typer.Option(help="What the labels are: intent, category, sentiment, …")] = "intent",
        method: Annotated[
            str, typer.Option(help="full, top, lora, adalora, prefix, prompt, ia3, or head (the encoder stays).")
        ] = "lora",
        text_column: Annotated[str, typer.Option(help="Column of the texts, where it has no usual name.")] = "",
        label_column: Annotated[str, typer.Option(help="Column of the labels, where it has no usual name.")] = "",
        test: Annotated[Path | None, typer.Option(help="Labelled texts to measure on at the end.")] = None,
        epochs: Annotated[float | None, typer.Option(help="How often each text is read.")] = None,
        learning_rate: Annotated[float | None, typer.Option(help="The highest rate of the schedule.")] = None,
        batch: Annotated[int | None, typer.Option(help="Texts in a batch.")] = None,
        rank: Annotated[int | None, typer.Option(help="Rank of LoRA and AdaLoRA.")] = None,
        max_tokens: Annotated[int | None, typer.Option(help="Tokens of a text that are read.")] = None,
        dropout: Annotated[float | None, typer.Option(help="Share of numbers left out while training.")] = None,
        held: Annotated[float | None, typer.Option(help="Share of the texts to measure by; 0: learn from all.")] = None,
        seed: Annotated[int | None, typer.Option(help="Seed of all that is drawn.")] = None,
        trials: Annotated[int, typer.Option(help="Recipes to try before the training; 0: none.")] = 0,
        minutes: Annotated[float, typer.Option(help="Minutes it may take, trials too; 0: no limit.")] = 0.0,
        out: Annotated[Path | None, typer.Option(help="Write the classifier into this folder, too.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Adapt the encoder to labelled texts: measured before and after, kept as a version, served from there.

        One that is stopped is taken up where it was by the same command.
        """
        from aisle.learn.adapt.recipe import Method
        from aisle.training.tune import Wanted

        changed = {
            "epochs": epochs, "learning_rate": learning_rate, "batch": batch, "rank": rank, "dropout": dropout,
            "max_tokens": max_tokens, "held": held, "seed": seed,
        }  # fmt: skip
        wanted = Wanted(
            task, data, cast(Method, method), text_column, label_column, test, trials, minutes, out,
            {name: value for name, value in changed.items() if value is not None},
        )  # fmt: skip
        with open_shop(folder) as shop, bars() as progress:
            version = shop.tune(wanted, progress=progress)
        if as_json:
            from aisle.plain import plain

            print_json(plain(version))
            return
        from rich.console import Console

        Console().print(results_table(version))
        if not version.active:
            Console().print(version.note, highlight=False)


def results_table(version: ModelVersion) -> Table:
    """What one training gave: each measure before and after, the trained share, seconds."""
    from rich.table import Table

    params, metrics = version.params, version.metrics
    table = Table("", "before", "after", title=f"{version.name} {version.version}, {params['method']}")
    for name in ("accuracy", "macro_f1", "loss"):
        if f"{name}_after" in metrics:
            before, after = metrics[f"{name}_before"], metrics[f"{name}_after"]
            table.add_row(f"{name.replace('_', ' ')} (held out: {params['held']:,})", f"{before:.4f}", f"{after:.4f}")
        if f"{name}_test" in metrics:
            table.add_row(f"{name.replace('_', ' ')} (test)", "", f"{metrics[f'{name}_test']:.4f}")
    for label, shown in (
        ("texts learned from", f"{params['learned']:,}"),
        ("labels", f"{params['labels']:,}"),
        ("trained weights", f"{metrics['trained_share']:.2%}"),
        ("steps", f"{params['steps']:,}"),
        ("seconds", f"{metrics['training_seconds']:.0f}"),
        ("serves", "yes" if version.active else "no"),
    ):
        table.add_row(label, "", shown)
    return table
