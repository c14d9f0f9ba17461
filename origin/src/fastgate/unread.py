"""Find declarations that stand where nobody reads them: a closing one would be lost.

In: an app's endpoints, and the app. Out: for each mark that is not read and says something else
than its endpoint, what it says and where to write it. Nothing is changed.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fastgate.declare import declared, declared_below
from fastgate.endpoints import Endpoint, Kind, place_of
from fastgate.marks import Reached, declared_through, layers, within_reach


class Unread(NamedTuple):
    """A declaration within the reach of an endpoint that is not read of it."""

    endpoint: Endpoint
    what: str
    remedy: str


def unread(app: object, found: Sequence[Endpoint]) -> Iterator[Unread]:
    """Yield the declarations that no route of `app` has; `found` is everything that it serves."""
    read = {id(each) for each in layers(app)}
    for endpoint in found:
        for target in endpoint.targets:
            read |= {id(each) for each in layers(target, mounted=_is_app(endpoint))}
    for endpoint in found:
        told = set[int]()
        for reached in _within_reach(endpoint):
            known = id(reached.target) in read and not reached.its_own
            if known or id(reached.target) in told:
                continue
            told.add(id(reached.target))
            if names := _lost(reached, endpoint):
                yield _unread(reached, endpoint, names)


def _within_reach(endpoint: Endpoint) -> Iterator[Reached]:
    for target in endpoint.targets:
        yield from within_reach(target, mounted=_is_app(endpoint))
    for dependency in endpoint.dependencies:
        for layer in layers(dependency, mounted=False):
            if declared(layer):
                yield Reached(layer, its_own=False)
        yield from within_reach(dependency, mounted=False)


def _is_app(endpoint: Endpoint) -> bool:
    return endpoint.kind in (Kind.APP, Kind.BELOW)


def _lost(reached: Reached, endpoint: Endpoint) -> list[str]:
    """Return the names of members that the endpoint does not have as they are declared."""
    declared_here = dict(endpoint.declared)
    if endpoint.kind is Kind.BELOW:
        for target in reversed(endpoint.targets):
            declared_here |= declared_through(target)
    said = {**endpoint.inherited, **declared_here}
    own = declared_here if inspect.isclass(reached.target) else {}
    names = [
        name
        for name, value in declared(reached.target).items()
        if name not in own and (name not in said or said[name] != value)
    ]
    return names + (["below"] if declared_below(reached.target) else [])


def _unread(reached: Reached, endpoint: Endpoint, names: Sequence[str]) -> Unread:
    name = getattr(reached.target, "__qualname__", type(reached.target).__qualname__)
    what = f"has a declaration that is not read: {', '.join(names)} of {name}"
    if inspect.isclass(reached.target):
        remedy = "say it of the endpoint or app itself: no class hands it on"
    elif inspect.isclass(endpoint.source):
        remedy = "say it of the class, or write an endpoint for each: they are one route"
    else:
        remedy = "say it of the endpoint, or of what is mounted: the outermost object"
    return Unread(endpoint, f"{what} ({place_of(reached.target)})", remedy)
