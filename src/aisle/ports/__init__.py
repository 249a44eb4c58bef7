"""What the stages ask of the world, as small protocols.

Adapters fulfil them, `aisle.wiring` chooses the adapters, and
`aisle.testing` ships the contract suite that each one must pass.
"""

from __future__ import annotations

from aisle.ports.encoders import (
    AudioEncoder,
    ClassifierCard,
    Encoder,
    ImageEncoder,
    Reading,
    Reranker,
    Tagger,
    TextClassifier,
    TextEncoder,
)
from aisle.ports.indexes import DenseIndex, LexicalIndex, LexicalResult
from aisle.ports.language import Chosen, LanguageModel, Message
from aisle.ports.sources import CatalogueFacts, Ranker, Recommender, Shopper
from aisle.ports.stores import (
    ApiKey,
    CatalogStore,
    Changes,
    ContentStore,
    EventLog,
    KeyStore,
    LabelStore,
    ModelStore,
    SlateLog,
    StateStore,
    VectorStore,
)

__all__ = [
    "ApiKey",
    "AudioEncoder",
    "CatalogStore",
    "CatalogueFacts",
    "Changes",
    "Chosen",
    "ClassifierCard",
    "ContentStore",
    "DenseIndex",
    "Encoder",
    "EventLog",
    "ImageEncoder",
    "KeyStore",
    "LabelStore",
    "LanguageModel",
    "LexicalIndex",
    "LexicalResult",
    "Message",
    "ModelStore",
    "Ranker",
    "Reading",
    "Recommender",
    "Reranker",
    "Shopper",
    "SlateLog",
    "StateStore",
    "Tagger",
    "TextClassifier",
    "TextEncoder",
    "VectorStore",
]
