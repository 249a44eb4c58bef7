"""What the stages ask of the world, as small protocols.

Adapters fulfil them, `aisle.wiring` chooses the adapters, and
`aisle.testing` ships the contract suite that each one must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from aisle.types import (
    NOTHING,
    Ack,
    Candidates,
    Event,
    FacetValue,
    Filters,
    Group,
    LoggedEvent,
    ModelVersion,
    Ords,
    Page,
    Product,
    Promotion,
    Query,
    Review,
    Scores,
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
    """Reviews, promotions and pages. Upserts return (added, changed, unchanged)."""

    def upsert_reviews(self, reviews: Iterable[Review]) -> tuple[int, int, int]: ...

    def upsert_promotions(self, promotions: Iterable[Promotion]) -> tuple[int, int, int]: ...

    def upsert_pages(self, pages: Iterable[Page]) -> tuple[int, int, int]: ...

    def version(self) -> int:
        """Grows with every change, whichever process made it."""

    def reviews(self, item_ids: Sequence[str], limit: int) -> list[Review]: ...

    def ratings(self) -> dict[str, tuple[float, int]]:
        """Mean rating and number of reviews by item id."""

    def promotions(self, at_ms: int) -> list[Promotion]: ...

    def pages(self) -> list[Page]: ...


@runtime_checkable
class VectorStore(Protocol):
    """Embeddings by content hash and model, so that unchanged text is never encoded twice."""

    def get(self, hashes: Sequence[str], model: str) -> dict[str, Vectors]: ...

    def put(self, hashes: Sequence[str], model: str, vectors: Vectors) -> None: ...


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


class Encoder(Protocol):
    """Anything to unit vectors."""

    @property
    def name(self) -> str:
        """Model and weights' hash: two encoders of one name give the same vectors."""

    @property
    def dim(self) -> int: ...


@runtime_checkable
class TextEncoder(Encoder, Protocol):
    """Texts to unit vectors."""

    def covers(self, language: str) -> bool:
        """Whether the encoder was trained on that language (ISO 639-1)."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """float32[n, dim], rows of length 1."""


@runtime_checkable
class ImageEncoder(Encoder, Protocol):
    """Pictures to unit vectors."""

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """float32[n, dim], rows of length 1, of RGB pictures uint8[height, width, 3] of any sizes."""


@runtime_checkable
class AudioEncoder(Encoder, Protocol):
    """Recordings to unit vectors."""

    def encode(self, waveforms: Sequence[NDArray[np.float32]], rate: int) -> Vectors:
        """float32[n, dim], rows of length 1, of mono waveforms float32[samples] in [-1, 1], `rate` samples a second."""


@dataclass(frozen=True, slots=True)
class LexicalResult:
    """The hit set of a query and the best of it.

    The hit set is (lexical matches ∪ neighbours) ∩ filters; `n_hits`, `facets`
    and `facet_stats` are counted over exactly it. `ords` int32[n] holds the
    page asked for (by the sort) or, by relevance, the best `top_k` lexical
    matches and all neighbours that pass; `bm25` float32[n] their lexical
    scores with the query's boosts, 0 for a neighbour that shares neither a
    word nor anything understood. `matched` bool[n] tells which of them the words
    alone found (None: all of them).
    """

    ords: Ords
    bm25: Scores
    n_hits: int
    facets: Mapping[str, tuple[FacetValue, ...]] = field(default_factory=lambda: NOTHING)
    facet_stats: Mapping[str, tuple[float, float]] = field(default_factory=lambda: NOTHING)
    matched: NDArray[np.bool_] | None = None


@runtime_checkable
class LexicalIndex(Protocol):
    """Words to products."""

    def upsert(self, groups: Sequence[Group]) -> None:
        """Index anew; a group without products is removed. Visible after commit()."""

    def commit(self, seq: int) -> None:
        """Make durable and visible; remember the catalogue `seq` applied."""

    def applied_seq(self) -> int: ...

    def reload(self) -> None:
        """See what another process committed."""

    def search(
        self,
        query: Query,
        *,
        neighbours: Ords | None = None,
        filters: Filters = (),
        facets: Sequence[str] = (),
        top_k: int = 200,
        sort: str = "relevance",
        offset: int = 0,
    ) -> LexicalResult:
        """`sort`: relevance, price_asc, price_desc, newest. Raises InvalidFilter for an unknown field."""

    def fields(self) -> tuple[str, ...]:
        """Names a filter or facet may use."""

    def vocabulary(self, field_name: str, limit: int = 10_000) -> list[tuple[str, int]]:
        """The values of a facet field, as displayed, with how many groups have each, most frequent first.

        The name `words` gives the unstemmed words of titles, categories, brands and traits.
        """

    def document_frequency(self, word: str) -> int:
        """In how many groups a (stemmed) word occurs."""

    def claim(self) -> None:
        """Become the writer. Raises ShopBusy while another is."""

    def close(self) -> None: ...


@runtime_checkable
class DenseIndex(Protocol):
    """Vectors to neighbours by cosine."""

    def upsert(self, ords: Ords, vectors: Vectors) -> None: ...

    def remove(self, ords: Ords) -> None: ...

    def search(
        self, vector: Vectors, top_k: int, allowed: Ords | None = None, *, beam: int | None = None
    ) -> tuple[Ords, Scores]:
        """The nearest, best first; `allowed` confines the search to those ords (exact then). `beam`: how many
        candidates a large index keeps in view; fewer are quicker, and miss some (None: its own number)."""

    def vectors(self, ords: Ords) -> Vectors:
        """float32[n, dim]; a row of zeros for an unknown ord."""

    def __len__(self) -> int: ...

    def save(self, folder: Path, seq: int) -> None:
        """Write a snapshot under a temporary name, then rename."""

    def load(self, folder: Path) -> int:
        """Read a snapshot, returning its seq. Raises ModelDamaged when it cannot be trusted."""


@dataclass(frozen=True, slots=True)
class Shopper:
    """What is known of a visitor now: a read-only view of a fold over the log.

    `recent` int32[n] are the last ords engaged with, newest first, with
    `weights` float32[n] (a purchase counts more than a view, old less than
    new); `session` int32[m] is the part of them in the session going on.
    `sequence` int32[k] are the steps in the order they were taken, oldest first
    and repeats kept, at the times `sequence_ms` int64[k] with the `strengths`
    float32[k]: what a sequence model reads; its last `n_session` steps are the
    session going on. `follows` are followed names, each with what it names
    (`brand`, `product_type`), newest first; `set_aside` was disliked just now.
    """

    visitor_id: str
    recent: Ords
    weights: Scores
    session: Ords
    purchased: Ords
    cart: Ords
    disliked: Ords
    queries: tuple[str, ...] = ()
    version: int = 0
    sequence: Ords = field(default_factory=lambda: np.empty(0, np.int32))
    sequence_ms: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    strengths: Scores = field(default_factory=lambda: np.empty(0, np.float32))
    n_session: int = 0
    follows: tuple[tuple[str, str], ...] = ()
    set_aside: Ords = field(default_factory=lambda: np.empty(0, np.int32))

    @classmethod
    def of_sequence(cls, ords: Ords, *, visitor_id: str = "", half: float = 4.0) -> Self:
        """A shopper of whom only an order of steps is known, all of one session: `ords` int32[n], oldest first.

        Weights halve every `half` steps back.
        """
        ords = np.asarray(ords, np.int32)
        newest = ords[::-1]
        _, first = np.unique(newest, return_index=True)
        first = np.sort(first)
        recent = newest[first]
        weights = np.exp2(-first / half).astype(np.float32)
        none = np.empty(0, np.int32)
        n = len(ords)
        return cls(
            visitor_id, recent, weights, recent, none, none, none,
            sequence=ords, sequence_ms=np.arange(n, dtype=np.int64), strengths=np.ones(n, np.float32), n_session=n,
        )  # fmt: skip

    @property
    def is_new(self) -> bool:
        return len(self.recent) == 0


class CatalogueFacts(Protocol):
    """Small facts of the catalogue as arrays by ord: masks and scores without a query.

    Every array has a row for each ord up to the newest, dead ones included;
    `category` and `brand` are codes into `categories` and `brands` (-1: none).
    """

    @property
    def alive(self) -> NDArray[np.bool_]: ...
    @property
    def in_stock(self) -> NDArray[np.bool_]: ...
    @property
    def has_image(self) -> NDArray[np.bool_]: ...
    @property
    def category(self) -> NDArray[np.int32]: ...
    @property
    def brand(self) -> NDArray[np.int32]: ...
    @property
    def first_seen_ms(self) -> NDArray[np.int64]: ...
    @property
    def price(self) -> Scores: ...
    @property
    def categories(self) -> Sequence[str]: ...
    @property
    def brands(self) -> Sequence[str]: ...
    @property
    def version(self) -> int: ...


@runtime_checkable
class Recommender(Protocol):
    """A source of candidates for a shopper, some seed items, or both."""

    @property
    def name(self) -> str: ...

    def recommend(self, shopper: Shopper, seeds: Ords, top_k: int) -> Candidates:
        """Best first; empty when this source has nothing to say. Never raises for unknown ords."""
