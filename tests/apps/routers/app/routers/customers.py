"""The caller as a customer."""

from fastapi import APIRouter

from app.dependencies import Customer

router = APIRouter(prefix="/customers", tags=["customers"])


@router.get("/me")
async def read_me(customer: Customer) -> dict[str, str]:
    return {"name": customer}
