"""Settings: a typing error never passes silently, wherever it was made."""

from __future__ import annotations

from pathlib import Path

import pytest

from aisle.errors import SettingsError
from aisle.settings import Settings


def test_variables_win_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "aisle.toml"
    file.write_text("[search]\ntop_k = 300\nneighbours = 50\n")
    monkeypatch.setenv("AISLE_SEARCH__TOP_K", "150")
    settings = Settings.read(file)
    assert (settings.search.top_k, settings.search.neighbours) == (150, 50)


@pytest.mark.parametrize(
    ("name", "hint"), [("AISLE_SEARHC__TOP_K", "AISLE_SEARCH__TOP_K"), ("AISLE_SHOP_NAME", "AISLE_SHOP__NAME")]
)
def test_an_unknown_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, hint: str) -> None:
    monkeypatch.setenv(name, "5")
    with pytest.raises(SettingsError, match=f"{name}: there is no such setting; did you mean {hint}"):
        Settings.read(tmp_path / "aisle.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[search]\ntopk = 3\n", "search.topk: there is no such setting"),
        ("[search]\ntop_k = -3\n", "search.top_k"),
        ("[serach]\ntop_k = 3\n", "serach: there is no such setting"),
        ("[search\n", "aisle.toml"),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "aisle.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=told):
        Settings.read(file)
