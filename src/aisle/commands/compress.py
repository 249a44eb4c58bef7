"""`aisle compress`: the shop's encoder made lighter, and a table to choose from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aisle.commands.terminal import Bars, console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from aisle.training.lighter_table import Lighter


def compress(
    folder: Annotated[Path, typer.Argument(metavar="SHOP", help="The shop's folder.", show_default=False)],
    layers: Annotated[int | None, typer.Option(min=0, help="Layers the student keeps; 0: all. Else half.")] = None,
    heads: Annotated[int | None, typer.Option(min=0, help="Heads a layer keeps; 0: all. Else two thirds.")] = None,
    neurons: Annotated[int | None, typer.Option(min=0, help="Neurons a layer keeps; 0: all. Else half.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="Minutes the student may learn for.")] = 15.0,
    int8: Annotated[bool, typer.Option("--int8/--no-int8", help="Write each network in eight bits, too.")] = True,
    student: Annotated[bool, typer.Option("--student/--no-student", help="Teach a smaller student.")] = True,
    static: Annotated[bool, typer.Option("--static/--no-static", help="Make a table of tokens, too.")] = True,
    texts: Annotated[Path | None, typer.Option(help="More texts to learn from: .txt, or a table.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make the text encoder lighter: int8, a distilled student, a table of tokens; nothing of it serves until told to.

    One that is stopped is taken up where it was by the next.
    """
    from aisle.learn.adapt.labelled import read_texts
    from aisle.learn.adapt.prune import Size
    from aisle.shop import Shop
    from aisle.training.lighter import Plan

    plan = Plan(
        size=Size(layers, heads, neurons), minutes=minutes, int8=int8, student=student, static=static,
        texts=read_texts(texts) if texts else (),
    )  # fmt: skip
    try:
        with Shop.open(folder, create=False) as shop, Bars() as progress:
            rows = shop.compress(plan, progress=progress)
    except KeyboardInterrupt:
        console(error=True).print("stopped; what serves is as it was, and the next `aisle compress` goes on from here")
        raise typer.Exit(130) from None
    if as_json:
        import orjson

        from aisle.plain import plain

        told = orjson.dumps([plain(row) for row in rows], option=orjson.OPT_INDENT_2, default=str)
        sys.stdout.buffer.write(told + b"\n")
        return
    out = console()
    out.print(lighter_table(rows))
    out.print("To serve one, write it into the shop's aisle.toml; the catalogue is read anew with it:", highlight=False)
    for row in rows[1:]:
        out.print(f"  [encoder]\n  model = {row.folder.resolve().as_posix()!r}", markup=False, soft_wrap=True)


def lighter_table(rows: Sequence[Lighter]) -> Table:
    """A row a model: size, speed, and how near it stays to the encoder as it is."""
    from rich.table import Table

    table = Table(
        title="The encoder, made lighter", title_justify="left", caption_justify="left",
        caption="speed is times the first row, in batches and for one query; neighbours are the share of its ten "
        "nearest that stay the same, searched with its own vectors and among the vectors of the first row",
    )  # fmt: skip
    table.add_column("model", no_wrap=True)
    for column in ("MB", "speed", "one query", "cosine", "neighbours", "in its index"):
        table.add_column(column, justify="right")
    table.add_column("how it was made")
    for row in rows:
        table.add_row(
            row.name, f"{row.megabytes:.1f}", f"{row.speed:.1f}", f"{row.speed_one:.1f}", f"{row.cosine:.4f}",
            f"{row.overlap:.3f}", f"{row.mixed:.3f}", row.made,
        )  # fmt: skip
    return table
