"""Price lists: the edge stores them, each for those who may share it."""

from fastapi import APIRouter, Request

from fastgate import Caller, EdgeCache, at_edge, purge, surrogate_keys

router = APIRouter(prefix="/price-lists")


@router.get("/retail", operation_id="read_retail_prices")
@at_edge(
    access="public",
    cache=EdgeCache(
        audience="public", ttl=300, stale_while_revalidate=60, vary=["accept-language"]
    ),
)
async def read_retail_prices(request: Request) -> dict[str, str | int]:
    """Return the prices for everybody, in the caller's language: the only field that arrives."""
    surrogate_keys("prices")
    return {"language": request.headers.get("accept-language", "en"), "lantern": 50}


@router.get("/members", operation_id="read_member_prices")
@at_edge(cache=EdgeCache(audience="public", shared=True, ttl=300))
async def read_member_prices(caller: Caller) -> dict[str, int]:
    """Return one list for all who have signed in. The app does not learn who reads it."""
    surrogate_keys("prices")
    return {"lantern": 40}


@router.get("/negotiated", operation_id="read_negotiated_prices")
@at_edge(
    issuers={"dev": {}},
    cache=EdgeCache(audience=["roles", "groups"], ttl=60, stale_if_error=3600),
)
async def read_negotiated_prices(caller: Caller) -> dict[str, list[str] | int]:
    """Return the prices for callers with the same roles and groups, who share the response."""
    is_staff = "admin" in caller.roles or "staff" in caller.groups
    return {"groups": sorted(caller.groups), "lantern": 30 if is_staff else 38}


@router.post("", operation_id="change_prices", status_code=204)
@at_edge(require={"rule": "staff"})
async def change_prices(caller: Caller) -> None:
    """Change the prices: the edge forgets the stored lists before the response is sent."""
    await purge("prices")
