"""Find declarations for paths within an endpoint that has a single route at the edge.

Input: an endpoint that takes everything below a path (a mounted app without visible routes, a
frontend, or a function with a path parameter), and the declarations of `at_edge(below=…)` for paths
within it. Output: the members that the endpoint's route sets differently, so that the declaration
has no effect.
"""

from collections.abc import Iterator, Mapping

from fastgate.compile.callers.regions import REGIONS
from fastgate.compile.callers.requirements import COMPARABLE, covers
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.route_ids import access_of, members_of
from fastgate.declare.members import ACCESS
from fastgate.declare.merge import CALLER_REQUIREMENTS, OPEN


def overridden_paths(endpoint: Endpoint) -> Iterator[tuple[str, list[str]]]:
    """Yield each path with stricter members than the endpoint has, and the names of these."""
    for part, members in endpoint.parts.items():
        if names := [
            name
            for name, value in members.items()
            if _is_overridden(endpoint, name, value, members)
        ]:
            yield part, sorted(names)


def _is_overridden(
    endpoint: Endpoint, name: str, value: object, members: Mapping[str, object]
) -> bool:
    access = members.get("access")
    has = members_of(endpoint)
    if name == "access":
        return value != has[name] and _strictness(value) >= _strictness(access_of(endpoint))
    if name == "methods" or (name in CALLER_REQUIREMENTS and access in OPEN):
        return False
    if name == REGIONS:
        return not covers(name, has.get(name), value)
    if name in COMPARABLE:
        return has["access"] in OPEN or not covers(name, has.get(name), value)
    return has.get(name) != value


def _strictness(access: object) -> int:
    return ACCESS.index(access) if access in ACCESS else len(ACCESS)
