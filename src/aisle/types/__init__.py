"""Frozen values that flow through every stage.

The integer `ord` is the one key inside the engine: each *group* of variants
(an `item_group_id`, or a lone product) has one, given on first sight and never
reused. Arrays of candidates are arrays of ords. Outside the engine only
`item_id` and `group_id` appear.
"""

from __future__ import annotations

from aisle.types.arrays import NOTHING, Ords, Scores, Vectors
from aisle.types.catalogue import Availability, Group, ItemPage, Money, Page, Product, Promotion, Review
from aisle.types.events import EVENT_NAMES, Ack, Event, EventItem, LoggedEvent
from aisle.types.query import Clause, Filters, Intent, Judgement, Label, Query, Term, Understood
from aisle.types.records import ImportSummary, ModelVersion, Progress, Reject, now_ms
from aisle.types.slate import Answer, Candidates, Context, FacetValue, Hit, Reason, Slate, Suggestion

__all__ = [
    "EVENT_NAMES",
    "NOTHING",
    "Ack",
    "Answer",
    "Availability",
    "Candidates",
    "Clause",
    "Context",
    "Event",
    "EventItem",
    "FacetValue",
    "Filters",
    "Group",
    "Hit",
    "ImportSummary",
    "Intent",
    "ItemPage",
    "Judgement",
    "Label",
    "LoggedEvent",
    "ModelVersion",
    "Money",
    "Ords",
    "Page",
    "Product",
    "Progress",
    "Promotion",
    "Query",
    "Reason",
    "Reject",
    "Review",
    "Scores",
    "Slate",
    "Suggestion",
    "Term",
    "Understood",
    "Vectors",
    "now_ms",
]
