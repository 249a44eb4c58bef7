"""`aisle labels`: what people said texts are, counted or written out to tune on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aisle.errors import NotFound

if TYPE_CHECKING:
    from aisle.shop import Shop


def add_labels(app: typer.Typer, open_shop: Callable[[Path], Shop], print_json: Callable[[Any], None]) -> None:
    """Put the command on the command line, which lends it how shops are opened."""

    @app.command()
    def labels(
        folder: Annotated[Path, typer.Argument(metavar="SHOP", help="The shop's folder.", show_default=False)],
        task: Annotated[str, typer.Option(help="What the labels say: intent, category, …")] = "intent",
        out: Annotated[Path | None, typer.Option(help="Write them as CSV (text, label), to tune on.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """What people said texts are, on the admin page or by the API: how often each label was given."""
        from collections import Counter

        from aisle.training.labelling import write_labels

        with open_shop(folder) as shop:
            said = shop.labels(task)
        if out is not None:
            if not said:
                raise NotFound(f"nobody labelled a text for {task} yet; the admin page asks for intent and category")
            write_labels(said, out)
        counts = Counter(one.label for one in said)
        if as_json:
            print_json({"task": task, "n_labels": len(said), "names": dict(counts.most_common())})
            return
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        table = Table("label", "texts")
        for name, count in counts.most_common():
            table.add_row(escape(name), f"{count:,}")
        console = Console()
        console.print(table if counts else f"Nobody labelled a text for {task} yet.")
        if out is not None:
            console.print(f"{len(said):,} labelled texts are in {escape(str(out))}", highlight=False, soft_wrap=True)
