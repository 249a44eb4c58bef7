"""Ids for events that a file does not number: a hash of what they say, so that importing again changes nothing."""

from __future__ import annotations

from hashlib import blake2b

REMEMBERED = 500_000


class Occurrences:
    """Tells equal lines of one file apart by counting them.

    Remembers the last half to one million hashes, so that memory stays flat: an
    equal line that far away names the same visitor, time and items, and is
    taken as the same event.
    """

    def __init__(self) -> None:
        self._new: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}

    def identify(self, content: bytes) -> str:
        """32 hex digits for this content and how often it has come before."""
        digest = blake2b(content, digest_size=16)
        key = digest.digest()
        count = self._new.get(key)
        if count is None:
            count = self._old.get(key, 0)
            if len(self._new) >= REMEMBERED:
                self._old, self._new = self._new, {}
        self._new[key] = count + 1
        if count:
            digest.update(b"#%d" % count)
            return digest.hexdigest()
        return key.hex()
