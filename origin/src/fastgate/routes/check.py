"""Compare the route that the app has chosen with the route that the edge judged.

Input: the signed route of a request, and the route that a router has chosen for it. Output: None,
and the endpoint may run; or the refusal that replaces it. It matches no paths and runs nothing:
`routes.dispatch` calls it at the point that every dispatch passes.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass

from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from fastgate import errors
from fastgate.body_check import body_fault, unjudged_tools_fault
from fastgate.claims import Transaction
from fastgate.declare.lookup import declared_on_route
from fastgate.errors import Refused, RouteMismatch
from fastgate.path_template import begins, comparable
from fastgate.routes.app_parts import is_part_of
from fastgate.routes.chosen import run_by
from fastgate.routes.framework import View, path_below
from fastgate.routes.host import host_of, method_of
from fastgate.routes.prefix import LOST, PREFIX_KEY, WHOLE, Prefix
from fastgate.routes.route_names import NO_NAMES, UNNAMED, Names

CHECK_KEY = "fastgate.route"
"""The key of the ASGI scope under which the guard stores the `RouteCheck` of a request."""


@dataclass(slots=True)
class RouteCheck:
    """The comparison of one request, and its state."""

    judged: Transaction | None
    """The signed transaction; None for a health check, which no edge judges."""
    refuse: Callable[[Refused, Scope, Send], Awaitable[None]]
    """The function that responds if another route would run."""
    method: str
    """The method, upper case, that the guard let in; `WEBSOCKET` for an opening handshake."""
    path: str
    """The path that the guard let in, decoded."""
    host: bytes | None
    """The `Host` that the guard let in."""
    prefix: Prefix
    """The prefix of the app's templates at the guard."""
    names: Names = NO_NAMES
    """The names that the edge has for the app's routes."""
    router: Router | None = None
    """The router of the guarded app, if the guard can find it."""
    running: int = 0
    """The number of compared endpoints that run now: one, or none."""
    whole: int = 0
    """The number of running apps that were judged as a whole, and may choose what to run."""
    done: bool = False
    """Whether a route was compared and is the one that the edge judged."""
    compared: View = None
    """The source of the declarations of that route."""
    content: bytes = b""
    """The compared body until a route is chosen, if the edge judged no message in it."""
    passed: bool = False
    """Whether the last choice may respond uncompared: a mount, or a router's own 404 or 405."""
    passed_at: object = None
    """The `endpoint` of the scope at that time: for a mount, its app."""
    refused: bool = False
    """Whether a route was compared and is not the judged one."""
    withheld: bool = False
    """Whether a response of a route that was never compared was withheld."""
    over: bool = False
    """Whether the app has finished this request."""
    fields: tuple[object, ...] = ()
    """The header fields given to the app. They identify scopes that were made from this one."""
    receive: Receive | None = None
    """The `receive` given to the app."""

    def fault(self, template: str | None, scope: Scope, view: View) -> Refused | None:
        """Compare the route that a router has chosen, and record the outcome. None if it may run.

        Args:
            template: the full template of the route; None if it has none.
            scope: the scope with which the route would run.
            view: the source of its declarations.

        """
        fault = self._changed(scope)
        if fault is None and (judged := self.judged) is not None:
            if template is None or not self._is_judged(template, judged):
                fault = RouteMismatch(found=_described(template, scope))
            else:
                declared = declared_on_route(view)  # read now, so that late ones count, too
                if self._has_no_name(declared, template, scope, view):
                    found = f"{_described(template, scope)}, which has no route at the edge"
                    fault = RouteMismatch(found=found)
                else:
                    fault = body_fault(judged, declared, view, self.content, template)
        self.content, self.compared = b"", view
        self.done, self.refused = fault is None, fault is not None
        return fault

    def fault_on_the_way(
        self, prefix: str | None, scope: Scope, *, can_compare: bool = True
    ) -> Refused | None:
        """Compare a mount that leads to a router: the judged template must lie below it.

        Args:
            prefix: the template of the mount; None if it has none.
            scope: the scope that it would pass on.
            can_compare: whether each route of the router will be compared, too.

        """
        fault = self._changed(scope)
        judged = self.judged
        below = judged is None or (prefix is not None and self._is_below(judged, prefix))
        if fault is None and not (below and can_compare):
            fault = RouteMismatch(found=_described(prefix, scope))
        self.passed, self.refused = fault is None, fault is not None
        self.passed_at = scope.get("endpoint")
        return fault

    def let_pass(self, scope: Scope) -> None:
        """Record that the next response is the router's own 404 or 405, without an endpoint."""
        self.passed, self.refused, self.passed_at = True, False, scope.get("endpoint")

    @contextmanager
    def while_running(self, *, is_endpoint: bool) -> Iterator[None]:
        """Count a running endpoint, or a running app that may choose by itself what to run."""
        self.running += is_endpoint
        self.whole += not is_endpoint
        try:
            yield
        finally:
            self.running -= is_endpoint
            self.whole -= not is_endpoint

    def fault_again(self, scope: Scope) -> Refused | None:
        """Refuse a route that cannot be compared, such as one of a router that runs again."""
        self.done, self.refused = False, True
        root_path = scope.get("root_path", "")
        where = f', below the root_path "{root_path}"' if root_path else ""
        return RouteMismatch(found=_described(f"a route that cannot be compared{where}", scope))

    def fault_within(self, scope: Scope, view: View = None) -> Refused | None:
        """Compare within an app that was judged as a whole: the method, and what nobody judges."""
        right = method_of(scope) == self.method
        fault = unjudged_tools_fault(view, scope["path"]) if right else errors.MethodMismatch()
        self.refused = self.refused or fault is not None
        return fault

    def is_for_all_of(self, prefix: str | None) -> bool:
        """Whether the judged route takes all paths that a mount leaves: `/{path:path}` and `/api`.

        The edge has no mounts. It uses this route for a path below the mount without an endpoint.
        """
        if self.judged is None or prefix is None:
            return False
        above, rest, _ = comparable(self.judged.template).partition("/{:path}")
        return bool(rest) and prefix != above and begins(prefix, above)

    def _changed(self, scope: Scope) -> Refused | None:
        # Middleware inside of the guard may have changed the request that the edge judged.
        if (method := method_of(scope)) != self.method:
            return errors.MethodMismatch(signed=self.method, found=method)
        if scope["path"] != self.path:
            return errors.PathMismatch(signed=self.path, found=scope["path"])
        return None if host_of(scope) == self.host else errors.HostMismatch()

    def _is_judged(self, template: str, judged: Transaction) -> bool:
        if template == judged.template and self.names.ids is None:
            return True
        prefix = self.prefix.template or ""
        same = template == judged.template or comparable(template) == comparable(judged.template)
        accepted = self.names.accepted(self.method, template, prefix)
        if not same and not self.names.was(judged.template, accepted, prefix):
            return False
        if self.names.ids is None or judged.route in accepted.ids:
            return True
        return self.names.id_of(self.method, template, prefix) == judged.route

    def _has_no_name(
        self, declared: Mapping[str, object], template: str, scope: Scope, view: View
    ) -> bool:
        """Whether the edge has no route for the endpoint, and judged another route of its path."""
        if declared.get("access") == UNNAMED:
            return True
        if self.names.unnamed is None:
            return False
        prefix = self.prefix.template or ""
        return self.names.has_none_for(run_by(view, scope), self.method, template, prefix)

    def _is_below(self, judged: Transaction, mount: str) -> bool:
        return begins(judged.template, mount) or self.names.was_below(
            judged.template, self.method, mount, self.prefix.template or ""
        )


current: ContextVar[RouteCheck | None] = ContextVar("fastgate.route", default=None)


class Comparing:
    """A context in which an app handles one request, and no uncompared route runs."""

    def __init__(self, check: RouteCheck, scope: Scope, receive: Receive | None = None) -> None:
        self._check, self._scope, self._receive = check, scope, receive

    def __enter__(self) -> None:
        self._token = begin(self._check, self._scope, self._receive)

    def __exit__(self, *_raised: object) -> None:
        end(self._check, self._token)


def begin(check: RouteCheck, scope: Scope, receive: Receive | None) -> Token[RouteCheck | None]:
    """Begin to compare, as `Comparing` does in twice the time. The result is for `end`."""
    scope[CHECK_KEY], scope[PREFIX_KEY] = check, check.prefix
    check.fields, check.receive = tuple(scope.get("headers", ())), receive
    return current.set(check)


def end(check: RouteCheck, token: Token[RouteCheck | None]) -> None:
    """Note that the app has finished a request."""
    check.over = True
    current.reset(token)


def check_of(
    scope: Scope, receive: Receive, router: object, route: object = None
) -> RouteCheck | None:
    """Return the check of a request; None if no guard let it in.

    Middleware that builds its own scope may omit the check, which is then found by the context. Two
    kinds of requests do not belong to the guarded request: those that a compared endpoint sends to
    other apps in this process, and those to an app that is not part of the guarded one, in a scope
    that was not made from the guarded request's.

    Args:
        scope: the scope with which a router chooses.
        receive: the `receive` that belongs to the scope.
        router: the router; None if it is unknown, and may be the guarded app's.
        route: the route that it has chosen, if any.

    """
    check = scope.get(CHECK_KEY)
    if isinstance(check, RouteCheck):
        return check
    check = current.get()
    if check is None or check.over or check.running:
        return None
    if (
        check.router is not None
        and router is not None
        and not is_made_of(check, scope, receive)
        and not is_part_of(check.router, router, route)
    ):
        return None
    # Below a mount the prefix is unknown without the scope. So is the root path of the app, if
    # neither the guard nor this scope knows the app.
    lost = check.passed or (check.prefix.base.own is None and "app" not in scope)
    prefix = LOST if lost else check.prefix
    scope[CHECK_KEY], scope[PREFIX_KEY] = check, WHOLE if check.whole else prefix
    return check


def is_made_of(check: RouteCheck, scope: Scope, receive: Receive) -> bool:
    """Whether a scope holds objects of the guarded request. Equal objects do not count."""
    if receive is check.receive:
        return True
    given = set(map(id, check.fields))
    return any(id(field) in given for field in scope.get("headers", ()))


def check_for(
    scope: Scope,
    judged: Transaction | None,
    refuse: Callable[[Refused, Scope, Send], Awaitable[None]],
    names: Names = NO_NAMES,
    *,
    prefix: Prefix | None = None,
) -> RouteCheck:
    """Return the check for a request at the guard.

    Args:
        scope: the scope of the request at the guard.
        judged: the signed transaction; None for a health check.
        refuse: the function that responds if another route would run.
        names: the names that the edge has for the app's routes.
        prefix: the prefix of the app's templates; by default only the scope's `root_path` is
            removed from the path.

    """
    if prefix is None:
        prefix = Prefix("", root := scope.get("root_path", ""), path_below(root, scope["path"]))
    method, path, host = method_of(scope), scope["path"], host_of(scope)
    return RouteCheck(judged, refuse, method, path, host, prefix, names, prefix.router)


def _described(template: str | None, scope: Scope) -> str:
    endpoint = getattr(scope.get("endpoint"), "__qualname__", "no endpoint")
    return f"{template or 'a route without a template'} ({endpoint})"
