"""Compare the route that the app has chosen with the route that the edge judged.

In: for each request what the edge signed of its route, and what a router has chosen for it. Out:
None, and the endpoint may run; or the refusal that takes its place. It never matches paths itself,
and runs nothing: `routes.dispatch` asks it, in the place that every dispatch goes through.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import NamedTuple

from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Scope, Send

from fastgate.claims import Transaction
from fastgate.declare.lookup import declared_on_route
from fastgate.errors import ContentMismatch, MethodMismatch, PathMismatch, Refused, RouteMismatch
from fastgate.path_template import begins, comparable
from fastgate.routes.app_parts import is_part_of
from fastgate.routes.framework import WEBSOCKET, View, path_below, run_by
from fastgate.routes.route_names import NO_NAMES, UNNAMED, Names

CHECK_KEY = "fastgate.route"
"""Where the guard leaves the `RouteCheck` of a request."""
PREFIX_KEY = "fastgate.prefix"
"""Where the `Prefix` stands of the router that chooses now."""


class Base(NamedTuple):
    """What the first router behind the server was entered with."""

    root_path: str = ""
    """The `root_path` of its scope."""
    own: str | None = ""
    """The root path that its app's templates begin with; empty if there is none.

    None until the first router is entered, where the guard cannot see its app.
    """


class Prefix(NamedTuple):
    """What stands in front of the templates of one router."""

    template: str | None
    """None where everything below was judged as a whole: a mounted app without visible routes."""
    root_path: str
    """The `root_path` that the mounts in front of the router have left in its scope."""
    rest: str = ""
    """What they have left of the path, decoded: what the router is to match."""
    mount: BaseRoute | None = None
    """What led to the router."""
    router: Router | None = None
    """The router, where it is known."""
    base: Base = Base()
    """Where the request has begun."""

    def above(self, scope: Scope) -> str | None:
        """Return the template in front of a router that chooses for this scope; None if unknown."""
        return self.template if scope.get("root_path", "") == self.root_path else None

    def below(self, mount: BaseRoute, scope: Scope, router: Router | None = None) -> "Prefix":
        """Return what stands in front of what a mount leads to.

        Args:
            mount: a mount that has matched, or a host, which takes nothing off.
            scope: the scope that it would lead on with.
            router: the router that it leads to, where it is known.

        """
        root_path: str = scope.get("root_path", "")
        path: str = getattr(mount, "path", "")
        matched = root_path.removeprefix(self.root_path)
        # What a parameter has matched is text in `root_path`.
        fits = matched == path or ("{" in path and matched.startswith("/"))
        whole = root_path == self.root_path + matched and self.rest.startswith(matched)
        template = self.template
        if template is not None:
            template = template + path if fits and whole else UNKNOWN
        rest = self.rest[len(matched) :]
        return self._replace(
            template=template, root_path=root_path, rest=rest, mount=mount, router=router
        )


@dataclass(slots=True)
class RouteCheck:
    """What is still to be proven about one request."""

    judged: Transaction | None
    """What the edge signed; None for the health check, which no edge judges."""
    refuse: Callable[[Refused, Scope, Send], Awaitable[None]]
    """How to answer where another route would run."""
    method: str
    """The method, upper case, that the guard let in; `WEBSOCKET` for an opening handshake."""
    path: str
    """The path that the guard let in, decoded."""
    prefix: Prefix
    """What stood in front of the app's templates at the guard."""
    names: Names = NO_NAMES
    """What the edge calls the app's routes."""
    router: Router | None = None
    """The router of the guarded app, where it can be seen."""
    running: int = 0
    """How many endpoints run now that were compared: one, or none."""
    whole: int = 0
    """How much runs now that was judged as a whole, and may choose what it runs."""
    done: bool = False
    """Whether a route was compared, and was the one that the edge judged."""
    passed: bool = False
    """Whether what was chosen last may answer uncompared: a mount, or a router's own 405."""
    passed_at: object = None
    """What the scope called the endpoint then: the app of the mount, for one."""
    refused: bool = False
    """Whether one was compared and was another."""
    withheld: bool = False
    """Whether an answer came from a route that was never compared, and was kept back."""
    over: bool = False
    """Whether the app is done with this request."""
    fields: tuple[object, ...] = ()
    """The header fields that the app was given, to tell scopes that were made of this one."""
    receive: Receive | None = None
    """What the app was given to receive with."""

    def fault(self, template: str | None, scope: Scope, view: View) -> Refused | None:
        """Compare what a router has chosen, and remember the outcome; None if it may run.

        Args:
            template: its full template; None if it has none.
            scope: the scope that it would run with.
            view: what tells its declarations.

        """
        fault = self._changed(scope)
        if fault is None and (judged := self.judged) is not None:
            if template is None or not self._is_judged(template, judged):
                fault = RouteMismatch(found=_told(template, scope))
            else:
                declared = declared_on_route(view)
                if self._has_no_name(declared, template, scope, view):
                    told = f"{_told(template, scope)}, which the edge never names"
                    fault = RouteMismatch(found=told)
                elif judged.content_digest is None and signs_body(declared):
                    fault = ContentMismatch()
        self.done, self.refused = fault is None, fault is not None
        return fault

    def fault_on_the_way(
        self, prefix: str | None, scope: Scope, *, can_compare: bool = True
    ) -> Refused | None:
        """Compare a mount that leads to a router: the judged template must lie below it.

        Args:
            prefix: the template of the mount; None if it has none.
            scope: the scope that it would lead on with.
            can_compare: whether each route of the router will be compared in its turn.

        """
        fault = self._changed(scope)
        judged = self.judged
        below = judged is None or (prefix is not None and self._is_below(judged, prefix))
        if fault is None and not (below and can_compare):
            fault = RouteMismatch(found=_told(prefix, scope))
        self.passed, self.refused = fault is None, fault is not None
        self.passed_at = scope.get("endpoint")
        return fault

    def let_pass(self, scope: Scope) -> None:
        """Remember that what answers next runs no endpoint: a router's own 404 or 405."""
        self.passed, self.refused, self.passed_at = True, False, scope.get("endpoint")

    @contextmanager
    def while_running(self, *, is_endpoint: bool) -> Iterator[None]:
        """Count what runs: one endpoint, or what may choose for itself what to run."""
        self.running += is_endpoint
        self.whole += not is_endpoint
        try:
            yield
        finally:
            self.running -= is_endpoint
            self.whole -= not is_endpoint

    def fault_again(self, scope: Scope) -> Refused | None:
        """Refuse what cannot be compared: the router of the guarded app, entered once more."""
        self.done, self.refused = False, True
        root_path = scope.get("root_path", "")
        where = f', below the root_path "{root_path}"' if root_path else ""
        return RouteMismatch(found=_told(f"a route that cannot be compared{where}", scope))

    def fault_within(self, scope: Scope) -> Refused | None:
        """Compare what an app dispatches that was judged as a whole: only the method is left."""
        fault = None if _method(scope) == self.method else MethodMismatch()
        self.refused = self.refused or fault is not None
        return fault

    def is_for_all_of(self, prefix: str | None) -> bool:
        """Whether the judged route takes all that a mount does not: `/{path:path}` behind `/api`.

        The edge has no mounts: of a path below one that no endpoint there has, this is its route.
        """
        if self.judged is None or prefix is None:
            return False
        above, rest, _ = comparable(self.judged.template).partition("/{:path}")
        return bool(rest) and prefix != above and begins(prefix, above)

    def _changed(self, scope: Scope) -> Refused | None:
        # Middleware inside the guard may have changed what the edge judged.
        if (method := _method(scope)) != self.method:
            return MethodMismatch(signed=self.method, found=method)
        if scope["path"] != self.path:
            return PathMismatch(signed=self.path, found=scope["path"])
        return None

    def _is_judged(self, template: str, judged: Transaction) -> bool:
        prefix = self.prefix.template or ""
        accepted = self.names.accepted(self.method, template, prefix)
        same = template == judged.template or comparable(template) == comparable(judged.template)
        if not same and not self.names.was(judged.template, accepted, prefix):
            return False
        if self.names.ids is None or judged.route in accepted.ids:
            return True
        return self.names.id_of(self.method, template, prefix) == judged.route

    def _has_no_name(
        self, declared: Mapping[str, object], template: str, scope: Scope, view: View
    ) -> bool:
        """Whether the edge has no route for what would run, and judged another one of its path."""
        # What is declared of a route itself is seen of one that was marked late, too.
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


_current: ContextVar[RouteCheck | None] = ContextVar("fastgate.route", default=None)


class Comparing:
    """The time in which an app handles one request: nothing uncompared runs meanwhile."""

    def __init__(self, check: RouteCheck, scope: Scope, receive: Receive | None = None) -> None:
        scope[CHECK_KEY], scope[PREFIX_KEY] = check, check.prefix
        check.fields, check.receive = tuple(scope.get("headers", ())), receive
        self._check = check

    def __enter__(self) -> None:
        self._token = _current.set(self._check)

    def __exit__(self, *_raised: object) -> None:
        self._check.over = True
        _current.reset(self._token)


def check_of(
    scope: Scope, receive: Receive, router: object, route: object = None
) -> RouteCheck | None:
    """Return the check of a request; None where no guard let it in.

    Middleware that builds a scope of its own may leave the check out. What a compared endpoint
    itself sends to other apps in this process is no request of the guard's, and neither is what
    anything else sends to an app that is no part of the guarded one, in a scope that is not made of
    the guarded request's.

    Args:
        scope: the scope with which a router chooses.
        receive: what comes with it.
        router: the router; None if it is not known, and may be the guarded app's.
        route: what it has chosen, if anything.

    """
    check = scope.get(CHECK_KEY)
    if isinstance(check, RouteCheck):
        return check
    check = _current.get()
    if check is None or check.over or check.running:
        return None
    if (
        check.router is not None
        and router is not None
        and not _is_made_of(check, scope, receive)
        and not is_part_of(check.router, router, route)
    ):
        return None
    # Below a mount it cannot be told any more what led there, nor what the root path of the app is
    # if neither the guard nor this scope shows the app.
    lost = check.passed or (check.prefix.base.own is None and "app" not in scope)
    prefix = _LOST if lost else check.prefix
    scope[CHECK_KEY], scope[PREFIX_KEY] = check, WHOLE if check.whole else prefix
    return check


def _is_made_of(check: RouteCheck, scope: Scope, receive: Receive) -> bool:
    """Whether a scope holds what the guarded request came with: the objects, not equal ones."""
    if receive is check.receive:
        return True
    given = set(map(id, check.fields))
    return any(id(field) in given for field in scope.get("headers", ()))


WHOLE = Prefix(None, "")
"""Below what was judged as a whole."""
UNKNOWN = "?"
"""In place of a template in front of a router that is not known: no template begins so."""
_LOST = Prefix(UNKNOWN, "")
AGAIN = Prefix(UNKNOWN, "again")
"""In a router that must not choose for this request, or not once more: something else than the
mounts in front of it, the app and its server has set `root_path`, and so moves what it matches."""


def check_for(
    scope: Scope,
    judged: Transaction | None,
    refuse: Callable[[Refused, Scope, Send], Awaitable[None]],
    names: Names = NO_NAMES,
    *,
    prefix: Prefix | None = None,
    kind: type[RouteCheck] = RouteCheck,
) -> RouteCheck:
    """Return the check for a request as it stands at the guard.

    Args:
        scope: the request, as it stands at the guard.
        judged: what the edge signed.
        refuse: how to answer where another route would run.
        names: what the edge calls the app's routes.
        prefix: what stands in front of the app's templates; by default nothing but what the
            scope's `root_path` takes off.
        kind: what becomes of a comparison that fails.

    """
    if prefix is None:
        root_path: str = scope.get("root_path", "")
        prefix = Prefix("", root_path, path_below(root_path, scope["path"]))
    return kind(judged, refuse, _method(scope), scope["path"], prefix, names, prefix.router)


def signs_body(declared: Mapping[str, object]) -> bool:
    """Whether the author asks for a signed body: `at_edge(sign_body=True)`."""
    return bool(declared.get("sign_body"))


def _told(template: str | None, scope: Scope) -> str:
    endpoint = getattr(scope.get("endpoint"), "__qualname__", "no endpoint")
    return f"{template or 'a route without a template'} ({endpoint})"


def _method(scope: Scope) -> str:
    return WEBSOCKET if scope["type"] == "websocket" else str(scope["method"])
