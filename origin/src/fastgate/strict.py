"""Stop an app that the edge could not enforce before it starts.

In: an app, routes and all. Out: the ids of its routes, or `CannotCompile` with the name and file of
every endpoint that says nothing of its callers, and with whatever else keeps the app from having a
route table. It also finds what tests leave behind: an overridden dependency of this package.
"""

from fastgate.dependencies import any_caller, fastgate
from fastgate.endpoints import Endpoint, Kind
from fastgate.policy import CannotCompile, Fault, route_ids
from fastgate.routing import apps_within


def ids_or_no_start(app: object) -> dict[tuple[str, str], str]:
    """Return `route_ids`; raise `CannotCompile` if the edge could not enforce what `app` asks."""
    if app is None:
        raise TypeError("strict needs an app whose routes can be seen: FastAPI or Starlette")
    ids = route_ids(app)
    faults = [
        _fault(overrides[own])
        for overrides in (getattr(each, "dependency_overrides", {}) for each in apps_within(app))
        for own in (fastgate, any_caller)
        if own in overrides
    ]
    if faults:
        raise CannotCompile(faults)
    return ids


def _fault(override: object) -> Fault:
    name = getattr(override, "__name__", repr(override))
    found = Endpoint(Kind.UNKNOWN, "every path", None, name, override)
    return Fault(found, "overrides the dependency that knows the caller", "leave that to tests")
