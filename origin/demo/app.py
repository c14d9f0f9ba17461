"""The demonstration app: a shop for lanterns, whose routes show what the edge can be asked to do.

In: requests that came through the edge. Out: small JSON answers that show who the origin believes
is calling. It never checks a token itself; `guard` at the end does, for all of it. What the edge is
to ask of callers stands at each endpoint; what the names there mean (rules, places, limits,
groups), in policy.base.json.

    uvicorn demo.app:app --app-dir origin --port 8000
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from demo import catalogue, orders, shops
from fastgate import AnyCaller, Caller, Settings, at_edge, guard

# Schema and documentation pages stay off: they would be three more routes that a policy has to
# know. Turn them on together with their routes at the edge, or build the schema at the desk.
app = FastAPI(title="Fastgate demo", docs_url=None, redoc_url=None, openapi_url=None)


class Profile(BaseModel):
    """What the origin knows about its caller."""

    subject: str
    issuer: str
    scopes: list[str]
    country: str | None


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


app.include_router(catalogue.router)
app.include_router(orders.router)
app.include_router(shops.router)


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


@app.websocket("/updates")
# WebSockets have no operation id. A page signs in by the subprotocol: it cannot set Authorization.
@at_edge(id="updates", bearer_subprotocol=True)
async def updates(socket: WebSocket, caller: Caller) -> None:
    """Talk to a signed-in caller over a WebSocket: what they say comes back with their name."""
    await socket.accept()
    async for word in socket.iter_text():
        await socket.send_text(f"{caller.subject} said {word}")


# Last, so that the door is the first to see a request. The edge's keys are fetched when the first
# signed request comes: this app may start before its edge does.
origin_keys = os.environ.get("FASTGATE_ORIGIN_KEYS")
guard(
    app,
    Settings(
        edge=os.environ.get("FASTGATE_EDGE", "http://127.0.0.1:7676"),
        audience=os.environ.get("FASTGATE_AUDIENCE", "demo-api"),
        # Only where the policy says HS256 of this origin: `fastgate keys origin` prints them.
        origin_keys=json.loads(origin_keys) if origin_keys else None,
    ),
)
