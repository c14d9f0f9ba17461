"""List the endpoints of an app, with their full templates and requirements on callers.

Input: a FastAPI or Starlette app, as it is about to run. Output: `Endpoint`s in the order in which
the app's router tries them. This module checks nothing and runs no code of the app.
"""

import inspect
from collections.abc import Iterator
from dataclasses import replace

from starlette.endpoints import HTTPEndpoint
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from fastgate.compile.cache import cached, caching
from fastgate.compile.callers.dependency_tree import Dependant, callers_of, flatten
from fastgate.compile.callers.overrides import (
    effective_dependencies,
)
from fastgate.compile.callers.parameters import path_types
from fastgate.compile.callers.requirements import Callers
from fastgate.compile.endpoints.documentation import access_of_pages
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.inheritance import Inheritance, InheritedContext
from fastgate.compile.endpoints.inner_paths import with_inner_paths
from fastgate.compile.mcp.servers import mcp_server_of
from fastgate.declare.lookup import declared_on_layers, declared_on_route, targets_of
from fastgate.declare.members import OPAQUE, TIMEOUT
from fastgate.declare.provenance import Source, sources_not_serving, sources_of
from fastgate.declare.router_marks import RouterMark
from fastgate.routes.chosen import frontend_templates
from fastgate.routes.framework import (
    View,
    app_below,
    effective_routes,
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
    for each in _endpoints_of(app, signed_root_of(app), InheritedContext(declared_on_layers(app))):
        access = pages.get((id(each.route), each.template))
        if access is not None:
            # This declaration is complete: scopes of the app's dependencies do not count.
            declared = {**each.declared, "access": access}
            each = replace(each, declared=declared, not_run=Callers())
        yield each


def endpoints_mounted_at(
    app: object, template: str, holders: tuple[object, ...] = ()
) -> Iterator[Endpoint]:
    """Read an app as if it were mounted at `template`, without inheriting anything."""
    if not is_among(app, holders):
        yield from _endpoints_of(app, template, InheritedContext(), holders)


def _endpoints_of(
    app: object,
    prefix: str,
    around: InheritedContext,
    holders: tuple[object, ...] = (),
    unserved_sources: tuple[Source, ...] = (),
) -> Iterator[Endpoint]:
    holders = (*holders, app, getattr(app, "_base_app", app))
    inheritance = Inheritance(app, around)
    served = _served(inheritance, app, prefix, holders, unserved_sources)
    yield from with_inner_paths(inheritance, prefix, served)
    for part in inheritance.unused():
        yield Endpoint(Kind.DECLARATION, prefix + part, None, "at_edge(below=…)", app)


def _served(
    inheritance: Inheritance,
    app: object,
    prefix: str,
    holders: tuple[object, ...],
    unserved_sources: tuple[Source, ...],
) -> Iterator[Endpoint]:
    router = router_of(app)
    frontends: list[Endpoint] = []
    for (route, view), through in zip(effective_routes(app), taken_through(app), strict=True):
        sources = (source for part in (router, *through, route) for source in sources_of(part))
        not_serving = (*unserved_sources, *sources_not_serving(sources, (*holders, router)))
        for endpoint in _of_route(
            inheritance, (route, view, through), prefix, holders, not_serving
        ):
            endpoint = (
                endpoint
                if endpoint.unserved_sources
                else replace(endpoint, unserved_sources=not_serving)
            )
            if next(frontend_templates(route, view), None) is not None:
                frontends.append(endpoint)
            else:
                yield endpoint
    # FastAPI tries frontends last, the most specific of all routers first.
    yield from sorted(frontends, key=lambda it: -len(it.template.removesuffix("/{path:path}")))


def _of_route(
    inheritance: Inheritance,
    found: tuple[View, View, tuple[object, ...]],
    prefix: str,
    holders: tuple[object, ...],
    unserved_sources: tuple[Source, ...],
) -> Iterator[Endpoint]:
    route, view, through = found
    path = getattr(view, "path", None)
    template = prefix + path if isinstance(path, str) else prefix
    if frontends := list(frontend_templates(route, view)):
        for path, frontend in frontends:
            context = inheritance.inherited_by(view, path, through)
            yield _with(context, holders, _frontend(prefix + path, frontend, view, holders[-1]))
        return
    context = inheritance.inherited_by(view, path, through)
    if isinstance(route, Mount):
        yield from _mounted(
            handled_route(route, view), template, context, holders, unserved_sources
        )
    elif isinstance(route, Route):
        found_here = _endpoint(Kind.HTTP, template, _methods(view), view, holders[-1])
        yield _with(context, holders, found_here)
    elif isinstance(route, WebSocketRoute):
        found_here = _endpoint(Kind.WEBSOCKET, template, ("GET",), view, holders[-1])
        yield _with(context, holders, found_here)
    else:
        name = type(route).__name__
        yield Endpoint(Kind.UNKNOWN, template, None, name, route)


def _with(context: InheritedContext, holders: tuple[object, ...], endpoint: Endpoint) -> Endpoint:
    return replace(
        endpoint,
        inherited=context.inherited,
        conflicting=context.conflicting,
        not_run=context.not_run,
        listed=context.listed,
        declared_by_mounts=context.declared_by_mounts,
        routers=context.routers,
        holders=holders,
    )


def _mounted(
    mount: View,
    template: str,
    context: InheritedContext,
    holders: tuple[object, ...],
    unserved_sources: tuple[Source, ...],
) -> Iterator[Endpoint]:
    app = mount.app
    below = template + "/{path:path}"
    name = mount.name or type(app).__name__
    members = declared_on_route(mount)
    holder = app_below(mount)
    hidden: tuple[Endpoint, ...] = ()
    targets = tuple(targets_of(mount))
    whole = next((each for each in map(routed_app, targets) if each is not None), None)
    if is_opaque(mount) and whole is not None:
        below_it = endpoints_mounted_at(whole, template, holders)
        hidden = tuple(each for each in below_it if each.declared or each.inherited)
    if holder is not None and is_among(holder, holders):
        again = Endpoint(Kind.CYCLE, below, None, name, app, declared=members, route=mount)
        yield _with(context, holders, again)
    elif holder is not None:
        yield from _endpoints_of(
            holder, template, context.through(members), holders, unserved_sources
        )
    else:
        methods = ("GET", "HEAD") if isinstance(app, StaticFiles) else None
        found = _with(
            context, holders, Endpoint(Kind.APP, below, methods, name, app, hidden=hidden)
        )
        found = replace(found, targets=targets, route=mount)
        own = ("websocket", OPAQUE)
        plain = {key: value for key, value in members.items() if key not in own}
        yield replace(found, declared=plain)
        if members.get("websocket"):
            not_http = {key: plain[key] for key in plain if key not in ("methods", TIMEOUT)}
            yield replace(
                found,
                kind=Kind.WEBSOCKET,
                methods=("GET",),
                declared=not_http,
                hidden=(),
                targets=(),
            )
    root_path = root_path_of(getattr(holder, "_base_app", holder))
    if root_path == template:
        root_path = ""
    yield Endpoint(
        Kind.MOUNT,
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
    mcp = mcp_server_of(view.endpoint, app, getattr(view, "path", None))
    found = Endpoint(
        kind,
        template,
        methods if mcp is None else mcp.methods,
        view.name,
        view.endpoint,
        getattr(view, "operation_id", None),
        declared=declared_on_route(view),
        targets=tuple(targets_of(view)),
        route=getattr(view, "original_route", view),
        mcp=mcp,
    )
    return _with_dependencies(found, view, app)


def _with_dependencies(endpoint: Endpoint, view: View, app: object) -> Endpoint:
    """Add the requirements of the dependencies that FastAPI runs, and of those overridden."""
    written = getattr(view, "dependant", None)
    run = effective_dependencies(written, view, app)
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
        written=written,
        weakened=run.weakened,
        uncallable=run.uncallable,
    )


def _calls(dependant: Dependant) -> tuple[object, ...]:
    calls = (dependency.call for dependency in flatten(dependant))
    return tuple(call for call in calls if not isinstance(call, RouterMark))


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
