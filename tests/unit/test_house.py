"""The house keeps its rules: imports point one way, heavy libraries stay out of serving."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import aisle

PACKAGE = Path(aisle.__file__).parent
STAGES = {
    "intake", "represent", "understand", "index", "retrieve", "rank", "learn",
    "converse", "insight", "explain", "evaluate", "protect",
}  # fmt: skip
FOUNDATION = {"types", "errors", "settings", "ports", "models", "han"}
HEAVY = (
    "torch", "transformers", "lightgbm", "shap", "sentence_transformers", "torch_geometric", "implicit", "sklearn",
    "scipy", "peft", "optuna", "tensorboard",
)  # fmt: skip


def imports(module: Path) -> Iterator[tuple[str, bool]]:
    """Each imported module with whether the import stands at the top level (or under TYPE_CHECKING: skipped)."""
    tree = ast.parse(module.read_text("utf-8"))
    typing_only = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.unparse(test.test)
        for node in ast.walk(test)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        top = node in tree.body
        if isinstance(node, ast.Import):
            yield from ((alias.name, top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, top
            yield from ((f"{node.module}.{alias.name}", top) for alias in node.names)


def room(name: str) -> str:
    return name.split(".")[1] if name.startswith("aisle.") else ""


def modules() -> list[tuple[str, Path]]:
    return [(p.relative_to(PACKAGE).parts[0].removesuffix(".py"), p) for p in sorted(PACKAGE.rglob("*.py"))]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_imports_the_foundation_and_itself_only(stage: str) -> None:
    for place, module in modules():
        if place != stage:
            continue
        rooms = {room(name) for name, _ in imports(module)} - {"", stage}
        assert rooms <= FOUNDATION, f"{module.relative_to(PACKAGE)} imports {sorted(rooms - FOUNDATION)}"


def test_the_foundation_stands_on_nothing_above_it() -> None:
    order = ["errors", "types", "settings", "ports", "han"]
    for place, module in modules():
        if place in order:
            below = set(order[: order.index(place)]) | ({"types"} if place == "ports" else set())
            assert {room(n) for n, _ in imports(module)} - {"", place} <= below, place


def test_only_the_composition_root_imports_adapters() -> None:
    for place, module in modules():
        if place in {"wiring", "adapters"}:
            continue
        for name, _ in imports(module):
            assert room(name) != "adapters", f"{module.relative_to(PACKAGE)} imports {name}"


def test_adapters_know_ports_not_stages_or_the_shop() -> None:
    for place, module in modules():
        if place == "adapters":
            for name, _ in imports(module):
                # documents and cards are the values that an index and an encoder are made of
                assert room(name) in FOUNDATION | {"", "adapters", "index", "represent"}, f"{module.name}: {name}"


def test_nothing_below_the_edges_imports_the_edges() -> None:
    edges = {"web", "cli", "commands", "demo"}
    for place, module in modules():
        if place in edges | {"testing"}:
            continue
        for name, _ in imports(module):
            assert room(name) not in edges, f"{module.relative_to(PACKAGE)} imports {name}"


def test_what_serves_knows_nothing_of_training() -> None:
    for place, module in modules():
        if place == "serving":
            rooms = {room(name) for name, _ in imports(module)}
            assert not rooms & {"training", "shop", "wiring"}, f"{module.name} imports {sorted(rooms)}"


def test_the_shop_reaches_the_composition_root_only_when_it_opens() -> None:
    for name, top in imports(PACKAGE / "shop.py"):
        assert not (top and room(name) == "wiring")


@pytest.mark.parametrize("entry", ["aisle", "aisle.cli", "aisle.shop", "aisle.wiring", "aisle.web.app"])
def test_serving_imports_no_training_library(entry: str) -> None:
    code = f"import sys, {entry}; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_public_names_are_these() -> None:
    assert aisle.__all__ == [
        "AisleError", "Event", "EventItem", "Hit", "ImportSummary", "Money",
        "Product", "Reason", "Settings", "Shop", "Slate", "Suggestion",
    ]  # fmt: skip
    for name in aisle.__all__:
        assert getattr(aisle, name).__name__ == name


def test_files_fit_a_sitting() -> None:
    longest = {str(p.relative_to(PACKAGE)): len(p.read_text("utf-8").splitlines()) for _, p in modules()}
    assert {name: n for name, n in longest.items() if n > 450} == {}
