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
        data: Annotated[Path, typer.Option(help="Examples: CSV, TSV, JSONL or Parquet; tags also as CoNLL's lines.")],
        task: Annotated[str, typer.Option(help="What it is to be called: intent, category, …; else as its kind.")] = "",
        kind: Annotated[
            str, typer.Option(help="labels, clicks, relevance, tags or text, where the columns do not say.")
        ] = "",
        method: Annotated[
            str,
            typer.Option(
                help="full, top, lora, adalora, prefix, prompt, ia3, head (the encoder stays), few (examples of each "
                "label) or names (of labels, no example)."
            ),
        ] = "lora",
        model: Annotated[str, typer.Option(help="Folder or Hugging Face name of what learns; else the encoder.")] = "",
        loss: Annotated[str, typer.Option(help="Of relevance: mse, pairwise or listwise (the default).")] = "",
        text_column: Annotated[str, typer.Option(help="Column of the texts, where it has no usual name.")] = "",
        label_column: Annotated[
            str, typer.Option(help="Column of labels, clicks, grades, tags or outputs, where it has no usual name.")
        ] = "",
        query_column: Annotated[
            str, typer.Option(help="Column of queries or inputs, where it has no usual name.")
        ] = "",
        test: Annotated[Path | None, typer.Option(help="Examples to measure on at the end.")] = None,
        unlabelled: Annotated[
            Path | None, typer.Option(help="Texts for methods few and names; else the shop's own.")
        ] = None,
        epochs: Annotated[float | None, typer.Option(help="How often each example is read.")] = None,
        learning_rate: Annotated[float | None, typer.Option(help="The highest rate of the schedule.")] = None,
        batch: Annotated[int | None, typer.Option(help="Examples in a batch; of relevance, queries.")] = None,
        rank: Annotated[int | None, typer.Option(help="Rank of LoRA and AdaLoRA.")] = None,
        max_tokens: Annotated[int | None, typer.Option(help="Tokens of a text that are read.")] = None,
        dropout: Annotated[float | None, typer.Option(help="Share of numbers left out while training.")] = None,
        held: Annotated[float | None, typer.Option(help="Share to measure by; 0: learn from all.")] = None,
        seed: Annotated[int | None, typer.Option(help="Seed of all that is drawn.")] = None,
        trials: Annotated[int, typer.Option(help="Recipes to try before the training; 0: none.")] = 0,
        minutes: Annotated[float, typer.Option(help="Minutes it may take, trials too; 0: no limit.")] = 0.0,
        out: Annotated[Path | None, typer.Option(help="Write the model into this folder, too.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Adapt a model to labels, clicks, grades, tags or texts: measured before and after, kept as a version.

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
            kind=kind, loss=loss, model=model, query=query_column, unlabelled=unlabelled,
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
    ends = ("_after", "_test")
    names = {name.removesuffix(end) for name in metrics for end in ends if name.endswith(end)}
    for name in sorted(names, key=lambda one: (one == "loss", one != params["measure"], one)):
        called = name.replace("_", " ")
        if f"{name}_after" in metrics:
            before, after = metrics[f"{name}_before"], metrics[f"{name}_after"]
            table.add_row(f"{called} (held out: {params['held']:,})", f"{before:.4f}", f"{after:.4f}")
        if f"{name}_test" in metrics:
            table.add_row(f"{called} (test)", "", f"{metrics[f'{name}_test']:.4f}")
    told = [(f"{params['units']} learned from", f"{params['learned']:,}")]
    if "labels" in params:
        told.append(("labels", f"{params['labels']:,}"))
    told += [
        ("trained weights", f"{metrics['trained_share']:.2%}"),
        ("steps", f"{params['steps']:,}"),
        ("seconds", f"{metrics['training_seconds']:.0f}"),
        ("serves" if params["kind"] == "labels" else "the best so far", "yes" if version.active else "no"),
    ]
    for label, shown in told:
        table.add_row(label, "", shown)
    return table
