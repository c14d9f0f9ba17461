"""Find the path that the edge has signed, for a request below a `root_path`.

A router matches the rest of the path after Starlette has removed `root_path`, and the edge has
signed exactly that rest. If the author has given the app a root path, and the templates of the
policy begin with it, the edge has signed that root path followed by the rest. No other value of
`root_path` counts, regardless of its source: a server's option, a proxy, middleware, a header that
a client sends. The scope is not changed, so a guard never changes which route is chosen.

Input: a scope at the guard, and the guarded app. Output: an `Arrival`.
"""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.routing import Router
from starlette.types import Scope

from fastgate.routes.check import RouteCheck
from fastgate.routes.framework import (
    path_below,
    root_path_of,
    root_set_by,
    routed_app,
    router_of,
    signed_root_of,
)
from fastgate.routes.prefix import AGAIN, PREFIX_KEY, Base, Prefix

_WITH_ROUTES = (Starlette, Router)
_NO_BASE = Base()


class Arrival(NamedTuple):
    """One request as the first router behind the server receives it."""

    own: str
    """The root path that the policy's templates begin with; empty if there is none."""
    rest: str
    """The decoded path that this router matches."""
    paths: tuple[str, ...]
    """The decoded paths that the edge may have signed."""
    raw_paths: tuple[bytes, ...] | None
    """The same paths, not decoded; None if the server sets no `raw_path`, empty if it is wrong."""
    at_guard: Prefix
    """The prefix of the guarded app's templates, without `own`."""

    def is_for(self, path: str) -> bool:
        """Whether the edge would sign this request with the given decoded path."""
        if self.own and (path + "/").startswith(self.own + "/"):
            return path == self.own + self.rest
        return path == self.rest

    def prefix(self, signed_path: str | None) -> Prefix:
        """Return the prefix of the guarded app's templates, as the edge has signed them.

        `signed_path` is None for a request that no edge has signed.
        """
        if signed_path == self.rest and "%" not in signed_path:
            return self.at_guard  # the usual case
        template = self.at_guard.template
        if signed_path is None or template is None or unquote(signed_path) == self.rest:
            return self.at_guard
        return self.at_guard._replace(template=self.own + template)


def arrival_of(scope: Scope, app: object) -> Arrival:
    """Return how a request has arrived at a guard.

    Args:
        scope: the scope of the request, as the guard receives it.
        app: the guarded app; None if it cannot be seen.

    """
    path: str = scope["path"]
    root_path = root_set_by(app) or scope.get("root_path", "")
    at_guard = scope.get(PREFIX_KEY)  # set if the guarded app is mounted in another one
    if (
        not root_path
        and at_guard is None
        and app is not None
        and (issubclass(type(app), _WITH_ROUTES) or not root_path_of(routed_app(app)))
    ):
        # For most requests nothing is removed from the path, and there is no prefix.
        at_guard = tuple.__new__(Prefix, ("", "", path, None, router_of(app), _NO_BASE))
        arrived = _as_it_arrived(scope, path)
        # `tuple.__new__` takes half the time of the class.
        return tuple.__new__(Arrival, ("", path, (path,), arrived, at_guard))
    if not isinstance(at_guard, Prefix):
        base = Base(root_path, None if app is None else signed_root_of(app))
        at_guard = Prefix("", root_path, path_below(root_path, path), base=base)
    at_guard = at_guard._replace(router=router_of(app))
    base_path, own = at_guard.base[0], at_guard.base.own or ""
    rest = path_below(base_path, path)
    arrival = Arrival(own, rest, (rest,), None, at_guard)
    if own:
        both = (rest, own + rest)
        arrival = arrival._replace(paths=tuple(each for each in both if arrival.is_for(each)))
    arrived = _as_it_arrived(scope, path)
    if not arrived:
        return arrival._replace(raw_paths=arrived)
    spellings = dict.fromkeys(_spellings(arrived[0], path[: len(path) - len(rest)], own))
    signed = tuple(each for each in spellings if arrival.is_for(_decoded(each)))
    return arrival._replace(raw_paths=signed)


def prefix_of_late_app(check: RouteCheck, router: object, scope: Scope) -> Prefix:
    """Return the prefix of the templates of an app that its guard could not find.

    The first router reveals the app, and the rule is the same as for an app that the guard finds.
    `AGAIN` if the edge has not signed this path for it, or if the router is not the app's own.

    Args:
        check: the request at the guard.
        router: the first router that the request has entered.
        scope: the scope with which the router was called. It holds the app.

    """
    app = scope.get("app", router)
    if router_of(app) is not router:
        return AGAIN
    as_it_was = {"path": check.path, "root_path": check.prefix.root_path}
    arrival = arrival_of(as_it_was, app)
    signed = check.prefix.rest if check.judged is None else check.judged.path
    if not arrival.is_for(unquote(signed)):
        return AGAIN
    check.prefix = arrival.prefix(signed)
    return check.prefix


def signed_scope(scope: Scope, arrival: Arrival) -> Scope:
    """Return the scope with the path that an edge would have signed, for the local signer."""
    if arrival.raw_paths is None:
        return {**scope, "path": arrival.paths[-1]}
    if not arrival.raw_paths:
        return scope
    signed = arrival.raw_paths[-1]
    return {**scope, "path": _decoded(signed), "raw_path": signed}


def _as_it_arrived(scope: Scope, path: str) -> tuple[bytes, ...] | None:
    raw_path = scope.get("raw_path")
    if raw_path is None:  # optional in ASGI
        return None
    # Routing reads `path` and the edge judged `raw_path`, so they must still be equal.
    if not isinstance(raw_path, bytes) or not raw_path.isascii() or _decoded(raw_path) != path:
        return ()
    return (raw_path,)


def _spellings(raw_path: bytes, taken_off: str, own: str) -> Iterator[bytes]:
    """Yield the possible signed paths: as it arrived, without the root path, and with `own`.

    A root path with an escape has more than one spelling, and only the arrived one is yielded.
    """
    yield raw_path
    if not taken_off and not own:
        return
    prefix = _plain(taken_off)
    if prefix is None or not raw_path.startswith(prefix):
        return
    rest = raw_path[len(prefix) :]
    yield rest
    if (in_front := _plain(own)) is not None:
        yield in_front + rest


def _plain(text: str) -> bytes | None:
    return text.encode("ascii") if text.isascii() and "%" not in text else None


def _decoded(raw_path: bytes) -> str:
    text = raw_path.decode("ascii")
    return unquote(text) if "%" in text else text
