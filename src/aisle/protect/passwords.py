"""The admin's password: argon2id in a file of its own, and no default."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from aisle.errors import InvalidRequest

MIN_PASSWORD_CHARS = 8
_MAX_PASSWORD_CHARS = 256


class AdminPassword:
    """One password, kept as an argon2id hash in `path` (readable by its owner only).

    A check takes a tenth of a second or more by design: call it in a thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hasher = PasswordHasher()

    @property
    def is_set(self) -> bool:
        return self._path.exists()

    @property
    def stamp(self) -> bytes:
        """Changes whenever the password does, so that older sessions end with it."""
        try:
            return self._path.read_bytes()
        except OSError:
            return b""

    def set(self, password: str) -> None:
        """Take a new password. Raises InvalidRequest when it is too short or too long."""
        if not MIN_PASSWORD_CHARS <= len(password) <= _MAX_PASSWORD_CHARS:
            raise InvalidRequest(
                f"a password has {MIN_PASSWORD_CHARS} to {_MAX_PASSWORD_CHARS} characters", field="password"
            )
        fresh = self._path.with_name(f".{self._path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(self._hasher.hash(password))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

    def verify(self, password: str) -> bool:
        """Whether this is the password; never when none is set."""
        if len(password) > _MAX_PASSWORD_CHARS:
            return False
        try:
            return self._hasher.verify(self._path.read_text("ascii"), password)
        except (OSError, UnicodeError, VerificationError, InvalidHashError):
            return False
