"""The lexical index: BM25 over fields, filters, facets and paging on tantivy."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import tantivy

from aisle.adapters.tantivy.facets import displayed
from aisle.adapters.tantivy.integrity import check_files
from aisle.adapters.tantivy.schema import ChineseWords, build_schema, own_words, register, to_json
from aisle.adapters.tantivy.view import View
from aisle.errors import ModelDamaged, ShopBusy, StorageError
from aisle.index.documents import document
from aisle.ports import LexicalResult
from aisle.types import Filters, Group, Ords, Query

log = logging.getLogger("aisle.lexical")

WRITER_BYTES = 48_000_000
MAX_OWN_WORDS = 5000
"""Values of a field that the cutting of Chinese knows as words."""

_SCHEMA = build_schema()


class TantivyLexicalIndex:
    """`aisle.ports.LexicalIndex` in one folder. Safe to use from several threads.

    With `writable` it holds tantivy's writer lock until `close()` (ShopBusy
    when another has it); without, `claim()` takes the lock later. `boost` is
    what one fully certain boost of the query adds, as a share of the score of
    a match of all its words. jieba's dictionary is cached in `cache_folder`.
    Raises ModelDamaged when the files cannot be trusted.
    """

    def __init__(
        self, folder: Path, *, writable: bool = True, cache_folder: Path | None = None, boost: float = 0.15
    ) -> None:
        self._folder = Path(folder)
        self._boost = boost
        self._chinese = ChineseWords(cache_folder or self._folder.parent, self._own_words)
        self._lock = threading.RLock()
        self._writer: tantivy.IndexWriter | None = None
        self._is_writer = False
        self._pending: set[int] = set()
        self._display: dict[str, Mapping[int, str]] = {}
        self._sidecar = self._folder / "applied.json"
        self._index = self._open(create=writable)
        self._stamp = (0, 0)
        self._seq = 0
        if writable:
            self.claim()
        self.reload()

    # ---------------------------------------------------------------- opening

    def _open(self, *, create: bool) -> tantivy.Index:
        if (self._folder / "meta.json").exists():
            check_files(self._folder)
        elif not create or any(self._folder.glob("*.term")):
            raise ModelDamaged(f"{self._folder} holds no lexical index; rebuild it")
        else:
            self._folder.mkdir(parents=True, exist_ok=True)
        with self._trusting():
            # Checked above, so what still fails here was written by another version of the schema.
            index = tantivy.Index(_SCHEMA, str(self._folder))
            register(index)
            index.config_reader("manual")
        return index

    @contextmanager
    def _trusting(self) -> Iterator[None]:
        """Turn what tantivy says of unusable files, panics included, into ModelDamaged."""
        try:
            yield
        except (ValueError, OSError) as error:
            raise ModelDamaged(f"the lexical index in {self._folder} cannot be read ({error}); rebuild it") from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            raise ModelDamaged(f"the lexical index in {self._folder} is damaged ({error}); rebuild it") from error

    def claim(self) -> None:
        """Become the writer. Raises ShopBusy while another process or object is it."""
        with self._lock:
            if self._writer is not None:
                return
            try:
                self._writer, self._is_writer = self._index.writer(WRITER_BYTES, 1), True
                # Files of a commit that was killed half way bear the number that the next commit will give its own.
                self._writer.garbage_collect_files()
                # What is deleted before an upsert is looked up in the view: it must be as new as the writer.
                self.reload()
            except (ValueError, OSError) as error:
                if "Lock" in str(error):
                    raise ShopBusy(f"another process writes the lexical index in {self._folder}") from error
                raise StorageError(f"the lexical index in {self._folder} cannot be written: {error}") from error

    # ---------------------------------------------------------------- writing

    def upsert(self, groups: Sequence[Group]) -> None:
        """Index anew; a group without products is removed. Visible after commit()."""
        with self._lock, self._writing() as writer:
            searcher = self._view.searcher
            documents = {group.ord: document(group) for group in groups if group.products}
            self._chinese.learn(word for doc in documents.values() for word in own_words(doc))
            for group in groups:
                # Deleting costs a look-up in every segment: only what is there.
                if group.ord in self._pending or searcher.doc_freq("ord", group.ord):
                    # By query: delete_documents_by_term takes the number as signed and finds nothing.
                    writer.delete_documents_by_query(tantivy.Query.term_query(_SCHEMA, "ord", group.ord, "basic"))
                if group.products:
                    writer.add_json(to_json(documents[group.ord], self._chinese))
                self._pending.add(group.ord)

    def commit(self, seq: int) -> None:
        """Make durable and visible; remember the catalogue `seq` applied.

        A crash between the two leaves the older `seq`: applying again gives the same index.
        """
        with self._lock, self._writing() as writer:
            writer.commit()
            self._pending.clear()
            temporary = self._sidecar.with_suffix(".new")
            with temporary.open("w", encoding="utf-8") as handle:
                json.dump({"seq": seq}, handle)
                handle.flush()
                os.fsync(handle.fileno())
            temporary.replace(self._sidecar)
            self.reload()

    @contextmanager
    def _writing(self) -> Iterator[tantivy.IndexWriter]:
        if not self._is_writer:
            raise ShopBusy(f"the lexical index in {self._folder} is open for reading only")
        if self._writer is None:
            self.claim()
        assert self._writer is not None
        try:
            yield self._writer
        except BaseException as error:
            if not isinstance(error, ValueError | OSError) and type(error).__name__ != "PanicException":
                raise
            # tantivy's writer does not outlive a failed write: the next one begins at the last commit. It cannot be
            # made here, for the caller's frame still holds this one and with it tantivy's lock.
            self._writer = None
            self._pending.clear()
            raise StorageError(f"the lexical index in {self._folder} cannot be written: {error}") from None

    # ---------------------------------------------------------------- reading

    def applied_seq(self) -> int:
        return self._seq

    def reload(self) -> None:
        """See what another process committed; costs a stat when there is nothing new."""
        with self._lock:
            status = (self._folder / "meta.json").stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp == self._stamp and self._seq == self._written_seq():
                return
            seq = self._written_seq()  # before the files: never claims more than is seen
            with self._trusting():
                self._index.reload()
                self._view = self._look(self._index.searcher())
            self._seq, self._stamp = seq, stamp
            if self._chinese.is_loaded and not self._is_writer:
                self._chinese.learn(self._own_words())

    def _written_seq(self) -> int:
        try:
            return int(json.loads(self._sidecar.read_bytes())["seq"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0  # everything is applied again, which changes nothing

    def _look(self, searcher: tantivy.Searcher) -> View:
        def display(name: str, *, anew: bool = False) -> Mapping[int, str]:
            # Kept over commits: how values are written hardly changes, and looking takes milliseconds.
            if anew or name not in self._display:
                self._display[name] = displayed(searcher, name)
            return self._display[name]

        return View(_SCHEMA, searcher, self._chinese, self._boost, display)

    def _own_words(self) -> Iterator[str]:
        """The catalogue's own Chinese words, for cutting."""
        for name in self._view.facetable if len(self) else ():
            for value, _ in self._view.vocabulary(name, MAX_OWN_WORDS):
                yield from value.split(">")

    def search(
        self,
        query: Query,
        *,
        neighbours: Callable[[], Ords] | None = None,
        filters: Filters = (),
        facets: Sequence[str] = (),
        top_k: int = 200,
        sort: str = "relevance",
        offset: int = 0,
    ) -> LexicalResult:
        """The hit set (see `LexicalResult`) and its best, or by `sort` the `top_k` from `offset` on.

        How many words may be missing depends on the words and on what was
        understood of them, never on filters chosen besides: a facet's count
        stays true once it is clicked. `offset` is for the other sorts: by
        relevance the caller blends first and pages after. Scores include the
        query's boosts. Raises InvalidFilter, InvalidRequest.
        """
        return self._view.search(query, neighbours, filters, facets, top_k, sort, offset)

    def fields(self) -> tuple[str, ...]:
        return self._view.fields

    def vocabulary(self, field_name: str, limit: int = 10_000) -> list[tuple[str, int]]:
        """The values of a facet field, most frequent first; "words" gives the unstemmed words of names and
        traits, "chinese" those cut from Chinese, as simplified characters."""
        return self._view.vocabulary(field_name, limit)

    def document_frequency(self, word: str) -> int:
        return self._view.frequency(word)

    def __len__(self) -> int:
        return int(self._view.searcher.num_docs)

    def close(self) -> None:
        """Let merges end and give the writer's lock back; what was not committed is forgotten. Searching goes on."""
        with self._lock:
            writer, self._writer, self._is_writer = self._writer, None, False
            self._pending.clear()
            if writer is not None:
                try:
                    writer.wait_merging_threads()
                except (ValueError, OSError) as error:
                    log.warning("the lexical index in %s did not close cleanly: %s", self._folder, error)
