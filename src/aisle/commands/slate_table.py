"""A slate on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aisle.explain.reasons import sentence

if TYPE_CHECKING:
    from rich.console import Console

    from aisle.types import Slate


def print_slate(out: Console, slate: Slate, language: str) -> None:
    """What was understood, what answers beside products, then the hits with their reasons."""
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "item", "title", "price", "score", "why")
    for hit in slate.hits:
        price = str(hit.sale_price or hit.price or "")
        why = "; ".join(sentence(r, language) for r in hit.reasons)
        table.add_row(
            str(hit.position + 1), escape(hit.item_id), escape(hit.title), price, f"{hit.score:.3f}", escape(why)
        )
    if slate.query is not None:
        if slate.query.corrected:
            out.print(f"showing results for: {escape(slate.query.corrected)}", highlight=False)
        for u in slate.query.understood:
            how = "" if u.hard else " (a wish, not a condition)"
            out.print(f"understood {u.kind}: {escape(u.text)}{how}", highlight=False)
        if slate.query.intent != "product":
            out.print(f"understood intent: {slate.query.intent} ({slate.query.intent_confidence:.0%})", highlight=False)
    for answer in slate.answers:
        code = f" ({answer.coupon_code})" if answer.coupon_code else ""
        said = f"{code}: {answer.text}" if answer.text else code
        out.print(f"{answer.kind} {escape(answer.title + said)}", highlight=False)
    out.print(table if slate.hits else "Nothing was found.")
    of = f"{slate.n_hits:,} in all, " if slate.query is not None else ""
    out.print(f"{of}{slate.took_ms:.1f} ms", highlight=False)
