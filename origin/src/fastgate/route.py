"""Compare the route that the app has chosen with the one whose rules the edge applied.

In: a routed app, and for each request what the edge signed of its route. Out: the endpoint runs, or
a refusal before it does, for every kind of route: endpoints, WebSockets, mounted apps, static
files. It never matches paths itself: the check stands between the app's router and the endpoint,
where the router has just named its choice.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Host, Mount, Route
from starlette.types import Receive, Scope, Send

from fastgate.claims import Transaction
from fastgate.declare import declared_by
from fastgate.errors import ContentMismatch, Refused, RouteMismatch
from fastgate.routing import (
    WEBSOCKET,
    View,
    app_below,
    chosen_path,
    effective_routes,
    handled_route,
)
from fastgate.template import comparable

CHECK_KEY = "fastgate.route"
"""Where the door leaves the `RouteCheck` of a request."""
_PREFIX_KEY = "fastgate.prefix"
"""Where the templates of the mounts stand that led to the router which chooses now."""


@dataclass(slots=True)
class RouteCheck:
    """What is still to be proven about one request."""

    judged: Transaction | None
    """What the edge signed; None for the health check, which no edge judges."""
    refuse: Callable[[Refused, Scope, Send], Awaitable[None]]
    """How to answer where another route would run."""
    ids: Mapping[tuple[str, str], str] | None = None
    """Of a strict app: the id of each route, by method and `comparable` template."""
    done: bool = False
    """Whether a route was compared, and was the one that the edge judged."""
    refused: bool = False
    """Whether one was compared and was another."""
    withheld: bool = False
    """Whether an answer came from a route that was never compared, and was kept back."""
    websocket: bool = False
    """Whether this is an opening handshake, which has routes of its own."""
    mount: object = None
    """The mounted app whose router chooses now; the `endpoint` that routing left for it."""

    def fault(self, template: str | None, *, signs_body: bool) -> Refused | None:
        """Compare, and remember the outcome; None if the chosen route may run.

        Args:
            template: the full template of the route that the router has chosen.
            signs_body: whether that route is to be reached with a signed body only.

        """
        fault: Refused | None = None
        if (judged := self.judged) is not None:
            if template is None or not self._is_judged(template, judged):
                fault = RouteMismatch()
            elif signs_body and judged.content_digest is None:
                fault = ContentMismatch()
        self.done, self.refused = fault is None, fault is not None
        return fault

    def _is_judged(self, template: str, judged: Transaction) -> bool:
        if template != judged.template:
            return False
        method = WEBSOCKET if self.websocket else judged.method
        return self.ids is None or self.ids.get((method, comparable(template))) == judged.route


class CheckedHandle:
    """A route's `handle` behind the comparison; it stands on the route object in its place."""

    def __init__(self, route: BaseRoute, view: View) -> None:
        self.__self__ = route  # as the bound method has it, whose place this takes
        self._handle = route.handle
        self._leads_on = app_below(route) is not None
        self._suffix = "/{path:path}" if isinstance(route, Mount) and not self._leads_on else ""
        self._signs_body = signs_body(view)
        # Known to answer 405 to every other method before anything of the author's runs.
        refuses_methods = type(route).handle in (Route.handle, APIRoute.handle)
        self._methods = view.methods if refuses_methods else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the route that the router has chosen, if it is the one that the edge judged."""
        check = scope.get(CHECK_KEY)
        if isinstance(check, RouteCheck):
            template = self._template(scope)
            if self._leads_on:
                scope[_PREFIX_KEY] = template
                check.mount = scope.get("endpoint")
            elif self._methods and scope.get("method", "GET") not in self._methods:
                check.done = True  # the route's own 405
            elif (fault := check.fault(template, signs_body=self._signs_body)) is not None:
                await check.refuse(fault, scope, send)
                return
        await self._handle(scope, receive, send)

    def _template(self, scope: Scope) -> str | None:
        prefix: str = scope.get(_PREFIX_KEY, "")
        if isinstance(self.__self__, Host):
            return prefix
        path = chosen_path(self.__self__, scope)
        return None if path is None else prefix + path + self._suffix


def begin(scope: Scope, check: RouteCheck) -> None:
    """Leave in the scope what the comparison needs, before the app's router sees it."""
    scope[CHECK_KEY] = check
    check.websocket = scope["type"] == "websocket"
    scope[_PREFIX_KEY] = _root(scope)


def watch(app: object) -> None:
    """Put the comparison in front of every route of `app`, of its routers and mounted apps.

    Repeat it after routes were added; those that are watched already stay as they are.
    """
    for route, view in effective_routes(app):
        chosen = handled_route(route, view)
        handle = chosen.__dict__.get("handle")
        # A copy of a watched route comes with the other's handle.
        if not isinstance(handle, CheckedHandle) or handle.__self__ is not chosen:
            chosen.handle = CheckedHandle(chosen, view)  # type: ignore[method-assign]
        below = app_below(chosen)
        if below is not None:
            watch(below)


def signs_body(route: View) -> bool:
    """Whether the author asks for a signed body: `at_edge(sign_body=True)`."""
    return bool(declared_by(route).get("sign_body"))


def dispatched_fault(check: RouteCheck, scope: Scope) -> Refused | None:
    """Compare the route in `scope`, for an app that could not be watched.

    What stands in front of the route's own path is text here, not a template. So a route below a
    *parametrized* mount has none that an edge could have signed.
    """
    route = scope.get("route")
    path = chosen_path(route, scope) if isinstance(route, BaseRoute) else None
    template = None if path is None else _root(scope) + path
    return check.fault(template, signs_body=signs_body(route))


def _root(scope: Scope) -> str:
    # The rule by which Starlette takes `root_path` off.
    root: str = scope.get("root_path", "")
    if not root:
        return ""
    path: str = scope["path"]
    return root if path == root or path.startswith(root + "/") else ""
