"""The API's shapes, for OpenAPI and for checking requests.

Answers are written by `aisle.web.serialise` without passing through these
models; a test holds the two together.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Price = Annotated[str, Field(pattern=r"^\d+\.\d{2} [A-Z]{3}$", examples=["52.00 USD"])]
ItemId = Annotated[str, Field(description="The product's id in the feed.", examples=["MH01"])]
Took = Annotated[float, Field(ge=0, description="Milliseconds spent, without HTTP.", examples=[4.2])]
ListId = Annotated[
    str, Field(description="This answer's id: echo it as `list_id` on events that follow from it.", examples=["01J9…"])
]
Degraded = Annotated[list[str], Field(description="Parts that could not help with this answer; empty when all did.")]
Sort = Literal["relevance", "price_asc", "price_desc", "newest"]
Place = Annotated[
    str,
    Field(
        max_length=64, description="Where the shopper is, `GB` or `GB/Leeds`; else the header X-Aisle-Place.",
        examples=["GB/Leeds"],
    ),
]  # fmt: skip
Device = Annotated[
    Literal["", "phone", "desk"], Field(description="On what the shopper looks; empty: as the User-Agent says.")
]


class Answer(BaseModel):
    """Nothing but what is named here."""

    model_config = ConfigDict(extra="forbid")


# ------------------------------------------------------------------ requests


class SearchParams(BaseModel):
    """A search. Algolia's own names are taken too."""

    query: str = Field(
        "", description="What the shopper typed. Empty: everything. Beyond a limit the rest is ignored.",
        examples=["red hoodie under $60"],
    )  # fmt: skip
    page: int = Field(0, ge=0, le=100_000, description="Which page, from 0.", examples=[0])
    hits_per_page: int = Field(24, ge=1, le=1000, description="Hits on a page; a shop may set a lower limit.")
    hitsPerPage: int | None = Field(None, ge=1, le=1000, description="Algolia's name of `hits_per_page`; it wins.")  # noqa: N815
    filters: str = Field(
        "", max_length=4000, description="Conditions that must hold, in Algolia's language.",
        examples=['color:red AND price < 60', 'brand:"Acme" OR brand:Zenith'],
    )  # fmt: skip
    facets: list[str] = Field(
        [],
        max_length=100,
        description="Fields to count: repeated, or separated by commas; none: the usual ones.",
        examples=[["color", "brand"]],
    )
    facetFilters: str = Field(  # noqa: N815
        "", max_length=4000, description="Algolia's facetFilters, as JSON.", examples=['[["color:red","color:blue"]]']
    )
    numericFilters: str = Field(  # noqa: N815
        "", max_length=4000, description="Algolia's numericFilters, as JSON or separated by commas.",
        examples=['["price<60"]'],
    )  # fmt: skip
    ignore: list[str] = Field(
        [],
        max_length=20,
        description="What was understood and is to be taken back: a kind (color), one thing of it (color:red), or "
        "spelling to search as typed. Repeated, or separated by commas.",
        examples=[["color", "word:hood", "spelling"]],
    )
    sort: Sort = Field("relevance", description="Order of the hits.")
    visitor_id: str = Field("", max_length=256, description="Who searches; empty: nobody in particular.")
    session_id: str = Field("", max_length=256, description="The visit that the search belongs to.")
    place: Place = ""
    device: Device = ""
    language: str = Field("", max_length=16, description="Language of the reasons: en or zh. Empty: the shop's own.")


class SearchBody(SearchParams):
    """The same as a JSON body; lists may be lists."""

    facets: str | list[str] = Field([], description="Fields to count: a list, or separated by commas.")  # type: ignore[assignment]
    ignore: str | list[str] = Field([], description="Kinds to take back: a list, or separated by commas.")  # type: ignore[assignment]
    facetFilters: str | list[str | list[str]] = Field("", description="Algolia's facetFilters.")  # type: ignore[assignment] # noqa: N815
    numericFilters: str | list[str | list[str]] = Field("", description="Algolia's numericFilters.")  # type: ignore[assignment] # noqa: N815


class SuggestParams(BaseModel):
    """What has been typed so far."""

    query: str = Field("", description="The beginning of a query, as typed.", examples=["yoga st"])
    visitor_id: str = Field("", max_length=256, description="Who types.")
    top_k: int = Field(8, ge=1, le=50, description="Most suggestions.")
    n_products: int = Field(
        0, ge=0, le=24, description="Most products beside the suggestions, with prices; 0: among them."
    )


class RecommendParams(BaseModel):
    """What the list is for."""

    visitor_id: str = Field("", max_length=256, description="For whom; empty: for anybody.")
    item_id: list[str] = Field(
        [], max_length=100, description="What the shopper looks at, or the cart; repeatable.", examples=[["MH01"]]
    )
    product_type: str = Field("", max_length=500, description="Only from this category.", examples=["Women > Tops"])
    query: str = Field("", description="What a search did not find, for `rescue`.")
    group: str = Field("", max_length=100, description="Which group, for `group`: an id of /v1/groups.")
    place: Place = ""
    device: Device = ""
    top_k: int = Field(12, ge=1, le=200, description="Most hits.")
    language: str = Field("", max_length=16, description="Language of title and reasons: en or zh.")


Surface = Literal[
    "home", "similar", "together", "viewed", "trending", "complementary", "cart", "after_purchase", "buy_again",
    "rescue", "new_for_you", "followed", "group",
]  # fmt: skip


class EventItemBody(BaseModel):
    """An item as GA4 names it."""

    item_id: str = Field(min_length=1, max_length=512, examples=["MH01"])
    price: float | str | None = Field(None, description="A unit's price.", examples=[52.0])
    quantity: int | None = Field(None, ge=0, description="How many; 1 when absent.")
    index: int | None = Field(None, ge=0, description="Place in the list, from 0.")
    item_list_id: str | None = Field(None, description="The list's name.", examples=["home"])


class EventBody(BaseModel):
    """Something a shopper did, in GA4's e-commerce words."""

    name: str = Field(description="A GA4 e-commerce name, or rate, not_interested, follow.", examples=["view_item"])
    visitor_id: str = Field(min_length=1, max_length=256, examples=["v1"])
    session_id: str | None = Field(None, examples=["s1"])
    event_id: str | None = Field(None, description="Yours, to make sending twice harmless; one is made when absent.")
    time: str | None = Field(None, description="ISO 8601; absent: now.", examples=["2026-05-01T12:00:00Z"])
    time_ms: int | None = Field(None, description="The same as milliseconds since 1970.")
    timestamp_micros: int | None = Field(None, description="The same as GA4 writes it.")
    list_id: str | None = Field(None, description="The answer it follows from.")
    query: str | None = Field(None, description="What was searched for.", examples=["red hoodie"])
    items: list[EventItemBody] | None = Field(None, description="The products it is about.")
    rating: float | None = Field(None, description="For `rate`: 1 to 5.")
    value: float | str | None = Field(None, description="What it was worth in all.", examples=[52.0])
    currency: str | None = Field(None, examples=["USD"])
    params: dict[str, str | int | float | bool] | None = Field(
        None, description="Anything else. `follow` names a `brand` or `product_type` here; `undo` takes a `follow` or "
        "`not_interested` back; `place` and `device` say where and on what.",
    )  # fmt: skip


class EventBatch(BaseModel):
    """Several events: all are taken, or none."""

    events: list[EventBody]


class ProductBody(BaseModel):
    """A product in Google Merchant's columns; any further column becomes an attribute."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(min_length=1, examples=["MH01-XS-Red"])
    title: str = Field(min_length=1, examples=["Chaz Kangeroo Hoodie"])
    item_group_id: str | None = Field(None, examples=["MH01"])
    description: str | None = None
    link: str | None = None
    image_link: str | None = None
    availability: str | None = Field(None, examples=["in_stock"])
    price: str | None = Field(None, examples=["52.00 USD"])
    sale_price: str | None = None
    brand: str | None = None
    product_type: str | None = Field(None, examples=["Men > Tops > Hoodies"])
    color: str | None = None
    size: str | None = None


class ProductBatch(BaseModel):
    """Several products: all are taken, or none."""

    products: list[ProductBody]


# ------------------------------------------------------------------- answers


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:aisle:problem:invalid-filter"])
    title: str = Field(examples=["The filter is not valid"])
    status: int = Field(examples=[400])
    detail: str = Field(description="What was wrong and what to do about it.")
    field: str | None = Field(None, description="The argument that was wrong.")
    fault_id: str | None = Field(None, description="Under which the server's log has the story (5xx).")


class UnderstoodPart(Answer):
    """A part of the query that was given a meaning."""

    kind: str = Field(examples=["price"])
    text: str = Field(description="The shopper's words.", examples=["under $60"])
    field: str = Field(examples=["price"])
    values: list[str]
    low: float | None
    high: float | None
    exclude: bool = Field(description="Whether this is what is not wanted.")
    hard: bool = Field(description="Whether it filters; otherwise it only lifts.")
    ignore: str = Field(description="What to send as `ignore` to take it back.", examples=["color:red"])
    confidence: float = Field(ge=0, le=1)


class IntentPart(Answer):
    """What the shopper came for."""

    kind: Literal["product", "navigation", "help", "order", "promotion"]
    confidence: float = Field(ge=0, le=1)


class AnswerPart(Answer):
    """What answers the words beside products: an offer that holds now, a help page, a category."""

    kind: Literal["promotion", "page", "category"]
    target: str = Field(description="The promotion's id, the page's id, or the category's path.")
    title: str
    text: str = Field(description="The offer's terms, or the passage of the page that answers.")
    coupon_code: str
    ends_ms: int = Field(description="When the offer ends (Unix, UTC); 0: it does not.")


class ReasonPart(Answer):
    """Why a hit is shown."""

    kind: str = Field(examples=["viewed_similar"])
    text: str = Field(examples=["because you viewed Chaz Kangeroo Hoodie"])
    item_id: str


class HitPart(Answer):
    """One product (a group of variants)."""

    item_id: ItemId
    group_id: str
    title: str
    product_type: str
    brand: str
    price: Price | None
    sale_price: Price | None
    price_high: Price | None = Field(description="The dearest variant's price, when variants differ.")
    image_link: str
    link: str
    availability: str = Field(examples=["in_stock"])
    n_variants: int = Field(ge=0)
    colors: list[str]
    rating: float | None
    n_reviews: int = Field(ge=0)
    score: float = Field(description="Higher is better; comparable within an answer only.")
    position: int = Field(ge=0, description="Place over all pages, from 0.")
    reasons: list[ReasonPart]
    highlights: dict[str, str] = Field(description="Field to its HTML-escaped text with <em> around what matched.")


class FacetCount(Answer):
    value: str
    count: int = Field(ge=0)


class SearchAnswer(Answer):
    """Hits, and the facets counted over exactly all that match."""

    list_id: ListId
    query: str
    understood: list[UnderstoodPart]
    corrected: str = Field(description="What was searched instead, when a word was misspelt; else empty.")
    intent: IntentPart | None = Field(description="What the shopper came for; none where there are no words.")
    sort: str = Field(description="The order that the words wish for: price_asc, price_desc, rating, newest; or empty.")
    given_up: list[UnderstoodPart] = Field(description="Conditions let go because nothing met them all.")
    answers: list[AnswerPart] = Field(description="What was asked for beside products.")
    n_hits: int = Field(ge=0)
    page: int = Field(ge=0)
    n_pages: int = Field(ge=0)
    hits_per_page: int = Field(ge=1)
    hits: list[HitPart]
    facets: dict[str, list[FacetCount]]
    facet_stats: dict[str, tuple[float, float]] = Field(description="Least and greatest value over the hits.")
    rescue: RecommendAnswer | None = Field(description="When nothing was found: what comes near, or may please.")
    took_ms: Took
    degraded: Degraded


class SuggestionPart(Answer):
    text: str
    kind: Literal["query", "category", "product"]
    item_id: str
    image_link: str
    highlight: str = Field(description="HTML-escaped text with <em> around what was typed.")
    recent: bool = Field(description="Whether it is a search of the shopper's own.")
    price: str | None = Field(description="What a product costs now.")
    was: str | None = Field(description="What it cost before a sale.")


class SuggestAnswer(Answer):
    suggestions: list[SuggestionPart]
    products: list[SuggestionPart] = Field(description="Products for what is typed, when `n_products` asked for them.")
    took_ms: Took


class RecommendAnswer(Answer):
    """A list for a place in the shop."""

    list_id: ListId
    surface: str
    title: str = Field(examples=["Picked for you"])
    hits: list[HitPart]
    took_ms: Took
    degraded: Degraded


class VariantPart(Answer):
    item_id: ItemId
    title: str
    color: str
    size: str
    material: str
    price: Price | None
    sale_price: Price | None
    availability: str
    quantity: int | None
    image_link: str
    additional_image_links: list[str]


class ReviewPart(Answer):
    review_id: str
    item_id: str
    rating: float
    title: str
    text: str
    reviewer: str
    time_ms: int


class ItemAnswer(Answer):
    """All that a product page shows; the fields are those of the variant asked for."""

    item_id: ItemId
    group_id: str
    title: str
    description: str
    brand: str
    product_type: str
    additional_product_types: list[str]
    price: Price | None
    sale_price: Price | None
    availability: str
    color: str
    size: str
    gender: str
    material: str
    pattern: str
    age_group: str
    condition: str
    link: str
    image_link: str
    images: list[str] = Field(description="Every picture of the group, the variant's own first.")
    variants: list[VariantPart]
    attributes: dict[str, list[str]]
    rating: float | None
    n_reviews: int = Field(ge=0)
    reviews: list[ReviewPart]


class AckAnswer(Answer):
    """Durable at `seq`."""

    event_id: str
    seq: int = Field(ge=1)
    duplicate: bool = Field(description="It was already there: nothing changed.")


class AcksAnswer(Answer):
    acks: list[AckAnswer]


class ChangesAnswer(Answer):
    """What changed; search shows it within a second."""

    n_added: int = Field(ge=0)
    n_changed: int = Field(ge=0)
    n_unchanged: int = Field(ge=0)
    n_removed: int = Field(ge=0)
    seq: int = Field(ge=0)


class VisitorAnswer(BaseModel):
    """All that is kept about a shopper."""

    model_config = ConfigDict(extra="allow")
    visitor_id: str


class ErasedAnswer(BaseModel):
    """What was forgotten."""

    model_config = ConfigDict(extra="allow")


class LoggedPart(Answer):
    """An event with its place in the log."""

    seq: int
    event: dict[str, Any]


class EventsAnswer(Answer):
    events: list[LoggedPart]
    last_seq: int = Field(description="Ask for what is after this next time.")


class ModelPart(Answer):
    name: str
    version: str
    created_ms: int
    active: bool
    metrics: dict[str, float]
    note: str


class ModelsAnswer(Answer):
    models: list[ModelPart]


class HealthAnswer(BaseModel):
    model_config = ConfigDict(extra="allow")
    status: str


class OverviewAnswer(BaseModel):
    """Traffic, rates, revenue, queries and latency of the last days."""

    model_config = ConfigDict(extra="allow")
