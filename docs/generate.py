"""Write docs/settings.md, docs/cli.md and docs/api.md from the code that they describe.

python docs/generate.py           # write them
python docs/generate.py --check   # exit 1 when one is out of date
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import typer.main
from pydantic import BaseModel

from aisle.cli import app
from aisle.settings import Settings

DOCS = Path(__file__).parent


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "Every setting, with its default. Write it in the shop's `aisle.toml` (`[search]`, then `top_k = 300`)",
        "or as a variable (`AISLE_SEARCH__TOP_K=300`), which wins over the file. An unknown name is an error.",
    ]
    for section, field in Settings.model_fields.items():
        kind = field.annotation
        assert isinstance(kind, type)
        assert issubclass(kind, BaseModel)
        lines += [
            "",
            f"## [{section}]",
            "",
            (kind.__doc__ or "").strip(),
            "",
            "| name | default | what |",
            "|---|---|---|",
        ]
        for name, item in kind.model_fields.items():
            lines.append(f"| `{section}.{name}` | `{_shown(item.default)}` | {item.description} |")
    return "\n".join(lines) + "\n"


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return "[" + ", ".join(f'"{v}"' for v in default) + "]"
    return f'"{default}"' if isinstance(default, str) else str(default)


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group) or hasattr(command, "commands"):
        for name, child in sorted(command.commands.items()):
            yield from commands(child, f"{path} {name}")
    else:
        yield path, command


def cli_page() -> str:
    lines = ["# The command line", "", "`SHOP` is a shop's folder. Commands that answer take `--json`."]
    for path, command in commands(typer.main.get_command(app), "aisle"):
        lines += ["", f"## {path}", "", (command.help or "").strip()]
        rows = []
        for parameter in command.params:
            if parameter.name == "help":
                continue
            is_option = parameter.param_type_name == "option"
            shown_name = (getattr(parameter, "metavar", None) or parameter.name or "").upper()
            options = ", ".join(f"`{o}`" for o in (*parameter.opts, *parameter.secondary_opts))
            name = options if is_option else f"`{shown_name}`"
            default = parameter.default if is_option and not callable(parameter.default) else None
            shown = "" if default in (None, "", ()) or repr(default).startswith("Sentinel") else f"`{default}`"
            rows.append(f"| {name} | {shown} | {getattr(parameter, 'help', None) or ''} |")
        if rows:
            lines += ["", "| | default | |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def api_page() -> str:
    schema = openapi_schema()
    lines = [
        "# The HTTP API",
        "",
        "`/openapi.json` describes it exactly, `/docs` lets you try it. Send a key as `X-Aisle-Key: …` or",
        "`Authorization: Bearer …`; its scopes (search, events, admin) say what it may do. Errors are",
        "`application/problem+json`.",
    ]
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            lines += [
                "",
                f"## {method.upper()} {path}",
                "",
                (operation.get("description") or operation["summary"]).strip(),
            ]
            rows = [
                f"| `{p['name']}` | {p['in']} | {_kind(p['schema'])} | {p.get('description', '')} |"
                for p in operation.get("parameters", ())
            ]
            if rows:
                lines += ["", "| parameter | in | type | |", "|---|---|---|---|", *rows]
            named = sorted({_name(r) for r in _references(operation)})
            if named:
                lines += ["", "Values: " + ", ".join(f"[{n}](#{n.lower()})" for n in named)]
    lines += ["", "# Values"]
    for name, model in sorted(schema["components"]["schemas"].items()):
        lines += ["", f"## {name}", "", (model.get("description") or "").strip()]
        rows = [
            f"| `{field}` | {_kind(value)} | {value.get('description', '')} |"
            for field, value in model.get("properties", {}).items()
        ]
        if rows:
            lines += ["", "| field | type | |", "|---|---|---|", *rows]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def openapi_schema() -> dict[str, Any]:
    """The API's description, taken from an empty shop."""
    from aisle.shop import Shop
    from aisle.web.app import create_app

    settings = Settings(encoder={"model": ""})
    with (
        tempfile.TemporaryDirectory() as folder,
        Shop.open(Path(folder) / "shop", create=True, settings=settings) as shop,
    ):
        return create_app(shop, keys=shop.keys, password=shop.admin_password, secret=shop.secret).openapi()


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for child in value.values():
            yield from _references(child)
    elif isinstance(value, list):
        for child in value:
            yield from _references(child)


def _name(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return f"[{_name(schema['$ref'])}](#{_name(schema['$ref']).lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(s) for s in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{v}`" for v in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


PAGES = {"settings.md": settings_page, "cli.md": cli_page, "api.md": api_page}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a page is out of date")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        file, text = DOCS / name, page()
        if not file.exists() or file.read_text("utf-8") != text:
            stale.append(name)
            if not check:
                file.write_text(text, "utf-8")
    if check and stale:
        sys.exit(f"out of date: {', '.join(stale)}; run python docs/generate.py")


if __name__ == "__main__":
    main()
