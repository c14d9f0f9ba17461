"""List what an app serves: each endpoint with its full template and what it says of its callers.

In: a FastAPI or Starlette app, as it is about to run. Out: `Endpoint`s in the order in which the
app's router tries them. Nothing is judged here, and nothing is run.
"""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import chain
from types import CodeType, FunctionType, MethodType
from typing import Any, TypeAlias, TypedDict
from uuid import UUID

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.endpoints import HTTPEndpoint
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from fastgate.declare import (
    ACCESS,
    CALLERS,
    OPAQUE,
    Inherited,
    at_edge,
    declared,
    declared_below,
)
from fastgate.dependencies import FastgateScheme, any_caller
from fastgate.marks import declared_by, declared_through, layers, targets_of
from fastgate.routing import (
    View,
    app_below,
    effective_routes,
    frontend_templates,
    handled_route,
    is_opaque,
    root_path_of,
    routed_app,
    router_dependencies,
    signed_root_of,
)
from fastgate.static import attribute, is_a
from fastgate.template import begins, comparable

Dependant: TypeAlias = Any
"""FastAPI's tree of dependencies, whose class is not for others to import."""

_HTTP_ENDPOINT_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Kind(Enum):
    """What stands behind a template."""

    HTTP = "endpoint"
    WEBSOCKET = "WebSocket endpoint"
    APP = "mounted app"
    """An ASGI app without routes of its own that can be seen: static files, for one."""
    BELOW = "mount"
    """No endpoint: from here on, everything below this prefix belongs to a mount."""
    UNKNOWN = "route"
    NOTHING = "declaration"
    """No endpoint: a declaration for a prefix at which nothing is served."""


@dataclass(frozen=True, slots=True)
class Callers:
    """What an endpoint's dependencies say of its callers."""

    known: bool = False
    """`Caller` or `Security(fastgate)` is among them."""
    anybody: bool = False
    """`AnyCaller` or `Depends(any_caller)` is among them."""
    scopes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    """Scopes that `any_caller` is asked for, which checks none."""


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
    callers: Callers = Callers()
    declared: Mapping[str, object] = field(default_factory=dict)
    """Members of the route document, from `at_edge` and `openapi_extra`."""
    inherited: Mapping[str, object] = field(default_factory=dict)
    """Members that were declared for more than this endpoint; the nearest declaration counts."""
    disputed: tuple[str, ...] = ()
    """Members of which a router says something else than a path (`below`); neither is nearer."""
    path_types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """How FastAPI reads each path parameter, in the endpoint and in its dependencies: `int`,
    `float`, `uuid`, `str`, or `other`."""
    hidden: tuple["Endpoint", ...] = ()
    """What a mounted app that is declared as a whole declares below, and nobody would read."""
    root_path: str = ""
    """Of a mount: the `root_path` of its app, where that is another than the mount leads to."""
    targets: tuple[object, ...] = ()
    """What `declared` was read of, with whatever is wrapped around it."""
    holders: tuple[object, ...] = ()
    """Of what is mounted: the apps that it is mounted in, from the outermost one."""
    route: object = None
    """The route or mount, as its author wrote it."""
    dependencies: tuple[object, ...] = ()
    """The functions that are run before it. What is written on them is read by nobody."""

    def __str__(self) -> str:
        return f"{self.name} ({self.template}, {place_of(self.source)})"


def endpoints(app: object) -> Iterator[Endpoint]:
    """Walk `app`, its included routers and its mounted apps."""
    app = routed_app(app)
    if app is None:
        raise TypeError("neither a FastAPI nor a Starlette app")
    yield from _endpoints_of(app, signed_root_of(app), declared_through(app))


def endpoints_below(app: object, template: str) -> Iterator[Endpoint]:
    """Walk an app as if it were mounted at `template`, and inherited nothing."""
    yield from _endpoints_of(app, template, {})


_Members: TypeAlias = Mapping[str, object]


def _endpoints_of(
    app: object, prefix: str, inherited: _Members, around: tuple[object, ...] = ()
) -> Iterator[Endpoint]:
    holders = (*around, app, getattr(app, "_base_app", app))
    parts, used = declared_below(getattr(app, "_base_app", app)), set[str]()

    def below_at(path: object) -> dict[str, object]:
        members: dict[str, object] = {}
        # The nearest last. Names of parameters make no other path.
        for part in sorted(parts, key=lambda each: len(comparable(each))):
            if isinstance(path, str) and begins(path, part):
                members |= parts[part]
                used.add(part)
        return members

    for route, view in effective_routes(app):
        path = getattr(view, "path", None)
        template = prefix + path if isinstance(path, str) else prefix
        if frontends := list(frontend_templates(route, view)):
            for path, frontend in frontends:
                left = _left(inherited, below_at(path), _of_routers(app, view))
                yield replace(_frontend(prefix + path, frontend, view), **left)
            continue
        left = _left(inherited, below_at(path), _of_routers(app, view))
        if isinstance(route, Mount):
            mount = handled_route(route, view)
            for each in _mounted(mount, template, left["inherited"], holders):
                yield replace(each, disputed=(*each.disputed, *left["disputed"]))
        elif isinstance(route, Route):
            yield replace(_endpoint(Kind.HTTP, template, _methods(view), view), **left)
        elif isinstance(route, WebSocketRoute):
            yield replace(_endpoint(Kind.WEBSOCKET, template, ("GET",), view), **left)
        else:
            name = type(route).__name__
            yield Endpoint(Kind.UNKNOWN, template, None, name, route)
    for part in parts.keys() - used:
        yield Endpoint(Kind.NOTHING, prefix + part, None, "at_edge(below=…)", app)


def _mounted(
    mount: View, template: str, inherited: _Members, holders: tuple[object, ...]
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
        below_it = _endpoints_of(whole, template, {})
        hidden = tuple(each for each in below_it if each.declared or each.inherited)
    if holder is not None:
        yield from _endpoints_of(holder, template, {**inherited, **members}, holders)
    else:
        methods = ("GET", "HEAD") if isinstance(app, StaticFiles) else None
        found = Endpoint(Kind.APP, below, methods, name, app, inherited=inherited, hidden=hidden)
        found = replace(found, targets=targets, holders=holders, route=mount)
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


def _endpoint(kind: Kind, template: str, methods: tuple[str, ...] | None, view: View) -> Endpoint:
    return Endpoint(
        kind,
        template,
        methods,
        view.name,
        view.endpoint,
        getattr(view, "operation_id", None),
        _callers(getattr(view, "dependant", None)),
        declared_by(view),
        path_types=_path_types(getattr(view, "dependant", None)),
        targets=tuple(targets_of(view)),
        route=getattr(view, "original_route", view),
        dependencies=_dependencies(view),
    )


def _dependencies(view: View) -> tuple[object, ...]:
    calls = (dependency.call for dependency in _flat(getattr(view, "dependant", None)))
    return tuple(call for call in calls if not isinstance(call, Inherited))


def _frontend(template: str, frontend: View, view: View) -> Endpoint:
    callers = _callers(getattr(view, "dependant", None))
    methods = ("GET", "HEAD")
    return Endpoint(Kind.APP, template, methods, "frontend", frontend.app, callers=callers)


def _of_routers(app: object, view: View) -> dict[str, object]:
    """Return what is declared on the routers that a route stands in, the innermost's last."""
    dependant = getattr(view, "dependant", None)
    if dependant is None:
        marks = [getattr(each, "dependency", None) for each in router_dependencies(app, view)]
    else:
        marks = [dependency.call for dependency in _flat(dependant)]
    members: dict[str, object] = {}
    for mark in marks:
        if isinstance(mark, Inherited):
            members |= mark.members
    return members


class _Left(TypedDict):
    inherited: dict[str, object]
    disputed: tuple[str, ...]


def _left(around: _Members, below: _Members, routers: _Members) -> _Left:
    """Return what is left to one route by its apps, by the paths that it is below, and by routers.

    A path may be within a router's, and a router's within a path: of access the stricter counts,
    scopes add up, and nothing else can be decided.
    """
    members = {**around, **below, **routers}
    both = {name for name in below.keys() & routers.keys() if below[name] != routers[name]}
    if "access" in both:
        said = (str(below["access"]), str(routers["access"]))
        members["access"] = max(said, key=ACCESS.index) if set(said) <= set(ACCESS) else said
    scopes = (below.get("scopes"), routers.get("scopes"))
    if "scopes" in both and all(isinstance(each, (list, tuple)) for each in scopes):
        members["scopes"] = list(dict.fromkeys(chain.from_iterable(scopes)))  # type: ignore[arg-type]
    return {"inherited": members, "disputed": tuple(sorted(both - {"access", "scopes"}))}


def declare_docs(app: object, access: str) -> None:
    """Declare `access` of the schema and the documentation pages of `app` and of what it mounts.

    Only pages that FastAPI adds itself are meant, and no mounted app that declares its callers.

    Raises:
        ValueError: there is no such access.

    """
    mark = at_edge(access=access)
    names = ("openapi_url", "docs_url", "swagger_ui_oauth2_redirect_url", "redoc_url")
    pages = {getattr(app, name, None) for name in names} - {None}
    for route, view in effective_routes(app):
        if isinstance(route, APIRoute):
            continue
        if isinstance(route, Route) and view.path in pages and _is_fastapis_own(route):
            mark(route)
        elif (holder := app_below(mount := handled_route(route, view))) is not None:
            said = declared(holder).keys() | declared_by(mount).keys()
            if said.isdisjoint(CALLERS):  # a mounted app that says who may call says it of all
                declare_docs(holder, access)


def _is_fastapis_own(route: Route) -> bool:
    """Whether FastAPI itself has added a page, and not an author at the same path."""
    return getattr(route.endpoint, "__module__", None) == FastAPI.__module__


def _methods(route: View) -> tuple[str, ...] | None:
    if route.methods:
        return tuple(sorted(route.methods))
    if inspect.isclass(route.endpoint) and issubclass(route.endpoint, HTTPEndpoint):
        served = {name for name in _HTTP_ENDPOINT_METHODS if hasattr(route.endpoint, name.lower())}
        return tuple(sorted(served | ({"HEAD"} if "GET" in served else set())))
    return None


def _callers(dependant: Dependant) -> Callers:
    known = anybody = False
    scopes: dict[str, None] = {}
    unchecked: dict[str, None] = {}
    for dependency in _flat(dependant):
        required: Iterable[str] = (
            *(dependency.parent_oauth_scopes or ()),
            *(dependency.own_oauth_scopes or ()),
        )
        called = list(_called(dependency.call))
        if any(each is any_caller for each in called):
            anybody = True
            unchecked |= dict.fromkeys(required)
        if any(is_a(each, FastgateScheme) or each is FastgateScheme.__call__ for each in called):
            known = True
            scopes |= dict.fromkeys(required)
    return Callers(known, anybody, tuple(scopes), tuple(unchecked))


def _called(dependency: object) -> Iterator[object]:
    """Yield what a dependency is, and what it calls as a partial function or a bound method."""
    for layer in layers(dependency, mounted=False):
        yield layer
        if is_a(layer, MethodType):
            yield attribute(layer, "__self__")


def _path_types(dependant: Dependant) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for each in () if dependant is None else (dependant, *_flat(dependant)):
        for parameter in each.path_params:
            kind = _kind_of(parameter.field_info.annotation)
            found[parameter.alias] = (*found.get(parameter.alias, ()), kind)
    return found


def _kind_of(annotation: object) -> str:
    if not inspect.isclass(annotation) or issubclass(annotation, bool):
        return "other"
    kinds = {UUID: "uuid", int: "int", float: "float"}
    plain = "str" if annotation is str else "other"
    return next((kind for base, kind in kinds.items() if issubclass(annotation, base)), plain)


def _flat(dependant: Dependant) -> Iterator[Dependant]:
    if dependant is not None:
        for dependency in dependant.dependencies:
            yield dependency
            yield from _flat(dependency)


def place_of(target: object) -> str:
    """Return `file:line` of a function or class, or of an object's class."""
    function = target
    for layer in layers(target, mounted=False):
        if is_a(layer, FunctionType, type):
            function = layer
    code = attribute(function, "__code__") if is_a(function, FunctionType) else None
    if is_a(code, CodeType):
        return f"{code.co_filename}:{code.co_firstlineno}"  # type: ignore[attr-defined]
    kind = function if is_a(function, type) else type(function)
    try:
        return f"{inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]}"  # type: ignore[arg-type]
    except (OSError, TypeError):
        return f"{attribute(kind, '__module__')}.{attribute(kind, '__qualname__')}"
