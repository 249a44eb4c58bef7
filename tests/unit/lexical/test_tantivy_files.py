"""What happens to the index's folder: locks, crashes, damage, other processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from aisle.adapters.tantivy import TantivyLexicalIndex
from aisle.errors import ModelDamaged, ShopBusy
from aisle.testing.lexical import group, item, shop, words


def found(index: TantivyLexicalIndex, text: str) -> list[int]:
    return [int(o) for o in index.search(words(text)).ords]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    index = TantivyLexicalIndex(tmp_path / "lexical")
    index.upsert(shop())
    index.commit(7)
    index.close()
    return tmp_path / "lexical"


def test_what_was_committed_is_there_again(folder: Path) -> None:
    index = TantivyLexicalIndex(folder)
    assert (index.applied_seq(), len(index)) == (7, 7)
    assert found(index, "mug") == [4]
    index.close()


def test_what_was_not_committed_is_forgotten(folder: Path) -> None:
    index = TantivyLexicalIndex(folder)
    index.upsert([group(8, item("Lamp"))])
    index.close()
    again = TantivyLexicalIndex(folder)
    assert found(again, "lamp") == []
    again.close()


def test_a_second_writer_is_refused_and_may_come_after_the_first(folder: Path) -> None:
    first = TantivyLexicalIndex(folder)
    with pytest.raises(ShopBusy):
        TantivyLexicalIndex(folder)
    reader = TantivyLexicalIndex(folder, writable=False)
    with pytest.raises(ShopBusy):
        reader.upsert([group(8, item("Lamp"))])
    with pytest.raises(ShopBusy):
        reader.claim()
    first.close()
    assert found(first, "mug") == [4]
    reader.claim()
    reader.upsert([group(8, item("Lamp"))])
    reader.commit(8)
    assert found(reader, "lamp") == [8]
    reader.close()


def test_a_reader_sees_the_writer_s_commits_after_reload(folder: Path) -> None:
    writer, reader = TantivyLexicalIndex(folder), TantivyLexicalIndex(folder, writable=False)
    writer.upsert([group(8, item("Lamp", color="Teal"))])
    writer.commit(9)
    assert (found(reader, "lamp"), reader.applied_seq()) == ([], 7)
    reader.reload()
    assert (found(reader, "lamp"), reader.applied_seq()) == ([8], 9)
    values = reader.search(words("lamp"), facets=("color",)).facets["color"]
    assert [v.value for v in values] == ["Teal"]
    writer.close()


def test_a_crash_between_commit_and_its_seq_applies_again(folder: Path) -> None:
    (folder / "applied.json").write_text("{broken", "utf-8")
    index = TantivyLexicalIndex(folder)
    assert index.applied_seq() == 0
    index.upsert(shop())
    index.commit(7)
    assert (index.applied_seq(), len(index)) == (7, 7)
    index.close()


@pytest.mark.parametrize("part", ["term", "idx", "fast", "store", "fieldnorm"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "flipped"])
def test_damaged_files_are_refused_with_their_name(folder: Path, part: str, damage: str) -> None:
    file = next(folder.glob(f"*.{part}"))
    data = bytearray(file.read_bytes())
    file.chmod(0o644)
    if damage == "missing":
        file.unlink()
    elif damage == "flipped":
        data[len(data) // 3] ^= 0x40
        file.write_bytes(data)
    else:
        file.write_bytes(data[: len(data) // 2] if damage == "truncated" else b"")
    for writable in (True, False):
        with pytest.raises(ModelDamaged, match="rebuild"):
            TantivyLexicalIndex(folder, writable=writable)


@pytest.mark.parametrize("meta", [b"", b"{}", b"nonsense", None])
def test_damaged_metadata_is_refused(folder: Path, meta: bytes | None) -> None:
    (folder / "meta.json").unlink()
    if meta is not None:
        (folder / "meta.json").write_bytes(meta)
    with pytest.raises(ModelDamaged, match="rebuild"):
        TantivyLexicalIndex(folder)


def test_an_index_of_another_make_is_refused(folder: Path) -> None:
    meta = folder / "meta.json"
    meta.write_text(meta.read_text("utf-8").replace('"traits"', '"traitz"'), "utf-8")
    with pytest.raises(ModelDamaged, match="rebuild"):
        TantivyLexicalIndex(folder)


def test_reading_where_nothing_is_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelDamaged):
        TantivyLexicalIndex(tmp_path / "none", writable=False)


def test_many_small_commits_stay_searchable(folder: Path) -> None:
    index = TantivyLexicalIndex(folder)
    for n in range(30):
        index.upsert([group(100, item(f"Version{n} Lamp")), group(200 + n, item(f"Thing{n}"))])
        index.commit(10 + n)
    assert found(index, "lamp") == [100]
    assert found(index, "version29") == [100]
    assert found(index, "version28") == []
    assert len(index) == 7 + 1 + 30
    index.close()


def test_a_commit_that_was_killed_half_way_does_not_stop_the_next(folder: Path) -> None:
    """Its files bear the number that the commit after the restart gives its own."""
    before = (folder / "meta.json").read_bytes()
    index = TantivyLexicalIndex(folder)
    index.upsert(shop()[:1])
    index.commit(8)
    index.close()
    assert list(folder.glob("*.del"))
    (folder / "meta.json").write_bytes(before)  # as it is when the kill comes just before it is replaced
    again = TantivyLexicalIndex(folder)
    again.upsert(shop()[:1])
    again.commit(8)
    assert (again.applied_seq(), len(again)) == (8, 7)
    again.close()
