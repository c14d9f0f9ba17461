"""Find declarations that have no effect where they are: one that closes would be lost.

In: an app's endpoints, and the app. Out: for each mark that is not read and says something else
than its endpoint, what it says and where to write it. Here it is looked for within the reach of
endpoints; `enclosing` looks at what is around them, `delegates` at what they hand requests to.
Nothing is changed.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from fastgate.compile.callers.object_graph import Graph, functions_held, methods_of_class, mro_of
from fastgate.compile.endpoints.listing import Endpoint, Kind
from fastgate.compile.endpoints.route_ids import says_callers
from fastgate.compile.ineffective.comparison import (
    Lost,
    Said,
    Unread,
    differing,
    holds,
    layers_of,
    more_open,
    not_to_be_said,
    said_by,
    say,
    say_of,
)
from fastgate.compile.ineffective.delegates import (
    Listed,
    Roots,
    graph_of,
    handed_on_by_handlers,
    hidden,
    nearest_of,
)
from fastgate.compile.ineffective.enclosing import apps_by_default, around_endpoints, around_the_app
from fastgate.declare.at_edge import declared
from fastgate.declare.lookup import is_router, layers
from fastgate.declare.provenance import declared_in
from fastgate.declare.static_access import attribute, is_a
from fastgate.declare.stored_marks import MethodMark, marked_around, marks_of_method
from fastgate.routes.framework import routed_app

_ABOVE_THE_ROUTE = (
    "write the route's decorator above all others, so that what they wrap is served, or say it of "
    "the endpoint itself, directly below the route's decorator"
)


def unread(app: object, found: Sequence[Endpoint]) -> Iterator[Unread]:
    """Yield the declarations that no route of `app` has; `found` is everything that it serves."""
    yield from around_the_app(app)
    read = set(_ids_of(layers(routed_app(app))))
    for endpoint in found:
        read.update(_ids_of(layers_of(endpoint)))
        # What is written of a method that is a dependency is compared where it is one.
        for call in (*endpoint.dependencies, *(call for call, _ in endpoint.listed)):
            marks = map(marks_of_method, layers(call, mounted=False))
            read |= {id(mark) for mark in chain.from_iterable(marks)}
    told = set[tuple[int, int]]()
    listed = Listed(found)
    within = chain(_of_itself(found), _around_it(found, read), _within_reach(found, read, listed))
    for each in chain(within, around_endpoints(app, found, read)):
        key = (id(each.endpoint), id(each.target))
        if key not in told:
            told.add(key)
            yield each.unread()
    yield from apps_by_default(app, found)
    yield from _of_apps_left_out(found)
    yield from hidden(found, listed)
    yield from handed_on_by_handlers(app, listed)


def _ids_of(served: Iterable[object]) -> Iterator[int]:
    """Yield the ids of what is served, and of what is written of methods of it."""
    for layer in served:
        yield id(layer)
        yield from map(id, marks_of_method(layer))


def _of_itself(found: Sequence[Endpoint]) -> Iterator[Lost]:
    """Yield what is declared of methods and bases of endpoints that are classes, of dependencies.

    Such a declaration is meant for this very endpoint, so that it must say the same.
    """
    for endpoint in found:
        here, said = said_by(endpoint)
        for layer in layers_of(endpoint):
            if not is_a(layer, type):
                continue
            for base in mro_of(layer)[1:]:
                if names := differing(base, said, here):
                    remedy = "say it of the endpoint or app itself: no class hands it on"
                    yield Lost(endpoint, base, names, remedy)
            for parts in methods_of_class(layer):
                for method in [each for each in parts if differing(each, said)][:1]:
                    names = differing(method, said)
                    remedy = "say it of the class, or write an endpoint for each method"
                    yield Lost(endpoint, method, names, remedy)
        run = ((dependency, frozenset[str]()) for dependency in endpoint.dependencies)
        not_run = ((call, apart | not_to_be_said(here)) for call, apart in endpoint.listed)
        for dependency, apart in chain(run, not_run):
            for layer in layers(dependency, mounted=False):
                if names := differing(layer, said, apart):
                    yield Lost(endpoint, layer, names, say_of(endpoint, names))


def _of_apps_left_out(found: Sequence[Endpoint]) -> Iterator[Unread]:
    """Yield what is declared of marked apps and mounts whose routes are served without them."""
    for endpoint in found:
        if endpoint.kind is Kind.BELOW:
            continue
        here, said = said_by(endpoint)
        apart = not_to_be_said(here)
        for source in endpoint.left_out:
            members = declared_in(source, endpoint.template)
            if names := [
                name
                for name, value in members.items()
                if name not in apart and not holds(endpoint, said, name, value)
            ]:
                yield Unread(
                    endpoint,
                    f"is taken from a marked {source.name} that does not serve it, so that its "
                    f"declaration is not read: {', '.join(sorted(names))}",
                    f"mount that app as it is; or {say_of(endpoint, sorted(names))}, or of the "
                    "router that is included, before it is",
                )


def _around_it(found: Sequence[Endpoint], read: Collection[int]) -> Iterator[Lost]:
    """Yield what is declared of decorators around an endpoint that its route was made without.

    Where such a wrapper is served itself, too, its declaration is read there: then the endpoint
    may say something else or be closed further, and one that is not the same function but a partial
    one means nothing.
    """
    for endpoint in found:
        here, said = said_by(endpoint)
        within = {id(layer): layer for layer in layers_of(endpoint)}
        for layer in within.values():
            for outer in marked_around(layer):
                served = id(outer) in read
                if id(outer) in within or (served and is_a(outer, partial)):
                    continue
                apart = set[str]()
                if served:
                    apart = {*not_to_be_said(here), *more_open(declared(outer), said)}
                if names := differing(outer, said, apart):
                    yield Lost(endpoint, outer, names, _ABOVE_THE_ROUTE)


def _within_reach(found: Sequence[Endpoint], read: set[int], listed: Listed) -> Iterator[Lost]:
    """Yield what is marked in closures, attributes and the like, where the endpoint is silent."""
    every = list[tuple[Endpoint, Sequence[int]]]()
    begin = list[object]()
    for asgi in (False, True):
        graph, roots = graph_of(found, listed, asgi=asgi)
        yield from _lost_in(graph, roots, graph.objects.keys() - read, read)
        every += roots
        begin += [graph.objects[key] for _, keys in roots for key in keys]
        nearest = graph.reached_from(graph.cut)
        for endpoint, keys in roots:
            target = nearest_of(graph, nearest, keys)
            says_itself = "access" in said_by(endpoint)[0] or says_callers(endpoint)
            if target is not None and not says_itself:
                yield Lost(endpoint, target, (), say(["access"]))
    # What is an endpoint itself is read of that, and not of another one that calls it.
    calls = Graph(begin, held=functions_held)
    yield from _lost_in(calls, every, calls.objects.keys() & read, read)


def _lost_in(
    graph: Graph, roots: Roots, among: Collection[int], read: Collection[int]
) -> Iterator[Lost]:
    """Yield what is marked among objects of a graph, and endpoints that reach it do not say."""
    marked = {
        key: declared(target)
        for key, target in graph.objects.items()
        if key in among and not is_router(target) and declared(target)
    }
    lost: dict[tuple[int, int], Lost] = {}
    for name in dict.fromkeys(name for members in marked.values() for name in members):
        # Not once for each endpoint: most of them inherit the same.
        for value, silent in _silent_about(name, roots):
            other = [
                key
                for key, members in marked.items()
                if name in members and not value.keeps(name, members[name])
            ]
            nearest = graph.reached_from(other)
            for endpoint, keys in silent:
                target = nearest_of(graph, nearest, keys)
                if target is not None and not (id(target) in read and id(target) in keys):
                    key = (id(endpoint), id(target))
                    before = lost[key].names if key in lost else ()
                    names = (*before, name)
                    function = attribute(target, "function")
                    meant = function if is_a(target, MethodMark) else target
                    lost[key] = Lost(endpoint, meant, names, say_of(endpoint, names))
    yield from lost.values()


def _silent_about(name: str, roots: Roots) -> list[tuple[Said, Roots]]:
    """Return the endpoints that do not say a member themselves, by what they inherit of it."""
    found = list[tuple[Said, list[tuple[Endpoint, Sequence[int]]]]]()
    for endpoint, keys in roots:
        here, said = said_by(endpoint)
        if name in not_to_be_said(here):
            continue
        value = said.only(name)
        alike = next((each for known, each in found if known.is_like(value)), None)
        if alike is None:
            found.append((value, [(endpoint, keys)]))
        else:
            alike.append((endpoint, keys))
    return [*found]
