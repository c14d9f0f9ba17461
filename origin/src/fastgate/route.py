"""Compare the route that the app has chosen with the one whose rules the edge applied.

In: a routed app, and for each request the template that the edge signed. Out: the endpoint runs, or
a refusal before it does, for every kind of route: endpoints, WebSockets, mounted apps, static
files. It never matches paths itself: the check stands between the app's router and the endpoint,
where the router has just named its choice.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.routing import BaseRoute, Host, Mount
from starlette.types import Receive, Scope, Send

from fastgate.routing import app_below, chosen_path, effective_routes, handled_route

CHECK_KEY = "fastgate.route"
"""Where the door leaves the `RouteCheck` of a request."""
_PREFIX_KEY = "fastgate.prefix"
"""Where the templates of the mounts stand that led to the router which chooses now."""


@dataclass(slots=True)
class RouteCheck:
    """What is still to be proven about one request."""

    judged: str | None
    """The template that the edge signed; None for the health check, which no edge judges."""
    refuse: Callable[[Scope, Send], Awaitable[None]]
    """How to answer where another route would run."""
    done: bool = False
    """Whether a route was compared, and was the one that the edge judged."""
    refused: bool = False
    """Whether one was compared and was another."""
    mount: object = None
    """The mounted app whose router chooses now; the `endpoint` that routing left for it."""

    def allows(self, template: str | None) -> bool:
        """Compare, and remember the outcome."""
        self.done = self.judged is None or (template is not None and template == self.judged)
        self.refused = not self.done
        return self.done


class CheckedHandle:
    """A route's `handle` behind the comparison; it stands on the route object in its place."""

    def __init__(self, route: BaseRoute) -> None:
        self.__self__ = route  # as the bound method has it, whose place this takes
        self._handle = route.handle
        self._leads_on = app_below(route) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the route that the router has chosen, if it is the one that the edge judged."""
        check = scope.get(CHECK_KEY)
        if isinstance(check, RouteCheck):
            template = _template(self.__self__, scope)
            if self._leads_on:
                scope[_PREFIX_KEY] = template
                check.mount = scope.get("endpoint")
            elif not check.allows(template):
                await check.refuse(scope, send)
                return
        await self._handle(scope, receive, send)


def begin(scope: Scope, check: RouteCheck) -> None:
    """Leave in the scope what the comparison needs, before the app's router sees it."""
    scope[CHECK_KEY] = check
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
            chosen.handle = CheckedHandle(chosen)  # type: ignore[method-assign]
        below = app_below(chosen)
        if below is not None:
            watch(below)


def dispatched_template(scope: Scope) -> str | None:
    """Return the full template of the route in `scope`, for an app that could not be watched.

    What stands in front of the route's own path is text here, not a template. So a route below a
    *parametrized* mount has none that an edge could have signed.
    """
    route = scope.get("route")
    path = chosen_path(route, scope) if isinstance(route, BaseRoute) else None
    return None if path is None else _root(scope) + path


def _template(route: BaseRoute, scope: Scope) -> str | None:
    prefix: str = scope.get(_PREFIX_KEY, "")
    if isinstance(route, Host):
        return prefix
    path = chosen_path(route, scope)
    if path is None:
        return None
    opaque = isinstance(route, Mount) and app_below(route) is None
    return prefix + path + ("/{path:path}" if opaque else "")


def _root(scope: Scope) -> str:
    # The rule by which Starlette takes `root_path` off.
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return root if path == root or path.startswith(root + "/") else ""
