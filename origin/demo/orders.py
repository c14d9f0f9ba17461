"""Orders: read, create, refund, export. Each requires a little more of its caller."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from fastgate import Caller, at_edge, fastgate, requires

router = APIRouter()

Reader = Annotated[Caller, Security(fastgate, scopes=["orders:read"])]
Writer = Annotated[Caller, Security(fastgate, scopes=["orders:write"])]


class NewOrder(BaseModel):
    """An order as a client sends it."""

    item: str = Field(min_length=1, max_length=100)
    quantity: int = Field(ge=1, le=1000)


class Order(NewOrder):
    """An order as the shop stores it."""

    order_id: int
    ordered_by: str


# Old clients still use /v1. The edge rewrites the path to the present one.
@router.get(
    "/v1/orders/{order_id:int}",
    operation_id="read_order_v1",
    openapi_extra={"x-fastgate": {"rewrite": {"template": "/orders/{order_id:int}"}}},
)
@router.get("/orders/{order_id:int}", operation_id="read_order")
@at_edge(group="web")
async def read_order(order_id: int, caller: Reader, request: Request, response: Response) -> Order:
    """Return an order. Every id exists here."""
    response.headers["content-location"] = request.url.path
    return Order(order_id=order_id, item="a lantern", quantity=1, ordered_by=caller.subject)


@router.post("/orders", operation_id="create_order", status_code=201)
@at_edge(
    group="web",
    from_=["delivered_to"],
    accepts={"max_body": 4096, "content_types": ["application/json"]},
    limits=["orders"],
)
async def create_order(order: NewOrder, caller: Writer) -> Order:
    """Accept an order, without storing it."""
    return Order(order_id=1, ordered_by=caller.subject, **order.model_dump())


@router.post("/orders/{order_id:int}/refund", operation_id="refund_order")
@at_edge(
    require={"rule": "staff"},
    require_bound=True,  # a stolen token is useless without its key,
    sign_body=True,  # and an intercepted header is useless with another body
    accepts={"required_headers": ["idempotency-key"]},
)
async def refund_order(order_id: int, caller: Caller) -> dict[str, str | int]:
    """Refund an order."""
    return {"order_id": order_id, "refunded_by": caller.subject}


@router.get("/exports/orders.csv", operation_id="export_orders")
@at_edge(
    from_=["office"],
    require={
        "all": [
            {"claim": {"name": "plan", "in": ["team", "enterprise"]}},
            {"claim": {"name": "features", "contains": "export"}},
        ]
    },
    limits=["pages"],
    response_headers={
        "set": {"x-robots-tag": "noindex"},
        "remove": ["x-instance"],
    },
)
async def export_orders(caller: Reader) -> PlainTextResponse:
    """Export orders for a spreadsheet, with a header that the edge has to remove."""
    rows = f"order,item,ordered by\n1,a lantern,{caller.subject}\n"
    return PlainTextResponse(rows, media_type="text/csv", headers={"x-instance": "demo-1"})


# The invoices of European customers stay in Europe: the edge sends this to a backend there.
@router.get(
    "/exports/vat", operation_id="export_vat", dependencies=[Depends(requires(region="eu"))]
)
@at_edge(require={"rule": "staff"}, timeout=20)
async def export_vat(caller: Caller) -> dict[str, str | int | None]:
    """Sum up the value added tax of a quarter, with the region that did so."""
    return {"vat": 950, "region": caller.region, "exported_by": caller.subject}
