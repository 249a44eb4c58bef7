"""The composition root: the only module that chooses adapters."""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from aisle.adapters.faiss.index import FaissDenseIndex
from aisle.adapters.files.models import FilesModelStore
from aisle.adapters.numpy.static_encoder import StaticTextEncoder
from aisle.adapters.onnx.audio_encoder import OnnxAudioEncoder
from aisle.adapters.onnx.cross_encoder import OnnxCrossEncoder
from aisle.adapters.onnx.image_encoder import OnnxImageEncoder
from aisle.adapters.onnx.ranker import OnnxRanker
from aisle.adapters.onnx.tagger import OnnxTagger
from aisle.adapters.onnx.text_classifier import OnnxTextClassifier
from aisle.adapters.onnx.text_encoder import OnnxTextEncoder
from aisle.adapters.sqlite.catalog import SqliteCatalogStore
from aisle.adapters.sqlite.content import SqliteContentStore
from aisle.adapters.sqlite.database import Database
from aisle.adapters.sqlite.events import SqliteEventLog
from aisle.adapters.sqlite.keys import SqliteKeyStore
from aisle.adapters.sqlite.labels import SqliteLabelStore
from aisle.adapters.sqlite.overview import SqliteOverview
from aisle.adapters.sqlite.slates import SqliteSlateLog
from aisle.adapters.sqlite.state import SqliteStateStore
from aisle.adapters.sqlite.vectors import SqliteVectorStore
from aisle.adapters.tantivy.lexical_index import TantivyLexicalIndex
from aisle.errors import ModelDamaged, ModelError, ShopBusy, ShopError, ShopNotFound, StorageError
from aisle.holdings import Doors, Indexes, Stores
from aisle.index.columns import Columns
from aisle.index.followers import DenseFollower, Embed
from aisle.index.snapshots import IndexFolder
from aisle.intake.rejects import RejectFile
from aisle.learn.bi_encoder import CARD_FILE as TUNED_CARD
from aisle.learn.bi_encoder import TUNED
from aisle.learn.photos import CARD_FILE as OWN_CARD
from aisle.parts import Parts
from aisle.photos import Photos
from aisle.ports import LanguageModel, LexicalIndex, Reranker, Tagger, TextClassifier, TextEncoder, VectorStore
from aisle.protect.keys import Keyring, load_secret
from aisle.protect.passwords import AdminPassword
from aisle.represent.card import CARD, STATIC_FILE
from aisle.represent.embed import embed, embed_texts
from aisle.represent.encoders import ensure_audio_encoder, ensure_encoder, ensure_image_encoder
from aisle.represent.photos import Listening, photo_vectors, sound_vectors
from aisle.settings import LanguageSettings, Settings
from aisle.types import Group, Progress, Vectors

log = logging.getLogger("aisle")


SETTINGS_FILE, DATABASE_FILE = "aisle.toml", "aisle.db"
_JOIN_S = 5.0
_DENSE_BATCH = 1024
"""Groups whose texts are sorted by length and encoded together."""


def create_shop(
    path: Path,
    *,
    name: str = "My shop",
    currency: str = "USD",
    language: str = "en",
    progress: Progress | None = None,
) -> dict[str, str]:
    """Make a shop's folder, and what is shown only once: its keys and the admin's password.

    Raises ShopError when there is one already, SettingsError for a wrong value.
    """
    if (path / DATABASE_FILE).exists():
        raise ShopError(f"{path} is a shop already; open it, or choose another folder")
    Settings.checked({"shop": {"name": name, "currency": currency, "language": language}}, "aisle init")
    _make_folder(path)
    settings_file = path / SETTINGS_FILE
    if not settings_file.exists():
        quoted = [
            f"{key} = {_toml(value)}" for key, value in (("name", name), ("currency", currency), ("language", language))
        ]
        settings_file.write_text("\n".join(["[shop]", *quoted, ""]), "utf-8")
    parts = open_parts(path, create=True, progress=progress)
    try:
        password = secrets.token_urlsafe(12)
        parts.doors.password.set(password)
        return {
            "storefront key": parts.doors.keys.storefront_key,
            "server key": parts.doors.keys.create("server", ("search", "events", "admin")),
            "admin password": password,
        }
    finally:
        parts.close()


def _toml(text: str) -> str:
    escaped = "".join(c if c >= " " and c not in '"\\\x7f' else f"\\u{ord(c):04x}" for c in text)
    return f'"{escaped}"'


def open_parts(
    path: Path, *, create: bool, settings: Settings | None = None, progress: Progress | None = None
) -> Parts:
    """Open a shop's folder with the embedded adapters, up to date and following.

    Raises ShopNotFound, SettingsError, StorageError.
    """
    if not (path / DATABASE_FILE).exists():
        if not create:
            raise ShopNotFound(f"there is no shop in {path}; make one with: aisle init {path}")
        _make_folder(path)
    settings = settings or Settings.read(path / SETTINGS_FILE)
    secret = load_secret(path / "secret.key", create=True)
    database = Database(path / DATABASE_FILE, group_commit_ms=settings.storage.group_commit_ms)
    try:
        stores = Stores(
            catalog=SqliteCatalogStore(database),
            events=SqliteEventLog(database),
            slates=SqliteSlateLog(database),
            content=SqliteContentStore(database),
            labels=SqliteLabelStore(database),
            state=SqliteStateStore(database),
            models=FilesModelStore(path / "models"),
            overview=SqliteOverview(database),
            close=database.close,
        )
        doors = Doors(Keyring(SqliteKeyStore(database), secret), AdminPassword(path / "admin.password"), secret)
        indexes = _open_indexes(path, settings, stores, SqliteVectorStore(database), progress)
    except BaseException:
        database.close()
        raise
    parts = Parts(path, settings, stores, indexes, doors)
    try:
        parts.start()
    except BaseException:
        parts.close()
        raise
    return parts


def open_classifier(folder: Path) -> TextClassifier:
    """What `aisle tune` made. Raises ModelDamaged."""
    return OnnxTextClassifier(folder)


def open_reranker(folder: Path) -> Reranker:
    """What `aisle tune` made of clicks or grades. Raises ModelDamaged."""
    return OnnxCrossEncoder(folder)


def open_tagger(folder: Path) -> Tagger:
    """What `aisle tune` made of tags. Raises ModelDamaged."""
    return OnnxTagger(folder)


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        if os.name == "posix":
            path.chmod(0o700)
        (path / "media").mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path} cannot be made: {error.strerror}") from error


# ------------------------------------------------------------------- indexes


def _open_indexes(
    path: Path, settings: Settings, stores: Stores, vectors: VectorStore, progress: Progress | None
) -> Indexes:
    folder = IndexFolder(path / "indexes")
    owner = folder.claim()
    try:
        return _indexes(path, folder, owner, settings, stores, vectors, progress)
    except BaseException:
        folder.release()
        raise


def _indexes(
    path: Path,
    folder: IndexFolder,
    owner: bool,
    settings: Settings,
    stores: Stores,
    vectors: VectorStore,
    progress: Progress | None,
) -> Indexes:

    def open_lexical(place: Path, writable: bool) -> LexicalIndex:
        return TantivyLexicalIndex(place, writable=writable, cache_folder=path / "cache", boost=settings.search.boost)

    opened = _open_lexical(folder, open_lexical, stores.catalog.seq) if owner else _join(folder, open_lexical)
    if opened is None:
        opened = _open_lexical(folder, open_lexical, stores.catalog.seq)
    lexical, version = opened
    encoder, missing = _open_encoder(path, settings, progress)
    threads = settings.encoder.threads
    reranker, classifier = partial(OnnxCrossEncoder, threads=threads), partial(OnnxTextClassifier, threads=threads)
    indexes = Indexes(
        folder, open_lexical, lexical, Columns(), None, encoder, OnnxRanker, reranker, classifier, missing, version,
        new_dense=FaissDenseIndex,
    )  # fmt: skip
    indexes.language = open_language_model(settings.language)
    indexes.photos = _open_photos(path, settings, stores, vectors, progress)
    if encoder is not None:
        indexes.dense = _open_dense(indexes, settings, stores, vectors, encoder)
        indexes.embed_texts = lambda texts, encode: embed_texts(texts, encoder, vectors, encode_new=encode)

    def open_tuned(place: Path) -> tuple[TextEncoder, DenseFollower]:
        tuned = _text_encoder(place, settings, TUNED_CARD)
        return tuned, _open_dense(indexes, settings, stores, vectors, tuned)

    def keep_encoders(names: set[str]) -> None:
        if folder.owned:
            folder.keep_only("dense-", names)
            vectors.keep_only(f"{TUNED}-", names)

    indexes.open_tuned = open_tuned if settings.encoder.tuned else None
    indexes.keep_encoders = keep_encoders
    indexes.open_encoder = lambda place: _text_encoder(place, settings)
    return indexes


OpenLexical = Callable[[Path, bool], LexicalIndex]


def _join(folder: IndexFolder, open_lexical: OpenLexical) -> tuple[LexicalIndex, Path] | None:
    """The version that another process writes, opened for reading; None once that process is gone.

    It may be just making the first version, or replacing the one that was current a moment ago.
    Raises ModelDamaged, StorageError when that does not end.
    """
    give_up = time.monotonic() + _JOIN_S
    while True:
        current = folder.current()
        try:
            if current is not None:
                return open_lexical(current / "lexical", False), current
        except ModelDamaged:
            if time.monotonic() > give_up:
                raise
        if folder.claim():
            return None
        if time.monotonic() > give_up:
            raise StorageError("another process is just making this shop's indexes; try again in a moment")
        time.sleep(0.05)


def _open_lexical(
    folder: IndexFolder, open_lexical: OpenLexical, catalog_seq: Callable[[], int]
) -> tuple[LexicalIndex, Path]:
    """The version that serves, for its owner; a new one when there is none that can be trusted."""
    current = folder.current()
    if current is not None:
        try:
            lexical = open_lexical(current / "lexical", True)
            if lexical.applied_seq() <= catalog_seq():
                folder.clean()
                return lexical, current
            lexical.close()
            log.warning("the lexical index knows changes that the catalogue does not: it is built anew")
        except ModelDamaged as error:
            log.warning("%s: it is built anew from the catalogue", error)
    version = folder.create()
    lexical = open_lexical(version / "lexical", True)
    lexical.commit(0)
    folder.switch(version)
    folder.clean()
    return lexical, version


def _open_encoder(path: Path, settings: Settings, progress: Progress | None) -> tuple[TextEncoder | None, str]:
    """The encoder or, without one, why: search goes on by words alone."""
    if not settings.encoder.model:
        return None, ""
    try:
        return _text_encoder(ensure_encoder(settings.encoder, path / "models", progress), settings), ""
    except (ModelError, StorageError, ShopBusy) as error:
        log.error("%s", error)
        return None, f"encoder: {error}"


def open_language_model(settings: LanguageSettings) -> LanguageModel | None:
    """The language model that the settings name; None where they name none. Raises SettingsError.

    Nothing is read or connected to before it is first asked.
    """
    if settings.endpoint:
        from aisle.adapters.openai.language_model import OpenAiLanguageModel

        return OpenAiLanguageModel(
            settings.endpoint,
            settings.model,
            api_key=os.environ.get(settings.key_variable, ""),
            timeout_s=settings.timeout_s,
            max_tokens=settings.max_tokens,
            retries=settings.retries,
        )
    if settings.model:
        from aisle.adapters.huggingface.language_model import HuggingFaceLanguageModel

        return HuggingFaceLanguageModel(settings.model, timeout_s=settings.timeout_s, max_tokens=settings.max_tokens)
    return None


def _encoder(place: Path, settings: Settings, card: str) -> OnnxTextEncoder:
    return OnnxTextEncoder(
        place,
        card=card,
        languages=settings.encoder.languages,
        max_tokens=settings.encoder.max_tokens,
        batch_tokens=settings.encoder.batch_tokens,
        threads=settings.encoder.threads,
    )


def _text_encoder(place: Path, settings: Settings, card: str = CARD) -> TextEncoder:
    """What lies in that folder: a network, or a table of tokens."""
    if (place / STATIC_FILE).exists():
        about = settings.encoder
        return StaticTextEncoder(place, card=card, languages=about.languages, max_tokens=about.max_tokens)
    return _encoder(place, settings, card)


def _open_photos(
    path: Path, settings: Settings, stores: Stores, vectors: VectorStore, progress: Progress | None
) -> Photos:
    """Photos and recordings, encoded by the models that the settings name; photos without one by the shop's own."""
    pretrained = None
    if settings.encoder.image_model:
        try:
            place = ensure_image_encoder(settings.encoder, path / "models", progress)
            pretrained = OnnxImageEncoder(place, threads=settings.encoder.threads)
        except (ModelError, StorageError, ShopBusy) as error:
            log.error("%s; the shop's own network reads the photos", error)
    listening = None
    if settings.encoder.audio_model:
        try:
            place = ensure_audio_encoder(settings.encoder, path / "models", progress)
            listening = Listening(OnnxAudioEncoder(place, threads=settings.encoder.threads))
        except (ModelError, StorageError, ShopBusy) as error:
            log.error("%s; recordings are not listened to", error)
    return Photos(
        photo_vectors(path / "media", vectors),
        stores.models,
        lambda folder: OnnxImageEncoder(folder, card=OWN_CARD, threads=settings.encoder.threads),
        pretrained=pretrained,
        sounds=sound_vectors(path / "media", vectors),
        listening=listening,
        rejects=RejectFile(path / "rejects.jsonl"),
    )


def _open_dense(
    indexes: Indexes, settings: Settings, stores: Stores, vectors: VectorStore, encoder: TextEncoder
) -> DenseFollower:
    dense = FaissDenseIndex(encoder.dim)

    def snapshot_folder() -> Path:
        current = indexes.folder.current()
        assert current is not None  # a version has served since the lexical index was opened
        return current / f"dense-{encoder.name}"

    seq = 0
    try:
        if snapshot_folder().exists():
            seq = dense.load(snapshot_folder())
    except ModelDamaged as error:
        log.warning("%s: vectors are read from the store", error)
        dense = FaissDenseIndex(encoder.dim)
    if seq > stores.catalog.seq():
        dense, seq = FaissDenseIndex(encoder.dim), 0
    return DenseFollower(
        stores.catalog,
        dense,
        seq=seq,
        embed=_embedder(encoder, vectors),
        owner=lambda: indexes.folder.owned,
        save=lambda reached: dense.save(snapshot_folder(), reached),
        poll_s=settings.storage.poll_ms / 1000,
        batch=_DENSE_BATCH,
    )


def _embedder(encoder: TextEncoder, vectors: VectorStore) -> Embed:
    def embedded(groups: Sequence[Group], may_encode: bool) -> dict[int, Vectors]:
        found = embed(groups, encoder, vectors, encode_new=may_encode)
        return dict(zip(found.ords.tolist(), found.vectors, strict=True))

    return embedded
