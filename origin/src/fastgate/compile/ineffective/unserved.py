"""Find calls of `at_edge` on objects that no route serves.

In: what an app serves, and the calls that were recorded while it was loaded. Out: those that are of
nothing that is served. That may be meant, as in a module that is not in use: it is for people to
read, and no fault.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from types import FunctionType, MethodType

from fastgate.compile.callers.object_graph import methods_of_class, mro_of
from fastgate.compile.endpoints.listing import Endpoint, endpoints
from fastgate.compile.ineffective.comparison import layers_of, name_of
from fastgate.declare.lookup import call_of, layers
from fastgate.declare.recorded_calls import Call, key_of
from fastgate.declare.static_access import is_a
from fastgate.declare.stored_marks import marks_of_method
from fastgate.routes.framework import routed_app


def unserved(app: object, calls: Sequence[Call]) -> list[str]:
    """Return what is declared of nothing that `app` serves, in words, in the order of the calls."""
    if not calls:
        return []
    served = {key_of(each) for each in chain(layers(app), layers(routed_app(app)))}
    for endpoint in endpoints(app):
        for each in _parts_of(endpoint):
            # What closes a method of an object closes it for copies of that object, too.
            closed = (mark.key for mark in marks_of_method(each) if mark.asks())
            served |= {key_of(each), *closed}
    return [_in_words(call) for call in calls if key_of(call.target) not in served]


def _parts_of(endpoint: Endpoint) -> Iterator[object]:
    """Yield what a declaration of an endpoint is read of, inherited from or compared with."""
    listed = (dependency for dependency, _ in endpoint.listed)
    for layer in chain(
        layers_of(endpoint),
        *(layers(each, mounted=False) for each in (*endpoint.dependencies, *listed)),
    ):
        yield layer
        if is_a(call := call_of(layer), FunctionType):
            yield MethodType(call, layer)  # type: ignore[arg-type]
        if is_a(layer, type):
            yield from mro_of(layer)
            yield from chain.from_iterable(methods_of_class(layer))
    yield from (*endpoint.holders, *endpoint.routers, endpoint.route)
    for hidden in endpoint.hidden:
        yield from _parts_of(hidden)


def _in_words(call: Call) -> str:
    members = dict(call.members)
    if call.below is not None:
        members = {"below": call.below, **members}
    written = ", ".join(f"{name}={value!r}" for name, value in members.items())
    return f"{call.where}: at_edge({written}) is of {name_of(call.target)}, which no route has"
