"""Files into the stores: good rows go on, bad rows go to rejects.jsonl with the reason."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from aisle.intake.events import read_events
from aisle.intake.judgements import read_judgements
from aisle.intake.media import MediaFolder
from aisle.intake.notes import Notes
from aisle.intake.pages import read_pages
from aisle.intake.products import read_products
from aisle.intake.promotions import read_promotions
from aisle.intake.rejects import RejectFile
from aisle.intake.reviews import read_reviews
from aisle.ports import CatalogStore, ContentStore
from aisle.types import Ack, Event, ImportSummary, Judgement, Progress, Reject

T = TypeVar("T")
Kind = Literal["products", "events", "reviews", "promotions", "pages", "judgements"]
Record = Callable[[list[Event]], Future[list[Ack]]]

_BATCH = 2000
_IN_FLIGHT = 4
"""Event batches queued at once: enough to keep the writer busy, few enough to bound memory."""


@dataclass(frozen=True, slots=True)
class Importer:
    """Reads files into one shop's stores.

    Each method raises IntakeError, having changed nothing, when the file as a
    whole cannot be read.
    """

    catalog: CatalogStore
    content: ContentStore
    record: Record
    folder: Path
    currency: str

    def products(
        self,
        source: Path,
        *,
        mapping: Mapping[str, str] | None = None,
        full: bool = False,
        progress: Progress | None = None,
        on_batch: Callable[[], None] | None = None,
    ) -> ImportSummary:
        """Upsert a feed; with `full`, products that it does not name are removed."""
        remarks = Notes()
        read = read_products(source, mapping=mapping, currency=self.currency, notes=remarks)
        rows = _Rows(read, "products", self.folder, progress)
        media = MediaFolder(source.parent, self.folder / "media")
        added = changed = unchanged = removed = 0
        seen: set[str] = set()
        for batch in rows.batches():
            done = self.catalog.upsert([media.localised(p) for p in batch])
            added, changed, unchanged = added + done.n_added, changed + done.n_changed, unchanged + done.n_unchanged
            if full:
                seen.update(p.item_id for p in batch)
            if on_batch is not None:
                on_batch()
        notes = remarks.lines() + media.notes
        if full and rows.n_rejected:
            notes += ("Nothing was removed: a feed with rejected rows is not taken as the whole catalogue.",)
        elif full and seen:
            removed = self.catalog.retain(seen).n_removed
        return rows.summary(n_added=added, n_changed=changed, n_unchanged=unchanged, n_removed=removed, notes=notes)

    def events(
        self,
        source: Path,
        *,
        mapping: Mapping[str, str] | None = None,
        name: str | None = None,
        progress: Progress | None = None,
    ) -> ImportSummary:
        """Record a history of events through the same path as live traffic."""
        read = read_events(source, mapping=mapping, name=name, currency=self.currency)
        rows = _Rows(read, "events", self.folder, progress)
        added = unchanged = 0
        pending: deque[Future[list[Ack]]] = deque()

        def settle(limit: int) -> tuple[int, int]:
            new = known = 0
            while len(pending) > limit:
                acks = pending.popleft().result()
                duplicates = sum(a.duplicate for a in acks)
                new, known = new + len(acks) - duplicates, known + duplicates
            return new, known

        for batch in rows.batches():
            pending.append(self.record(batch))
            new, known = settle(_IN_FLIGHT)
            added, unchanged = added + new, unchanged + known
        new, known = settle(0)
        return rows.summary(n_added=added + new, n_unchanged=unchanged + known)

    def reviews(
        self, source: Path, *, mapping: Mapping[str, str] | None = None, progress: Progress | None = None
    ) -> ImportSummary:
        return self._content("reviews", read_reviews(source, mapping=mapping), self.content.upsert_reviews, progress)

    def promotions(self, source: Path, *, progress: Progress | None = None) -> ImportSummary:
        return self._content("promotions", read_promotions(source), self.content.upsert_promotions, progress)

    def pages(self, source: Path, *, progress: Progress | None = None) -> ImportSummary:
        return self._content("pages", read_pages(source), self.content.upsert_pages, progress)

    def judgements(
        self,
        source: Path,
        *,
        queries: Path | None = None,
        irrelevant: float = 0.0,
        progress: Progress | None = None,
    ) -> ImportSummary:
        """What people say of products for queries; those of products not in the catalogue wait for them."""
        unknown = 0

        def upsert(judged: Iterable[Judgement]) -> tuple[int, int, int]:
            nonlocal unknown
            rows = list(judged)
            unknown += sum(ord_ < 0 for ord_ in self.catalog.ords([j.item_id for j in rows]))
            return self.content.upsert_judgements(rows)

        read = read_judgements(source, queries=queries, irrelevant=irrelevant)
        done = self._content("judgements", read, upsert, progress)
        return replace(done, notes=(f"{unknown:,} are of products that the shop does not have.",)) if unknown else done

    def _content(
        self,
        kind: Kind,
        read: Iterator[T | Reject],
        upsert: Callable[[Iterable[T]], tuple[int, int, int]],
        progress: Progress | None,
    ) -> ImportSummary:
        rows = _Rows(read, kind, self.folder, progress)
        added = changed = unchanged = 0
        for batch in rows.batches():
            a, c, u = upsert(batch)
            added, changed, unchanged = added + a, changed + c, unchanged + u
        return rows.summary(n_added=added, n_changed=changed, n_unchanged=unchanged)


class _Rows:
    """Good rows in batches; the others are written down and counted."""

    def __init__(self, read: Iterator[Any], kind: Kind, folder: Path, progress: Progress | None) -> None:
        self._read, self._kind, self._progress = read, kind, progress
        self._rejects = RejectFile(folder / "rejects.jsonl")
        self._started = time.perf_counter()
        self.n_read = self.n_rejected = 0

    def batches(self) -> Iterator[list[Any]]:
        while chunk := list(islice(self._read, _BATCH)):
            rejects = [row for row in chunk if isinstance(row, Reject)]
            if rejects:
                self._rejects.write(rejects)
            self.n_read += len(chunk)
            self.n_rejected += len(rejects)
            good = [row for row in chunk if not isinstance(row, Reject)] if rejects else chunk
            if good:
                yield good
            if self._progress is not None:
                self._progress(f"importing {self._kind}", self.n_read, 0)

    def summary(self, **counts: Any) -> ImportSummary:
        if self._progress is not None:
            self._progress(f"importing {self._kind}", self.n_read, self.n_read)
        done = ImportSummary(kind=self._kind, n_read=self.n_read, n_rejected=self.n_rejected)
        return replace(
            done,
            rejects_file=str(self._rejects.path) if self.n_rejected else "",
            seconds=time.perf_counter() - self._started,
            **counts,
        )
