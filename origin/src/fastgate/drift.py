"""Say where the edge's policy and an app disagree, in both directions.

In: the routes that an app compiles to, and those that the edge has. Out: one line for each
difference, none if both name the same requests and ask the same of their callers. It never decides
who is right.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from fastgate.declare import METHODS
from fastgate.policy import RouteDocument
from fastgate.routing import WEBSOCKET
from fastgate.template import Template, TemplateRefused, comparable

_Request: TypeAlias = tuple[str, str]
"""Method and `comparable` template: what both sides find a route by."""

_ACCESS = "authenticated"

REFUSED = " (refused until both agree)"


def drift(
    app: Sequence[RouteDocument],
    edge: Sequence[RouteDocument],
    *,
    everything: bool = False,
    ids: bool = True,
) -> list[str]:
    """Return every difference between two route tables, sorted by path.

    Names of parameters make no difference. A line that ends with `REFUSED` tells of requests that
    are refused while both are deployed as they are.

    Args:
        app: what the app compiles to.
        edge: the routes of the policy. A route with a rewrite is compared with the app's route that
            it leads to.
        everything: whether members that only the edge has (limits, groups, …) are differences, too.
        ids: whether ids are compared; only strict apps do.

    """
    ours = _by_request(app, lambda route: str(route.get("path")))
    theirs = _by_request(edge, lambda route: _edge_path(route, ours))
    lines: list[str] = []
    for request in sorted(ours.keys() | theirs.keys(), key=_by_path):
        if request not in theirs:
            shown = ours[request][0].get("path")
            others = _other_methods(request, theirs)
            lines.append(f"{request[0]} {shown}: only the app serves it{others}")
            continue
        for route in theirs[request]:
            name = f"{request[0]} {route.get('path')}"
            if request not in ours:
                others = _other_methods(request, ours)
                refused = REFUSED if _leads_elsewhere(request, ours) else ""
                lines.append(f"{name}: only the edge names it{others}{refused}")
                continue
            found = _differences(ours[request][0], route, everything=everything, ids=ids)
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


def requests_in(routes: Sequence[RouteDocument]) -> Iterator[tuple[str, str]]:
    """Yield the method and the `comparable` path of everything that routes of a policy name."""
    return iter(_by_request(routes, lambda route: str(route.get("path"))))


def _by_request(
    routes: Sequence[RouteDocument], path_of: Callable[[RouteDocument], str]
) -> dict[_Request, list[RouteDocument]]:
    found: dict[_Request, list[RouteDocument]] = {}
    for route in routes:
        methods = route.get("methods")
        # An opening handshake is a GET, and no other request.
        kinds = [WEBSOCKET] if route.get("websocket") else methods
        for method in kinds if isinstance(kinds, list) else ():
            found.setdefault((str(method), comparable(path_of(route))), []).append(route)
    return found


def _edge_path(route: RouteDocument, ours: Mapping[_Request, object]) -> str:
    """Return the path by which the app knows a route of the edge."""
    path, rewrite = str(route.get("path")), route.get("rewrite")
    if any(comparable(path) == known for _, known in ours) or not isinstance(rewrite, Mapping):
        return path  # the app declares the outer path itself, with its rewrite
    if isinstance(template := rewrite.get("template"), str):
        return template
    stripped = path.removeprefix(str(rewrite.get("strip_prefix") or ""))
    return str(rewrite.get("add_prefix") or "") + stripped


def _leads_elsewhere(request: _Request, ours: Mapping[_Request, object]) -> bool:
    """Whether the app runs another route for some of these requests."""
    return any(
        method == request[0] and _parsed(path).overlaps(_parsed(request[1]))
        for method, path in ours
    )


def _parsed(path: str) -> Template:
    numbers = itertools.count()
    try:
        return Template.parse(re.sub(r"\{:", lambda _: f"{{p{next(numbers)}:", path))
    except TemplateRefused:
        return Template(path, ())


def _by_path(request: _Request) -> tuple[str, int]:
    method, path = request
    known = method in METHODS
    return path, METHODS.index(method) if known else len(METHODS)


def _other_methods(request: _Request, other: Mapping[_Request, object]) -> str:
    methods = [method for method, path in sorted(other) if path == request[1]]
    return f" (the other side has {', '.join(methods)} there)" if methods else ""


def _differences(
    app: RouteDocument, edge: RouteDocument, *, everything: bool, ids: bool
) -> Iterator[str]:
    ours, theirs = _scopes(app), _scopes(edge)
    for scope in sorted(ours - theirs):
        yield f'only the app asks for the scope "{scope}"'
    for scope in sorted(theirs - ours):
        yield f'only the edge asks for the scope "{scope}"'
    passed_over = {"path", "methods", "scopes", "origin", "websocket"}
    if not ids and not everything:
        passed_over.add("id")
    if "rewrite" not in app:
        passed_over.add("rewrite")  # its other end is the app's path
    owned = app.keys() | {"access"}
    for member in sorted((app.keys() | edge.keys()) - passed_over):
        mine, yours = _value(app, member), _value(edge, member)
        if mine == yours or (member not in owned and not everything):
            continue
        refused = (member == "id" and ids) or (member == "sign_body" and mine)
        line = f"{member}: the app says {_shown(mine)}, the edge {_shown(yours)}"
        yield line + (REFUSED if refused else "")


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
