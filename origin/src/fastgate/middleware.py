"""The door: nothing reaches the app that the edge has not judged.

In: an ASGI scope. Out: the same scope with verified `EdgeClaims` under `SCOPE_KEY` and without the
header, handed to the app; or a problem, and the app never hears of it. HTTP and WebSocket alike. It
judges the bytes of the request line, `raw_path` and `query_string`, never a URL rebuilt from them.
What only routing can show, `route` compares behind the app's router; here the door makes sure that
no answer leaves for which it was not compared.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate import errors, problem
from fastgate.claims import SCOPE_KEY, EdgeClaims
from fastgate.content import ClientGone, matched
from fastgate.expiry import run_until
from fastgate.keys import KeySource
from fastgate.local import LocalEdge
from fastgate.observe import ObservedCheck, let_pass, observed_body
from fastgate.policy import CannotCompile
from fastgate.problem import Problem
from fastgate.refusals import LOG_KEY, RefusalLog, log_of
from fastgate.root_path import below_root, take_root_off
from fastgate.route import RouteCheck, begin, watch
from fastgate.routing import routed_app
from fastgate.settings import Settings
from fastgate.strict import ids_or_no_start
from fastgate.subprotocol import accepting
from fastgate.verify import KeySet, RequestHead, verify

HEADER = b"fastgate-identity"
_HEADER_LENGTH = len(HEADER)

_log = logging.getLogger("fastgate")


class FastgateMiddleware:
    """Pure ASGI middleware that lets through what `Fastgate-Identity` vouches for.

    Put it around everything else: a middleware outside of it sees requests that nobody verified.

    Args:
        app: the app to guard.
        settings: who the edge is.
        keys: where its keys come from; by default what `settings` say.
        now: the clock, Unix time in seconds.
        observe: say what would be refused, and let it pass. It protects nothing.

    Raises:
        ValueError: `observe` with `strict` or local callers.

    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        *,
        keys: KeySource | None = None,
        now: Callable[[], float] = time.time,
        observe: bool = False,
    ) -> None:
        if observe and (settings.strict or settings.local_rules is not None):
            raise ValueError(
                "observe lets everything pass: not with strict, nor with local callers"
            )
        self.app = app
        self._observe = observe
        self._routed: object | None = None
        self._watched = False
        self._refusals = RefusalLog()
        self._ids: Mapping[tuple[str, str], str] | None = None
        rules = settings.local_rules
        self._local = None if rules is None else LocalEdge(rules)
        if keys is None and self._local is not None:
            keys = self._local.keys
        self.settings = settings
        self.keys = settings.key_source() if keys is None else keys
        self._now = now
        if observe:
            _log.error("OBSERVING ONLY: nothing is refused, every request reaches the app")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one connection through, or refuse it. A lifespan passes: it carries no request."""
        if scope["type"] == "lifespan":
            await self._start(scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            raise NotImplementedError("a kind of connection that this door does not know")

        if not self._watched:
            self._look_at_the_app(scope)
        found = _take_headers(scope)
        scope[SCOPE_KEY] = claims = None
        scope[LOG_KEY] = self._refusals
        try:
            if _asks_for(self.settings.ready_path, scope):
                await self.keys.current()
                await send({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT})
                await send({"type": "http.response.body"})
                return
            if not _asks_for(self.settings.health_path, scope):
                if self._local is not None and not found:
                    limit = self.settings.max_signed_body
                    header, receive = await self._local.header(scope, receive, limit)
                    found = [header]
                claims = scope[SCOPE_KEY] = await self._verified(scope, found)
                take_root_off(scope, claims.transaction.path)
                if (expected := claims.transaction.content_digest) is not None:
                    limit = self.settings.max_signed_body
                    compared = observed_body if self._observe else matched
                    receive = await compared(scope, receive, expected, limit)
        except errors.KeysUnavailable as error:
            if not self._observe or _asks_for(self.settings.ready_path, scope):
                self._refusals.write(error, scope, level=logging.ERROR)
                await _refuse(problem.UNAVAILABLE, scope, send)
                return
            let_pass(error, scope)
        except errors.Refused as error:
            if not self._observe:
                await _refuse_as(error, scope, send)
                return
            let_pass(error, scope)
        except ClientGone:
            return
        judged = None if claims is None else claims.transaction
        if self._observe:
            begin(scope, ObservedCheck(judged, _refuse_as, self._ids, scope=scope))
        else:
            check = RouteCheck(judged, _refuse_as, self._ids)
            begin(scope, check)
            send = accepting(scope, send)
            if self._routed is not None:  # an app whose routes can be seen
                send = self._only_if_compared(check, scope, send)
        token_end = None if claims is None else claims.requester.token_expires_at
        if token_end is None or self.settings.end_with_token == "none":  # noqa: S105
            await self.app(scope, receive, send)
            return
        await run_until(
            self.app,
            scope,
            receive,
            send,
            expires_at=token_end + self.settings.leeway,
            now=self._now,
            every_response=self.settings.end_with_token == "all",  # noqa: S105
        )

    async def _start(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._look_at_the_app(scope)
        except CannotCompile as error:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": f"strict:\n{error}"})
        else:
            await self.app(scope, receive, send)

    def _look_at_the_app(self, scope: Scope) -> None:
        """Watch the app's routes, once they are all there; raise `CannotCompile` if strict."""
        app = routed_app(scope.get("app", self.app))
        if self.settings.strict:
            self._ids = ids_or_no_start(app)
        if self._local is not None:
            self._local.stand_for(app, self.settings.edge, self.settings.audience)
        if scope["type"] != "lifespan":
            self._routed, self._watched = app, True
            watch(app)

    def _only_if_compared(self, check: RouteCheck, scope: Scope, send: Send) -> Send:
        """Let an answer out if its route was compared, or if no endpoint gave it.

        The router's own 404 and 405 need no route, nor does a preflight's answer. All else comes
        from a route that was added, or built anew, after the app was watched.
        """

        def send_if_compared(message: Message) -> Awaitable[None]:
            # Nearly always: a route was compared before its endpoint answers.
            return send(message) if check.done else self._judge(message, check, scope, send)

        return send_if_compared

    async def _judge(self, message: Message, check: RouteCheck, scope: Scope, send: Send) -> None:
        if check.withheld:
            return
        if not check.refused and _comes_from_an_endpoint(message, scope, check.mount):
            check.withheld = True
            self._watched = False  # so that the next request finds the new route watched
            await _refuse_as(errors.RouteMismatch(), scope, send)
        else:
            await send(message)

    async def _verified(self, scope: Scope, found: list[bytes]) -> EdgeClaims:
        token, head = _only(found), _head(scope)
        try:
            return self._verify(token, await self.keys.current(), head)
        except errors.KeyUnknown:
            # Perhaps the edge has rotated its key since. The source decides whether to look.
            return self._verify(token, await self.keys.refreshed(), head)

    def _verify(self, token: bytes, keys: KeySet, head: RequestHead) -> EdgeClaims:
        return verify(
            token,
            keys,
            head,
            issuer=self.settings.edge,
            audience=self.settings.audience,
            now=self._now(),
            leeway=self.settings.leeway,
        )


def _asks_for(path: str | None, scope: Scope) -> bool:
    """Whether a request is for one of the two paths that need no header, byte for byte."""
    return (
        path is not None
        and scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and scope.get("raw_path") == path.encode("ascii") == scope["path"].encode()
    )


def _take_headers(scope: Scope) -> list[bytes]:
    """Take every spelling of the header out of the scope; return the values of the true one.

    The underscore twin is no header of ours, but becomes one behind a WSGI bridge.
    """
    kept: list[tuple[bytes, bytes]] = []
    found: list[bytes] = []
    for field in scope["headers"]:
        name = field[0]
        # By their length most names are told apart already.
        if len(name) != _HEADER_LENGTH or name.lower().replace(b"_", b"-") != HEADER:
            kept.append(field)
        elif name.lower() == HEADER:
            found.append(field[1])
    scope["headers"] = kept
    return found


def _only(found: list[bytes]) -> bytes:
    if not found:
        raise errors.HeaderMissing
    if len(found) > 1:
        raise errors.HeaderRepeated
    return found[0]


def _head(scope: Scope) -> RequestHead:
    raw_path = scope.get("raw_path")
    # Routing reads `path`, the edge judged `raw_path`: one must still be the other, decoded.
    if not isinstance(raw_path, bytes) or not raw_path.isascii():
        raise errors.PathMismatch
    path = raw_path.decode("ascii")
    if (unquote(path) if "%" in path else path) != scope["path"]:
        raise errors.PathMismatch
    return RequestHead(
        # A WebSocket starts as a GET (RFC 6455 §4.1); ASGI does not repeat it.
        method="GET" if scope["type"] == "websocket" else scope["method"],
        raw_path=raw_path,
        query=scope["query_string"],
        below_root=below_root(scope),
    )


def _comes_from_an_endpoint(message: Message, scope: Scope, mount: object) -> bool:
    if message["type"] == "http.response.start":
        success: bool = message["status"] < 300
        chosen = scope.get("endpoint") is not mount
        return chosen or (success and scope["method"] != "OPTIONS")
    return bool(message["type"] == "websocket.accept")


async def _refuse_as(error: errors.Refused, scope: Scope, send: Send) -> None:
    log_of(scope).write(error, scope)
    await _refuse(problem.NOT_FROM_THE_EDGE, scope, send)


async def _refuse(answer: Problem, scope: Scope, send: Send) -> None:
    prefix = ""
    if scope["type"] == "websocket":
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            # The server turns a close before the accept into a plain 403.
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        prefix = "websocket."
    await send(
        {
            "type": f"{prefix}http.response.start",
            "status": int(answer.status),
            "headers": answer.raw_headers(),
        }
    )
    await send({"type": f"{prefix}http.response.body", "body": answer.body()})
