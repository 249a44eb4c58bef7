"""Chinese text: folded one for one, read aloud."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.han import has_han, simplified, syllables


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("紅色連帽衫", "红色连帽衫"),
        ("無線耳機 Pro 15寸", "无线耳机 Pro 15寸"),
        ("红色", "红色"),
        ("Café ß 🙂", "Café ß 🙂"),
        ("", ""),
    ],
)
def test_traditional_characters_become_simplified(text: str, folded: str) -> None:
    assert simplified(text) == folded


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_folding_keeps_the_length_and_does_it_once(text: str) -> None:
    folded = simplified(text)
    assert len(folded) == len(text)
    assert simplified(folded) == folded
    assert has_han(folded) == has_han(text)


def test_a_text_is_read_by_its_phrases_in_either_script() -> None:
    assert syllables("长裤") == ("chang", "ku")
    assert syllables("長褲") == ("chang", "ku")
    assert syllables("Nike跑步鞋 RX-20") == ("nike", "pao", "bu", "xie", "rx", "20")


def test_a_shop_without_chinese_loads_none_of_it() -> None:
    code = """
import sys
from aisle.han import simplified, has_han
from aisle.retrieve.suggest import Entry, Suggester
from aisle.understand.query import Understander
from aisle.understand.lexicon import Lexicon
from aisle.adapters.tantivy import TantivyLexicalIndex
from aisle.testing.lexical import group, item
from pathlib import Path
import tempfile
with tempfile.TemporaryDirectory() as folder:
    index = TantivyLexicalIndex(Path(folder) / "i")
    index.upsert([group(0, item("Café hoodie", color="Red"))]); index.commit(1)
    Understander(Lexicon.of(index)).understand("red hoodie for men")
    suggester = Suggester(); suggester.rebuild([Entry("Café hoodie", item_id="a")], {"hoodie": 3}, {})
    assert suggester.suggest("ho")
    index.close()
print([m for m in ("jieba", "opencc", "pypinyin") if m in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
