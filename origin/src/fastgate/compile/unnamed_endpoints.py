"""The endpoints of an app that have no route at the edge (`access="none"`), at present.

Input: an app, and the endpoint that one of its routers has chosen. Output: whether the edge has no
route for it. The routes are read once, and again if an unknown endpoint is chosen and a list of
routes has changed, so an endpoint that is added late inherits like all others. No endpoint is run.
"""

from fastgate.compile.caller_faults import lost_requirement_faults
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.listing import endpoints
from fastgate.compile.endpoints.route_ids import access_of, app_requests_of
from fastgate.declare.lookup import targets_of
from fastgate.path_template import comparable
from fastgate.routes.app_parts import parts_of
from fastgate.routes.framework import routed_app, router_of
from fastgate.routes.route_names import UNNAMED

Run = tuple[str, str, int]
"""Method (or `WEBSOCKET`), `comparable` template, and the id of the endpoint or app."""


class Unnamed:
    """The endpoints of one app with `access="none"`.

    Raises:
        TypeError: the app has no visible routes.

    """

    def __init__(self, app: object) -> None:
        self._app = app
        self._read()

    def __call__(self, runs: object, method: str, template: str) -> bool:
        """Whether the edge has no route for an endpoint.

        Args:
            runs: an endpoint, or a mounted app without the middleware of its mount.
            method: upper case, or `WEBSOCKET`.
            template: `comparable`, including the app's own root path.

        """
        key = (method, template, id(runs))
        if key not in self._known and not self._is_read():
            try:
                self._read()
            except Exception:  # if the routes cannot be read, nothing is run
                return True
        return key in self._unnamed

    def _is_counted(self, endpoint: Endpoint) -> bool:
        # Neither side checks a requirement without `Depends`, so nothing runs such an endpoint.
        return access_of(endpoint) == UNNAMED or any(lost_requirement_faults(endpoint))

    def _is_read(self) -> bool:
        return self._router is None or parts_of(self._router) is self._parts

    def _read(self) -> None:
        router = router_of(routed_app(self._app))
        parts = None if router is None else parts_of(router)
        first: dict[Run, tuple[Endpoint, object]] = {}
        for endpoint in endpoints(self._app):
            if endpoint.kind in (Kind.MOUNT, Kind.DECLARATION):
                continue
            template = comparable(endpoint.template)
            # The last target is the app without the middleware of its mount; frontends have none.
            runs = next(reversed(targets_of(endpoint.route)), endpoint.source)
            for method in app_requests_of(endpoint):
                first.setdefault((method, template, id(runs)), (endpoint, runs))
        # Keep the objects, so that their ids are not reused.
        known = {key: runs for key, (_, runs) in first.items()}
        # Set this before `_known`: another thread that finds a key there looks it up here.
        self._unnamed = {key for key, (each, _) in first.items() if self._is_counted(each)}
        self._known = known
        self._router, self._parts = router, parts  # last, so that a failed read is repeated
