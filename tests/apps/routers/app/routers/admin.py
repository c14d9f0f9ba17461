"""What only administrators may do: the whole router requires a role and a scope."""

from fastapi import APIRouter, Depends
from fastgate import requires

from app.dependencies import StorageDep

router = APIRouter(
    prefix="/admin",
    tags=["admin"],
    dependencies=[Depends(requires(role="admin", scope="orders:admin"))],
)


@router.get("/totals")
async def count_orders(storage: StorageDep) -> dict[str, int]:
    return {"orders": len(storage.orders)}


@router.delete("/orders/{number:int}", status_code=204)
async def delete_order(number: int, storage: StorageDep) -> None:
    storage.orders.pop(number, None)
