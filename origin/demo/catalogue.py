"""What the shop has: for everybody, for web pages, for Europe, and closed for a while."""

from uuid import UUID

from fastapi import APIRouter

from fastgate import AnyCaller, Caller, at_edge

router = APIRouter()

LANTERN = UUID("7f0c2b1e-5a64-4f0e-9d3b-2c8a51e6d904")
IN_GROUP_WEB = {"group": "web"}


@router.get("/items", operation_id="list_items")
@at_edge(
    access="public",  # a token that is sent along is not even read
    from_=["people"],  # shadow: robots in data centers are logged, and let in
    limits=["brake"],
    accepts={"max_query": 64},
    **IN_GROUP_WEB,
)
async def list_items(search: str = "") -> list[dict[str, str]]:
    """List what there is, or what is called like that."""
    items = [{"item_id": str(LANTERN), "name": "a lantern"}]
    return [item for item in items if search in item["name"]]


# The short address is printed on the boxes; the app needs no second endpoint for it.
@router.get(
    "/i/{item_id:uuid}",
    operation_id="read_item_short",
    openapi_extra={"x-fastgate": {"rewrite": {"strip_prefix": "/i", "add_prefix": "/items"}}},
)
@router.get("/items/{item_id:uuid}", operation_id="read_item")
@at_edge(**IN_GROUP_WEB)
async def read_item(item_id: UUID, caller: AnyCaller) -> dict[str, str | int]:
    """Tell the price: strangers may ask, too, and pay more."""
    return {"item_id": str(item_id), "name": "a lantern", "price": 40 if caller else 50}


@router.get("/offers", operation_id="list_offers")
@at_edge(access="public", from_=["europe"])
async def list_offers() -> list[dict[str, str | int]]:
    """Show what is cheap in Europe this week."""
    return [{"item_id": str(LANTERN), "price": 30}]


@router.post("/gift-cards", operation_id="buy_gift_card", status_code=201)
@at_edge(group="gift-cards")
async def buy_gift_card(caller: Caller) -> dict[str, str]:
    """Sell a gift card, once the edge lets anybody through again."""
    return {"card": "1", "bought_by": caller.subject}
