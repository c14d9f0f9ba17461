"""Find declarations without effect: a restriction that nothing enforces would be dangerous.

Input: an app's endpoints, and the app. Output: for each mark that is not read, and that differs
from the members of its endpoint, what it declares and where to write it. This module searches the
objects that endpoints refer to; `enclosing` searches what is around them, and `delegates` the apps
that they call.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from fastgate.compile.callers.object_graph import (
    Graph,
    methods_of_class,
    mro_of,
    referenced_functions,
)
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.route_ids import has_caller_dependency
from fastgate.compile.ineffective.comparison import (
    EffectiveMembers,
    IneffectiveDeclaration,
    IneffectiveMark,
    differing,
    holds,
    layers_of,
    members_free_to_differ,
    more_open,
    own_and_effective_members,
    remedy_for,
    remedy_to_declare,
)
from fastgate.compile.ineffective.delegates import (
    Roots,
    ServedObjects,
    apps_called_by_handlers,
    graph_of,
    hidden_declarations,
    nearest_of,
)
from fastgate.compile.ineffective.enclosing import around_endpoints, around_the_app, default_apps
from fastgate.declare.lookup import is_router, layers
from fastgate.declare.provenance import declared_in
from fastgate.declare.static_access import attribute, is_a
from fastgate.declare.stored_marks import MethodMark, declared, marked_wrappers, marks_of_method
from fastgate.routes.framework import routed_app

_ABOVE_THE_ROUTE = (
    "write the route's decorator above all others, so that the outermost wrapper is served, or "
    "declare it directly below the route's decorator"
)


def ineffective_declarations(
    app: object, found: Sequence[Endpoint]
) -> Iterator[IneffectiveDeclaration]:
    """Yield the declarations that no route of `app` has; `found` is everything that it serves."""
    yield from around_the_app(app)
    read = set(_ids_of(layers(routed_app(app))))
    for endpoint in found:
        read.update(_ids_of(layers_of(endpoint)))
        # A mark on a method that is a dependency is compared as such.
        for call in (*endpoint.dependencies, *(call for call, _ in endpoint.listed)):
            marks = map(marks_of_method, layers(call, mounted=False))
            read |= {id(mark) for mark in chain.from_iterable(marks)}
    reported = set[tuple[int, int]]()
    listed = ServedObjects(found)
    within = chain(_of_itself(found), _around_it(found, read), _within_reach(found, read, listed))
    for each in chain(within, around_endpoints(app, found, read)):
        key = (id(each.endpoint), id(each.target))
        if key not in reported:
            reported.add(key)
            yield each.as_declaration()
    yield from default_apps(app, found)
    yield from _of_apps_left_out(found)
    yield from hidden_declarations(found, listed)
    yield from apps_called_by_handlers(app, listed)


def _ids_of(served: Iterable[object]) -> Iterator[int]:
    """Yield the ids of served objects, and of the marks of their methods."""
    for layer in served:
        yield id(layer)
        yield from map(id, marks_of_method(layer))


def _of_itself(found: Sequence[Endpoint]) -> Iterator[IneffectiveMark]:
    """Yield ineffective marks on methods and base classes of endpoints, and on their dependencies.

    Such a mark is meant for this very endpoint, so any difference is reported.
    """
    for endpoint in found:
        own_members, effective = own_and_effective_members(endpoint)
        for layer in layers_of(endpoint):
            if not is_a(layer, type):
                continue
            for base in mro_of(layer)[1:]:
                if names := differing(base, effective, own_members):
                    remedy = (
                        "declare it on the endpoint or app itself: a base class does not pass it on"
                    )
                    yield IneffectiveMark(endpoint, base, names, remedy)
            for parts in methods_of_class(layer):
                for method in [each for each in parts if differing(each, effective)][:1]:
                    names = differing(method, effective)
                    remedy = "declare it on the class, or write an endpoint for each method"
                    yield IneffectiveMark(endpoint, method, names, remedy)
        run = ((dependency, frozenset[str]()) for dependency in endpoint.dependencies)
        not_run = (
            (call, exempt | members_free_to_differ(own_members)) for call, exempt in endpoint.listed
        )
        for dependency, exempt in chain(run, not_run):
            for layer in layers(dependency, mounted=False):
                if names := differing(layer, effective, exempt):
                    yield IneffectiveMark(endpoint, layer, names, remedy_for(endpoint, names))


def _of_apps_left_out(found: Sequence[Endpoint]) -> Iterator[IneffectiveDeclaration]:
    """Yield declarations of marked apps and mounts whose routes are served elsewhere."""
    for endpoint in found:
        if endpoint.kind is Kind.MOUNT:
            continue
        own_members, effective = own_and_effective_members(endpoint)
        exempt = members_free_to_differ(own_members)
        for source in endpoint.unserved_sources:
            members = declared_in(source, endpoint.template)
            if names := [
                name
                for name, value in members.items()
                if name not in exempt and not holds(endpoint, effective, name, value)
            ]:
                yield IneffectiveDeclaration(
                    endpoint,
                    f"belongs to a marked {source.name} that does not serve it here, so these "
                    f"members have no effect: {', '.join(sorted(names))}",
                    f"mount that app itself; or {remedy_for(endpoint, sorted(names))}; or mark the "
                    "router before it is included",
                    {name: members[name] for name in names},
                )


def _around_it(found: Sequence[Endpoint], read: Collection[int]) -> Iterator[IneffectiveMark]:
    """Yield ineffective marks on decorators around an endpoint that its route does not call.

    If such a wrapper is an endpoint itself, its declaration has effect there. Then this endpoint
    may declare something else, or be stricter, and a partial function of it is not compared.
    """
    for endpoint in found:
        own_members, effective = own_and_effective_members(endpoint)
        within = {id(layer): layer for layer in layers_of(endpoint)}
        for layer in within.values():
            for outer in marked_wrappers(layer):
                served = id(outer) in read
                if id(outer) in within or (served and is_a(outer, partial)):
                    continue
                exempt = set[str]()
                if served:
                    exempt = {
                        *members_free_to_differ(own_members),
                        *more_open(declared(outer), effective),
                    }
                if names := differing(outer, effective, exempt):
                    yield IneffectiveMark(endpoint, outer, names, _ABOVE_THE_ROUTE)


def _within_reach(
    found: Sequence[Endpoint], read: set[int], listed: ServedObjects
) -> Iterator[IneffectiveMark]:
    """Yield ineffective marks on objects in closures, attributes and the like."""
    every = list[tuple[Endpoint, Sequence[int]]]()
    begin = list[object]()
    for asgi in (False, True):
        graph, roots = graph_of(found, listed, asgi=asgi)
        yield from _ineffective_in(graph, roots, graph.objects.keys() - read, read)
        every += roots
        begin += [graph.objects[key] for _, keys in roots for key in keys]
        nearest = graph.reached_from(graph.cut)
        for endpoint, keys in roots:
            target = nearest_of(graph, nearest, keys)
            says_itself = "access" in own_and_effective_members(endpoint)[
                0
            ] or has_caller_dependency(endpoint)
            if target is not None and not says_itself:
                yield IneffectiveMark(endpoint, target, (), remedy_to_declare(["access"]))
    # The mark of an endpoint holds for that endpoint, not for another one that calls it.
    calls = Graph(begin, references=referenced_functions)
    yield from _ineffective_in(calls, every, calls.objects.keys() & read, read)


def _ineffective_in(
    graph: Graph, roots: Roots, among: Collection[int], read: Collection[int]
) -> Iterator[IneffectiveMark]:
    """Yield marks on objects of a graph that endpoints reach and do not declare themselves."""
    marked = {
        key: declared(target)
        for key, target in graph.objects.items()
        if key in among and not is_router(target) and declared(target)
    }
    found_marks: dict[tuple[int, int], IneffectiveMark] = {}
    for name in dict.fromkeys(name for members in marked.values() for name in members):
        # Search once per inherited value: most endpoints inherit the same.
        for value, undeclared in _endpoints_not_declaring(name, roots):
            other = [
                key
                for key, members in marked.items()
                if name in members and not value.keeps(name, members[name])
            ]
            nearest = graph.reached_from(other)
            for endpoint, keys in undeclared:
                target = nearest_of(graph, nearest, keys)
                if target is not None and not (id(target) in read and id(target) in keys):
                    key = (id(endpoint), id(target))
                    before = found_marks[key].names if key in found_marks else ()
                    names = (*before, name)
                    function = attribute(target, "function")
                    meant = function if is_a(target, MethodMark) else target
                    found_marks[key] = IneffectiveMark(
                        endpoint, meant, names, remedy_for(endpoint, names)
                    )
    yield from found_marks.values()


def _endpoints_not_declaring(name: str, roots: Roots) -> list[tuple[EffectiveMembers, Roots]]:
    """Return the endpoints without a member of their own, grouped by what they inherit."""
    found = list[tuple[EffectiveMembers, list[tuple[Endpoint, Sequence[int]]]]]()
    for endpoint, keys in roots:
        own_members, effective = own_and_effective_members(endpoint)
        if name in members_free_to_differ(own_members):
            continue
        value = effective.only(name)
        alike = next((each for known, each in found if known.is_like(value)), None)
        if alike is None:
            found.append((value, [(endpoint, keys)]))
        else:
            alike.append((endpoint, keys))
    return [*found]
