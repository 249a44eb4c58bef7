"""What the composition root hands over: stores, doors, indexes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aisle.index.columns import Columns
from aisle.index.followers import DenseFollower
from aisle.index.snapshots import IndexFolder
from aisle.photos import Photos
from aisle.ports import (
    CatalogStore,
    ContentStore,
    DenseIndex,
    EventLog,
    LabelStore,
    LanguageModel,
    LexicalIndex,
    ModelStore,
    Ranker,
    Reranker,
    SlateLog,
    StateStore,
    TextClassifier,
    TextEncoder,
)
from aisle.protect.keys import Keyring
from aisle.protect.passwords import AdminPassword
from aisle.retrieve.reading import EmbedTexts


class Overview(Protocol):
    """What happened, counted for the shopkeeper."""

    def overview(self, days: int, now_ms: int) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Stores:
    """Everything durable."""

    catalog: CatalogStore
    events: EventLog
    slates: SlateLog
    content: ContentStore
    labels: LabelStore
    state: StateStore
    models: ModelStore
    overview: Overview
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Doors:
    """Who may come in."""

    keys: Keyring
    password: AdminPassword
    secret: bytes


@dataclass(slots=True)
class Indexes:
    """The indexes and how to make them: `open_lexical` may be asked again after a switch.

    `new_dense` makes an empty index of vectors of that length, in memory;
    `open_encoder` opens an exported encoder's folder as the settings say;
    `open_ranker` reads a file that was written by training, `open_reranker` and `open_classifier` a folder;
    `open_tuned` opens a tuned encoder's folder, with a follower of its index;
    `keep_encoders` drops what encoders tuned before those of these names made;
    `language` is asked by prompts, where the settings name one; `embed_texts` gives the encoder's vectors of texts,
    and keeps them.
    """

    folder: IndexFolder
    open_lexical: Callable[[Path, bool], LexicalIndex]
    lexical: LexicalIndex
    columns: Columns
    dense: DenseFollower | None
    encoder: TextEncoder | None
    open_ranker: Callable[[Path, Sequence[str]], Ranker]
    open_reranker: Callable[[Path], Reranker]
    open_classifier: Callable[[Path], TextClassifier]
    missing: str = ""
    version: Path | None = None
    photos: Photos | None = None
    open_encoder: Callable[[Path], TextEncoder] | None = None
    new_dense: Callable[[int], DenseIndex] | None = None
    open_tuned: Callable[[Path], tuple[TextEncoder, DenseFollower]] | None = None
    keep_encoders: Callable[[set[str]], None] = lambda names: None
    language: LanguageModel | None = None
    embed_texts: EmbedTexts | None = None
