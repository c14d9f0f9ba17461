"""The endpoints of an app with rules that only the edge enforces, at present.

Input: an app, and the endpoint that one of its routers has chosen. Output: whether a request that
another gateway has sent must be refused, because the endpoint's rules would not be applied.
"""

from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.route_ids import access_of
from fastgate.compile.unnamed_endpoints import Unnamed
from fastgate.declare.members import requires_the_edge
from fastgate.routes.route_names import UNNAMED


class Unenforced(Unnamed):
    """The endpoints with such rules of their own or inherited, or with `access="none"`."""

    def _is_counted(self, endpoint: Endpoint) -> bool:
        declarations = (endpoint.declared, endpoint.inherited)
        return access_of(endpoint) == UNNAMED or any(map(requires_the_edge, declarations))
