"""API keys with scopes, kept only as hashes, and the shop's one secret.

A key is 32 random bytes, so a plain SHA-256 of it cannot be guessed back and a
slow hash would only slow requests down. The storefront's key is derived from
the secret instead: it stands in every page, so hiding it is pointless, and a
derived key needs neither storage nor rotation of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from aisle.errors import Forbidden, InvalidRequest, NotFound, ShopError, Unauthorised
from aisle.ports import ApiKey, KeyStore
from aisle.types import now_ms

SCOPES: tuple[str, ...] = ("search", "events", "admin")
STOREFRONT_SCOPES: tuple[str, ...] = ("search", "events")

_SECRET_BYTES = 32
_MAX_KEY_CHARS = 256
# A revocation made by another process (the command line) is obeyed within this.
_REFRESH_S = 1.0


def load_secret(path: Path, *, create: bool = False) -> bytes:
    """The shop's secret, 32 bytes; with `create`, made on first use, readable by its owner only.

    Raises ShopError when the file is absent or damaged.
    """
    if create and not path.exists():
        # O_EXCL under a private name, then link: two processes agree on one secret, never on half of it.
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, secrets.token_bytes(_SECRET_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise ShopError(f"the shop's secret cannot be read: {error}") from error
    if len(secret) != _SECRET_BYTES:
        raise ShopError(f"{path} is damaged: it must hold {_SECRET_BYTES} bytes. Delete it to have a new one made")
    return secret


def storefront_key(secret: bytes) -> str:
    """The public key that the shop's own pages use."""
    return "sf_" + _base64url(hmac.new(secret, b"storefront-v1", hashlib.sha256).digest())


class Keyring:
    """Makes, checks and revokes keys.

    Checking is a SHA-256 and a dictionary lookup: all keys live in memory and are
    read again at most once a second. Thread-safe.
    """

    def __init__(self, store: KeyStore, secret: bytes, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self.storefront_key = storefront_key(secret)
        self._storefront = ApiKey("storefront", "storefront", STOREFRONT_SCOPES, _digest(self.storefront_key), 0)
        self._known: dict[str, ApiKey] = {}
        self._read_at = float("-inf")

    def create(self, name: str, scopes: Sequence[str]) -> str:
        """A new key's text. It is not kept, so this is the one time that it can be shown.

        Raises InvalidRequest for an unknown scope or none.
        """
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown or not scopes:
            raise InvalidRequest(f"unknown scopes {unknown}: choose from {', '.join(SCOPES)}", field="scopes")
        kept = tuple(scope for scope in SCOPES if scope in scopes)
        letters = "".join(scope[0] for scope in kept)
        text = f"ak_{letters}_{_base64url(secrets.token_bytes(_SECRET_BYTES))}"
        self._store.add(ApiKey(secrets.token_hex(6), name, kept, _digest(text), now_ms()))
        self._read_at = float("-inf")
        return text

    def revoke(self, key_id: str) -> None:
        """Refuse the key from now on. Raises NotFound when there is none to revoke."""
        if not self._store.revoke(key_id, now_ms()):
            raise NotFound(f"no key {key_id!r} to revoke")
        self._read_at = float("-inf")

    def check(self, text: str, scope: str) -> ApiKey:
        """The key behind `text`. Raises Unauthorised when unknown, Forbidden when it lacks the scope."""
        key = self.find(text)
        if scope not in key.scopes:
            raise Forbidden(f"this key has no {scope!r} scope (it has: {', '.join(key.scopes)})")
        return key

    def find(self, text: str) -> ApiKey:
        """The key behind `text`. Raises Unauthorised when there is none, or it was revoked."""
        if not text:
            raise Unauthorised("no key: send one as X-Aisle-Key, or as Authorization: Bearer")
        if len(text) > _MAX_KEY_CHARS:
            raise Unauthorised("this is not one of the shop's keys")
        digest = _digest(text)
        if hmac.compare_digest(digest, self._storefront.sha256):
            return self._storefront
        if self._clock() - self._read_at > _REFRESH_S:
            self._refresh()
        # Finding a hash takes no longer for a better guess of the key, and the whole hash is compared once more.
        key = self._known.get(digest)
        if key is None or not hmac.compare_digest(key.sha256, digest):
            raise Unauthorised("this is not one of the shop's keys, or it was revoked")
        return key

    def _refresh(self) -> None:
        with self._lock:
            if self._clock() - self._read_at > _REFRESH_S:
                self._known = {key.sha256: key for key in self._store.keys() if not key.revoked_ms}  # noqa: SIM118
                self._read_at = self._clock()

    def list(self) -> list[ApiKey]:
        """Every key ever made, oldest first."""
        return self._store.keys()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
