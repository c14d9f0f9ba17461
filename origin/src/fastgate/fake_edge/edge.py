"""A fake edge, for tests and for local development.

Input: an app and the caller of a request. Output: the `Fastgate-Identity` header that the edge
would sign for it, with a key that exists only in this process. It finds the route as the edge does,
in the app's own route table. It forwards every caller, so the app itself has to refuse.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from urllib.parse import quote

from starlette.routing import compile_path
from starlette.types import Scope

from fastgate.base64url import base64url
from fastgate.compile.callers.regions import regions_of
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.listing import endpoints
from fastgate.compile.endpoints.route_ids import (
    access_of,
    ids_of,
    members_of,
    methods_of,
    requests_of,
    routed_endpoints,
)
from fastgate.content import content_digest
from fastgate.declare.values.edge_cache import CACHE, audience_of
from fastgate.fake_edge.fields import Field, edited, fields_for_all
from fastgate.fake_edge.signing import SigningKey, contract, identity_claims, shared_claims
from fastgate.local_rules import LocalCaller
from fastgate.mcp_message import message_in
from fastgate.path_template import Template, TemplateRefused
from fastgate.routes.framework import (
    WEBSOCKET,
    apps_within,
    effective_routes,
    routed_app,
    signed_root_of,
)
from fastgate.routes.route_names import UNNAMED


class FakeEdge:
    """An edge in this process, for one app."""

    def __init__(
        self,
        app: object,
        *,
        issuer: str,
        audience: str,
        key: SigningKey | None = None,
        backend_host: str | None = None,
        region: str | None = None,
    ) -> None:
        self.issuer, self.audience = issuer, audience
        self.backend_host = backend_host
        """The `Host` that replaces the client's, if the origin has `Settings.backend_host`."""
        self.region = region
        """The region of the backend that receives the requests. By default it is the first that the
        route requires, because the edge sends them to no other."""
        self.key = key or SigningKey()
        self._app = app
        self._listed = _listed(app)
        self._routes = _Routes(endpoints(app))
        self._root_path = signed_root_of(app)
        self.jwks: dict[str, object] = {"keys": [self.key.jwk]}

    def header_for(
        self,
        scope: Scope,
        caller: LocalCaller | None,
        content: bytes = b"",
        region: str | None = None,
    ) -> bytes:
        """Return the header for the request of an ASGI scope.

        Args:
            scope: the request.
            caller: its caller; None for an anonymous one.
            content: the body, if the route `signs_body`.
            region: the region of the backend; by default that of this edge.

        """
        route = self._route(scope)
        path = self._stripped(scope) + _raw_path(scope)
        tctx: dict[str, object] = {"route": route.id, "template": route.template}
        tctx |= {"method": _method(scope), "host": _host(scope), "path": path}
        if scope["type"] == "websocket":
            tctx["websocket"] = True
        if scope["query_string"]:
            tctx["query"] = base64url(hashlib.sha256(scope["query_string"]).digest())
        if route.signs_body:
            tctx["content_digest"] = content_digest(content)
        if route.is_mcp and (message := message_in(content)) is not None:
            tctx["mcp"] = message
        # On a public route the edge reads no token, so the caller is unknown.
        known = None if route.access == "public" else caller
        claims = identity_claims(known, route.forward)
        # The edge would refuse an anonymous caller. The app has to see one, so that it refuses.
        is_admitted = known is not None or route.access != "authenticated"
        if _is_shared(route, scope) and is_admitted:
            # Anonymous callers have nothing else in common.
            shared = frozenset() if known is None else audience_of(route.cache)
            tctx["shared"] = sorted(shared)
            claims = shared_claims(claims, shared, route.scopes)
        if region is None:
            region = self.region or next(iter(route.regions), None)
        if region is not None:
            claims = {**claims, "rctx": {**claims["rctx"], "region": region}}  # type: ignore[dict-item]
        return self.key.sign(contract(self.issuer, self.audience, tctx, claims)).encode()

    def forwarded(self, scope: Scope) -> list[Field]:
        """Return the header fields of a request as the origin receives them.

        If callers share the response, it receives only those of which the edge knows that they may
        change it. `request_headers` of the route apply in any case.
        """
        fields, route = list(scope["headers"]), self._route(scope)
        if _is_shared(route, scope):
            fields = fields_for_all(fields, route.cache, route.request_headers)
        else:
            fields = edited(fields, route.request_headers)
        if self.backend_host is None:
            return fields
        kept = [field for field in fields if field[0].lower() != b"host"]
        return [(b"host", self.backend_host.encode()), *kept]

    def signs_body(self, scope: Scope) -> bool:
        """Whether the edge would sign the body of this request."""
        return self._route(scope).signs_body

    def methods_at(self, scope: Scope) -> list[str] | None:
        """Return None if the edge has a route for this request; else the methods of its path."""
        return self._known().methods_at(_kind(scope), self._stripped(scope) + scope["path"])

    def _route(self, scope: Scope) -> "_Route":
        return self._known().find(_kind(scope), self._stripped(scope) + scope["path"])

    def _known(self) -> "_Routes":
        """Return the present routes of the app, which may add some at its start or later."""
        now = _listed(self._app)
        if len(now) != len(self._listed) or any(
            one is not two for one, two in zip(now, self._listed, strict=True)
        ):
            self._listed, self._routes = now, _Routes(endpoints(self._app))
        return self._routes

    def _stripped(self, scope: Scope) -> str:
        # Requests may arrive as behind a proxy that removes the app's root path.
        root, path = self._root_path, scope["path"]
        return "" if path == root or path.startswith(root + "/") else root


def _is_shared(route: "_Route", scope: Scope) -> bool:
    """Whether the edge may store the response to such a request."""
    is_retrieval = scope["type"] == "http" and _method(scope) in ("GET", "HEAD")
    return is_retrieval and route.cache is not None


def _host(scope: Scope) -> str:
    # A request with another number of `Host` fields is refused, regardless of the signed value.
    found = [value for name, value in scope["headers"] if name.lower() == b"host"]
    return found[0].decode("latin-1") if found and found[0] else "localhost"


def _method(scope: Scope) -> str:
    # A WebSocket starts as a GET (RFC 6455 §4.1).
    return "GET" if scope["type"] == "websocket" else str(scope["method"])


def _kind(scope: Scope) -> str:
    return WEBSOCKET if scope["type"] == "websocket" else _method(scope)


def _raw_path(scope: Scope) -> str:
    raw_path: bytes | None = scope.get("raw_path")
    # These characters need no escape in a path (RFC 3986 §3.3).
    return (
        quote(scope["path"], "/!$&'()*+,;=:@") if raw_path is None else raw_path.decode("latin-1")
    )


@dataclass(frozen=True, slots=True)
class _Route:
    """The facts that the edge knows about a route."""

    id: str
    template: str
    access: object = None
    signs_body: bool = False
    forward: object = ()
    cache: object = None
    scopes: object = ()
    request_headers: object = None
    regions: Sequence[str] = ()
    is_mcp: bool = False


_NO_ROUTE = _Route("none", "/none")
"""The route of a request to which the app's router itself responds."""


def _listed(app: object) -> list[object]:
    """Return the routes of an app and of apps mounted in it, to detect changes."""
    found = (each for within in apps_within(routed_app(app)) for each in effective_routes(within))
    return [route for route, _ in found]


class _Routes:
    """The route table of an app, in the order in which the edge tries the routes."""

    def __init__(self, found: Iterable[Endpoint]) -> None:
        listed: list[tuple[Template, Endpoint]] = []
        self._mounts: list[tuple[re.Pattern[str], str]] = []
        served = list(found)
        edges = routed_endpoints(served)
        self._ids = dict(zip(map(id, edges), ids_of(edges), strict=True))
        for endpoint in served:
            try:
                template = Template.parse(endpoint.template)
            except TemplateRefused:
                continue  # the edge has no route for it
            if access_of(endpoint) == UNNAMED:
                continue  # its author has declared that the edge has no route for it
            if endpoint.kind is Kind.MOUNT:
                self._mounts.append((compile_path(template.source)[0], template.source))
            else:
                listed.append((template, endpoint))
        listed.sort(key=cmp_to_key(_most_specific_first))
        self._routes = [(compile_path(item.source)[0], entry) for item, entry in listed]

    def methods_at(self, method: str, path: str) -> list[str] | None:
        """Return None if there is a route; else the methods of the path, possibly none."""
        found: set[str] = set()
        for pattern, endpoint in self._routes:
            if pattern.match(path):
                found.update(requests_of(endpoint), methods_of(endpoint))
        return None if method in found else sorted(found - {WEBSOCKET})

    def find(self, method: str, path: str) -> _Route:
        """Return the most specific route. The method of an opening handshake is `WEBSOCKET`."""
        for pattern, endpoint in self._routes:
            if method in requests_of(endpoint) and pattern.match(path):
                members = members_of(endpoint)
                return _Route(
                    self._ids.get(id(endpoint), endpoint.name),
                    endpoint.template,
                    members["access"],
                    bool(endpoint.declared.get("sign_body")) or endpoint.mcp is not None,
                    members.get("forward", ()),
                    members.get(CACHE),
                    members.get("scopes", ()),
                    members.get("request_headers"),
                    regions_of(members) or (),
                    endpoint.mcp is not None,
                )
        for pattern, template in self._mounts:
            if pattern.match(path):
                return _Route("none", template)  # the router of the mounted app responds
        return _NO_ROUTE


def _most_specific_first(one: tuple[Template, Endpoint], two: tuple[Template, Endpoint]) -> int:
    return one[0].goes_before(two[0]) * -1 + two[0].goes_before(one[0])
