"""One product from a mapping of strangers' names and values: the single path of files and API alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from aisle.errors import InvalidProduct
from aisle.intake.attributes import attribute_values, details
from aisle.intake.columns import Columns, plain_name
from aisle.intake.notes import Notes
from aisle.intake.text import one_line, prose, scalar_text
from aisle.types import NOTHING, Availability, Money, Product

MAX_ID_CHARS = 256
MAX_TITLE_CHARS = 500
MAX_DESCRIPTION_CHARS = 20_000
MAX_LINK_CHARS = 2048
MAX_SHORT_CHARS = 200
MAX_IMAGES = 20
MAX_ATTRIBUTES = 50

PRODUCT_COLUMNS = Columns(
    {
        "item_id": ("id", "sku", "product_id", "offer_id", "upc", "gtin", "ean", "asin", "stock_code"),
        "title": ("name", "product_name", "product_title", "item_name"),
        "group_id": ("item_group_id", "parent_id", "parent_sku"),
        "description": ("long_description", "product_description", "body_html", "content", "summary"),
        "short_description": (),
        "link": ("url", "product_url", "canonical_link"),
        "image_link": ("image", "image_url", "img", "image_src", "thumbnail"),
        "additional_image_links": ("additional_image_link", "additional_images", "images"),
        "availability": ("stock_status", "stock_availability"),
        "price": ("regular_price", "list_price", "unit_price"),
        "sale_price": ("special_price",),
        "brand": ("manufacturer", "vendor", "maker"),
        "product_type": ("product_category", "category", "categories", "google_product_category"),
        "additional_product_types": ("additional_product_type",),
        "color": ("colour",),
        "size": (),
        "gender": (),
        "material": (),
        "pattern": (),
        "age_group": (),
        "condition": (),
        "quantity": ("sell_on_google_quantity", "stock", "inventory", "qty", "stock_quantity"),
        "product_detail": ("product_details",),
        "attributes": (),
        "currency": ("price_currency",),
    }
)
"""Our fields, Google Merchant's names and those of the usual shop systems."""

_AVAILABILITY: dict[str, Availability] = {
    "in_stock": "in_stock", "instock": "in_stock", "available": "in_stock", "yes": "in_stock", "true": "in_stock",
    "1": "in_stock", "limited_availability": "in_stock", "limitedavailability": "in_stock", "in_store_only": "in_stock",
    "instoreonly": "in_stock", "online_only": "in_stock", "onlineonly": "in_stock", "active": "in_stock",
    "out_of_stock": "out_of_stock", "outofstock": "out_of_stock", "sold_out": "out_of_stock",
    "soldout": "out_of_stock", "unavailable": "out_of_stock", "discontinued": "out_of_stock", "no": "out_of_stock",
    "false": "out_of_stock", "0": "out_of_stock", "not_available": "out_of_stock",
    "preorder": "preorder", "pre_order": "preorder", "presale": "preorder", "pre_sale": "preorder",
    "backorder": "backorder", "back_order": "backorder", "available_for_order": "backorder",
    "on_backorder": "backorder", "onbackorder": "backorder",
}  # fmt: skip
_GENDER = {
    "male": "male", "men": "male", "mens": "male", "man": "male", "boys": "male", "boy": "male", "m": "male",
    "female": "female", "women": "female", "womens": "female", "woman": "female", "girls": "female",
    "girl": "female", "f": "female", "ladies": "female", "unisex": "unisex",
}  # fmt: skip
_SHORT_TEXTS = frozenset({"brand", "color", "size", "material", "pattern", "age_group", "condition"})
_PATH = re.compile(r"\s*>\s*")
_SCHEME = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.\-]*:")
# Who bought and when is an order's business; it never becomes part of a product.
_NOT_OF_PRODUCTS = frozenset(
    {"customer_id", "customer", "customer_name", "email", "phone", "invoice_date", "invoice_no", "invoice", "order_id",
     "order_date", "visitor_id", "user_id"}
)  # fmt: skip


def product_from_mapping(
    row: Mapping[str, Any],
    *,
    currency: str = "USD",
    mapping: Mapping[str, str] | None = None,
    notes: Notes | None = None,
) -> Product:
    """A Product from Merchant columns, or any names that `PRODUCT_COLUMNS` knows or `mapping` gives.

    `mapping` is our field → their column; `attributes.NAME` takes a column as an
    attribute. Raises InvalidProduct with the field at fault.
    """
    fields, others = _sorted_columns(row, mapping)
    item_id = _identity(fields.get("item_id"), "item_id", needed=True)
    title = one_line(fields.get("title"), MAX_TITLE_CHARS + 1)
    if not title:
        raise InvalidProduct("a product needs a title", field="title")
    if len(title) > MAX_TITLE_CHARS:
        title = title[:MAX_TITLE_CHARS].rstrip()
        _note(notes, f"title cut at {MAX_TITLE_CHARS} characters", item_id)
    get = fields.get
    more: dict[str, Any] = {}
    for name in _SHORT_TEXTS & fields.keys():
        more[name] = one_line(fields[name], MAX_SHORT_CHARS)
    for name in ("age_group", "condition"):
        if name in more:
            more[name] = more[name].lower()
    if "gender" in fields:
        more["gender"] = _gender(fields["gender"])
    quantity = _quantity(get("quantity"))
    if "description" in fields or "short_description" in fields:
        more["description"] = _description(get("short_description"), get("description"), item_id, notes)
    return Product(
        item_id,
        title,
        group_id=_identity(get("group_id"), "group_id"),
        availability=_availability(get("availability"), quantity),
        quantity=quantity,
        attributes=_attributes(get("product_detail"), get("attributes"), others, item_id, notes),
        **more,
        **_prices(fields, currency),
        **_pictures_and_link(fields, item_id, notes),
        **_categories(fields),
    )


def _prices(fields: Mapping[str, Any], currency: str) -> dict[str, Any]:
    if "price" not in fields and "sale_price" not in fields:
        return {}
    currency = one_line(fields.get("currency"), 8) or currency
    price = _money(fields.get("price"), "price", currency)
    sale = _money(fields.get("sale_price"), "sale_price", currency)
    if price and sale and price.currency != sale.currency:
        raise InvalidProduct(f"price in {price.currency}, sale price in {sale.currency}", field="sale_price")
    return {"price": price, "sale_price": sale}


def _pictures_and_link(fields: Mapping[str, Any], item_id: str, notes: Notes | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "link" in fields:
        found["link"] = next(iter(_links(fields["link"], item_id, notes, single=True)), "")
    if "image_link" in fields or "additional_image_links" in fields:
        images = _links(fields.get("image_link"), item_id, notes, single=True)
        images += _links(fields.get("additional_image_links"), item_id, notes)
        if images:
            first, *rest = dict.fromkeys(images)
            found |= {"image_link": first, "additional_image_links": tuple(rest[:MAX_IMAGES])}
    return found


def _categories(fields: Mapping[str, Any]) -> dict[str, Any]:
    if "product_type" not in fields and "additional_product_types" not in fields:
        return {}
    types = _types(fields.get("product_type")) + _types(fields.get("additional_product_types"), comma=True)
    first, *rest = dict.fromkeys(types) or [""]
    return {"product_type": first, "additional_product_types": tuple(rest[:MAX_IMAGES])}


def _sorted_columns(
    row: Mapping[str, Any], mapping: Mapping[str, str] | None
) -> tuple[dict[str, Any], dict[str, object]]:
    """Values by our fields (the best-named column that holds something wins), and all the others."""
    fields: dict[str, Any] = {}
    ranks: dict[str, tuple[int, str]] = {}
    others: dict[str, object] = {}
    mapped = set(mapping.values()) if mapping else ()
    for column, value in row.items():
        if value is None or value == "" or column in mapped:
            continue
        name, field, rank = _known(column)
        if field is None:
            if name and name not in _NOT_OF_PRODUCTS:
                others[name] = value
            continue
        before = ranks.get(field)
        if before is None or rank < before[0]:
            if before is not None:
                others[before[1]] = fields[field]
            fields[field], ranks[field] = value, (rank, name)
        else:
            others[name] = value
    for ours, theirs in (mapping or {}).items():
        value = row.get(theirs)
        if ours.startswith("attributes."):
            if value is not None:
                others[plain_name(ours[11:])] = value
        elif value is not None and value != "":
            if ours in fields:
                others[ranks[ours][1]] = fields[ours]
            fields[ours] = value
    return fields, others


@lru_cache(maxsize=8192)
def _known(column: str) -> tuple[str, str | None, int]:
    name = plain_name(str(column))
    found = PRODUCT_COLUMNS.find(name)
    return (name, found[0], found[1]) if found else (name, None, 0)


def _identity(value: Any, field: str, *, needed: bool = False) -> str:
    text = one_line(value, MAX_ID_CHARS + 1) if value is not None else ""
    if needed and not text:
        raise InvalidProduct("a product needs an id", field=field)
    if len(text) > MAX_ID_CHARS:
        raise InvalidProduct(f"longer than {MAX_ID_CHARS} characters", field=field)
    return text


def _money(value: Any, field: str, currency: str) -> Money | None:
    if value is None:
        return None
    if isinstance(value, Mapping):
        # Google's Content API: {"value": "52.00", "currency": "USD"}.
        currency = one_line(value.get("currency"), 8) or currency
        value = value.get("value", value.get("amount"))
    if isinstance(value, bool):
        raise InvalidProduct("not a price (write it as 52.00 USD)", field=field)
    text = value if isinstance(value, str) else scalar_text(value)
    if not text.strip():
        return None
    try:
        return _parsed_money(text, currency)
    except ValueError as error:
        raise InvalidProduct(str(error), field=field) from None


@lru_cache(maxsize=16_384)
def _parsed_money(text: str, currency: str) -> Money:
    return Money.parse(text, currency.upper())


def _quantity(value: Any) -> int | None:
    text = scalar_text(value).replace(",", "").strip() if value is not None else ""
    if not text:
        return None
    try:
        number = int(text) if len(text) < 20 else -1
    except ValueError:
        try:
            number = int(float(text))
        except (ValueError, OverflowError):
            raise InvalidProduct("not a number of pieces", field="quantity") from None
    return min(max(number, 0), 10**12)


def _availability(value: Any, quantity: int | None) -> Availability:
    text = one_line(value, 80) if value is not None else ""
    if not text:
        return "out_of_stock" if quantity == 0 else "in_stock"
    known = _AVAILABILITY.get(text)
    if known is None:
        name = plain_name(text.rpartition("/")[2])
        known = _AVAILABILITY.get(name) or _AVAILABILITY.get(name.replace("_", ""))
    if known is None:
        raise InvalidProduct("unknown (write in_stock, out_of_stock, preorder or backorder)", field="availability")
    return known


def _gender(value: Any) -> str:
    text = one_line(value, MAX_SHORT_CHARS)
    return _gender_of(text) if text else ""


@lru_cache(maxsize=1024)
def _gender_of(text: str) -> str:
    words = [w for w in re.split(r"[^a-z]+", text.lower().replace("'s", "s").replace("’s", "s")) if w]
    known = {_GENDER[word] for word in words if word in _GENDER}
    if not known:
        return text.lower()
    return known.pop() if len(known) == 1 else "unisex"


def _types(value: Any, *, comma: bool = False) -> list[str]:
    """Category paths written `A > B > C`; several in a list, or (where allowed) with commas between."""
    if value is None:
        return []
    parts = value if isinstance(value, list | tuple) else str(scalar_text(value)).split(",") if comma else [value]
    paths = (_PATH.sub(" > ", one_line(part, 500)).strip("> ") for part in parts[:50])
    return [path for path in paths if path and not path.isdigit()]


def _links(value: Any, item_id: str, notes: Notes | None, *, single: bool = False) -> list[str]:
    """http(s) and relative links; any other scheme (javascript:, data:) is dropped with a note."""
    if value is None:
        return []
    parts = value if isinstance(value, list | tuple) else [value] if single else scalar_text(value).split(",")
    links = []
    for part in parts[: 4 * MAX_IMAGES]:
        link = one_line(part, MAX_LINK_CHARS + 1)
        if not link:
            continue
        scheme = _SCHEME.match(link)
        if len(link) > MAX_LINK_CHARS or (scheme and scheme[0].lower() not in ("http:", "https:")):
            _note(notes, "link dropped (neither http, https nor relative, or too long)", item_id)
            continue
        links.append(link)
    return links


def _description(short: Any, long: Any, item_id: str, notes: Notes | None) -> str:
    text, was_cut = prose(long, MAX_DESCRIPTION_CHARS) if long is not None else ("", False)
    if short is not None:
        brief, short_cut = prose(short, MAX_DESCRIPTION_CHARS)
        was_cut = was_cut or short_cut
        if brief and brief not in text:
            text = f"{brief}\n{text}" if text else brief
            was_cut = was_cut or len(text) > MAX_DESCRIPTION_CHARS
            text = text[:MAX_DESCRIPTION_CHARS]
    if was_cut:
        _note(notes, f"description cut at {MAX_DESCRIPTION_CHARS:,} characters", item_id)
    return text


def _attributes(
    detail: Any, given: Any, others: Mapping[str, object], item_id: str, notes: Notes | None
) -> Mapping[str, tuple[str, ...]]:
    if detail is None and given is None and not others:
        return NOTHING
    found: dict[str, tuple[str, ...]] = details(detail) if detail is not None else {}
    sources: list[Mapping[Any, object]] = [others]
    if isinstance(given, Mapping):
        sources.insert(0, given)
    elif given is not None:
        found.update((k, v) for k, v in details(given).items() if k not in found)
    for source in sources:
        for column, value in source.items():
            name = plain_name(str(column))[:100]
            values = attribute_values(value)
            if name and values:
                found.setdefault(name, values)
    if len(found) > MAX_ATTRIBUTES:
        _note(notes, f"more than {MAX_ATTRIBUTES} attributes; the first {MAX_ATTRIBUTES} kept", item_id)
        found = dict(list(found.items())[:MAX_ATTRIBUTES])
    return found or NOTHING


def _note(notes: Notes | None, remark: str, item_id: str) -> None:
    if notes is not None:
        notes.add(remark, item_id)
