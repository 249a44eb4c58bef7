"""The command line: parse, call the shop, print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from aisle import __version__
from aisle.commands.compress import compress
from aisle.commands.labels import add_labels
from aisle.commands.terminal import Bars as _Bars
from aisle.commands.terminal import console as _console
from aisle.commands.tune import add_tune
from aisle.errors import AisleError

if TYPE_CHECKING:
    from aisle.shop import Shop
    from aisle.types import ImportSummary, Slate

app = typer.Typer(
    name="aisle",
    help="The discovery engine of an online shop: search, recommendations, and the reasons for both.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(help="API keys: list, make, revoke.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

Folder = Annotated[Path, typer.Argument(metavar="SHOP", help="The shop's folder.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Visitor = Annotated[str, typer.Option("--visitor", help="The shopper's id.")]
TopK = Annotated[int, typer.Option("--top-k", "-k", min=1, max=200, help="How many products.")]


def main() -> None:
    """Entry point: an error that aisle explains ends with that explanation and status 1."""
    try:
        app()
    except AisleError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("stopped")


def _fail(message: str, status: int = 1) -> NoReturn:
    _console(error=True).print(f"[bold red]aisle:[/] {_escape(message)}", highlight=False, soft_wrap=True)
    raise SystemExit(status)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _open(folder: Path) -> Shop:
    from aisle.shop import Shop

    return Shop.open(folder, create=False)


def _print_json(value: Any) -> None:
    import orjson

    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str) + b"\n")


# ------------------------------------------------------------------ commands


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(f"aisle {__version__}")
        raise typer.Exit


@app.command()
def init(
    folder: Folder,
    name: Annotated[str, typer.Option(help="The name on the storefront.")] = "My shop",
    currency: Annotated[str, typer.Option(help="Currency of prices that name none.")] = "USD",
    language: Annotated[str, typer.Option(help="Language of the pages: en or zh.")] = "en",
    as_json: Json = False,
) -> None:
    """Make a shop: its folder, settings, keys and admin password (shown once)."""
    from aisle.wiring import create_shop

    with _Bars() as progress:
        made = create_shop(folder, name=name, currency=currency, language=language, progress=progress)
    if as_json:
        _print_json(made)
        return
    out = _console()
    out.print(f"[bold green]{_escape(str(folder))}[/] is ready. These are shown once; keep them:")
    for label, value in made.items():
        out.print(f"  {label:<16} [bold]{_escape(value)}[/]", highlight=False, soft_wrap=True)
    out.print(f"Next: aisle import {_escape(str(folder))} --products feed.tsv")


@app.command(name="import")
def import_(
    folder: Folder,
    products: Annotated[Path | None, typer.Option(help="Feed: TSV, CSV, XML, JSONL or Parquet.")] = None,
    events: Annotated[Path | None, typer.Option(help="GA4 events (JSONL, BigQuery export), or order lines.")] = None,
    reviews: Annotated[Path | None, typer.Option(help="Reviews: CSV, JSONL or Parquet.")] = None,
    promotions: Annotated[Path | None, typer.Option(help="Promotions: CSV or JSONL.")] = None,
    pages: Annotated[Path | None, typer.Option(help="A folder of help pages (.txt, .md, .html).")] = None,
    judgements: Annotated[Path | None, typer.Option(help="Graded answers: TREC qrels, or a table.")] = None,
    queries: Annotated[Path | None, typer.Option(help="What the query ids of --judgements stand for.")] = None,
    irrelevant: Annotated[float, typer.Option(help="The highest grade of --judgements that means irrelevant.")] = 0.0,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="OUR=THEIRS: read our field from their column.")
    ] = None,
    event_name: Annotated[str | None, typer.Option(help="What each line of a flat event file is.")] = None,
    full: Annotated[bool, typer.Option("--full", help="The feed is the whole catalogue: remove the rest.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until everything is searchable.")] = True,
    as_json: Json = False,
) -> None:
    """Import files. Bad rows go to SHOP/rejects.jsonl with the reason; good rows go on."""
    if not any((products, events, reviews, promotions, pages, judgements)):
        _fail("nothing to import: name a file, as --products FILE; `aisle import --help` lists what can be")
    from aisle.intake.columns import parse_mapping

    fields = parse_mapping(mapping or [])
    done: list[ImportSummary] = []
    with _open(folder) as shop, _Bars() as progress:
        if products:
            done.append(shop.import_products(products, mapping=fields, full=full, progress=progress))
        if events:
            done.append(shop.import_events(events, mapping=fields, name=event_name, progress=progress))
        if reviews:
            done.append(shop.import_reviews(reviews, mapping=fields, progress=progress))
        if promotions:
            done.append(shop.import_promotions(promotions, progress=progress))
        if pages:
            done.append(shop.import_pages(pages, progress=progress))
        if judgements:
            done.append(shop.import_judgements(judgements, queries=queries, irrelevant=irrelevant, progress=progress))
        if wait and products:
            shop.wait_indexed(progress=progress)
    if as_json:
        _print_json([_fields(s) for s in done])
        return
    from rich.table import Table

    table = Table("", "read", "new", "changed", "unchanged", "removed", "rejected", "seconds")
    for s in done:
        numbers = (s.n_read, s.n_added, s.n_changed, s.n_unchanged, s.n_removed, s.n_rejected)
        table.add_row(s.kind, *(f"{n:,}" for n in numbers), f"{s.seconds:.1f}")
    _console().print(table)
    for s in done:
        for note in s.notes:
            _console().print(f"{s.kind}: {_escape(note)}")
        if s.n_rejected:
            _console().print(f"{s.n_rejected:,} rows were rejected; the reasons are in {_escape(s.rejects_file)}")


@app.command()
def train(
    folder: Folder,
    only: Annotated[list[str] | None, typer.Option(help="A model to train, and no other; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Train every model on the shop's own events; a version serves only if it measures better.

    One that is stopped is taken up where it was by the next.
    """
    try:
        with _open(folder) as shop, _Bars() as progress:
            versions = shop.train(only=only or (), progress=progress)
    except KeyboardInterrupt:
        _fail("stopped; what serves is as it was, and the next `aisle train` goes on from here", 130)
    if as_json:
        _print_json([_fields(v) for v in versions])
        return
    from aisle.commands.training_table import models_table, sources_table

    out = _console()
    out.print(models_table(versions))
    measured = sources_table(versions)
    if measured is None:
        out.print("There are too few events to measure by yet: import some with --events, or serve the shop.")
    else:
        out.print(measured)


app.command()(compress)


@app.command()
def serve(
    folder: Folder,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = None,
    seconds: Annotated[float, typer.Option("--for", help="Stop after so many seconds; 0: never.")] = 0,
) -> None:
    """Serve the API, the storefront and the admin pages."""
    from aisle.web.server import serve as serve_shop

    serve_shop(folder, host=host, port=port, for_s=seconds)


@app.command()
def search(
    folder: Folder,
    query: Annotated[str, typer.Argument(help="What the shopper types.")],
    visitor: Visitor = "",
    filters: Annotated[str, typer.Option(help="As color:Red AND price < 60.")] = "",
    sort: Annotated[str, typer.Option(help="relevance, price_asc, price_desc or newest.")] = "relevance",
    page: Annotated[int, typer.Option(min=0, help="0 is the first.")] = 0,
    top_k: TopK = 10,
    as_json: Json = False,
) -> None:
    """Search as a shopper would."""
    with _open(folder) as shop:
        slate = shop.search(query, visitor_id=visitor, filters=filters, sort=sort, page=page, hits_per_page=top_k)
        _print_slate(slate, shop.settings.shop.language, as_json)


@app.command()
def recommend(
    folder: Folder,
    surface: Annotated[str, typer.Argument(help="Such as home, similar or cart; docs/surfaces.md has all.")],
    visitor: Visitor = "",
    item: Annotated[list[str] | None, typer.Option(help="A product it is about; may be repeated.")] = None,
    category: Annotated[str, typer.Option(help="Confine trending to a category.")] = "",
    top_k: TopK = 10,
    as_json: Json = False,
) -> None:
    """Recommend for a surface: home, similar, complementary, together, viewed, trending, cart and more."""
    with _open(folder) as shop:
        slate = shop.recommend(surface, visitor_id=visitor, item_ids=item or (), product_type=category, top_k=top_k)
        _print_slate(slate, shop.settings.shop.language, as_json)


@app.command()
def suggest(folder: Folder, prefix: str, top_k: TopK = 8, as_json: Json = False) -> None:
    """Complete what is being typed."""
    with _open(folder) as shop:
        found = shop.suggest(prefix, top_k=top_k)
    if as_json:
        _print_json([_fields(s) for s in found])
        return
    for s in found:
        _console().print(f"{s.kind:<9} {_escape(s.text)}", highlight=False)


add_labels(app, _open, _print_json)


@app.command()
def status(folder: Folder, as_json: Json = False) -> None:
    """What the shop holds, how far its indexes are, which models serve."""
    with _open(folder) as shop:
        facts = shop.status()
    if as_json:
        _print_json(facts)
        return
    from rich.table import Table

    table = Table(show_header=False)
    for label, value in facts.items():
        shown = "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        table.add_row(label.replace("_", " "), _escape(shown))
    _console().print(table)


@app.command()
def reindex(folder: Folder) -> None:
    """Build the lexical index anew beside the one that serves, then switch; a killed build changes nothing."""
    with _open(folder) as shop, _Bars() as progress:
        shop.rebuild_indexes(progress=progress)


@app.command()
def erase(folder: Folder, visitor: Annotated[str, typer.Argument(help="The shopper's id.")]) -> None:
    """Forget a shopper: events, slates and everything derived from them."""
    with _open(folder) as shop:
        _print_json(shop.erase(visitor))


@app.command()
def export(folder: Folder, visitor: Annotated[str, typer.Argument(help="The shopper's id.")]) -> None:
    """All that is stored about a shopper, as JSON."""
    with _open(folder) as shop:
        _print_json(shop.export(visitor))


@app.command()
def password(folder: Folder) -> None:
    """Set the admin's password (asked for, or read from standard input when it is not a terminal)."""
    text = typer.prompt("New admin password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else ""
    text = text or sys.stdin.readline().rstrip("\n")
    with _open(folder) as shop:
        shop.admin_password.set(text)
    typer.echo("The admin password is changed; every admin login has ended.")


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="SHOP", help="Where the demo shop is made.")] = Path("demo-shop"),
    check: Annotated[
        bool, typer.Option("--check", help="Build it small in a temporary folder, try it over HTTP, print JSON, exit.")
    ] = False,
    n_groups: Annotated[int, typer.Option("--products", min=30, help="Products (groups of variants).")] = 3000,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days of traffic.")] = 30,
    language: Annotated[str, typer.Option(help="Language of the catalogue: en or zh.")] = "en",
    seed: Annotated[int, typer.Option(help="The same seed makes the same shop.")] = 7,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    traffic: Annotated[bool, typer.Option("--traffic/--no-traffic", help="Simulated shoppers while it serves.")] = True,
    seconds: Annotated[float, typer.Option("--for", help="Stop after so many seconds; 0: never.")] = 0,
) -> None:
    """Build a simulated shop with a month of traffic and open its storefront; it is trained meanwhile."""
    from aisle.demo.run import CURRENCIES, check_demo, run_demo
    from aisle.demo.world import WorldConfig
    from aisle.types import now_ms

    if language not in CURRENCIES:
        raise typer.BadParameter(f"the demo speaks {' and '.join(CURRENCIES)}", param_hint="--language")
    if check:
        _print_json(check_demo(seed, language))
        return
    currency = CURRENCIES[language]
    config = WorldConfig(n_groups=n_groups, seed=seed, language=language, currency=currency, days=days, end_ms=now_ms())
    with _Bars() as progress:
        ready = run_demo(folder, config, progress=progress)
    ready.serve(port=port, traffic=traffic, for_s=seconds)


add_tune(app, _open, _Bars, _print_json)

# ---------------------------------------------------------------------- keys


@keys_app.command("list")
def keys_list(folder: Folder, as_json: Json = False) -> None:
    """The keys: name, scopes, whether revoked. Their text is not kept."""
    with _open(folder) as shop:
        found = [_fields(k) for k in shop.keys.list()]
    if as_json:
        _print_json([{k: v for k, v in key.items() if k != "sha256"} for key in found])
        return
    from rich.table import Table

    table = Table("id", "name", "scopes", "revoked")
    for key in found:
        table.add_row(key["key_id"], key["name"], ", ".join(key["scopes"]), "yes" if key["revoked_ms"] else "")
    _console().print(table)


@keys_app.command("add")
def keys_add(
    folder: Folder,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scopes: Annotated[str, typer.Option(help="Of search, events, admin; commas between.")] = "search,events",
) -> None:
    """Make a key and print it, once."""
    with _open(folder) as shop:
        typer.echo(shop.keys.create(name, tuple(s.strip() for s in scopes.split(",") if s.strip())))


@keys_app.command("revoke")
def keys_revoke(folder: Folder, key_id: str) -> None:
    """End a key, at once."""
    with _open(folder) as shop:
        shop.keys.revoke(key_id)
    typer.echo(f"{key_id} is revoked.")


# ------------------------------------------------------------------ printing


def _fields(value: Any) -> dict[str, Any]:
    from aisle.plain import plain

    fields: dict[str, Any] = plain(value)
    return fields


def _print_slate(slate: Slate, language: str, as_json: bool) -> None:
    if as_json:
        from aisle.web.serialise import slate_json

        _print_json(slate_json(slate, language))
        return
    from aisle.commands.slate_table import print_slate

    print_slate(_console(), slate, language)


if __name__ == "__main__":
    main()
