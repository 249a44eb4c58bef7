"""The model registry on folders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from aisle.adapters.files.models import FilesModelStore
from aisle.errors import NotFound, StorageError
from aisle.testing.stores import ModelStoreContract


class TestFilesModelStore(ModelStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FilesModelStore:
        return FilesModelStore(tmp_path / "models")


def test_rolls_back_to_the_version_before(tmp_path: Path) -> None:
    store = FilesModelStore(tmp_path)
    with pytest.raises(NotFound):
        store.rollback("taste")
    versions = [store.create("taste", {"a": np.full(1, n)}).version for n in range(2)]
    store.promote("taste", versions[0])
    with pytest.raises(NotFound):
        store.rollback("taste")
    store.promote("taste", versions[1])
    assert store.rollback("taste").version == versions[0]
    active = FilesModelStore(tmp_path).active("taste")
    assert active is not None
    assert active.version == versions[0]


def test_leftovers_of_a_killed_creation_are_cleared(tmp_path: Path) -> None:
    made = FilesModelStore(tmp_path).create("taste", {"a": np.zeros(3)})
    leftover = tmp_path / "taste" / ".new-v000002"
    leftover.mkdir()
    (leftover / "arrays.safetensors").write_bytes(b"half")
    store = FilesModelStore(tmp_path)
    assert not leftover.exists()
    assert [one.version for one in store.versions()] == [made.version]


def test_an_unreadable_card_hides_only_its_own_version(tmp_path: Path) -> None:
    store = FilesModelStore(tmp_path)
    first, second = (store.create("taste", {"a": np.zeros(3)}).version for _ in range(2))
    (store.folder("taste", second) / "card.json").write_bytes(b"{")
    assert [one.version for one in store.versions("taste")] == [first]


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file, not a folder")
    with pytest.raises(StorageError):
        FilesModelStore(tmp_path / "models")


CREATOR = """
import sys
import numpy as np
from aisle.adapters.files.models import FilesModelStore
store = FilesModelStore(sys.argv[1])
while True:
    made = store.create("taste", {"a": np.random.default_rng().standard_normal(200_000)})
    store.promote("taste", made.version)
    print(made.version, flush=True)
"""


@pytest.mark.crash
def test_a_killed_creation_leaves_all_or_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", CREATOR, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip()]
        time.sleep(rng.uniform(0.0, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += process.stdout.read().split()
        process.stdout.close()
        process.wait()
        store = FilesModelStore(tmp_path)
        active = store.active("taste")
        assert active is not None
        # The last line may have been cut short by the kill, never the model.
        assert active.version >= acknowledged[0]
        for one in store.versions("taste"):
            assert store.arrays("taste", one.version)["a"].shape == (200_000,)
        assert not list(tmp_path.glob("*/.new-*"))
