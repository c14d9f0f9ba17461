"""Routes for shopkeepers, wholesale buyers and staff."""

from fastapi import APIRouter, Request
from pydantic import JsonValue

from fastgate import Caller, at_edge

router = APIRouter()


@router.get("/shops/{shop}/stock", operation_id="read_stock")
@at_edge(
    require={"rule": "keeps_shop"},
    shadow={"scopes": ["stock:read"]},  # not enforced yet: the log shows who would lack it
    limits=["per-shop"],
    forward=[{"claim": "shop"}],  # the app reads this claim of the caller's token
)
async def read_stock(shop: str, caller: Caller) -> dict[str, JsonValue]:
    """Count the lanterns of one shop, for its keeper and for staff."""
    return {
        "shop": shop,
        "lanterns": 12,
        "counted_for": caller.subject,
        "shop_of_caller": caller.claims["shop"],  # None for staff
    }


@router.get("/wholesale/prices", operation_id="read_wholesale_prices")
@at_edge(
    issuers={
        "dev": {"require": {"any": [{"rule": "staff"}, {"scope": "wholesale:read"}]}},
        "partners": {"require": {"role": "buyer"}},
    }
)
async def read_wholesale_prices(caller: Caller) -> dict[str, str | int]:
    """Return the price of a hundred, for staff and for buyers of a partner's provider."""
    return {"hundred_lanterns": 2000, "told_to": caller.subject, "signed_in_at": caller.issuer}


@router.get("/diagnostics", operation_id="show_diagnostics")
@at_edge(
    require={"rule": "staff"},
    request_headers={"set": {"x-channel": "edge"}, "remove": ["x-debug"]},
    forward_token=True,
)
async def show_diagnostics(request: Request, caller: Caller) -> dict[str, str | bool | None]:
    """Return the parts of a staff member's request that reached the origin."""
    return {
        "x-channel": request.headers.get("x-channel"),
        "x-debug": request.headers.get("x-debug"),
        "token_came_along": "authorization" in request.headers,
        "asked_by": caller.subject,
    }
