"""The orders of a shop: routers with prefixes, and one router inside another."""

from fastapi import FastAPI
from fastgate import Settings, at_edge, guard

from app.routers import admin, customers, orders

app = FastAPI(title="Orders")
app.include_router(orders.router)
app.include_router(customers.router, prefix="/v1")
app.include_router(admin.router, prefix="/v1")


@app.get("/")
@at_edge(access="public")
async def show_name() -> dict[str, str]:
    return {"name": app.title}


@app.get("/health", include_in_schema=False)
@at_edge(access="none")
async def report_health() -> dict[str, str]:
    return {"status": "up"}


guard(
    app,
    Settings(
        edge="https://api.example.com",
        audience="orders",
        backend_host="app.example.com",
        health_path="/health",
        strict=True,
    ),
    docs="public",
)
