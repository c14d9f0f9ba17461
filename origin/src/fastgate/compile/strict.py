"""Refuse to start an app if the edge could not enforce its requirements.

Input: an app with its routes. Output: the ids of its routes, or `CannotCompile` with the name and
file of every endpoint that does not declare its callers, and every other fault. A dependency of
this package that is still overridden, as tests do, is a fault too.
"""

from fastgate.compile.callers.overrides import override_in
from fastgate.compile.endpoint_faults import Fault
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.policy import CannotCompile, route_ids
from fastgate.dependencies import any_caller, fastgate
from fastgate.routes.framework import apps_within, routed_app


def route_ids_or_raise(app: object) -> dict[tuple[str, str], str]:
    """Return `route_ids`; raise `CannotCompile` if the edge could not enforce the app's rules."""
    if app is None:
        raise TypeError(
            "strict=True needs an app with visible routes: pass a FastAPI or Starlette app"
        )
    faults = [
        _fault(override(dependency))
        for override in map(override_in, apps_within(routed_app(app)))
        for dependency in (fastgate, any_caller)
        if override is not None and override(dependency) is not dependency
    ]
    if faults:
        # Report these alone: with the override, no endpoint seems to require a caller.
        raise CannotCompile(faults)
    return route_ids(app)


def _fault(override: object) -> Fault:
    name = getattr(override, "__name__", repr(override))
    found = Endpoint(Kind.UNKNOWN, "every path", None, name, override)
    return Fault(
        found,
        "overrides the dependency that identifies the caller",
        "use that override in tests only",
    )
