"""The demonstration app: a shop for lanterns, whose routes show the features of the edge.

Input: requests that came through the edge. Output: small JSON responses that show the verified
caller. No endpoint checks a token: `guard` at the end protects the whole app. Each endpoint
declares the requirements of the edge. The named rules, places, limits and groups are defined in
policy.base.json.

    uvicorn demo.app:app --app-dir origin --port 8000
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from demo import catalogue, orders, price_lists, shops
from fastgate import AnyCaller, Caller, EdgeClaims, Settings, at_edge, guard

# Schema and documentation pages are off: each would need a route in the policy. Turn them on
# together with their routes at the edge, or generate the schema offline.
app = FastAPI(title="Fastgate demo", docs_url=None, redoc_url=None, openapi_url=None)


class Profile(BaseModel):
    """The caller, as the origin knows it."""

    subject: str
    issuer: str
    scopes: list[str]
    roles: list[str]
    country: str | None


@app.get("/", operation_id="welcome")
async def welcome(caller: AnyCaller) -> dict[str, str]:
    """Greet any caller, by name if the edge knows it."""
    return {"message": f"Welcome, {caller.subject if caller else 'stranger'}."}


@app.get("/me", operation_id="read_me")
async def read_me(caller: Caller) -> Profile:
    """Return the identity of a signed-in caller."""
    return Profile(
        subject=caller.subject,
        issuer=caller.issuer,
        scopes=sorted(caller.scopes),
        roles=sorted(caller.roles),
        country=caller.client.country,
    )


@app.get("/where", operation_id="read_where")
@at_edge(access="public")
async def read_where(request: Request) -> dict[str, str | None]:
    """Return the region of the backend to which the edge sent this request."""
    claims = request.scope["fastgate"]  # without a caller, this is where the region is
    return {"region": claims.requester.region if isinstance(claims, EdgeClaims) else None}


app.include_router(catalogue.router)
app.include_router(orders.router)
app.include_router(price_lists.router)
app.include_router(shops.router)


@app.get("/files/{path:path}", operation_id="read_file")
async def read_file(path: str, caller: Caller) -> dict[str, str]:
    """Return the path that reached the endpoint, with its slashes."""
    return {"path": path, "read_by": caller.subject}


@app.get("/stream", operation_id="stream_lines")
async def stream_lines(caller: Caller) -> StreamingResponse:
    """Send a few lines with pauses between them. The edge must not buffer them."""

    async def lines() -> AsyncIterator[str]:
        for number in range(1, 6):
            yield f"line {number} for {caller.subject}\n"
            await asyncio.sleep(0.2)

    return StreamingResponse(lines(), media_type="text/plain")


@app.websocket("/updates")
# A WebSocket has no operation id. A page cannot set Authorization, so it uses the subprotocol.
@at_edge(id="updates", bearer_subprotocol=True)
async def updates(socket: WebSocket, caller: Caller) -> None:
    """Echo every message of a signed-in caller over a WebSocket, with the caller's name."""
    await socket.accept()
    async for word in socket.iter_text():
        await socket.send_text(f"{caller.subject} said {word}")


# The guard comes last, so that it is the first to receive a request. It fetches the edge's keys
# with the first signed request, so this app may start before its edge.
origin_key = os.environ.get("FASTGATE_ORIGIN_KEY")
guard(
    app,
    Settings(
        edge=os.environ.get("FASTGATE_EDGE", "http://127.0.0.1:7676"),
        audience=os.environ.get("FASTGATE_AUDIENCE", "demo-api"),
        # Only for an instance that runs in one region of the policy, such as "eu".
        region=os.environ.get("FASTGATE_REGION"),
        # Only if the policy has the public key of this origin, and the edge signs by a MAC:
        # `fastgate origin-key new` prints both.
        origin_key=json.loads(origin_key) if origin_key else None,
    ),
)
