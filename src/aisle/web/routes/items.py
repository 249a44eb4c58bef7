"""/v1/items and /v1/products: the catalogue, read and written."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from aisle.errors import InvalidProduct, NotFound
from aisle.intake.products import product_from_mapping
from aisle.types import Product
from aisle.web.edge import Edge, described, json_body, keyed
from aisle.web.limits import batch_of, read_json
from aisle.web.models import ChangesAnswer, ItemAnswer, ProductBody
from aisle.web.serialise import answer, changes_answer, item_answer


def items_router(edge: Edge) -> APIRouter:
    """Product pages (scope `search`) and changes to the catalogue (scope `admin`)."""
    router = APIRouter(tags=["catalogue"])
    shop = edge.shop
    may_read = [Depends(edge.gate.needs("search"))]
    may_write = [Depends(edge.gate.needs("admin"))]

    @router.get(
        "/v1/items/{item_id:path}",
        dependencies=may_read,
        responses=described(ItemAnswer, problems=(401, 403, 404, 422, 429, 503)),
        openapi_extra=keyed("search"),
    )
    async def item(item_id: str) -> Response:
        """All that a product page shows, by the id of a variant or of its group."""
        page = await edge.workers.run(lambda: shop.item(item_id))
        return answer(item_answer(page, item_id))

    async def upsert(request: Request) -> Response:
        """Add or change products, in Google Merchant's columns: one, a list, or `{"products": [...]}`.

        All are taken, or none. Search shows them within a second.
        """
        rows, _ = batch_of(await read_json(request), "products", edge.settings.server.max_batch)
        products = _products(rows, edge.settings.shop.currency)
        changes = await edge.workers.run(lambda: shop.upsert_products(products))
        return answer(changes_answer(changes))

    for method in ("PUT", "POST"):
        router.add_api_route(
            "/v1/products",
            upsert,
            methods=[method],
            operation_id=f"upsert_products_{method.lower()}",
            response_model=None,
            dependencies=may_write,
            responses=described(ChangesAnswer, problems=(400, 401, 403, 413, 422, 429, 503)),
            openapi_extra={**keyed("admin"), **json_body(ProductBody, or_more=True)},
        )

    @router.delete(
        "/v1/products/{item_id:path}",
        dependencies=may_write,
        responses=described(ChangesAnswer, problems=(401, 403, 404, 422, 429, 503)),
        openapi_extra=keyed("admin"),
    )
    async def delete(item_id: str) -> Response:
        """Take a product out of the shop."""
        changes = await edge.workers.run(lambda: shop.delete_products([item_id]))
        if not changes.n_removed:
            raise NotFound(f"no product {item_id[:80]!r}")
        return answer(changes_answer(changes))

    return router


def _products(rows: list[dict[str, object]], currency: str) -> list[Product]:
    products = []
    for i, row in enumerate(rows):
        try:
            products.append(product_from_mapping(row, currency=currency))
        except InvalidProduct as error:
            where = f"products[{i}]" if len(rows) > 1 else ""
            field = ".".join(part for part in (where, error.field) if part)
            raise InvalidProduct(f"{where}: {error}" if where else str(error), field=field) from None
    return products
