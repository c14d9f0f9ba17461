"""Find calls of `at_edge` on objects that no route serves.

Input: what an app serves, and the calls that were recorded while it was loaded. Output: the calls
on objects that are not served. This may be intended, as in an unused module, so it is reported as a
note and not as a fault.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from types import FunctionType, MethodType

from fastgate.compile.callers.object_graph import methods_of_class, mro_of
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.listing import endpoints
from fastgate.compile.endpoints.locations import name_of
from fastgate.compile.ineffective.comparison import layers_of
from fastgate.declare.lookup import call_of, layers
from fastgate.declare.recorded_calls import Call, object_key
from fastgate.declare.static_access import is_a
from fastgate.declare.stored_marks import marks_of_method
from fastgate.routes.framework import routed_app


def unserved(app: object, calls: Sequence[Call]) -> list[str]:
    """Return a sentence for each call on an object that `app` does not serve, in order."""
    if not calls:
        return []
    served = {object_key(each) for each in chain(layers(app), layers(routed_app(app)))}
    for endpoint in endpoints(app):
        for each in _parts_of(endpoint):
            # A restriction on a method also holds for copies of its object.
            restrictive = (mark.key for mark in marks_of_method(each) if mark.restrictive_members())
            served |= {object_key(each), *restrictive}
    return [_described(call) for call in calls if object_key(call.target) not in served]


def _parts_of(endpoint: Endpoint) -> Iterator[object]:
    """Yield the objects from which an endpoint reads, inherits or compares declarations."""
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


def _described(call: Call) -> str:
    members = dict(call.members)
    if call.below is not None:
        members = {"below": call.below, **members}
    written = ", ".join(f"{name}={value!r}" for name, value in members.items())
    return f"{call.where}: at_edge({written}) has no effect: no route serves {name_of(call.target)}"
