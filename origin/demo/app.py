"""The demonstration app: a few endpoints of every kind that the edge's example policy knows.

In: requests that came through the edge. Out: small JSON answers that show who the origin believes
is calling. It never checks a token itself; `guard` at the end does, for all of it.

    uvicorn demo.app:app --app-dir origin --port 8000
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import FastAPI, Security
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from fastgate import AnyCaller, Caller, Settings, fastgate, guard

# Schema and documentation pages stay off: they would be three more routes that a policy has to
# know. Turn them on together with their routes at the edge, or build the schema at the desk.
app = FastAPI(title="Fastgate demo", docs_url=None, redoc_url=None, openapi_url=None)

Reader = Annotated[Caller, Security(fastgate, scopes=["orders:read"])]
Writer = Annotated[Caller, Security(fastgate, scopes=["orders:write"])]


class Profile(BaseModel):
    """What the origin knows about its caller."""

    subject: str
    issuer: str
    scopes: list[str]
    country: str | None


class NewOrder(BaseModel):
    """An order as a client sends it."""

    item: str = Field(min_length=1, max_length=100)
    quantity: int = Field(ge=1, le=1000)


class Order(NewOrder):
    """An order as it is kept."""

    order_id: int
    ordered_by: str


@app.get("/", operation_id="welcome")
async def welcome(caller: AnyCaller) -> dict[str, str]:
    """Greet anybody, by name if the edge knows one."""
    return {"message": f"Welcome, {caller.subject if caller else 'stranger'}."}


@app.get("/me", operation_id="read_me")
async def read_me(caller: Caller) -> Profile:
    """Tell a signed-in caller who the origin takes them for."""
    return Profile(
        subject=caller.subject,
        issuer=caller.issuer,
        scopes=sorted(caller.scopes),
        country=caller.country,
    )


@app.get("/orders/{order_id:int}", operation_id="read_order")
async def read_order(order_id: int, caller: Reader) -> Order:
    """Return an order; every number is one here."""
    return Order(order_id=order_id, item="a lantern", quantity=1, ordered_by=caller.subject)


@app.post("/orders", operation_id="create_order", status_code=201)
async def create_order(order: NewOrder, caller: Writer) -> Order:
    """Accept an order, and forget it."""
    return Order(order_id=1, ordered_by=caller.subject, **order.model_dump())


@app.get("/files/{path:path}", operation_id="read_file")
async def read_file(path: str, caller: Caller) -> dict[str, str]:
    """Show which path reached the endpoint, slashes and all."""
    return {"path": path, "read_by": caller.subject}


@app.get("/stream", operation_id="stream_lines")
async def stream_lines(caller: Caller) -> StreamingResponse:
    """Send a few lines with pauses between them: nobody on the way may hold them back."""

    async def lines() -> AsyncIterator[str]:
        for number in range(1, 6):
            yield f"line {number} for {caller.subject}\n"
            await asyncio.sleep(0.2)

    return StreamingResponse(lines(), media_type="text/plain")


# Last, so that the door is the first to see a request. The edge's keys are fetched when the first
# signed request comes: this app may start before its edge does.
guard(
    app,
    Settings(
        edge=os.environ.get("FASTGATE_EDGE", "http://127.0.0.1:7676"),
        audience=os.environ.get("FASTGATE_AUDIENCE", "demo-api"),
    ),
)
