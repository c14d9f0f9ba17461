"""Find declared paths within an app that is judged as a whole: they have no effect.

In: an endpoint that takes everything below a path: a mounted app whose routes are not seen, a
frontend, a function with a path parameter; and what `at_edge(below=…)` declares of paths in there.
Out: the members of which the unit, which has one route at the edge, says something else.
"""

from collections.abc import Iterable, Iterator, Mapping

from fastgate.compile.endpoints.listing import Endpoint
from fastgate.compile.endpoints.route_ids import access_of, members_of
from fastgate.declare.at_edge import ACCESS
from fastgate.declare.merge import OF_KNOWN_CALLERS, OPEN


def overruled(endpoint: Endpoint) -> Iterator[tuple[str, list[str]]]:
    """Yield each path within a unit that is to be closed further, with the members that say so."""
    for part, said in endpoint.parts.items():
        if names := [name for name, value in said.items() if _is_lost(endpoint, name, value, said)]:
            yield part, sorted(names)


def _is_lost(endpoint: Endpoint, name: str, value: object, said: Mapping[str, object]) -> bool:
    access = said.get("access")
    has = members_of(endpoint)
    if name == "access":
        return value != has[name] and _strictness(value) >= _strictness(access_of(endpoint))
    if name == "methods" or (name in OF_KNOWN_CALLERS and access in OPEN):
        return False
    if name == "scopes":
        return has["access"] in OPEN or not {*_listed(value)} <= {*_listed(has.get(name))}
    return has.get(name) != value


def _strictness(access: object) -> int:
    return ACCESS.index(access) if access in ACCESS else len(ACCESS)


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, (list, tuple)) else ()
