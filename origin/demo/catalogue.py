"""The items of the shop: public, for web pages, for Europe only, and closed for a while."""

from uuid import UUID

from fastapi import APIRouter

from fastgate import AnyCaller, Caller, at_edge

router = APIRouter()

LANTERN = UUID("7f0c2b1e-5a64-4f0e-9d3b-2c8a51e6d904")
IN_GROUP_WEB = {"group": "web"}


@router.get("/items", operation_id="list_items")
@at_edge(
    access="public",  # the edge does not read a token here
    from_=["people"],  # shadow: clients in data centers are logged and let in
    limits=["brake"],
    accepts={"max_query": 64},
    **IN_GROUP_WEB,
)
async def list_items(search: str = "") -> list[dict[str, str]]:
    """List all items, or those whose name contains the search text."""
    items = [{"item_id": str(LANTERN), "name": "a lantern"}]
    return [item for item in items if search in item["name"]]


# The short address is printed on the boxes. The app needs no second endpoint for it.
@router.get(
    "/i/{item_id:uuid}",
    operation_id="read_item_short",
    openapi_extra={"x-fastgate": {"rewrite": {"strip_prefix": "/i", "add_prefix": "/items"}}},
)
@router.get("/items/{item_id:uuid}", operation_id="read_item")
@at_edge(**IN_GROUP_WEB)
async def read_item(item_id: UUID, caller: AnyCaller) -> dict[str, str | int]:
    """Return the price. Anonymous callers pay more."""
    return {"item_id": str(item_id), "name": "a lantern", "price": 40 if caller else 50}


@router.get("/offers", operation_id="list_offers")
@at_edge(access="public", from_=["europe"])
async def list_offers() -> list[dict[str, str | int]]:
    """List the offers of this week in Europe."""
    return [{"item_id": str(LANTERN), "price": 30}]


@router.post("/gift-cards", operation_id="buy_gift_card", status_code=201)
@at_edge(group="gift-cards")
async def buy_gift_card(caller: Caller) -> dict[str, str]:
    """Sell a gift card, when the edge opens the group again."""
    return {"card": "1", "bought_by": caller.subject}
