"""List the endpoints of an app, each with its full template and the callers that it asks for.

In: a FastAPI or Starlette app, as it is about to run. Out: `Endpoint`s in the order in which the
app's router tries them. Nothing is judged here, and nothing is run.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from starlette.endpoints import HTTPEndpoint
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from fastgate.compile.cache import cached, caching
from fastgate.compile.callers.dependency_tree import Callers, Dependant, callers_of, flat
from fastgate.compile.callers.overrides import Lessened, Unusable, run_of
from fastgate.compile.callers.parameters import path_types
from fastgate.compile.endpoints.documentation import access_of_pages
from fastgate.compile.endpoints.inheritance import Inheritance, Left, Listed
from fastgate.compile.endpoints.locations import place_of
from fastgate.declare.at_edge import OPAQUE, Inherited
from fastgate.declare.lookup import declared_by, declared_through, targets_of
from fastgate.declare.provenance import Source, noted, without
from fastgate.path_template import begins, comparable, takes_all_below
from fastgate.routes.framework import (
    View,
    app_below,
    effective_routes,
    frontend_templates,
    handled_route,
    is_among,
    is_opaque,
    root_path_of,
    routed_app,
    router_of,
    signed_root_of,
    taken_through,
)

_HTTP_ENDPOINT_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Kind(Enum):
    """What stands behind a template."""

    HTTP = "endpoint"
    WEBSOCKET = "WebSocket endpoint"
    APP = "mounted app"
    """An ASGI app without routes of its own that can be seen: static files, for one."""
    BELOW = "mount"
    """No endpoint: from here on, everything below this prefix belongs to a mount."""
    AGAIN = "mount of the app itself"
    """What leads back to an app that it stands in: its routes would have no end."""
    UNKNOWN = "route"
    NOTHING = "declaration"
    """No endpoint: a declaration for a prefix at which nothing is served."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that an app serves."""

    kind: Kind
    template: str
    methods: tuple[str, ...] | None
    """Upper case, sorted; None if any method is let through."""
    name: str
    source: object
    """The function, class or app that answers."""
    operation_id: str | None = None
    callers: Callers = field(default_factory=Callers)
    declared: Mapping[str, object] = field(default_factory=dict)
    """Members of the route document, from `at_edge` and `openapi_extra`."""
    inherited: Mapping[str, object] = field(default_factory=dict)
    """Members that were declared for more than this endpoint; the nearest declaration counts."""
    disputed: tuple[str, ...] = ()
    """Members of which a path (`below`) says something else than a router, or than a mount that
    the path leads into; neither is nearer."""
    not_run: Callers = field(default_factory=Callers)
    """What dependencies of the routers and apps that it stands in ask of callers, and FastAPI does
    not run for it: those are for FastAPI's own routes, and for none that is mounted."""
    parts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Of what takes everything below a path: what is declared of paths within it, by their full
    templates. It has one route, and they have none."""
    path_types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """How FastAPI reads each path parameter, in the endpoint and in its dependencies: `int`,
    `float`, `uuid`, `str`, or `other`."""
    hidden: tuple["Endpoint", ...] = ()
    """What a mounted app that is declared as a whole declares below, and no code would read."""
    root_path: str = ""
    """Of a mount: the `root_path` of its app, where that is another than the mount leads to."""
    targets: tuple[object, ...] = ()
    """What `declared` was read of, with whatever is wrapped around it."""
    holders: tuple[object, ...] = ()
    """The apps that it is served by, from the outermost one."""
    route: object = None
    """The route or mount, as its author wrote it."""
    dependencies: tuple[object, ...] = ()
    """The functions that are run before it. What is declared on them is not read."""
    for_the_rest: bool = False
    """Whether it says itself who may call it, and takes the rest of an app, mounted or not."""
    said_by_mounts: frozenset[str] = frozenset()
    """Members that it inherits of what is mounted, and it stands in."""
    left_out: tuple[Source, ...] = ()
    """The marked apps and mounts whose routes it was taken from, and that do not serve it."""
    listed: tuple[Listed, ...] = ()
    """Dependencies of the routers and apps that it stands in, which FastAPI does not run for it."""
    routers: tuple[object, ...] = ()
    """The routers that it was included by, or is copied from."""
    tree: Dependant = None
    """The dependencies that are run before it, overrides in place; None if it has none."""
    lessened: tuple[Lessened, ...] = ()
    """Overrides of its dependencies that ask less of callers than what they replace."""
    unusable: tuple[Unusable, ...] = ()
    """Overrides of its dependencies that FastAPI cannot call."""

    def __str__(self) -> str:
        return f"{self.name} ({self.template}, {place_of(self.source)})"


def endpoints(app: object) -> Iterator[Endpoint]:
    """Read `app`, its included routers and its mounted apps; cached within `caching`."""
    with caching():
        return iter(cached(_all_of, app))


def _all_of(app: object) -> tuple[Endpoint, ...]:
    return tuple(_read_app(app))


def _read_app(app: object) -> Iterator[Endpoint]:
    app = routed_app(app)
    if app is None:
        raise TypeError("neither a FastAPI nor a Starlette app")
    pages = access_of_pages(app)
    for each in _endpoints_of(app, signed_root_of(app), Left(declared_through(app))):
        access = pages.get((id(each.route), each.template))
        if access is not None:
            # That says all of their callers: of scopes, too, that dependencies of the app ask for.
            declared = {**each.declared, "access": access}
            each = replace(each, declared=declared, not_run=Callers())
        yield each


def endpoints_below(
    app: object, template: str, holders: tuple[object, ...] = ()
) -> Iterator[Endpoint]:
    """Read an app as if it were mounted at `template`, and inherited nothing."""
    if not is_among(app, holders):
        yield from _endpoints_of(app, template, Left(), holders)


def _endpoints_of(
    app: object,
    prefix: str,
    around: Left,
    holders: tuple[object, ...] = (),
    left_out: tuple[Source, ...] = (),
) -> Iterator[Endpoint]:
    holders = (*holders, app, getattr(app, "_base_app", app))
    inheritance = Inheritance(app, around)
    served = _served(inheritance, app, prefix, holders, left_out)
    yield from _noting_parts(inheritance, prefix, served)
    for part in inheritance.unused():
        yield Endpoint(Kind.NOTHING, prefix + part, None, "at_edge(below=…)", app)


def _served(
    inheritance: Inheritance,
    app: object,
    prefix: str,
    holders: tuple[object, ...],
    left_out: tuple[Source, ...],
) -> Iterator[Endpoint]:
    router = router_of(app)
    frontends: list[Endpoint] = []
    for (route, view), through in zip(effective_routes(app), taken_through(app), strict=True):
        sources = (source for part in (router, *through, route) for source in noted(part))
        lost = (*left_out, *without(sources, (*holders, router)))
        for endpoint in _of_route(inheritance, (route, view, through), prefix, holders, lost):
            endpoint = endpoint if endpoint.left_out else replace(endpoint, left_out=lost)
            if next(frontend_templates(route, view), None) is not None:
                frontends.append(endpoint)
            else:
                yield endpoint
    # FastAPI asks them last, and takes the most specific of all, whatever router has it.
    yield from sorted(frontends, key=lambda it: -len(it.template.removesuffix("/{path:path}")))


def _of_route(
    inheritance: Inheritance,
    found: tuple[View, View, tuple[object, ...]],
    prefix: str,
    holders: tuple[object, ...],
    left_out: tuple[Source, ...],
) -> Iterator[Endpoint]:
    route, view, through = found
    path = getattr(view, "path", None)
    template = prefix + path if isinstance(path, str) else prefix
    if frontends := list(frontend_templates(route, view)):
        for path, frontend in frontends:
            left = inheritance.left_to(view, path, through)
            yield _with(left, holders, _frontend(prefix + path, frontend, view, holders[-1]))
        return
    left = inheritance.left_to(view, path, through)
    if isinstance(route, Mount):
        yield from _mounted(handled_route(route, view), template, left, holders, left_out)
    elif isinstance(route, Route):
        found_here = _endpoint(Kind.HTTP, template, _methods(view), view, holders[-1])
        yield _with(left, holders, found_here)
    elif isinstance(route, WebSocketRoute):
        found_here = _endpoint(Kind.WEBSOCKET, template, ("GET",), view, holders[-1])
        yield _with(left, holders, found_here)
    else:
        name = type(route).__name__
        yield Endpoint(Kind.UNKNOWN, template, None, name, route)


def _noting_parts(
    inheritance: Inheritance, prefix: str, served: Iterator[Endpoint]
) -> Iterator[Endpoint]:
    """Note what an app declares of paths that lie within one endpoint, and are no endpoints."""
    parts = {prefix + part: members for part, members in inheritance.parts.items()}
    taken: list[str] = []  # by mounts that stand before
    for each in served:
        if each.kind is Kind.APP and _is_for_the_rest(each, prefix, parts):
            each = replace(each, for_the_rest=True)
        inner = {
            part: members
            for part, members in parts.items()
            if takes_all_below(each.template, part) and not begins(each.template, part)
        }
        if each.kind is Kind.BELOW:
            taken.append(each.template)
        elif inner and not (each.for_the_rest or _is_for_the_rest(each, prefix, parts)):
            for part in [part for part in inner if any(takes_all_below(it, part) for it in taken)]:
                del inner[part]
            each = replace(each, parts={**each.parts, **inner})
        if each.kind is Kind.APP and each.route is None:
            taken.append(each.template)  # a frontend, of which the most specific is first
        yield each


def _is_for_the_rest(
    each: Endpoint, prefix: str, parts: Mapping[str, Mapping[str, object]]
) -> bool:
    """Whether an endpoint says itself who may call it, and is meant for what has no other route.

    That is a function, or what stands at the root of its app: a single-page app beside an API.
    """
    rest = comparable(f"{prefix}/{{path:path}}")
    if each.kind is Kind.APP and comparable(each.template) != rest:
        return False
    exact = (members for part, members in parts.items() if comparable(part) == rest)
    said = {*each.declared, *(name for members in exact for name in members)}
    return each.callers.known or each.callers.anybody or not said.isdisjoint(("access", "scopes"))


def _with(left: Left, holders: tuple[object, ...], endpoint: Endpoint) -> Endpoint:
    return replace(
        endpoint,
        inherited=left.inherited,
        disputed=left.disputed,
        not_run=left.not_run,
        listed=left.listed,
        said_by_mounts=left.said_by_mounts,
        routers=left.routers,
        holders=holders,
    )


def _mounted(
    mount: View,
    template: str,
    left: Left,
    holders: tuple[object, ...],
    left_out: tuple[Source, ...],
) -> Iterator[Endpoint]:
    app = mount.app
    below = template + "/{path:path}"
    name = mount.name or type(app).__name__
    members = declared_by(mount)
    holder = app_below(mount)
    hidden: tuple[Endpoint, ...] = ()
    targets = tuple(targets_of(mount))
    whole = next((each for each in map(routed_app, targets) if each is not None), None)
    if is_opaque(mount) and whole is not None:
        below_it = endpoints_below(whole, template, holders)
        hidden = tuple(each for each in below_it if each.declared or each.inherited)
    if holder is not None and is_among(holder, holders):
        again = Endpoint(Kind.AGAIN, below, None, name, app, declared=members, route=mount)
        yield _with(left, holders, again)
    elif holder is not None:
        yield from _endpoints_of(holder, template, left.through(members), holders, left_out)
    else:
        methods = ("GET", "HEAD") if isinstance(app, StaticFiles) else None
        found = _with(left, holders, Endpoint(Kind.APP, below, methods, name, app, hidden=hidden))
        found = replace(found, targets=targets, route=mount)
        own = ("websocket", OPAQUE)
        plain = {key: value for key, value in members.items() if key not in own}
        yield replace(found, declared=plain)
        if members.get("websocket"):
            no_methods = {key: value for key, value in plain.items() if key != "methods"}
            yield replace(
                found,
                kind=Kind.WEBSOCKET,
                methods=("GET",),
                declared=no_methods,
                hidden=(),
                targets=(),
            )
    root_path = root_path_of(getattr(holder, "_base_app", holder))
    if root_path == template:
        root_path = ""
    yield Endpoint(
        Kind.BELOW,
        below,
        None,
        name,
        app,
        root_path=root_path,
        targets=() if holder is None else targets,
        holders=holders,
        route=mount,
    )


def _endpoint(
    kind: Kind, template: str, methods: tuple[str, ...] | None, view: View, app: object
) -> Endpoint:
    found = Endpoint(
        kind,
        template,
        methods,
        view.name,
        view.endpoint,
        getattr(view, "operation_id", None),
        declared=declared_by(view),
        targets=tuple(targets_of(view)),
        route=getattr(view, "original_route", view),
    )
    return _with_dependencies(found, view, app)


def _with_dependencies(endpoint: Endpoint, view: View, app: object) -> Endpoint:
    """Add what is asked by what FastAPI runs, and by what that is an override of."""
    written = getattr(view, "dependant", None)
    run = run_of(written, view, app)
    listed = getattr(view, "dependencies", None) or ()
    callers, calls = callers_of(run.dependant, listed), _calls(run.dependant)
    if run.dependant is not written:
        callers |= callers_of(written, listed)
        calls = tuple({id(each): each for each in (*calls, *_calls(written))}.values())
    return replace(
        endpoint,
        callers=callers,
        path_types=path_types(run.dependant),
        dependencies=calls,
        tree=run.dependant,
        lessened=run.lessened,
        unusable=run.unusable,
    )


def _calls(dependant: Dependant) -> tuple[object, ...]:
    calls = (dependency.call for dependency in flat(dependant))
    return tuple(call for call in calls if not isinstance(call, Inherited))


def _frontend(template: str, frontend: View, view: View, app: object) -> Endpoint:
    found = Endpoint(Kind.APP, template, ("GET", "HEAD"), "frontend", frontend.app)
    return _with_dependencies(found, view, app)


def _methods(route: View) -> tuple[str, ...] | None:
    if route.methods:
        return tuple(sorted(route.methods))
    if inspect.isclass(route.endpoint) and issubclass(route.endpoint, HTTPEndpoint):
        served = {name for name in _HTTP_ENDPOINT_METHODS if hasattr(route.endpoint, name.lower())}
        return tuple(sorted(served | ({"HEAD"} if "GET" in served else set())))
    return None
