"""The shop: one facade, and the request path from top to bottom.

understand the query, retrieve candidates, rank them, show the slate, remember it
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from aisle.errors import InvalidRequest, NotFound
from aisle.intake.importer import Importer
from aisle.ports import Changes
from aisle.rank.mix import SURFACES as _SURFACES
from aisle.rank.page import check_facets, check_page
from aisle.retrieve.reading import Reading
from aisle.retrieve.suggest import Typed
from aisle.serving import desk
from aisle.serving.answering import Answering
from aisle.serving.keystrokes import Keystrokes
from aisle.serving.searching import Searching
from aisle.serving.slate import new_list_id, rating_of
from aisle.serving.surfaces import NOW, Surfaces, dated
from aisle.training import labelling
from aisle.training.recommendations import train
from aisle.training.runs import Training, trainings
from aisle.training.tune import Wanted, tune_shop
from aisle.types import (
    Ack,
    Context,
    Event,
    Filters,
    ImportSummary,
    ItemPage,
    Label,
    LoggedEvent,
    ModelVersion,
    Page,
    Product,
    Progress,
    Promotion,
    Slate,
    Suggestion,
    now_ms,
)
from aisle.understand.filters import parse_filters

if TYPE_CHECKING:
    from aisle.parts import Parts
    from aisle.protect.keys import Keyring
    from aisle.protect.passwords import AdminPassword
    from aisle.settings import Settings
    from aisle.training.lighter import Plan
    from aisle.training.lighter_table import Lighter


DEFAULT_FACETS = ("product_type", "brand", "color", "size", "gender", "material", "availability", "price")
_REVIEWS_SHOWN = 50
SURFACES = tuple(_SURFACES)


class Shop:
    """A shop folder, open: import, search, recommend, record, train.

    Make one with `Shop.open`. All methods may be called from several threads.
    Errors are those of `aisle.errors`.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._surfaces = Surfaces(parts)
        self._searching = Searching(parts)
        self._keystrokes = Keystrokes(parts)
        self._answering = Answering(parts)

    @classmethod
    def open(cls, path: str | Path, *, create: bool = True, settings: Settings | None = None) -> Self:
        """Open the shop in folder `path`, making one when there is none and `create` is true.

        Raises ShopNotFound, SettingsError, StorageError.
        """
        from aisle.wiring import open_parts  # the composition root is built on this module, not under it

        return cls(open_parts(Path(path), create=create, settings=settings))

    def close(self) -> None:
        """Finish what is queued, save snapshots, release the folder."""
        self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        return self._parts.path

    @property
    def settings(self) -> Settings:
        return self._parts.settings

    # ------------------------------------------------------- the request path

    def search(
        self,
        query: str = "",
        *,
        visitor_id: str = "",
        session_id: str = "",
        filters: str | Filters = (),
        facets: Sequence[str] | None = None,
        page: int = 0,
        hits_per_page: int = 24,
        sort: str = "relevance",
        ignore: Sequence[str] = (),
        context: Context = NOW,
        record: bool = True,
    ) -> Slate:
        """Products for the shopper's words, best first; without words, in an order of the shopper's own.

        `filters` are conditions such as `color:Red AND price < 60`; `facets`
        name the fields to count (None: the usual ones); `sort` is relevance,
        price_asc, price_desc or newest, and wins over the order that the words
        wish for; `ignore` takes back what was understood, by kind (`color`,
        `price`, …), one thing of it (`color:red`), or `spelling`. A search that finds nothing
        comes with a `rescue`: what is near its meaning, or what the shopper may like.

        Raises InvalidFilter for a filter that does not parse or an unknown
        field, InvalidRequest for an impossible page or too many facets.
        """
        started = time.perf_counter()
        conditions = parse_filters(filters) if isinstance(filters, str) else filters
        counted = DEFAULT_FACETS if facets is None else tuple(dict.fromkeys(facets))
        check_page(page, hits_per_page, sort, self.settings)
        check_facets(counted, self.settings)
        if not query.strip() and sort == "relevance":
            slate = self._surfaces.browse(
                conditions, counted, page, hits_per_page, visitor_id=visitor_id, context=context
            )
            return self._remember(slate, visitor_id, started, record)
        known = self._parts.known_shopper(visitor_id)
        shopper = known if sort == "relevance" and self._parts.ranking.personal else None
        told = (shopper.visitor_id, shopper.version) if shopper is not None else ()
        asked = (query, conditions, counted, page, hits_per_page, sort, tuple(ignore), told, self._parts.versions())
        kept = self._parts.answers.get(asked)
        slate = kept or self._searching.search(query, conditions, counted, page, hits_per_page, sort, ignore, shopper)
        if kept is None and slate.degraded == self._parts.lacking:  # nothing that may be better the next time
            self._parts.answers.put(asked, slate)
        slate = self._answering.answered(slate, ignore)
        if known is not None and shopper is None:  # everybody's answer: what it is to this shopper is logged beside
            slate = self._searching.beside(known, slate)
        rescue = self._surfaces.rescue(slate, visitor_id, context)
        if rescue is not None:
            slate = replace(slate, rescue=self._remember(rescue, visitor_id, started, record))
        return self._remember(replace(slate, context=dated(context)), visitor_id, started, record)

    def recommend(
        self,
        surface: str = "home",
        *,
        visitor_id: str = "",
        item_ids: Sequence[str] = (),
        product_type: str = "",
        query: str = "",
        group: str = "",
        context: Context = NOW,
        top_k: int = 12,
        record: bool = True,
    ) -> Slate:
        """Products for a surface, one of `SURFACES`: what for is in docs/surfaces.md.

        `item_ids` are the products the surface is about; `product_type`
        confines trending, `query` is what rescue could not find, `group` names
        the group to browse. Unknown visitors and items get popular products,
        except where only what is true may be said (buy_again, followed).

        Raises InvalidRequest for an unknown surface, NotFound for an unknown group.
        """
        started = time.perf_counter()
        most = self.settings.server.max_hits_per_page
        if not 1 <= top_k <= most:
            raise InvalidRequest(f"top_k must be from 1 to {most}", field="top_k")
        slate = self._surfaces.recommend(
            surface,
            visitor_id=visitor_id,
            item_ids=item_ids,
            product_type=product_type,
            query=query,
            group=group,
            context=context,
            top_k=top_k,
        )
        return self._remember(slate, visitor_id, started, record)

    def _remember(self, slate: Slate, visitor_id: str, started: float, record: bool) -> Slate:
        """Give the answer its identity and log what is shown."""
        took_ms = (time.perf_counter() - started) * 1000
        shown = replace(slate, list_id=new_list_id(), visitor_id=visitor_id, time_ms=now_ms(), took_ms=took_ms)
        if record:
            self._parts.stores.slates.record(shown)
            self._parts.latencies.add("recommend" if slate.query is None else "search", took_ms)
        return shown

    def suggest(self, prefix: str, *, visitor_id: str = "", top_k: int = 8) -> list[Suggestion]:
        """Completions of what is being typed: searches, categories, products.

        A visitor's own searches come first, marked `recent`, and what the session
        is about comes before what it is not. Nobody gets another's searches
        unless several shoppers made them.
        """
        return self.suggest_with_products(prefix, visitor_id=visitor_id, top_k=top_k, n_products=0).suggestions

    def suggest_with_products(self, prefix: str, *, visitor_id: str = "", top_k: int = 8, n_products: int = 6) -> Typed:
        """Searches and categories as in `suggest`, and beside them up to `n_products` products with their prices."""
        started = time.perf_counter()
        found = self._keystrokes.suggest(prefix, visitor_id, top_k, n_products)
        self._parts.latencies.add("suggest", (time.perf_counter() - started) * 1000)
        return found

    def similar(self, item_id: str, *, visitor_id: str = "", top_k: int = 12) -> Slate:
        return self.recommend("similar", visitor_id=visitor_id, item_ids=[item_id], top_k=top_k)

    def together(self, item_ids: Sequence[str], *, visitor_id: str = "", top_k: int = 12) -> Slate:
        return self.recommend("together", visitor_id=visitor_id, item_ids=item_ids, top_k=top_k)

    def trending(self, product_type: str = "", *, visitor_id: str = "", top_k: int = 12) -> Slate:
        """What is popular now, in the shop or in a category."""
        return self.recommend("trending", visitor_id=visitor_id, product_type=product_type, top_k=top_k)

    def content(self, item_ids: Sequence[str] = (), *, visitor_id: str = "", top_k: int = 6) -> list[Reading]:
        """Guides, help pages and reviews about some products, else about what the visitor looked at last."""
        return self._surfaces.content(item_ids, visitor_id, top_k)

    def groups(self) -> list[dict[str, Any]]:
        """Groups of products to explore: `group` (for `recommend`), `name`, `count`, `image_link`, `item_ids`."""
        return self._surfaces.groups()

    def item(self, item_id: str) -> ItemPage:
        """All that a product page shows, by an item's or a group's id. Raises NotFound."""
        stores = self._parts.stores
        (ord_,) = stores.catalog.ords([item_id])
        group = stores.catalog.groups([ord_])[0] if ord_ >= 0 else None
        if group is None or not group.products:
            raise NotFound(f"there is no product {item_id[:80]!r}")
        rating, n_reviews = rating_of(group, self._parts.hits.ratings)
        ids = list(dict.fromkeys((group.group_id, *(p.item_id for p in group.products))))
        return ItemPage(group, tuple(stores.content.reviews(ids, _REVIEWS_SHOWN)), n_reviews, rating)

    # ---------------------------------------------------------------- events

    def record(self, event: Event) -> Ack:
        """Record one event; on return it is durable, and the next answer knows it."""
        return self.record_async([event]).result()[0]

    def record_many(self, events: Sequence[Event]) -> list[Ack]:
        """Record several events in one go."""
        return self.record_async(events).result()

    def record_async(self, events: Sequence[Event]) -> Future[list[Ack]]:
        """A future that resolves once the events are durable and the next answer knows them (or with StorageError)."""
        return self._parts.replay.record(events)

    def recent_events(self, limit: int = 100, *, after_seq: int = 0) -> list[LoggedEvent]:
        """The newest events, oldest first."""
        events = self._parts.stores.events
        return events.read(max(after_seq, events.last_seq() - limit), limit)

    # ---------------------------------------------------------------- intake

    def import_products(
        self,
        source: str | Path,
        *,
        mapping: Mapping[str, str] | None = None,
        full: bool = False,
        progress: Progress | None = None,
    ) -> ImportSummary:
        """Take in a product feed. With `full` it is the whole catalogue: products it lacks are removed.

        `mapping` reads our field from their column, `{"title": "name"}`.
        Raises IntakeError, having changed nothing, when the file cannot be read.
        """
        importer, nudge = self._importer(), self._parts.nudge
        with self._parts.importing():
            return importer.products(Path(source), mapping=mapping, full=full, progress=progress, on_batch=nudge)

    def import_events(
        self,
        source: str | Path,
        *,
        mapping: Mapping[str, str] | None = None,
        name: str | None = None,
        progress: Progress | None = None,
    ) -> ImportSummary:
        """Take in a history of events, through the path that live events take."""
        return self._importer().events(Path(source), mapping=mapping, name=name, progress=progress)

    def import_reviews(
        self, source: str | Path, *, mapping: Mapping[str, str] | None = None, progress: Progress | None = None
    ) -> ImportSummary:
        summary = self._importer().reviews(Path(source), mapping=mapping, progress=progress)
        self._parts.nudge()
        return summary

    def import_promotions(self, source: str | Path, *, progress: Progress | None = None) -> ImportSummary:
        return self._importer().promotions(Path(source), progress=progress)

    def import_pages(self, source: str | Path, *, progress: Progress | None = None) -> ImportSummary:
        """Take in a folder of help pages, which are found a moment later."""
        summary = self._importer().pages(Path(source), progress=progress)
        self._parts.nudge()
        return summary

    def import_judgements(
        self,
        source: str | Path,
        *,
        queries: str | Path | None = None,
        irrelevant: float = 0.0,
        progress: Progress | None = None,
    ) -> ImportSummary:
        """Take in what people say of products for queries: TREC qrels, whose query ids `queries` explains, or a table
        with query, item_id and grade. `irrelevant` is the highest grade that means no."""
        named = Path(queries) if queries is not None else None
        return self._importer().judgements(Path(source), queries=named, irrelevant=irrelevant, progress=progress)

    def _importer(self) -> Importer:
        stores = self._parts.stores
        return Importer(stores.catalog, stores.content, self.record_async, self.path, self.settings.shop.currency)

    def upsert_products(self, products: Iterable[Product]) -> Changes:
        """Add or replace products; durable on return, searchable within a second."""
        changes = self._parts.stores.catalog.upsert(products)
        self._parts.nudge()
        return changes

    def delete_products(self, item_ids: Sequence[str]) -> Changes:
        """Take products out of the shop."""
        changes = self._parts.stores.catalog.delete(item_ids)
        self._parts.nudge()
        return changes

    def wait_indexed(self, timeout_s: float = 86_400.0, *, progress: Progress | None = None) -> bool:
        """Wait until every change made so far is searchable; False when the time is up."""
        return self._parts.wait_indexed(timeout_s, progress)

    def rebuild_indexes(self, *, progress: Progress | None = None) -> None:
        """Build the indexes anew beside those that serve, and switch. Raises ShopBusy when a server owns them."""
        self._parts.rebuild(progress)

    # ----------------------------------------------------------------- learn

    def train(self, *, only: Sequence[str] = (), progress: Progress | None = None) -> list[ModelVersion]:
        """Train every model on the log, or `only` those named; each is measured, and serves only if it is better.

        A model that got no version has an empty `version` and a note that says why. Raises ShopBusy while another
        process trains this shop, InvalidRequest for an unknown name, StorageError.
        """
        return train(self._parts, only=only, progress=progress)

    def compress(self, plan: Plan | None = None, *, progress: Progress | None = None) -> list[Lighter]:
        """Make the text encoder lighter in `SHOP/lighter/`, and measure what came of it; what serves is untouched.

        The first row is the encoder as it is; another serves once its `folder` is named as `encoder.model`. Raises
        ShopBusy while another trains, InvalidRequest for too few texts, EncoderMissing, ModelError, StorageError.
        """
        from aisle.training.lighter import Plan, compress_shop

        return compress_shop(self._parts, plan or Plan(), progress)

    def tune(self, wanted: Wanted, *, progress: Progress | None = None) -> ModelVersion:
        """Adapt a model to examples, as `wanted` says; errors are those of `training.tune.tune_shop`."""
        return tune_shop(self._parts, wanted, progress)

    def classify(self, texts: Sequence[str], *, task: str = "intent") -> list[dict[str, float]]:
        """How likely each label of a task is for each text, by what was tuned for it. Raises NotFound, ModelDamaged."""
        return self._parts.classifiers.classify(task, texts)

    # ------------------------------------------------------------------ look

    def promotions(self) -> list[Promotion]:
        """The offers that hold now."""
        return self._parts.stores.content.promotions(now_ms())

    def pages(self) -> list[Page]:
        return self._parts.stores.content.pages()

    def models(self) -> list[ModelVersion]:
        return self._parts.stores.models.versions()

    def trainings(self) -> list[Training]:
        """Trainings that run now and past ones, with their curves."""
        return trainings(self.path / "models")

    def labels(self, task: str) -> list[Label]:
        """What people said texts are, for a task such as `intent`, oldest first."""
        return labelling.labels(self._parts, task)

    def label(self, task: str, text: str, label: str | None, *, by: str = "") -> None:
        """Say what a text is; None takes that back (NotFound if nothing was said). Raises InvalidRequest."""
        labelling.label(self._parts, task, text, label, by)

    def label_desk(self, task: str, *, top_k: int = 20) -> labelling.LabelDesk:
        """The label names known for a task, and the texts most worth a label."""
        return labelling.label_desk(self._parts, task, top_k, self._parts.classifiers.of)

    def health(self) -> dict[str, Any]:
        """How far the indexes are behind, and which parts cannot help now."""
        return self._parts.health()

    def status(self) -> dict[str, Any]:
        """What the shop holds, how far its indexes are, which models serve."""
        return desk.status(self._parts)

    def overview(self, days: int = 30) -> dict[str, Any]:
        """What happened in the last days, for the admin page."""
        return desk.overview(self._parts, days)

    # ------------------------------------------------------------ protection

    @property
    def keys(self) -> Keyring:
        return self._parts.doors.keys

    @property
    def admin_password(self) -> AdminPassword:
        return self._parts.doors.password

    @property
    def secret(self) -> bytes:
        """What signs the admin's session; never leaves the server."""
        return self._parts.doors.secret

    def erase(self, visitor_id: str) -> dict[str, int]:
        """Forget a shopper: events, slates, and all state derived from them."""
        self._surfaces.forget(visitor_id)
        return desk.erase(self._parts, visitor_id)

    def export(self, visitor_id: str) -> dict[str, Any]:
        """All that is stored about a shopper."""
        return desk.export(self._parts, visitor_id)
