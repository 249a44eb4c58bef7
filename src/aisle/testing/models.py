"""Contract suite of the model registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aisle.errors import AisleError, InvalidRequest, ModelDamaged, NotFound
from aisle.ports import ModelStore


class ModelStoreContract:
    """What every ModelStore does."""

    @pytest.fixture
    def store(self) -> ModelStore:
        raise NotImplementedError("give an empty ModelStore")

    def test_a_version_is_created_then_promoted(self, store: ModelStore) -> None:
        assert isinstance(store, ModelStore)
        assert (store.active("taste"), store.versions(), store.versions("taste")) == (None, [], [])
        arrays = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3).T, "ords": np.asarray([3, 1], np.int32)}
        made = store.create("taste", arrays, params={"dim": 8}, metrics={"ndcg@10": np.float32(0.5).item()}, note="x")
        assert (made.name, made.active, made.metrics, made.params, made.note) == (
            "taste",
            False,
            {"ndcg@10": 0.5},
            {"dim": 8},
            "x",
        )
        assert store.active("taste") is None
        store.promote("taste", made.version)
        active = store.active("taste")
        assert active is not None
        assert (active.version, active.active, active.created_ms) == (made.version, True, made.created_ms)
        read = store.arrays("taste", made.version)
        assert {key: (a.dtype, a.tolist()) for key, a in read.items()} == {
            key: (a.dtype, a.tolist()) for key, a in arrays.items()
        }
        assert store.folder("taste", made.version).is_dir()

    def test_keeps_the_last_versions_and_the_active_one(self, store: ModelStore) -> None:
        first = store.create("taste", {"a": np.zeros(1)})
        store.promote("taste", first.version)
        later = [store.create("taste", {"a": np.full(1, n)}).version for n in range(5)]
        kept = [one.version for one in store.versions("taste")]
        assert kept == [*reversed(later[-3:]), first.version]
        assert [one.version for one in store.versions() if one.active] == [first.version]
        assert len({first.version, *later}) == 6

    def test_what_does_not_exist_is_not_found(self, store: ModelStore) -> None:
        for act in (store.promote, store.arrays, store.folder):
            with pytest.raises(NotFound):
                act("taste", "v000009")
            with pytest.raises(AisleError):
                act("../etc", "passwd")
            with pytest.raises(AisleError):
                act("taste", "..")

    def test_a_damaged_version_is_neither_read_nor_promoted(self, store: ModelStore) -> None:
        made = store.create("taste", {"a": np.arange(100)})
        files: Sequence[Any] = sorted(f for f in store.folder("taste", made.version).iterdir() if f.suffix != ".json")
        content = bytearray(files[0].read_bytes())
        content[-1] ^= 1
        files[0].write_bytes(content)
        with pytest.raises(ModelDamaged):
            store.arrays("taste", made.version)
        with pytest.raises(ModelDamaged):
            store.promote("taste", made.version)
        files[0].unlink()
        with pytest.raises(ModelDamaged):
            store.arrays("taste", made.version)

    def test_further_files_are_copied_and_guarded(self, store: ModelStore, tmp_path: Path) -> None:
        source = tmp_path / "some.onnx"
        source.write_bytes(bytes(range(256)))
        made = store.create("taste", {"a": np.arange(3)}, files={"model.onnx": source})
        source.write_bytes(b"overwritten by the next training")
        copy = store.folder("taste", made.version) / "model.onnx"
        assert copy.read_bytes() == bytes(range(256))
        store.promote("taste", made.version)
        copy.write_bytes(bytes(255) + b"x")
        with pytest.raises(ModelDamaged, match=r"model\.onnx"):
            store.arrays("taste", made.version)
        copy.unlink()
        with pytest.raises(ModelDamaged, match=r"model\.onnx"):
            store.arrays("taste", made.version)
        for name in ("card.json", "../evil", "arrays.safetensors", ".hidden"):
            with pytest.raises(InvalidRequest):
                store.create("taste", {"a": np.arange(3)}, files={name: source})
        with pytest.raises(AisleError):
            store.create("taste", {"a": np.arange(3)}, files={"model.onnx": tmp_path / "nowhere"})
        assert [one.version for one in store.versions("taste")] == [made.version]
