"""Compare the policy of the edge with an app, in both directions.

Input: the routes that an app compiles to, and the routes of the edge. Output: one line for each
difference; none if both have the same requests with the same requirements on callers. The
comparison does not decide which side is right.
"""

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from fastgate.compile.callers.regions import REGIONS
from fastgate.compile.callers.requirements import is_same
from fastgate.compile.endpoints.route_ids import rewritten_path
from fastgate.compile.mcp.differences import mcp_differences
from fastgate.compile.path_positions import by_position
from fastgate.compile.policy import RouteDocument
from fastgate.declare.formerly import FORMERLY
from fastgate.declare.members import CALLERS, METHODS
from fastgate.declare.static_access import texts_in
from fastgate.declare.values.edge_cache import CACHE
from fastgate.declare.values.mcp import MCP
from fastgate.path_template import Template, TemplateRefused, comparable
from fastgate.routes.framework import WEBSOCKET
from fastgate.routes.route_names import Accepted

_Request: TypeAlias = tuple[str, str]
"""Method and `comparable` template: both sides find a route by these."""

_ACCESS = "authenticated"

REFUSED = " (refused until both agree)"
ACCEPTED = " (accepted during the overlap)"

NOTHING_FORMER: Mapping[_Request, Accepted] = {}
NO_RULES: Mapping[str, object] = {}


def drift(
    app: Sequence[RouteDocument],
    edge: Sequence[RouteDocument],
    *,
    everything: bool = False,
    ids: bool = True,
    former: Mapping[_Request, Accepted] = NOTHING_FORMER,
    root_path: str = "",
    rules: Mapping[str, object] = NO_RULES,
) -> list[str]:
    """Return every difference between two route tables, sorted by path.

    Names of parameters make no difference; conditions show their positions. A line that ends with
    `REFUSED` means requests that the app refuses while both are deployed as they are. A line that
    ends with `ACCEPTED` means requests that it accepts, because the app declares the former route.

    Args:
        app: the routes that the app compiles to.
        edge: the routes of the policy. A route with a rewrite is compared with the app's route
            that it leads to, and with the app's own declaration of that rewrite, if there is
            one.
        everything: whether members that only the edge has (limits, groups, …) are differences,
            too.
        ids: whether ids are compared; only strict apps compare them.
        former: what the app accepts in addition to its present templates and ids.
        root_path: the root path of the app, with which its templates begin; a rewrite may
            remove it.
        rules: the `rules` of the policy.

    """
    ours = _by_request([by_position(route, rules) for route in app])
    theirs = _edge_requests([by_position(route, rules) for route in edge], ours, root_path)
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
                outcome = _outcome(request, route, ours, former, ids=ids)
                lines.append(f"{name}: only the edge has it{others}{outcome}")
                continue
            accepted = former.get(request, Accepted()).ids
            differences = partial(_differences, everything=everything, ids=ids, accepted=accepted)
            found = [*differences(ours[request][0], route)]
            lines.extend(f"{name}: {line}" for line in found)
            run = _run_by(request[0], route, ours, root_path)
            if run is not None and run != request:
                shown = ours[run][0].get("path")
                caller_differences = _differences(
                    ours[run][0],
                    route,
                    everything=False,
                    ids=False,
                    accepted=(),
                    of=(*CALLERS, REGIONS, "sign_body"),
                )
                lines.extend(
                    f"{name}, which runs {shown}: {line}"
                    for line in caller_differences
                    if line not in found
                )
    return lines


def no_longer_needed(
    app: Sequence[RouteDocument],
    edge: Sequence[RouteDocument],
    former: Mapping[_Request, Accepted],
    root_path: str = "",
) -> list[str]:
    """Return a line for each `formerly` of the app that the edge no longer uses.

    This is no difference: both sides agree, and the declaration can be removed.
    """
    ours = _by_request(app)
    theirs = _edge_requests(edge, ours, root_path)
    ids = {str(route.get("id")) for route in edge}
    return [
        f"{method} {ours[method, path][0].get('path')}: the edge has the present route; "
        f"at_edge({FORMERLY}=…) can be removed"
        for (method, path), accepted in sorted(former.items())
        if (method, path) in theirs
        and ids.isdisjoint(accepted.ids)
        and not any((method, template) in theirs for template in accepted.templates)
    ]


def requests_in(routes: Sequence[RouteDocument]) -> Iterator[tuple[str, str]]:
    """Yield the method and the `comparable` path of every request that a policy has routes for."""
    return iter(_by_request(routes))


def _by_request(routes: Sequence[RouteDocument]) -> dict[_Request, list[RouteDocument]]:
    found: dict[_Request, list[RouteDocument]] = {}
    for route in routes:
        for method in _methods(route):
            found.setdefault((method, comparable(str(route.get("path")))), []).append(route)
    return found


def _methods(route: RouteDocument) -> list[str]:
    methods = route.get("methods")
    # An opening handshake is a GET but matches no other GET route.
    kinds = [WEBSOCKET] if route.get("websocket") else methods
    return [str(method) for method in kinds] if isinstance(kinds, list) else []


_Ours: TypeAlias = Mapping[_Request, Sequence[RouteDocument]]


def _edge_requests(
    edge: Sequence[RouteDocument], ours: _Ours, root_path: str
) -> dict[_Request, list[RouteDocument]]:
    """Return the routes of the edge, by the request that the app receives for each."""
    found: dict[_Request, list[RouteDocument]] = {}
    for route in edge:
        for method in _methods(route):
            declared = (method, comparable(str(route.get("path"))))
            if not (declared in ours and "rewrite" in ours[declared][0]):
                run = _run_by(method, route, ours, root_path)
                declared = run or (method, comparable(_shown_path(route, ours)))
            found.setdefault(declared, []).append(route)
    return found


def _run_by(method: str, route: RouteDocument, ours: _Ours, root_path: str) -> _Request | None:
    """Return the request of the app's route that runs for a route of the edge."""
    forwarded = _rewritten(route)
    for path in (forwarded, f"{root_path}{forwarded}"):
        request = (method, comparable(path))
        if request in ours and "rewrite" not in ours[request][0]:
            return request
    return None


def _shown_path(route: RouteDocument, ours: _Ours) -> str:
    """Return the path to print for a route of the edge that leads to no route of the app."""
    rewrite = route.get("rewrite")
    declared = any("rewrite" in each and each["rewrite"] == rewrite for (each, *_) in ours.values())
    return str(route.get("path")) if declared else _rewritten(route)


def _rewritten(route: RouteDocument) -> str:
    """Return the template of the path that the edge forwards and signs."""
    path, rewrite = str(route.get("path")), route.get("rewrite")
    return rewritten_path(path, rewrite) if isinstance(rewrite, Mapping) else path


def _outcome(
    request: _Request,
    route: RouteDocument,
    ours: _Ours,
    former: Mapping[_Request, Accepted],
    *,
    ids: bool,
) -> str:
    """Return what happens to the requests of a route that the app no longer has."""
    outer = _parsed(request[1])
    running = [
        other for other in ours if other[0] == request[0] and _parsed(other[1]).overlaps(outer)
    ]
    refused = []
    for other in running:
        accepted = former.get(other, Accepted())
        named = route.get("id") in {*accepted.ids, ours[other][0].get("id")}
        if request[1] not in accepted.templates or (ids and not named):
            refused.append(str(ours[other][0].get("path")))
    if not running:
        return ""
    if len(refused) == len(running):
        return REFUSED
    if not refused:
        return ACCEPTED
    # The app's own router decides which of them a request reaches.
    return f"{ACCEPTED[:-1]}; requests to {', '.join(refused)} are refused until both agree)"


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
    app: RouteDocument,
    edge: RouteDocument,
    *,
    everything: bool,
    ids: bool,
    accepted: Collection[str],
    of: Collection[str] | None = None,
) -> Iterator[str]:
    """Yield each difference between two routes; with `of`, between these members only."""
    ours, theirs = _scopes(app), _scopes(edge)
    for scope in sorted(ours - theirs):
        yield f'only the app requires the scope "{scope}"'
    for scope in sorted(theirs - ours):
        yield f'only the edge requires the scope "{scope}"'
    ignored = {"path", "methods", "scopes", "origin", "websocket", MCP}
    yield from mcp_differences(app.get(MCP), edge.get(MCP), everything=everything)
    if not ids and not everything:
        ignored.add("id")
    if "rewrite" not in app:
        ignored.add("rewrite")  # the app's path is its result
    compared = app.keys() | {"access", CACHE}  # for a stored response, the app learns less
    for member in sorted((app.keys() | edge.keys()) - ignored):
        mine, yours = _value(app, member), _value(edge, member)
        if is_same(member, mine, yours) or (member not in compared and not everything):
            continue
        if of is not None and member not in of:
            continue
        refused = (member == "id" and ids) or (member == "sign_body" and mine)
        line = f"{member}: the app has {_shown(mine)}, the edge has {_shown(yours)}"
        if member == "id" and yours in accepted:
            yield line + ACCEPTED
        else:
            yield line + (REFUSED if refused else "")


def _scopes(route: RouteDocument) -> set[str]:
    return {*texts_in(route.get("scopes"))}


def _value(route: RouteDocument, member: str) -> object:
    if member == "access":
        return route.get("access", _ACCESS)
    # An empty or false value is the same as a missing one.
    return route.get(member) or None


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
