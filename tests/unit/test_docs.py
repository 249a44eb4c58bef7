"""The documents say what the code does: every setting, command, option and API field is in them."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from aisle.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["settings.md", "cli.md", "api.md"])
def test_a_reference_page_is_up_to_date(generate: ModuleType, page: str) -> None:
    assert (ROOT / "docs" / page).read_text("utf-8") == generate.PAGES[page](), "run: python docs/generate.py"


def test_every_setting_has_help() -> None:
    for section, field in Settings.model_fields.items():
        for name, item in field.annotation.model_fields.items():  # type: ignore[union-attr]
            assert item.description, f"{section}.{name} has no description"


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    every = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    declared = [re.split(r"[^A-Za-z0-9_-]", requirement)[0] for requirement in every]
    reasons = (ROOT / "docs" / "dependencies.md").read_text("utf-8").lower()
    missing = [name for name in declared if f"`{name.lower()}`" not in reasons]
    assert not missing, f"docs/dependencies.md gives no reason for {missing}"


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_every_command_in_a_readme_exists(generate: ModuleType, readme: str) -> None:
    import typer.main

    from aisle.cli import app

    known = {path.split()[1] for path, _ in generate.commands(typer.main.get_command(app), "aisle")}
    text = (ROOT / readme).read_text("utf-8")
    named = set(re.findall(r"^(?:\.venv/bin/)?aisle ([a-z]+)", text, re.M))
    assert named
    assert named <= known
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"^make ([a-z]+)", text, re.M)) <= targets


def test_the_two_readmes_have_the_same_commands() -> None:
    def blocks(name: str) -> list[str]:
        found = re.findall(r"```(?:sh|python)\n(.*?)```", (ROOT / name).read_text("utf-8"), re.S)
        return [re.sub(r"#.*", "", b).strip() for b in found]

    strip = [[line.rstrip() for line in b.splitlines()] for b in blocks("README.md")]
    assert strip == [[line.rstrip() for line in b.splitlines()] for b in blocks("README.zh-CN.md")]


def test_links_in_the_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
