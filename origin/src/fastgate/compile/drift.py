"""Find where the policy of the edge and an app disagree, in both directions.

In: the routes that an app compiles to, and those that the edge has. Out: one line for each
difference, none if both name the same requests and ask the same of their callers. It never decides
who is right.
"""

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

from fastgate.compile.endpoints.route_ids import rewritten
from fastgate.compile.policy import RouteDocument
from fastgate.declare.at_edge import CALLERS, METHODS
from fastgate.declare.formerly import FORMERLY
from fastgate.path_template import Template, TemplateRefused, comparable
from fastgate.routes.framework import WEBSOCKET
from fastgate.routes.route_names import Accepted

_Request: TypeAlias = tuple[str, str]
"""Method and `comparable` template: what both sides find a route by."""

_ACCESS = "authenticated"

REFUSED = " (refused until both agree)"
ACCEPTED = " (accepted during the overlap)"

NOTHING_FORMER: Mapping[_Request, Accepted] = {}


def drift(
    app: Sequence[RouteDocument],
    edge: Sequence[RouteDocument],
    *,
    everything: bool = False,
    ids: bool = True,
    former: Mapping[_Request, Accepted] = NOTHING_FORMER,
    root_path: str = "",
) -> list[str]:
    """Return every difference between two route tables, sorted by path.

    Names of parameters make no difference. A line that ends with `REFUSED` tells of requests that
    are refused while both are deployed as they are, one that ends with `ACCEPTED` of requests that
    are not, because the app declares what its route was before.

    Args:
        app: what the app compiles to.
        edge: the routes of the policy. A route with a rewrite is compared with the app's route that
            it leads to, and with the app's own declaration of that rewrite, if there is one.
        everything: whether members that only the edge has (limits, groups, …) are differences, too.
        ids: whether ids are compared; only strict apps do.
        former: what the app accepts beside its present templates and ids.
        root_path: the app's own, which its templates begin with; a rewrite may take it off.

    """
    ours = _by_request(app)
    theirs = _edge_requests(edge, ours, root_path)
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
                becomes = _becomes(request, route, ours, former, ids=ids)
                lines.append(f"{name}: only the edge names it{others}{becomes}")
                continue
            accepted = former.get(request, Accepted()).ids
            found = list(
                _differences(
                    ours[request][0], route, everything=everything, ids=ids, accepted=accepted
                )
            )
            lines.extend(f"{name}: {line}" for line in found)
            run = _run_by(request[0], route, ours, root_path)
            if run is not None and run != request:
                shown = ours[run][0].get("path")
                asked = _differences(
                    ours[run][0],
                    route,
                    everything=False,
                    ids=False,
                    accepted=(),
                    of=(*CALLERS, "sign_body"),
                )
                lines.extend(
                    f"{name}, which runs {shown}: {line}" for line in asked if line not in found
                )
    return lines


def no_longer_needed(
    app: Sequence[RouteDocument],
    edge: Sequence[RouteDocument],
    former: Mapping[_Request, Accepted],
    root_path: str = "",
) -> list[str]:
    """Return a line for each `formerly` of the app that the edge knows nothing of any more.

    That is no difference: both sides agree, and the declaration can be removed.
    """
    ours = _by_request(app)
    theirs = _edge_requests(edge, ours, root_path)
    ids = {str(route.get("id")) for route in edge}
    return [
        f"{method} {ours[method, path][0].get('path')}: the edge has it as it is now; "
        f"at_edge({FORMERLY}=…) can be removed"
        for (method, path), accepted in sorted(former.items())
        if (method, path) in theirs
        and ids.isdisjoint(accepted.ids)
        and not any((method, template) in theirs for template in accepted.templates)
    ]


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
    return iter(_by_request(routes))


def _by_request(routes: Sequence[RouteDocument]) -> dict[_Request, list[RouteDocument]]:
    found: dict[_Request, list[RouteDocument]] = {}
    for route in routes:
        for method in _methods(route):
            found.setdefault((method, comparable(str(route.get("path")))), []).append(route)
    return found


def _methods(route: RouteDocument) -> list[str]:
    methods = route.get("methods")
    # An opening handshake is a GET, and no other request.
    kinds = [WEBSOCKET] if route.get("websocket") else methods
    return [str(method) for method in kinds] if isinstance(kinds, list) else []


_Ours: TypeAlias = Mapping[_Request, Sequence[RouteDocument]]


def _edge_requests(
    edge: Sequence[RouteDocument], ours: _Ours, root_path: str
) -> dict[_Request, list[RouteDocument]]:
    """Return the routes of the edge by the request by which the app knows them."""
    found: dict[_Request, list[RouteDocument]] = {}
    for route in edge:
        for method in _methods(route):
            declared = (method, comparable(str(route.get("path"))))
            if not (declared in ours and "rewrite" in ours[declared][0]):
                run = _run_by(method, route, ours, root_path)
                declared = run or (method, comparable(_as_known(route, ours)))
            found.setdefault(declared, []).append(route)
    return found


def _run_by(method: str, route: RouteDocument, ours: _Ours, root_path: str) -> _Request | None:
    """Return the request of the app's route that the origin runs for a route of the edge."""
    rewritten = _rewritten(route)
    for path in (rewritten, f"{root_path}{rewritten}"):
        request = (method, comparable(path))
        if request in ours and "rewrite" not in ours[request][0]:
            return request
    return None


def _as_known(route: RouteDocument, ours: _Ours) -> str:
    """Return the path by which to show a route of the edge that leads to none of the app's."""
    rewrite = route.get("rewrite")
    declared = any("rewrite" in each and each["rewrite"] == rewrite for (each, *_) in ours.values())
    return str(route.get("path")) if declared else _rewritten(route)


def _rewritten(route: RouteDocument) -> str:
    """Return the template of what the edge forwards, which is the one that it signs."""
    path, rewrite = str(route.get("path")), route.get("rewrite")
    return rewritten(path, rewrite) if isinstance(rewrite, Mapping) else path


def _becomes(
    request: _Request,
    route: RouteDocument,
    ours: _Ours,
    former: Mapping[_Request, Accepted],
    *,
    ids: bool,
) -> str:
    """Return what becomes of the requests of a route that the app has no more."""
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
    # The app's own router says which of them a request gets to.
    return f"{ACCEPTED[:-1]}; what {', '.join(refused)} answers is refused until both agree)"


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
    """Yield each difference between two routes; with `of`, between these members alone."""
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
        if of is not None and member not in of:
            continue
        refused = (member == "id" and ids) or (member == "sign_body" and mine)
        line = f"{member}: the app says {_shown(mine)}, the edge {_shown(yours)}"
        if member == "id" and yours in accepted:
            yield line + ACCEPTED
        else:
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
