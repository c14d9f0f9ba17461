"""The endpoints of an app that have no route at the edge (`access="none"`), as they are now.

In: an app, and what one of its routers has chosen to run. Out: whether the edge has no route for
that. The routes are read once, and again when something is run that was not among them and any list
of them has changed: what is added late inherits from its routers like all others. Nothing is run.
"""

from fastgate.compile.endpoints.listing import Endpoint, Kind, endpoints
from fastgate.compile.endpoints.route_ids import access_of, run_for
from fastgate.declare.lookup import targets_of
from fastgate.path_template import comparable
from fastgate.routes.app_parts import parts_of
from fastgate.routes.framework import routed_app, router_of
from fastgate.routes.route_names import UNNAMED

Run = tuple[str, str, int]
"""Method (or `WEBSOCKET`), `comparable` template, and the id of what runs."""


class Unnamed:
    """What one app runs for `access="none"`.

    Raises:
        TypeError: the app has no routes that can be seen.

    """

    def __init__(self, app: object) -> None:
        self._app = app
        self._read()

    def __call__(self, runs: object, method: str, template: str) -> bool:
        """Whether the edge has no route for what runs.

        Args:
            runs: an endpoint, or a mounted app without the middleware of its mount.
            method: upper case, or `WEBSOCKET`.
            template: `comparable`, with the app's own root path in front.

        """
        key = (method, template, id(runs))
        if key not in self._known and not self._is_read():
            try:
                self._read()
            except Exception:  # what is not understood any more is not run
                return True
        return key in self._unnamed

    def _is_read(self) -> bool:
        return self._router is None or parts_of(self._router) is self._parts

    def _read(self) -> None:
        router = router_of(routed_app(self._app))
        parts = None if router is None else parts_of(router)
        first: dict[Run, tuple[Endpoint, object]] = {}
        for endpoint in endpoints(self._app):
            if endpoint.kind in (Kind.BELOW, Kind.NOTHING):
                continue
            template = comparable(endpoint.template)
            # The last is the app itself, without the middleware of its mount; frontends have none.
            runs = next(reversed(targets_of(endpoint.route)), endpoint.source)
            for method in run_for(endpoint):
                first.setdefault((method, template, id(runs)), (endpoint, runs))
        # The objects are kept, so that none gets the id of another.
        known = {key: runs for key, (_, runs) in first.items()}
        # Before what is known: another thread that finds its key there is told of it here.
        self._unnamed = {key for key, (each, _) in first.items() if access_of(each) == UNNAMED}
        self._known = known
        self._router, self._parts = router, parts  # last: what raises is read again
