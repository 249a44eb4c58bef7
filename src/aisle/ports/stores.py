"""Everything durable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from aisle.types import (
    NOTHING,
    Ack,
    Event,
    Group,
    Judgement,
    Label,
    LoggedEvent,
    ModelVersion,
    Page,
    Product,
    Promotion,
    Review,
    Slate,
    Vectors,
)


@dataclass(frozen=True, slots=True)
class Changes:
    """What an upsert changed; `seq` is the catalogue's newest change after it."""

    n_added: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_removed: int = 0
    seq: int = 0


@runtime_checkable
class CatalogStore(Protocol):
    """The catalogue, with a change counter `seq` that the indexes follow."""

    def upsert(self, products: Iterable[Product]) -> Changes:
        """Store what is new or differs; one durable transaction a batch. Unchanged rows cost no write."""

    def delete(self, item_ids: Sequence[str]) -> Changes: ...

    def retain(self, item_ids: set[str]) -> Changes:
        """Delete every product whose id is not among these (a full feed)."""

    def seq(self) -> int:
        """The newest change; 0 for an empty shop."""

    def changed(self, after_seq: int, limit: int) -> list[Group]:
        """Groups changed after `after_seq`, oldest change first; one without products is gone."""

    def groups(self, ords: Sequence[int]) -> list[Group | None]:
        """Groups in the order asked for; None for one that is gone."""

    def ords(self, item_ids: Sequence[str]) -> list[int]:
        """The ord of each item id or group id; -1 when unknown."""

    def item_ords(self) -> Iterator[tuple[str, int]]:
        """Every item id and group id with its ord."""

    def count(self) -> tuple[int, int]:
        """How many products and how many groups."""


@runtime_checkable
class EventLog(Protocol):
    """The one path of events: append-only, ordered by `seq`, idempotent by `event_id`."""

    def append(self, events: Sequence[Event], then: Callable[[list[Ack]], None] | None = None) -> Future[list[Ack]]:
        """Queue for the next group commit; the future resolves once the events are durable.

        `then` is called with the acknowledgements before it does, by the thread that commits; it must not raise.
        """

    def read(self, after_seq: int, limit: int) -> list[LoggedEvent]: ...

    def last_seq(self) -> int: ...

    def of_visitor(self, visitor_id: str) -> list[LoggedEvent]: ...

    def erase(self, visitor_id: str) -> int:
        """Forget a shopper's events; returns how many. `seq` of the others stays."""

    def erasures(self) -> int:
        """Grows when events are erased, whichever process does it: what was folded before knows too much."""


@runtime_checkable
class SlateLog(Protocol):
    """What was shown. Recording does not wait; a slate is durable before any event that names it."""

    def record(self, slate: Slate) -> None: ...

    def get(self, list_id: str) -> dict[str, Any] | None: ...

    def read(self, since_ms: int, limit: int) -> list[dict[str, Any]]: ...

    def flush(self) -> None: ...

    def of_visitor(self, visitor_id: str) -> list[dict[str, Any]]: ...

    def erase(self, visitor_id: str) -> int: ...


@runtime_checkable
class ContentStore(Protocol):
    """Reviews, promotions, pages and judgements. Upserts return (added, changed, unchanged)."""

    def upsert_reviews(self, reviews: Iterable[Review]) -> tuple[int, int, int]: ...

    def upsert_promotions(self, promotions: Iterable[Promotion]) -> tuple[int, int, int]: ...

    def upsert_pages(self, pages: Iterable[Page]) -> tuple[int, int, int]: ...

    def upsert_judgements(self, judgements: Iterable[Judgement]) -> tuple[int, int, int]:
        """One of a query and an item; a later one takes its place."""

    def judgements(self) -> list[Judgement]:
        """Every one, by query and item."""

    def version(self) -> int:
        """Grows with every change, whichever process made it."""

    def reviews(self, item_ids: Sequence[str], limit: int) -> list[Review]: ...

    def ratings(self) -> dict[str, tuple[float, int]]:
        """Mean rating and number of reviews by item id."""

    def promotions(self, at_ms: int) -> list[Promotion]: ...

    def pages(self) -> list[Page]: ...


@runtime_checkable
class LabelStore(Protocol):
    """What people say texts are. A text has one label for a task, whatever its case; no shopper is named."""

    def put(self, label: Label) -> None:
        """Durable on return; it takes the place of what was said before."""

    def remove(self, task: str, text: str) -> bool:
        """Take a label back; False when there is none."""

    def labels(self, task: str) -> list[Label]:
        """Oldest first."""


@runtime_checkable
class VectorStore(Protocol):
    """Embeddings by content hash and model, so that unchanged text is never encoded twice."""

    def get(self, hashes: Sequence[str], model: str) -> dict[str, Vectors]: ...

    def put(self, hashes: Sequence[str], model: str, vectors: Vectors) -> None: ...

    def keep_only(self, prefix: str, models: set[str]) -> None:
        """Drop what models whose name begins with `prefix` made, but for those of `models`."""


@runtime_checkable
class StateStore(Protocol):
    """Snapshots of folds over the event log, each with the `seq` it had reached."""

    def load(self, name: str) -> tuple[int, bytes] | None: ...

    def save(self, name: str, seq: int, data: bytes) -> None: ...

    def drop(self, name: str) -> None: ...


@runtime_checkable
class ModelStore(Protocol):
    """Versions of models as folders of files; one of each name is active."""

    def create(
        self,
        name: str,
        arrays: Mapping[str, np.ndarray],
        *,
        files: Mapping[str, Path] = NOTHING,
        params: Mapping[str, Any] = NOTHING,
        metrics: Mapping[str, float] = NOTHING,
        note: str = "",
    ) -> ModelVersion:
        """Write `<name>/<version>/` (arrays.safetensors, card.json) under a temporary name, then rename.

        `files` are further ones, such as `model.onnx`, by the name they get; they are copied.
        """

    def promote(self, name: str, version: str) -> None: ...

    def active(self, name: str) -> ModelVersion | None: ...

    def promoted(self, name: str) -> list[str]:
        """The version that serves and the one it replaced, as far as there are; their files may be damaged."""

    def versions(self, name: str | None = None) -> list[ModelVersion]: ...

    def arrays(self, name: str, version: str) -> dict[str, np.ndarray]:
        """Raises ModelDamaged when any file of the version is missing or does not match its checksum."""

    def folder(self, name: str, version: str) -> Path:
        """Where the version's files are; read `arrays` first, which checks them."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the shop keeps it: by the SHA-256 (hex) of its text, which is not kept."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    sha256: str
    created_ms: int
    revoked_ms: int = 0


@runtime_checkable
class KeyStore(Protocol):
    """API keys: table api_keys (key_id, name, scopes, sha256 unique, created_ms, revoked_ms)."""

    def add(self, key: ApiKey) -> None: ...

    def find(self, sha256: str) -> ApiKey | None:
        """The key of that hash, revoked or not."""

    def keys(self) -> list[ApiKey]:
        """Every key, oldest first, revoked ones too."""

    def revoke(self, key_id: str, at_ms: int) -> bool:
        """Mark revoked; False when there is no such key or it already was."""
