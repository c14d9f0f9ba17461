"""The page of `fastgate dev` and what it asks for, as an ASGI app below `/__fastgate/`.

Input: events, the state of the policy, and the provider. Output: the page, a stream of events
(server-sent events), the state as JSON, and tokens for the callers that a developer names. Only
requests from this machine are accepted (`dev.loopback`).
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from fastgate.dev.loopback import LoopbackOnly
from fastgate.dev.page.events import Events
from fastgate.dev.provider.app import DevelopmentProvider
from fastgate.dev.provider.caller_request import RequestRefused

PATH = "/__fastgate"
_FILE = re.compile(r"[a-z]+\.(?P<kind>html|js|css|svg)")
_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_FIELDS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
}
_ALIVE_EVERY = 15
"""Seconds between two comments in a stream without events: a closed connection is noticed."""


def page_app(
    events: Events, state: Callable[[], dict[str, object]], provider: DevelopmentProvider
) -> ASGIApp:
    """Return the app.

    Args:
        events: what happens.
        state: returns the state of the policy, as JSON.
        provider: the issuers whose tokens the page offers.

    """

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        found = _FILE.fullmatch(name)
        file = files("fastgate.dev.page") / "static" / name
        if found is None or not file.is_file():
            return Response("there is no such page\n", 404, _FIELDS, "text/plain")
        return Response(file.read_bytes(), 200, _FIELDS, f"{_TYPES[found['kind']]}; charset=utf-8")

    async def slash(_request: Request) -> Response:
        return RedirectResponse(f"{PATH}/", headers=_FIELDS)

    async def stream(_request: Request) -> Response:
        return StreamingResponse(_messages(events), 200, _FIELDS, "text/event-stream")

    async def current(_request: Request) -> Response:
        return JSONResponse(state(), headers=_FIELDS)

    async def token(request: Request) -> Response:
        issuer = provider.issuers.get(request.path_params["issuer"])
        if issuer is None:
            known = ", ".join(provider.issuers)
            return JSONResponse({"error": f"the issuers are {known}"}, 404, _FIELDS)
        try:
            return JSONResponse(issuer.token_for_caller(await request.body()), headers=_FIELDS)
        except RequestRefused as error:
            return JSONResponse({"error": str(error)}, 400, _FIELDS)

    app = Starlette(
        routes=[
            Route(PATH, slash),
            Route(f"{PATH}/", page),
            Route(f"{PATH}/events", stream),
            Route(f"{PATH}/state", current),
            Route(f"{PATH}/tokens/{{issuer}}", token, methods=["POST"]),
            Route(f"{PATH}/{{name}}", page),
        ]
    )
    return LoopbackOnly(app)


async def _messages(events: Events) -> AsyncIterator[str]:
    """Yield the messages of the stream (HTML, server-sent events)."""
    listening = events.listen()
    upcoming = asyncio.ensure_future(anext(listening))
    try:
        while True:
            done, _ = await asyncio.wait({upcoming}, timeout=_ALIVE_EVERY)
            if not done:
                yield ": alive\n\n"
                continue
            yield f"data: {upcoming.result()}\n\n"
            upcoming = asyncio.ensure_future(anext(listening))
    finally:
        upcoming.cancel()
