"""Find each `requires(…)` that no route depends on.

Input: an app, and the requirements that were recorded while it was loaded. Output: a sentence for
each that FastAPI runs for no route and that the compiler does not report as a fault. This may be
intended, as in a module with the requirements of several apps, so it is a note and not a fault.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from types import ModuleType
from typing import TypeAlias

from starlette.routing import Host, Mount

from fastgate.compile.cache import cached
from fastgate.compile.caller_faults import unread_requirement_faults
from fastgate.compile.callers.dependency_tree import (
    Dependant,
    called_objects,
    dependant_of_listed,
    dependencies_in,
    flatten,
    parameters_of,
)
from fastgate.compile.callers.lost_requirements import (
    requirements_referred_to,
    values_of_functions_that_run_requirements,
)
from fastgate.compile.callers.model_fields import dependencies_in_fields
from fastgate.compile.callers.object_graph import Graph, methods_of_class
from fastgate.compile.callers.unread_signatures import unread_requirements
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.listing import endpoints
from fastgate.declare.lookup import is_router, targets_of
from fastgate.declare.provenance import dependencies_of
from fastgate.declare.recorded_calls import WrittenRequirement
from fastgate.declare.static_access import attribute, is_a
from fastgate.requires import Requires
from fastgate.routes.framework import effective_routes, router_of

_Key: TypeAlias = tuple[str, object]
"""`file:line`, and what is required there."""


def unused_requirements(app: object, written: Sequence[WrittenRequirement]) -> list[str]:
    """Return a sentence for each requirement that no route of `app` depends on, in order.

    Equal requirements of one line are one, as they are for FastAPI. If one is in use, so is an
    equal one that shares its annotation: `typing` returns the same object for two annotations
    `Annotated[Identity, Depends(requires(…))]` that are equal. So is one in the text of an
    annotation, because FastAPI evaluates that again for each copy of a route.
    """
    kept = [each.dependency() for each in written]
    keys = [(each.where, each.requirement) for each in written]
    left = dict.fromkeys(keys)
    of_object = {id(each): key for each, key in zip(kept, keys, strict=True) if each is not None}
    pairs = [*zip(written, keys, strict=True)]
    texts = {key for each, key in pairs if each.is_text}
    sharing = {key for each, key in pairs if each.shares_annotation}
    equal = dict[object, set[_Key]]()
    for key in keys:
        equal.setdefault(key[1], set()).add(key)
    places = dict[object, str]()
    uses = _uses_in(app)
    while left and (used := next(uses, None)) is not None:
        found = of_object.get(id(used))
        if found is not None:
            places.setdefault(used.requirement, found[0])
        for key in equal.get(used.requirement, ()):
            # An unknown object is older than the record.
            is_shared = key in sharing and (found is None or found in sharing)
            if key == found or key in texts or is_shared:
                left.pop(key, None)
    return [_sentence(key, places.get(key[1])) for key in left]


def _sentence(key: _Key, place: str | None) -> str:
    where, required = key
    elsewhere = "" if place is None else f"; an equal one is in use at {place}"
    return f"{where}: {required!r} has no effect: no route depends on it{elsewhere}"


def _uses_in(app: object) -> Iterator[Requires]:
    """Yield the requirements that are in use, those that are found at the least cost first."""
    served = [*endpoints(app)]
    for endpoint in served:
        yield from _called_in(chain(endpoint.dependencies, (call for call, _ in endpoint.listed)))
    for endpoint in served:
        yield from _of_this_type(requirements_referred_to(endpoint.source, endpoint.tree))
        for field in dependencies_in_fields(endpoint.tree):
            yield from _called_in(each.call for each in flatten(field.tree))
        yield from _dropped_at(endpoint)
        yield from _unread_at(endpoint)
        for holder in (*endpoint.holders, *endpoint.routers):
            yield from cached(_listed_by, holder)
        yield from _run_by(endpoint.source, endpoint.tree)
    # Apps in mounts that the edge has one route for, and in wrappers.
    for router in filter(is_router, Graph((app,), _parts_of_app).objects.values()):
        for _, view in effective_routes(router):
            tree = getattr(view, "dependant", None)
            yield from _called_in(each.call for each in flatten(tree))
            yield from _run_by(getattr(view, "endpoint", None), tree)


def _called_in(calls: Iterable[object]) -> Iterator[Requires]:
    for call in calls:
        yield from _of_this_type(called_objects(call))


def _dropped_at(endpoint: Endpoint) -> Iterator[Requires]:
    """Yield what is required in annotations that FastAPI does not read completely: a fault."""
    for each in (endpoint.tree, *flatten(endpoint.tree)) if endpoint.callers.dropped else ():
        for parameter in parameters_of(each).values():
            written = dependencies_in(parameter.annotation)
            tree = dependant_of_listed([it for it in written if it.dependency is not None], "/")
            yield from _called_in(it.call for it in flatten(tree))


def _unread_at(endpoint: Endpoint) -> Iterator[Requires]:
    """Yield what its functions require in signatures that FastAPI does not read, if a fault."""
    target = endpoint.source if endpoint.kind in (Kind.HTTP, Kind.WEBSOCKET) else None
    if any(unread_requirement_faults(endpoint)):
        for unread in unread_requirements(target, endpoint.tree):
            listed = [each for each in unread.dependencies if each.dependency is not None]
            tree = dependant_of_listed(listed, "/")
            yield from _called_in(each.call for each in flatten(tree))


def _listed_by(holder: object) -> list[Requires]:
    """Return what an app or a router lists: if FastAPI does not run that, it is a fault."""
    listed = dependant_of_listed(dependencies_of(router_of(holder)), "/")
    return [*_called_in(each.call for each in flatten(listed))]


def _run_by(target: object, dependant: Dependant) -> Iterator[Requires]:
    """Yield what an endpoint and its dependencies run themselves, also from objects they use."""
    for call in (target, *(each.call for each in flatten(dependant))):
        yield from cached(_run_in, call)


def _run_in(call: object) -> list[Requires]:
    methods = methods_of_class(call) if is_a(call, type) else ()
    functions = (call, *chain.from_iterable(methods))
    values = chain.from_iterable(map(values_of_functions_that_run_requirements, functions))
    begin = [each for each in values if not is_a(each, ModuleType)]
    return [*_of_this_type(Graph(begin).objects.values())]


def _of_this_type(found: Iterable[object]) -> Iterator[Requires]:
    yield from (each for each in found if is_a(each, Requires))  # type: ignore[misc]


def _parts_of_app(part: object) -> Iterator[object]:
    """Yield the routes and the middleware of an app, and what a mount or a route runs."""
    if is_router(part):
        yield from (route for route, _ in effective_routes(part))
        yield from attribute(part, "user_middleware") or ()  # type: ignore[misc]
    elif is_a(part, Mount, Host):
        yield from targets_of(part)
    elif (endpoint := attribute(part, "endpoint")) is not None:
        yield endpoint
