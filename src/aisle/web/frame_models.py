"""The shapes of what stands around products: the shop itself, offers, things to read, groups to browse."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from aisle.web.models import Answer, ReasonPart, Took


class ContentParams(BaseModel):
    """What the reader is about."""

    visitor_id: str = Field("", max_length=256, description="Who reads: what they looked at leads to something.")
    item_id: list[str] = Field(
        [], max_length=20, description="Products to read about; repeatable.", examples=[["MH01"]]
    )
    top_k: int = Field(6, ge=1, le=50, description="Most of each kind.")
    language: str = Field("", max_length=16, description="Language of the reasons: en or zh.")


class ReadingPart(Answer):
    """A guide, a help page or a review."""

    kind: Literal["page", "review"]
    reading_id: str = Field(description="The page's or the review's id.")
    title: str
    text: str = Field(description="A page's beginning, a review's whole text.")
    item_id: str = Field(description="The product it is about, or that led to it.")
    rating: float | None
    reviewer: str
    score: float
    reason: ReasonPart


class ContentAnswer(Answer):
    """Things to read: pages and reviews, the most useful first."""

    readings: list[ReadingPart]
    took_ms: Took


class GroupPart(Answer):
    """Products that belong together, as clustering found them."""

    group: str = Field(description="For /v1/recommend/group.", examples=["3"])
    name: str = Field(examples=["Mugs & Tea"])
    count: int = Field(ge=0)
    image_link: str
    item_ids: list[str] = Field(description="The most typical products.")


class GroupsAnswer(Answer):
    groups: list[GroupPart]


class PromotionPart(Answer):
    promotion_id: str
    name: str
    description: str
    coupon_code: str
    starts_ms: int
    ends_ms: int
    details: dict[str, str]


class PromotionsAnswer(Answer):
    promotions: list[PromotionPart]


class PagePart(Answer):
    page_id: str
    title: str
    text: str


class PagesAnswer(Answer):
    pages: list[PagePart]


class CategoryPart(Answer):
    """A category and those within it."""

    name: str
    path: str = Field(examples=["Men > Tops"])
    count: int = Field(ge=0)
    children: list[CategoryPart]


class ShopAnswer(Answer):
    name: str
    language: str
    currency: str
    n_products: int = Field(ge=0)
    categories: list[CategoryPart]
