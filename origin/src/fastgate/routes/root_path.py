"""Find the path that the edge has signed, for a request below a `root_path`.

The rule: a router matches what is left of the path once Starlette has taken `root_path` off, and
the edge has signed just that; or, where the author has given the app a root path that the policy's
templates begin with, that root path and what is left. No other text of a `root_path` counts,
whatever has set it: a server's option, a proxy, middleware, a field that a client sends. Nothing is
changed in the scope, so that a guard never moves a route.

In: a scope at the guard, and the guarded app. Out: an `Arrival`.
"""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from starlette.types import Scope

from fastgate.routes.check import AGAIN, PREFIX_KEY, Base, Prefix, RouteCheck
from fastgate.routes.framework import (
    path_below,
    root_path_of,
    root_set_by,
    routed_app,
    router_of,
    signed_root_of,
)


class Arrival(NamedTuple):
    """One request as the first router behind the server sees it."""

    own: str
    """The root path that the policy's templates begin with; empty if there is none."""
    rest: str
    """What that router matches, decoded."""
    paths: tuple[str, ...]
    """What the edge may have signed, decoded."""
    raw_paths: tuple[bytes, ...] | None
    """The same as it is spelled; None if the server tells no `raw_path`, empty if a wrong one."""
    at_guard: Prefix
    """What stands in front of the guarded app's templates, without `own`."""

    def is_for(self, path: str) -> bool:
        """Whether the edge would sign a request for this path, which is decoded, as this one."""
        if self.own and (path + "/").startswith(self.own + "/"):
            return path == self.own + self.rest
        return path == self.rest

    def prefix(self, signed_path: str | None) -> Prefix:
        """Return what stands in front of the guarded app's templates, as the edge has signed them.

        None stands for a request that no edge has signed.
        """
        template = self.at_guard.template
        if signed_path is None or template is None or unquote(signed_path) == self.rest:
            return self.at_guard
        return self.at_guard._replace(template=self.own + template)


def arrival_of(scope: Scope, app: object) -> Arrival:
    """Return how a request has arrived at a guard.

    Args:
        scope: the request, as it stands at the guard.
        app: the guarded app; None if it cannot be seen.

    """
    path: str = scope["path"]
    root_path = root_set_by(app) or scope.get("root_path", "")
    at_guard = scope.get(PREFIX_KEY)  # noted where the guarded app is mounted in another one
    if not root_path and at_guard is None and app is not None and not root_path_of(routed_app(app)):
        # Most requests: nothing is taken off, and nothing stands in front.
        at_guard = Prefix("", "", path, router=router_of(app))
        return Arrival("", path, (path,), _as_it_arrived(scope, path), at_guard)
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


def seen_at_last(check: RouteCheck, router: object, scope: Scope) -> Prefix:
    """Return what stands in front of the templates of an app that its guard could not see.

    The first router shows it, and the rule is the same as for one that is seen at once. `AGAIN` if
    the edge has not signed this path for it, or if the router is another than the app's own.

    Args:
        check: the request as it stood at the guard.
        router: the first router that it has entered.
        scope: the scope with which the router was entered; its app has put itself into it.

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
    """Return the scope with the path that an edge would have signed, for one that signs it here."""
    if arrival.raw_paths is None:
        return {**scope, "path": arrival.paths[-1]}
    if not arrival.raw_paths:
        return scope
    signed = arrival.raw_paths[-1]
    return {**scope, "path": _decoded(signed), "raw_path": signed}


def _as_it_arrived(scope: Scope, path: str) -> tuple[bytes, ...] | None:
    raw_path = scope.get("raw_path")
    if raw_path is None:  # ASGI leaves it to the server
        return None
    # Routing reads `path`, the edge judged `raw_path`: one must still be the other, decoded.
    if not isinstance(raw_path, bytes) or not raw_path.isascii() or _decoded(raw_path) != path:
        return ()
    return (raw_path,)


def _spellings(raw_path: bytes, taken_off: str, own: str) -> Iterator[bytes]:
    """Yield what may have been signed: as it arrived, without what a router takes off, with `own`.

    A root path with an escape in it has more than one spelling, and is left as it arrived.
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
