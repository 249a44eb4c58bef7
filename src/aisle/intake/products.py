"""Product feeds, one product at a time: Google Merchant TSV, CSV, XML; plain CSV, JSON lines, Parquet.

An id that comes a second time in one file is a reject, unless the row is the
same to the letter, which is skipped: the first row stands, so that what is
already streamed on need not be taken back. A file whose ids *are* its titles
(an order export) repeats its products by nature: only the first row of each
counts and the others are skipped with a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from aisle.errors import IntakeError, InvalidProduct
from aisle.intake.columns import listing, plain_name
from aisle.intake.notes import Notes
from aisle.intake.product_fields import PRODUCT_COLUMNS, product_from_mapping
from aisle.intake.tables import Table, open_table, reject, text_of
from aisle.intake.text import brief
from aisle.types import Product, Reject

__all__ = ["product_from_mapping", "read_products"]

MAX_PRINT_CHARS = 1 << 20
_ORDER_COLUMNS = ("invoice_date", "order_date", "purchase_date")


def read_products(
    source: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    currency: str = "USD",
    notes: Notes | None = None,
) -> Iterator[Product | Reject]:
    """Products and rejects of a file, streamed.

    `mapping` is our field → the file's column; `currency` is that of prices
    which name none; `notes` collects what was kept but changed. Raises
    IntakeError at once (not at the first row) when the file cannot be read.
    """
    table = open_table(source)
    spelt = PRODUCT_COLUMNS.checked(mapping, table.columns, table.file)
    if _is_order_export(table) and not ({"item_id", "title"} & spelt.keys()):
        spelt |= _order_mapping(table)
    chosen = PRODUCT_COLUMNS.resolve(table.columns, spelt)
    for needed, hint in (("item_id", "id"), ("title", "title")):
        if needed not in chosen:
            raise IntakeError(
                f"{table.file}, line 1: no {hint} column; it has: {listing(table.columns)}. "
                f"Say which it is with --map {needed}=COLUMN"
            )
    return _products(table, spelt, currency, notes, ids_are_titles=chosen["item_id"] == chosen["title"])


def _is_order_export(table: Table) -> bool:
    names = {plain_name(column) for column in table.columns}
    return any(name in names for name in _ORDER_COLUMNS)


def _order_mapping(table: Table) -> dict[str, str]:
    """Order lines name a product by its code, or by nothing but its description."""
    names = {plain_name(column): column for column in table.columns}
    title = names.get("description") or names.get("title")
    if title is None:
        return {}
    return {"item_id": names.get("stock_code", names.get("item_id", title)), "title": title}


def _products(
    table: Table, mapping: Mapping[str, str], currency: str, notes: Notes | None, *, ids_are_titles: bool
) -> Iterator[Product | Reject]:
    seen: dict[object, int] = {}
    file, id_column = table.file, mapping.get("item_id", "")
    is_orders = _is_order_export(table)
    repeats = is_orders or ids_are_titles
    # Sold pieces are not stock.
    ignored = {c for c in table.columns if plain_name(c) in {"quantity", "qty", "country"}} if is_orders else set()
    for line, row in table.read():
        if isinstance(row, Reject):
            yield row
            continue
        if ids_are_titles and type(same := row.get(id_column)) is str and same in seen:
            _skip(notes, same)
            continue
        if ignored:
            row = {column: value for column, value in row.items() if column not in ignored}
        try:
            product = product_from_mapping(row, currency=currency, mapping=mapping, notes=notes)
        except InvalidProduct as error:
            yield reject(file, line, error.field, str(error), _shown(row, error.field, mapping))
            continue
        print_of_row = 0 if repeats else hash(brief(row, MAX_PRINT_CHARS))
        before = seen.get(product.item_id)
        if before is None:
            seen[product.item_id] = print_of_row
            yield product
        elif before == print_of_row:
            _skip(notes, product.item_id)
        else:
            yield reject(file, line, "item_id", "an id of an earlier row, with other values", product.item_id)


def _skip(notes: Notes | None, item_id: object) -> None:
    if notes is not None:
        notes.add("repeated row skipped", str(item_id))


def _shown(row: Mapping[str, object], field: str, mapping: Mapping[str, str]) -> object:
    """The value at fault; the row's beginning when it is missing."""
    column = PRODUCT_COLUMNS.resolve(row, {k: v for k, v in mapping.items() if v in row}).get(field, "")
    return row.get(column) or text_of(row)
