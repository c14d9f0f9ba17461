"""The endpoints of an app with rules that only the edge enforces, at present.

Input: an app, and the endpoint that one of its routers has chosen. Output: whether a request that
another gateway has sent must be refused, because the endpoint's rules would not be applied.
"""

from fastgate.compile.caller_faults import lost_requirement_faults
from fastgate.compile.endpoint_faults import Fault
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.listing import endpoints
from fastgate.compile.policy import CannotCompile
from fastgate.compile.unnamed_endpoints import Unnamed
from fastgate.declare.members import requires_the_edge


class Unenforced(Unnamed):
    """The endpoints with such rules of their own or inherited, or with `access="none"`."""

    def _is_counted(self, endpoint: Endpoint) -> bool:
        declarations = (endpoint.declared, endpoint.inherited)
        return Unnamed._is_counted(self, endpoint) or any(map(requires_the_edge, declarations))


def refuse_lost_requirements(app: object) -> None:
    """Refuse an app with requirements that are written without `Depends(…)`.

    Neither the edge nor the app would check them.

    Raises:
        CannotCompile: with each of them.

    """
    if found := [
        Fault(endpoint, each.what, each.remedy)
        for endpoint in endpoints(app)
        for each in lost_requirement_faults(endpoint)
    ]:
        raise CannotCompile(found)
