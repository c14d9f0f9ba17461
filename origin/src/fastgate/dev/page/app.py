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
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate.dev.body_limit import BodyLimit
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
MAX_STREAMS = 100
"""Streams of events at once. A page has one."""
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

    streams = _Streams()

    async def stream(_request: Request) -> Response:
        if streams.number >= MAX_STREAMS:
            fields = {**_FIELDS, "Retry-After": "5"}
            error = f"there are {MAX_STREAMS} streams already: close other pages"
            return JSONResponse({"error": error}, 503, fields)
        return _Stream(streams, events)

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
    return LoopbackOnly(BodyLimit(app))


class _Streams:
    """How many streams of events there are."""

    number = 0


class _Stream(StreamingResponse):
    """A stream of events, which counts as long as it is sent."""

    def __init__(self, streams: _Streams, events: Events) -> None:
        super().__init__(_messages(events), 200, _FIELDS, "text/event-stream")
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        self._streams.number += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams.number -= 1


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
