"""Keep an app from starting if the edge could not enforce what it asks for.

In: an app, routes and all. Out: the ids of its routes, or `CannotCompile` with the name and file of
every endpoint that says nothing of its callers, and with whatever else keeps the app from having a
route table. It also finds what tests leave behind: an overridden dependency of this package.
"""

from fastgate.compile.callers.overrides import override_in
from fastgate.compile.endpoints.listing import Endpoint, Kind
from fastgate.compile.policy import CannotCompile, Fault, route_ids
from fastgate.dependencies import any_caller, fastgate
from fastgate.routes.framework import apps_within, routed_app


def ids_or_no_start(app: object) -> dict[tuple[str, str], str]:
    """Return `route_ids`; raise `CannotCompile` if the edge could not enforce what `app` asks."""
    if app is None:
        raise TypeError("strict needs an app whose routes can be seen: FastAPI or Starlette")
    faults = [
        _fault(override(own))
        for override in map(override_in, apps_within(routed_app(app)))
        for own in (fastgate, any_caller)
        if override is not None and override(own) is not own
    ]
    if faults:
        # Those first: whatever asks for callers seems to ask for nothing now.
        raise CannotCompile(faults)
    return route_ids(app)


def _fault(override: object) -> Fault:
    name = getattr(override, "__name__", repr(override))
    found = Endpoint(Kind.UNKNOWN, "every path", None, name, override)
    return Fault(found, "overrides the dependency that knows the caller", "leave that to tests")
