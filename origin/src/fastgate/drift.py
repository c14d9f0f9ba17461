"""Say where the edge's policy and an app disagree, in both directions.

In: the routes that an app compiles to, and those that the edge has. Out: one line for each
difference, none if both name the same requests and ask the same of their callers. It never decides
who is right.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from fastgate.declare import METHODS
from fastgate.policy import RouteDocument
from fastgate.routing import WEBSOCKET

_Request: TypeAlias = tuple[str, str]
"""Method and template: what both sides find a route by."""

_ACCESS = "authenticated"


def drift(app: Sequence[RouteDocument], edge: Sequence[RouteDocument]) -> list[str]:
    """Return every difference between two route tables, sorted by path."""
    ours, theirs = _by_request(app), _by_request(edge)
    lines: list[str] = []
    for request in sorted(ours.keys() | theirs.keys(), key=_by_path):
        name = f"{request[0]} {request[1]}"
        if request not in theirs:
            lines.append(f"{name}: only the app serves it{_other_methods(request, theirs)}")
        elif request not in ours:
            lines.append(f"{name}: only the edge names it{_other_methods(request, ours)}")
        else:
            found = _differences(ours[request], theirs[request])
            lines.extend(f"{name}: {line}" for line in found)
    return lines


def routes_of(policy: Mapping[str, object], origin: str | None) -> list[RouteDocument]:
    """Return the routes of a policy document; with `origin`, those of one origin alone.

    Raises:
        ValueError: it holds no list of routes.

    """
    routes = policy.get("routes")
    if not isinstance(routes, list) or not all(isinstance(route, dict) for route in routes):
        raise ValueError('holds no list "routes"')
    return [route for route in routes if origin is None or route.get("origin") == origin]


def _by_request(routes: Sequence[RouteDocument]) -> dict[_Request, RouteDocument]:
    found: dict[_Request, RouteDocument] = {}
    for route in routes:
        methods = route.get("methods")
        # An opening handshake is a GET, and no other request.
        kinds = [WEBSOCKET] if route.get("websocket") else methods
        for method in kinds if isinstance(kinds, list) else ():
            found.setdefault((str(method), str(route.get("path"))), route)
    return found


def _by_path(request: _Request) -> tuple[str, int]:
    method, path = request
    known = method in METHODS
    return path, METHODS.index(method) if known else len(METHODS)


def _other_methods(request: _Request, other: Mapping[_Request, RouteDocument]) -> str:
    methods = [method for method, path in sorted(other) if path == request[1]]
    return f" (the other side has {', '.join(methods)} there)" if methods else ""


def _differences(app: RouteDocument, edge: RouteDocument) -> Iterator[str]:
    ours, theirs = _scopes(app), _scopes(edge)
    for scope in sorted(ours - theirs):
        yield f'only the app asks for the scope "{scope}"'
    for scope in sorted(theirs - ours):
        yield f'only the edge asks for the scope "{scope}"'
    compared = {"path", "methods", "scopes", "origin", "websocket"}
    for member in sorted((app.keys() | edge.keys()) - compared):
        mine, yours = _value(app, member), _value(edge, member)
        if mine != yours:
            yield f"{member}: the app says {_shown(mine)}, the edge {_shown(yours)}"


def _scopes(route: RouteDocument) -> set[str]:
    scopes = route.get("scopes")
    return {str(scope) for scope in scopes} if isinstance(scopes, list) else set()


def _value(route: RouteDocument, member: str) -> object:
    if member == "access":
        return route.get("access", _ACCESS)
    # What is empty or false need not be written.
    return route.get(member) or None


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
