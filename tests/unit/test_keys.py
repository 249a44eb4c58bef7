"""Keys: made once, checked by hash, revoked at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aisle.errors import Forbidden, InvalidRequest, NotFound, ShopError, Unauthorised
from aisle.ports import ApiKey
from aisle.protect.keys import Keyring, load_secret, storefront_key
from aisle.types import now_ms

SECRET = b"s" * 32


class Rows:
    """A key store in memory that counts how often it is read."""

    def __init__(self) -> None:
        self.rows: dict[str, ApiKey] = {}
        self.n_reads = 0

    def add(self, key: ApiKey) -> None:
        self.rows[key.key_id] = key

    def find(self, sha256: str) -> ApiKey | None:
        return next((k for k in self.rows.values() if k.sha256 == sha256), None)

    def keys(self) -> list[ApiKey]:
        self.n_reads += 1
        return list(self.rows.values())

    def revoke(self, key_id: str, at_ms: int) -> bool:
        key = self.rows.get(key_id)
        if key is None or key.revoked_ms:
            return False
        self.rows[key_id] = ApiKey(key.key_id, key.name, key.scopes, key.sha256, key.created_ms, at_ms)
        return True


def test_a_key_says_its_scopes_and_is_kept_as_a_hash() -> None:
    store = Rows()
    ring = Keyring(store, SECRET)
    text = ring.create("till", ["admin", "search"])
    assert text.startswith("ak_sa_")
    assert len(text) > 40
    (kept,) = store.rows.values()
    assert text not in repr(kept)
    assert kept.scopes == ("search", "admin")
    assert ring.check(text, "admin").name == "till"
    with pytest.raises(Forbidden):
        ring.check(text, "events")


def test_unknown_and_overlong_keys_are_refused() -> None:
    ring = Keyring(Rows(), SECRET)
    for text in ("", "ak_s_x", "x" * 10_000, "sf_é", "\ud800", storefront_key(b"t" * 32)):
        with pytest.raises(Unauthorised):
            ring.find(text)


def test_scopes_must_be_known() -> None:
    ring = Keyring(Rows(), SECRET)
    for scopes in ([], ["root"], ["search", "root"]):
        with pytest.raises(InvalidRequest):
            ring.create("x", scopes)


def test_revocation_here_is_immediate_and_elsewhere_within_a_second() -> None:
    now = [0.0]
    store = Rows()
    ring, other = (Keyring(store, SECRET, clock=lambda: now[0]) for _ in range(2))
    text = ring.create("till", ["search"])
    key_id = ring.list()[0].key_id
    other.find(text)
    ring.revoke(key_id)
    with pytest.raises(Unauthorised):
        ring.find(text)
    now[0] = 1.5
    with pytest.raises(Unauthorised):
        other.find(text)
    with pytest.raises(NotFound):
        ring.revoke(key_id)


def test_guessing_does_not_reach_the_store() -> None:
    store = Rows()
    ring = Keyring(store, SECRET, clock=lambda: 5.0)
    for i in range(100):
        with pytest.raises(Unauthorised):
            ring.find(f"ak_s_{i}")
    assert store.n_reads == 1


def test_the_storefront_key_is_derived_and_never_admin() -> None:
    ring = Keyring(Rows(), SECRET)
    assert ring.storefront_key == storefront_key(SECRET)
    assert ring.check(ring.storefront_key, "events").created_ms <= now_ms()
    with pytest.raises(Forbidden):
        ring.check(ring.storefront_key, "admin")


def test_everybody_gets_the_same_secret(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    with pytest.raises(ShopError):
        load_secret(file)
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(load_secret(file, create=True))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    assert [f.name for f in tmp_path.iterdir()] == ["secret.key"]
    file.write_bytes(b"short")
    with pytest.raises(ShopError):
        load_secret(file)
