"""Find declarations that stand where nobody reads them: a closing one would be lost.

In: an app's endpoints, and the app. Out: for each mark that is not read and says something else
than its endpoint, what it says and where to write it. Nothing is changed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from gc import get_referents
from itertools import chain
from types import FunctionType, MethodType
from typing import NamedTuple, TypeAlias

from fastgate.declare import OF_KNOWN_CALLERS, OPAQUE, declared
from fastgate.endpoints import Endpoint, Kind, endpoints_below, place_of
from fastgate.formerly import FORMERLY
from fastgate.inheritance import lost_in_inclusions
from fastgate.marks import declared_through, is_router, layers, targets_of
from fastgate.naming import access_of, says_callers
from fastgate.reach import Graph, mro_of
from fastgate.routing import apps_within, declared_of, effective_routes, routed_app
from fastgate.static import attribute, is_a, own

_HIDDEN = (
    "let the wrapper have its app as its attribute app, without opaque, so that its routes are "
    "seen, or take that declaration away"
)

_OF_ONE_ROUTE = frozenset((FORMERLY, OPAQUE, "id", "methods", "path"))
"""What says nothing of callers, and need not be said where it was meant for another route."""


class Unread(NamedTuple):
    """A declaration within the reach of an endpoint that is not read of it."""

    endpoint: Endpoint
    what: str
    remedy: str


def unread(app: object, found: Sequence[Endpoint]) -> Iterator[Unread]:
    """Yield the declarations that no route of `app` has; `found` is everything that it serves."""
    yield from _around(app)
    yield from _of_middleware(routed_app(app))
    yield from _of_included_routers(routed_app(app))
    read = {id(each) for each in layers(routed_app(app))}
    for endpoint in found:
        read |= {id(each) for each in _layers(endpoint)}
    told = set[tuple[int, int]]()
    for each in (*_of_itself(found), *_within_reach(found, read)):
        key = (id(each.endpoint), id(each.target))
        if key not in told:
            told.add(key)
            yield _unread(each)
    yield from _behind_wrappers(found)


# What stands around a whole app.


def _around(app: object) -> Iterator[Unread]:
    """Yield what is said around a whole app, where a guard in its middleware does not see it."""
    served = routed_app(app)
    said, inside = declared_of(served), {id(each) for each in layers(served)}
    outside = [each for each in layers(app) if id(each) not in inside]
    for each in (*outside, *(kind for layer in outside for kind in mro_of(type(layer)))):
        yield from _not_of_the_app(each, said, "what is around the app")


def _of_middleware(served: object) -> Iterator[Unread]:
    for app in apps_within(served):
        said = declared_of(app)
        for entry in getattr(app, "user_middleware", ()):
            marked = dict[int, object]()
            for part in (entry.cls, *entry.args, *entry.kwargs.values()):
                found = list(layers(part, mounted=False))
                if is_a(part, type):
                    found += [*mro_of(part), *chain.from_iterable(_methods(part))]
                marked |= {id(each): each for each in found}
            for target in marked.values():
                yield from _not_of_the_app(target, said, "the app's middleware")


def _of_included_routers(served: object) -> Iterator[Unread]:
    for app in apps_within(served):
        for route, names in lost_in_inclusions(app):
            path, source = str(getattr(route, "path", "/")), getattr(route, "endpoint", route)
            endpoint = Endpoint(Kind.NOTHING, path, None, _name_of(source), source)
            what = f"does not have what is declared on its router: {', '.join(names)}"
            yield Unread(endpoint, what, "add it by the router's own methods, or say it of it, too")


def _not_of_the_app(target: object, said: Mapping[str, object], what: str) -> Iterator[Unread]:
    if names := _differing(target, said):
        endpoint = Endpoint(Kind.NOTHING, "/", None, _name_of(target), target)
        yield Unread(
            endpoint,
            f"has a declaration that is not read: {', '.join(names)} of {what}",
            "mark the app itself, at_edge(…)(app): then the policy and a running app agree",
        )


# What an endpoint has within its reach.


_Roots: TypeAlias = Sequence[tuple[Endpoint, Sequence[int]]]
"""Endpoints, each with the ids of its layers and of those of its dependencies."""


class _Lost(NamedTuple):
    endpoint: Endpoint
    target: object
    names: Sequence[str]
    remedy: str


def _is_app(endpoint: Endpoint) -> bool:
    return endpoint.kind in (Kind.APP, Kind.BELOW)


def _layers(endpoint: Endpoint) -> Iterator[object]:
    for target in endpoint.targets:
        yield from layers(target, mounted=_is_app(endpoint))


def _said(endpoint: Endpoint) -> tuple[dict[str, object], dict[str, object]]:
    """Return what an endpoint says itself, and the same with what it inherits."""
    here = dict(endpoint.declared)
    if endpoint.kind is Kind.BELOW:
        for target in reversed(endpoint.targets):
            here |= declared_through(target)
    if says_callers(endpoint):  # by its dependencies
        here = {"scopes": list(endpoint.callers.scopes), **here, "access": access_of(endpoint)}
    return here, {**endpoint.inherited, **here}


def _differing(target: object, said: Mapping[str, object], apart: Iterable[str] = ()) -> list[str]:
    members = declared(target)
    names = [name for name in members if name not in said or said[name] != members[name]]
    return [name for name in names if name not in apart]


def _not_to_be_said(here: Mapping[str, object]) -> set[str]:
    """Return the members that may be other ones within reach, as an endpoint says what it says.

    Where everybody may call, nothing is asked of a caller.
    """
    of_callers = "access" not in here or here["access"] == "authenticated"
    return {*here, *_OF_ONE_ROUTE, *(() if of_callers else OF_KNOWN_CALLERS)}


def _of_itself(found: Sequence[Endpoint]) -> Iterator[_Lost]:
    """Yield what is declared of methods and bases of endpoints that are classes, of dependencies.

    Such a declaration is meant for this very endpoint, so that it must say the same.
    """
    for endpoint in found:
        here, said = _said(endpoint)
        for layer in _layers(endpoint):
            if not is_a(layer, type):
                continue
            for base in mro_of(layer)[1:]:
                if names := _differing(base, said, here):
                    remedy = "say it of the endpoint or app itself: no class hands it on"
                    yield _Lost(endpoint, base, names, remedy)
            for parts in _methods(layer):
                for method in [each for each in parts if _differing(each, said)][:1]:
                    names = _differing(method, said)
                    remedy = "say it of the class, or write an endpoint for each method"
                    yield _Lost(endpoint, method, names, remedy)
        for dependency in endpoint.dependencies:
            for layer in layers(dependency, mounted=False):
                if names := _differing(layer, said):
                    yield _Lost(endpoint, layer, names, _say(names))


def _methods(kind: object) -> Iterator[list[object]]:
    """Yield the layers of each method of a class, in whatever descriptor it is."""
    functions = (FunctionType, MethodType, partial)
    for base in mro_of(kind):
        for value in list(own(base).values()):
            if is_a(value, type):
                continue
            parts = () if is_a(value, *functions) else (*get_referents(value), *own(value).values())
            inner = (part for part in parts if is_a(part, *functions))
            yield [each for part in (value, *inner) for each in layers(part, mounted=False)]


def _within_reach(found: Sequence[Endpoint], read: set[int]) -> Iterator[_Lost]:
    """Yield what is marked in closures, attributes and the like, where the endpoint is silent."""
    for mounted in (False, True):
        graph, roots = _graph_of([each for each in found if _is_app(each) is mounted])
        marked = {
            key: declared(target)
            for key, target in graph.objects.items()
            if key not in read and not is_router(target) and declared(target)
        }
        lost: dict[tuple[int, int], _Lost] = {}
        for name in dict.fromkeys(name for members in marked.values() for name in members):
            # Not once for each endpoint: most of them inherit the same.
            for value, silent in _silent_about(name, roots):
                other = [
                    key
                    for key, members in marked.items()
                    if name in members and (value is _NOTHING or members[name] != value)
                ]
                nearest = graph.reached_from(other)
                for endpoint, keys in silent:
                    if (target := _nearest(graph, nearest, keys)) is not None:
                        key = (id(endpoint), id(target))
                        before = lost[key].names if key in lost else ()
                        names = (*before, name)
                        lost[key] = _Lost(endpoint, target, names, _say(names))
        yield from lost.values()
        nearest = graph.reached_from(graph.cut)
        for endpoint, keys in roots:
            target = _nearest(graph, nearest, keys)
            if target is not None and "access" not in _said(endpoint)[0]:
                yield _Lost(endpoint, target, (), _say(["access"]))


_NOTHING = object()


def _silent_about(name: str, roots: _Roots) -> list[tuple[object, _Roots]]:
    """Return the endpoints that do not say a member themselves, by what they inherit of it."""
    found = list[tuple[object, list[tuple[Endpoint, Sequence[int]]]]]()
    for endpoint, keys in roots:
        here, said = _said(endpoint)
        if name in _not_to_be_said(here):
            continue
        value = said.get(name, _NOTHING)
        alike = next((each for known, each in found if known is value or known == value), None)
        if alike is None:
            found.append((value, [(endpoint, keys)]))
        else:
            alike.append((endpoint, keys))
    return [*found]


def _graph_of(found: Sequence[Endpoint]) -> tuple[Graph, _Roots]:
    begin = list[object]()
    roots = list[tuple[Endpoint, list[int]]]()
    for endpoint in found:
        objects = list(_layers(endpoint))
        for dependency in endpoint.dependencies:
            objects += layers(dependency, mounted=False)
        begin += objects
        roots.append((endpoint, [id(each) for each in objects]))
    served = {id(app) for endpoint in found for app in endpoint.holders}
    mounted = any(map(_is_app, found))

    def held_by(app: object) -> Iterator[object]:
        """Return what an app mounts that no route leads to: it may hide the next one."""
        if mounted and id(app) not in served:
            for route, _ in effective_routes(app):
                if getattr(route, "endpoint", None) is None:
                    yield from targets_of(route)

    return Graph(begin, held_by), roots


def _nearest(graph: Graph, nearest: Mapping[int, int], keys: Sequence[int]) -> object:
    key = next((nearest[key] for key in keys if key in nearest), None)
    return None if key is None else graph.objects[key]


def _say(names: Sequence[str]) -> str:
    written = ", ".join(f"{name}=…" for name in names)
    return f"say it of the endpoint, or of what is mounted, itself: at_edge({written})"


def _unread(lost: _Lost) -> Unread:
    if lost.names:
        what = f"has a declaration that is not read: {', '.join(lost.names)} of "
    else:
        what = "has more within its reach than is looked at, so a declaration may be lost, beyond "
    what += f"{_name_of(lost.target)} ({place_of(lost.target)})"
    return Unread(lost.endpoint, what, lost.remedy)


def _name_of(target: object) -> str:
    named = target if is_a(target, FunctionType, type) else type(target)
    return str(attribute(named, "__qualname__"))


# Apps that a mounted wrapper calls, and does not hand on.


def _behind_wrappers(found: Sequence[Endpoint]) -> Iterator[Unread]:
    graph, roots = _graph_of([endpoint for endpoint in found if _is_app(endpoint)])
    for key, app in graph.objects.items():
        if not is_router(app):
            continue
        nearest = graph.reached_from([key])
        for endpoint, keys in roots:
            seen = (*endpoint.holders, *_layers(endpoint))
            if any(app is each for each in seen) or _nearest(graph, nearest, keys) is None:
                continue
            here, said = _said(endpoint)
            if names := _differing(app, said, _not_to_be_said(here)):
                yield _unread(_Lost(endpoint, app, names, _say(names)))
            for hidden in endpoints_below(app, endpoint.template.removesuffix("/{path:path}")):
                members = {**hidden.inherited, **hidden.declared}
                if names := [name for name in members if said.get(name) != members[name]]:
                    what = f"has a declaration that is not read: {', '.join(names)} of {hidden}"
                    yield Unread(endpoint, what, _HIDDEN)
