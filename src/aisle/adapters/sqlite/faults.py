"""SQLite's failures in words that say what to do."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError

from aisle.errors import StorageError

_ADVICE: dict[int, str] = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space and try again",
    sqlite3.SQLITE_BUSY: "another process held the database too long: try again",
    sqlite3.SQLITE_LOCKED: "another process held the database too long: try again",
    sqlite3.SQLITE_READONLY: "the database may not be written: check the owner and mode of its file and folder",
    sqlite3.SQLITE_PERM: "the database may not be opened: check the owner and mode of its file and folder",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened: check that its folder exists and may be written",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write: check it and its free space",
    sqlite3.SQLITE_CORRUPT: "the database is damaged: restore aisle.db from a backup",
    sqlite3.SQLITE_NOTADB: "aisle.db is not a database: restore it from a backup",
    sqlite3.SQLITE_TOOBIG: "a value is too large to store",
}

_DRIVER_FAULTS = (DBAPIError, sqlite3.Error)


def code_of(error: BaseException) -> int:
    """SQLite's primary result code; 0 when the error is not SQLite's."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return int(getattr(original, "sqlite_errorcode", 0) or 0) & 0xFF


def is_busy(error: BaseException) -> bool:
    return code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def explained(error: BaseException) -> BaseException:
    """A StorageError for what SQLite raised; any other error as it is."""
    if not isinstance(error, _DRIVER_FAULTS):
        return error
    original = error.orig if isinstance(error, DBAPIError) else error
    advice = _ADVICE.get(code_of(error))
    fault = StorageError(f"{advice} ({original})" if advice else f"the database refused: {original}")
    fault.__cause__ = original
    return fault
