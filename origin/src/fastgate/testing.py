"""The pytest plugin: call a guarded app as anybody, through the real door.

In: an app that `guard` or `FastgateMiddleware` closed. Out: test clients whose requests carry real
headers, signed by a throwaway key of the test for the route that the edge would have found. The
door verifies them as in production; only whose key it believes is changed, and changed back.

    def test_ada_reads_her_order(as_caller):
        ada = as_caller(app, sub="ada", scopes=["orders:read"])
        assert ada.get("/orders/7").status_code == 200
"""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate.content import whole
from fastgate.doctor import examine
from fastgate.findings import Finding
from fastgate.forgery import Believed
from fastgate.jwks import read_jwks
from fastgate.keys import StaticKeys
from fastgate.middleware import HEADER, FastgateMiddleware
from fastgate.routing import routed_app
from fastgate.stand_in import StandInCaller, StandInEdge

if TYPE_CHECKING:
    from starlette.testclient import TestClient


class CalledBy:
    """An app all of whose requests come from one caller; None is an anonymous one.

    It is an ASGI app, for any client: `httpx.ASGITransport(CalledBy(app, edge, caller))`.
    """

    def __init__(self, app: ASGIApp, edge: StandInEdge, caller: StandInCaller | None) -> None:
        self.app = app
        self._edge = edge
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Put the header on, unless the test has put on its own."""
        if scope["type"] != "lifespan" and all(name != HEADER for name, _ in scope["headers"]):
            content = b""
            if self._edge.signs_body(scope):
                content, receive = await whole(scope, receive, sys.maxsize)
            header = self._edge.header_for(scope, self._caller, content)
            scope = {**scope, "headers": [*scope["headers"], (HEADER, header)]}
        await self.app(scope, receive, send)


class AsCaller(Protocol):
    """The type of the fixture `as_caller`."""

    def __call__(
        self, app: ASGIApp, sub: str | None = None, scopes: Iterable[str] = (), **more: str
    ) -> "TestClient":
        """Return a client whose requests come from this caller; without `sub`, from nobody.

        `more` is what else the edge may know: `issuer`, `client_id`, `country`.
        """


@pytest.fixture
def as_caller() -> Iterator[AsCaller]:
    """Call a guarded app as anybody: `as_caller(app, sub="ada", scopes=["orders:read"])`."""
    # Not above: pytest loads this module for everybody who has the package installed.
    from starlette.testclient import TestClient

    edges: dict[int, StandInEdge] = {}
    with ExitStack() as until_the_test_ends:

        def client(
            app: ASGIApp, sub: str | None = None, scopes: Iterable[str] = (), **more: str
        ) -> TestClient:
            if id(app) not in edges:
                edges[id(app)] = until_the_test_ends.enter_context(stand_in_edge(app))
            caller = None if sub is None else StandInCaller(sub, tuple(scopes), **more)
            return TestClient(CalledBy(app, edges[id(app)], caller))

        yield client


class EdgeDoctor(Protocol):
    """The type of the fixture `edge_doctor`."""

    def __call__(
        self, app: ASGIApp, url: str, path: str, template: str | None = None
    ) -> list[Finding]:
        """Examine `app`, which a server of this process serves at `url`, on one of its paths."""


@pytest.fixture
def edge_doctor() -> EdgeDoctor:
    """Fire every forged request at an app that the test serves; see `fastgate.doctor`."""

    def examined(app: ASGIApp, url: str, path: str, template: str | None = None) -> list[Finding]:
        with stand_in_edge(app) as edge:
            believed = Believed(
                edge.issuer, edge.audience, path, template or path, edge.jwks, edge.key
            )
            return examine(url, believed)

    return examined


@contextmanager
def stand_in_edge(app: ASGIApp) -> Iterator[StandInEdge]:
    """Let the door of `app` believe a throwaway edge and no other, until the context ends.

    Raises:
        LookupError: there is no door, so a test would prove nothing.

    """
    door = _door_of(app)
    edge = StandInEdge(routed_app(app), issuer=door.settings.edge, audience=door.settings.audience)
    kept, door.keys = door.keys, StaticKeys(read_jwks(json.dumps(edge.jwks).encode()))
    try:
        yield edge
    finally:
        door.keys = kept


def _door_of(app: object) -> FastgateMiddleware:
    layer: object = app
    while layer is not None:
        if isinstance(layer, FastgateMiddleware):
            return layer
        if isinstance(layer, Starlette):
            # Built when the first request comes; from then on it is this one.
            layer.middleware_stack = layer.middleware_stack or layer.build_middleware_stack()
            layer = layer.middleware_stack
        else:
            layer = getattr(layer, "app", None)
    raise LookupError("this app is not guarded: call guard(app, settings) first")
