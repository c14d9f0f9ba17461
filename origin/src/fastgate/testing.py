"""Call a guarded app as any caller, through the real guard. The pytest plugin uses this module.

Input: an app that is guarded by `guard` or `FastgateMiddleware`. Output: test clients, or `auth=`
values for any client. Their requests carry real headers, signed with a temporary key for the route
that the edge would have found. The guard verifies them as in production. Only the accepted key is
replaced, and restored at the end. The fixtures in `fastgate_pytest` import this module when needed.
"""

import importlib
import json
import sys
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol, overload
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate.content import whole
from fastgate.doctor.examine import examine
from fastgate.doctor.probe import Target
from fastgate.doctor.report import Finding
from fastgate.fake_edge.edge import FakeEdge
from fastgate.fake_edge.signing import EdgeKeys
from fastgate.keys.key_set import read_key_set
from fastgate.keys.source import KeySource, StaticKeys
from fastgate.local_rules import LocalCaller
from fastgate.middleware import HEADER, FastgateMiddleware
from fastgate.problem import MEDIA_TYPE
from fastgate.routes.framework import routed_app
from fastgate.settings import expected_host

if TYPE_CHECKING:
    from starlette.testclient import TestClient

__all__ = ("AsCaller", "CalledBy", "CallerAuth", "EdgeDoctor", "fake_edge")

_FACTS = frozenset(field.name for field in fields(LocalCaller))


class CalledBy:
    """An app that receives every request from one caller; None for an anonymous caller.

    It is an ASGI app, for any client: `httpx.ASGITransport(CalledBy(app, edge, caller))`. If the
    edge would not forward a request, it responds as the edge does: 404 for a path without a route
    (also for an extra slash, because the edge does not redirect), and 405 for a method that the
    path does not have.
    """

    def __init__(
        self, app: ASGIApp, edge: FakeEdge, caller: LocalCaller | None, region: str | None = None
    ) -> None:
        self.app = app
        self._edge, self._caller, self._region = edge, caller, region

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the header, unless the test has added its own."""
        if scope["type"] != "lifespan" and all(name != HEADER for name, _ in scope["headers"]):
            if (response := _edge_response(self._edge.methods_at(scope), scope)) is not None:
                await response(scope, receive, send)
                return
            content = b""
            if self._edge.signs_body(scope):
                content, receive = await whole(scope, receive, sys.maxsize)
            header = self._edge.header_for(scope, self._caller, content, self._region)
            fields = self._edge.forwarded(scope)
            scope = {**scope, "headers": [*fields, (HEADER, header)]}
        await self.app(scope, receive, send)


class CallerAuth:
    """One caller, as the `auth=` of a request of any client of httpx, `TestClient` among them.

    httpx follows redirects within one authentication. A redirected request therefore carries the
    header of the first one and is refused: the edge never redirects to add or remove a slash.
    """

    def __init__(self, app: ASGIApp, caller: LocalCaller | None, region: str | None = None) -> None:
        self._app, self._caller, self._region = app, caller, region

    def __call__(self, request: Any) -> Any:  # noqa: ANN401
        """Sign for this request, unless the test has added its own header."""
        name = HEADER.decode()
        if name not in request.headers:
            edge = lasting_edge(self._app)
            raw_path, _, query = request.url.raw_path.partition(b"?")
            scope: Scope = {
                "type": "websocket" if request.url.scheme in ("ws", "wss") else "http",
                "method": request.method,
                "path": unquote(raw_path.decode("ascii")),
                "raw_path": raw_path,
                "query_string": query,
                "headers": request.headers.raw,
            }
            content = request.read() if edge.signs_body(scope) else b""
            signed = edge.header_for(scope, self._caller, content, self._region)
            fields = [*edge.forwarded(scope), (HEADER, signed)]
            request.headers = type(request.headers)(fields)
        return request


class AsCaller:
    """The type of the fixture `as_caller`; `named` is the value of the option `fastgate_app`.

    `as_caller(app, sub="ada", scopes=["orders:read"], …)` returns a client whose requests come from
    this caller; without `sub`, from an anonymous one. Further keywords are members of `LocalCaller`
    (`issuer`, `client_id`, `country`, `roles`, `groups`, `claims`, …) or options of `TestClient`
    (`base_url`, `raise_server_exceptions`, …). `region="us"` is the region of the backend to which
    the edge sends the requests: by default that of the app's settings, or the first of the route.

    `as_caller("ada", ["orders:read"], of=app, …)` returns the `auth=` of single requests. The
    default of `of` is the app that pytest's option `fastgate_app` names.
    """

    def __init__(self, named: str = "") -> None:
        self._named = named

    @overload
    def __call__(
        self,
        app: ASGIApp,
        sub: str | None = None,
        scopes: Iterable[str] = (),
        *,
        region: str | None = None,
        **more: Any,  # noqa: ANN401
    ) -> "TestClient": ...

    @overload
    def __call__(
        self,
        app: str | None = None,
        sub: Iterable[str] = (),
        scopes: Iterable[str] = (),
        *,
        of: ASGIApp | None = None,
        region: str | None = None,
        **more: Any,  # noqa: ANN401
    ) -> CallerAuth: ...

    def __call__(
        self,
        app: ASGIApp | str | None = None,
        sub: Any = None,
        scopes: Iterable[str] = (),
        *,
        of: ASGIApp | None = None,
        region: str | None = None,
        **more: Any,
    ) -> "TestClient | CallerAuth":
        """Return a client, or an `auth=`."""
        if app is None or isinstance(app, str):
            # In this form the second argument holds the scopes, under either name.
            guarded = self._app() if of is None else of
            lasting_edge(guarded)  # a fault in the set-up appears here, not in a request
            return CallerAuth(guarded, _caller(app, sub or scopes, more), region)
        # Imported here because users of `CalledBy` may not have its dependencies.
        from starlette.testclient import TestClient

        options = {name: more.pop(name) for name in list(more) if name not in _FACTS}
        edge = lasting_edge(app)
        return TestClient(CalledBy(app, edge, _caller(sub, scopes, more), region), **options)

    def _app(self) -> ASGIApp:
        module, _, attribute = self._named.partition(":")
        if not module:
            raise LookupError(
                'no app is named. Write as_caller("ada", of=app), or name the app in pytest\'s '
                'configuration: fastgate_app = "package.module:app"'
            )
        found: object = importlib.import_module(module)
        for name in (attribute or "app").split("."):
            found = getattr(found, name)
        if not callable(found):
            raise LookupError(f"fastgate_app: {self._named} is not an app")
        return found


def examined(app: ASGIApp, url: str, path: str, template: str | None = None) -> list[Finding]:
    """Send every probe to `app`, which a server of this process serves at `url`."""
    with fake_edge(app) as edge:
        target = Target(
            edge.issuer,
            edge.audience,
            path,
            template or path,
            edge.jwks,
            EdgeKeys(edge.key, None),
            backend_host=edge.backend_host,
            region=edge.region,
        )
        return examine(url, target)


class EdgeDoctor(Protocol):
    """The type of the fixture `edge_doctor`."""

    def __call__(
        self, app: ASGIApp, url: str, path: str, template: str | None = None
    ) -> list[Finding]:
        """Send every probe to one path of `app`, which this process serves at `url`."""


@contextmanager
def fake_edge(app: ASGIApp) -> Iterator[FakeEdge]:
    """Make the guard of `app` accept only a fake edge, until the context ends.

    Raises:
        LookupError: the app has no guard, so a test would prove nothing.

    """
    guard = _guard_of(app)
    edge = _fake_edge_for(app, guard)
    kept, guard.startup.keys = guard.startup.keys, _FakeEdgeKeys(edge, guard.startup.keys)
    try:
        yield edge
    finally:
        guard.startup.keys = kept


def lasting_edge(app: ASGIApp) -> FakeEdge:
    """Return the fake edge that the guard of `app` accepts; create it if there is none.

    Raises:
        LookupError: the app has no guard, so a test would prove nothing.

    """
    guard = _guard_of(app)
    if not isinstance(guard.startup.keys, _FakeEdgeKeys):
        guard.startup.keys = _FakeEdgeKeys(_fake_edge_for(app, guard), guard.startup.keys)
        _changed.add(guard)
    return guard.startup.keys.edge


def restore_keys() -> None:
    """Restore the keys of every guard that `lasting_edge` changed."""
    for guard in list(_changed):
        if isinstance(guard.startup.keys, _FakeEdgeKeys):
            guard.startup.keys = guard.startup.keys.replaced
        _changed.discard(guard)


class _FakeEdgeKeys(StaticKeys):
    """The keys of a fake edge, and the keys that they replace."""

    def __init__(self, edge: FakeEdge, replaced: KeySource) -> None:
        super().__init__(read_key_set(json.dumps(edge.jwks).encode()))
        self.edge = edge
        self.replaced = replaced


_changed = weakref.WeakSet[FastgateMiddleware]()


def _fake_edge_for(app: ASGIApp, guard: FastgateMiddleware) -> FakeEdge:
    settings = guard.settings
    return FakeEdge(
        routed_app(app),
        issuer=settings.edge,
        audience=settings.audience,
        backend_host=expected_host(settings),
        region=settings.region,
    )


def _caller(sub: str | None, scopes: Iterable[str], more: dict[str, Any]) -> LocalCaller | None:
    return None if sub is None else LocalCaller(sub, tuple(scopes), **more)


def _edge_response(methods: list[str] | None, scope: Scope) -> Response | None:
    """Return the response of the edge itself; None if the edge forwards the request."""
    # An app with CORSMiddleware responds to preflights itself, and tests may check that.
    if scope["type"] != "http" or methods is None or scope["method"] == "OPTIONS":
        return None
    status, slug, title = 404, "not-found", "There is nothing here"
    headers = {"Content-Type": MEDIA_TYPE}
    if methods:
        status, slug = 405, "method-not-allowed"
        title, headers["Allow"] = "This method is not allowed here", ", ".join(methods)
    problem = {"type": f"urn:fastgate:problem:{slug}", "title": title, "status": status}
    return Response(json.dumps(problem), status, headers)


def _guard_of(app: object) -> FastgateMiddleware:
    layer: object = app
    while layer is not None:
        if isinstance(layer, FastgateMiddleware):
            return layer
        if isinstance(layer, Starlette):
            # Starlette builds the stack with the first request, and keeps it.
            layer.middleware_stack = layer.middleware_stack or layer.build_middleware_stack()
            layer = layer.middleware_stack
        else:
            layer = getattr(layer, "app", None)
    raise LookupError("this app is not guarded: call guard(app, settings) first")
