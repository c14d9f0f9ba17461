"""The door: nothing reaches the app that the edge has not judged.

In: an ASGI scope. Out: the same scope with verified `EdgeClaims` under `SCOPE_KEY` and without the
header, handed to the app; or a problem, and the app never hears of it. HTTP and WebSocket alike. It
judges the bytes of the request line, `raw_path` and `query_string`, never a URL rebuilt from them.
What only routing can show, `route` compares behind the app's router; here the door makes sure that
no answer leaves for which it was not compared.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate import errors, problem
from fastgate.claims import SCOPE_KEY, EdgeClaims
from fastgate.content import ClientGone, matched
from fastgate.dispatch import can_compare, install
from fastgate.jwks import read_jwks
from fastgate.keys import EdgeKeys, KeySource, StaticKeys
from fastgate.local import LocalEdge
from fastgate.placement import Misplaced, guarded_app, outside_of
from fastgate.policy import CannotCompile
from fastgate.problem import Problem
from fastgate.route import (
    CHECK_KEY,
    PREFIX_KEY,
    Comparing,
    RouteCheck,
    RouteIds,
    check_for,
    nameless,
    root_template,
)
from fastgate.routing import root_path_of
from fastgate.self_test import understand_framework
from fastgate.settings import Settings
from fastgate.stand_in import StandInEdge
from fastgate.strict import ids_or_no_start
from fastgate.verify import KeySet, RequestHead, verify

HEADER = b"fastgate-identity"
_HEADER_LENGTH = len(HEADER)

_log = logging.getLogger("fastgate")

install()


class FastgateMiddleware:
    """Pure ASGI middleware that lets through what `Fastgate-Identity` vouches for.

    Put it around everything else: a middleware outside of it sees requests that nobody verified.

    Args:
        app: the app to guard.
        settings: who the edge is.
        keys: where its keys come from; by default what `settings` say.
        now: the clock, Unix time in seconds.

    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        *,
        keys: KeySource | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.app = app
        self._routed: object | None = None
        self._seen = self._faulty = False
        self._ids: RouteIds | None = None
        self._local: LocalEdge | None = None
        self.settings = settings
        self.keys = settings.key_source() if keys is None else keys
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one connection through, or refuse it. A lifespan passes: it carries no request."""
        if scope["type"] == "lifespan":
            await self._start(scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            raise NotImplementedError("a kind of connection that this door does not know")

        if not self._seen:
            await self._look_once(scope)
        if self._faulty:
            await _refuse(problem.UNAVAILABLE, scope, send)
            return
        if isinstance(check := scope.get(CHECK_KEY), RouteCheck):
            await self._guard_again(check, scope, receive, send)
            return
        found = _take_headers(scope)
        scope[SCOPE_KEY] = claims = None
        try:
            if _asks_for(self.settings.ready_path, scope):
                await self.keys.current()
                await send({"type": "http.response.start", "status": 204, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
            if not _asks_for(self.settings.health_path, scope):
                if self._local is not None and not found:
                    limit = self.settings.max_signed_body
                    header, receive = await self._local.header(scope, receive, limit)
                    found = [header]
                claims = scope[SCOPE_KEY] = await self._verified(scope, found)
                if (expected := claims.transaction.content_digest) is not None:
                    limit = self.settings.max_signed_body
                    receive = await matched(scope, receive, expected, limit)
        except errors.KeysUnavailable as error:
            _log.error("refused: %s", error.code)
            await _refuse(problem.UNAVAILABLE, scope, send)
        except errors.Refused as error:
            await _refuse_as(error, scope, send)
        except ClientGone:
            return
        else:
            judged = None if claims is None else claims.transaction
            root = ""
            if judged is not None and (stripped := self._stripped(scope)):
                root = stripped if unquote(judged.path) == stripped + scope["path"] else ""
            check = check_for(scope, judged, _refuse_as, self._ids, stripped=root)
            if not can_compare(getattr(self._routed, "routes", ())):
                await _refuse_as(errors.RouteMismatch(), scope, send)
                return
            with Comparing(check, scope):
                await self.app(scope, receive, self._only_if_compared(check, scope, send))

    async def _guard_again(
        self, check: RouteCheck, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Let through what a guard further out has verified, for the same edge and audience."""
        claims = scope.get(SCOPE_KEY)
        ours = (self.settings.edge, self.settings.audience)
        same = isinstance(claims, EdgeClaims) and (claims.issuer, claims.audience) == ours
        if same or check.judged is None:  # or the one path that its operator has opened
            await self.app(scope, receive, send)
            return
        _log.error(
            "a guard inside of another guard, for another edge or audience than %s and %s", *ours
        )
        await _refuse(problem.NOT_FROM_THE_EDGE, scope, send)

    async def _start(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at the app once it has started: in its lifespan it may still add routes."""
        fault: Exception | None = None
        looked = failed = False

        async def send_if_sound(message: Message) -> None:
            nonlocal fault, looked, failed
            if message["type"] == "lifespan.startup.complete":
                looked = True
                try:
                    await self._look_at_the_app(scope)
                except Exception as error:
                    fault = error
                    raise  # so that the app's lifespan ends, as with any other error
            elif message["type"] == "lifespan.startup.failed":
                failed = True
                if fault is not None:
                    message = {**message, "message": _explain(fault)}
            await send(message)

        try:
            await self.app(scope, receive, send_if_sound)
            if not looked and not failed:  # it takes no part in the lifespan
                await self._look_at_the_app(scope)
        except Exception as error:
            if not failed and (fault is not None or not looked):
                await send({"type": "lifespan.startup.failed", "message": _explain(error)})
            raise
        if fault is not None:
            if not failed:
                await send({"type": "lifespan.startup.failed", "message": _explain(fault)})
            raise fault

    async def _look_once(self, scope: Scope) -> None:
        """Look at an app that serves already; remember what is wrong with it, and log it once."""
        try:
            await self._look_at_the_app(scope)
        except Exception as error:  # noqa: BLE001: whatever it is, nobody gets in
            self._seen = self._faulty = True
            _log.error("every request is answered with 503: %s", _explain(error))

    async def _look_at_the_app(self, scope: Scope) -> None:
        """Read the routes of the app, once they are all there; raise `CannotCompile` if strict."""
        await understand_framework()
        if isinstance(self.keys, EdgeKeys) and not _on_asyncio():
            raise Misplaced(
                "keys are fetched on asyncio alone. Run the app on asyncio, or give Settings the "
                "keys: keys={…} or origin_keys={…}."
            )
        app = guarded_app(FastgateMiddleware, self.app, scope)
        if outside := outside_of(FastgateMiddleware, app):
            message = f"outside of the guard, where nobody is verified: {', '.join(outside)}"
            if self.settings.strict:
                raise Misplaced(f"{message}. Call guard after the last add_middleware.")
            _log.warning("%s", message)
        if self.settings.strict:
            ids: dict[tuple[str, str], str] = {}
            for (method, template), name in ids_or_no_start(app).items():
                ids.setdefault((method, nameless(template)), name)
            self._ids = RouteIds(ids, root_path_of(app))
        if self.settings.local_caller is not None and self._local is None:
            edge = StandInEdge(app, issuer=self.settings.edge, audience=self.settings.audience)
            self.keys = StaticKeys(read_jwks(json.dumps(edge.jwks).encode()))
            self._local = LocalEdge(edge, self.settings.local_caller)
        self._routed, self._seen, self._faulty = app, True, False

    def _only_if_compared(self, check: RouteCheck, scope: Scope, send: Send) -> Send:
        """Let an answer out unless it comes from an endpoint that was not compared.

        No router known here runs one. This is for a router that dispatches in a way of its own.
        """
        before = scope.get("endpoint")  # what a router outside of the guard has named

        def send_if_compared(message: Message) -> Awaitable[None]:
            if check.done or check.passed or check.refused or scope.get("endpoint") is before:
                return send(message)
            return self._withhold(check, scope, send)

        return send_if_compared

    async def _withhold(self, check: RouteCheck, scope: Scope, send: Send) -> None:
        if not check.withheld:
            check.withheld = True
            await _refuse_as(errors.RouteMismatch(), scope, send)

    async def _verified(self, scope: Scope, found: list[bytes]) -> EdgeClaims:
        token, head = _only(found), _head(scope, self._stripped(scope))
        try:
            return self._verify(token, await self.keys.current(), head)
        except errors.KeyUnknown:
            # Perhaps the edge has rotated its key since. The source decides whether to look.
            return self._verify(token, await self.keys.refreshed(), head)

    def _stripped(self, scope: Scope) -> str:
        """Return what a proxy behind the edge may have taken off the path: the app's root path."""
        root = scope.get("root_path", "") or root_path_of(self._routed)
        if not root or not root.isascii() or scope.get(PREFIX_KEY) is not None:
            return ""
        return "" if root_template({**scope, "root_path": root}) else root

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


def _explain(fault: Exception) -> str:
    return f"strict:\n{fault}" if isinstance(fault, CannotCompile) else f"fastgate: {fault}"


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _asks_for(path: str | None, scope: Scope) -> bool:
    """Whether a request is for one of the two paths that need no header, byte for byte."""
    return (
        path is not None
        and scope["type"] == "http"
        and scope["method"] in ("GET", "HEAD")
        and scope["path"] == path
        and scope.get("raw_path") in (None, path.encode("ascii"))
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


def _head(scope: Scope, stripped: str) -> RequestHead:
    # A WebSocket starts as a GET (RFC 6455 §4.1); ASGI does not repeat it.
    method = "GET" if scope["type"] == "websocket" else scope["method"]
    query = scope["query_string"]
    raw_path = scope.get("raw_path")
    if raw_path is None:  # ASGI leaves it to the server
        path = scope["path"]
        return RequestHead(method, None, query, decoded_paths=(path, stripped + path))
    # Routing reads `path`, the edge judged `raw_path`: one must still be the other, decoded.
    if not isinstance(raw_path, bytes) or not raw_path.isascii():
        raise errors.PathMismatch
    text = raw_path.decode("ascii")
    if (unquote(text) if "%" in text else text) != scope["path"]:
        raise errors.PathMismatch
    return RequestHead(method, raw_path, query, stripped.encode() + raw_path if stripped else None)


async def _refuse_as(error: errors.Refused, scope: Scope, send: Send) -> None:
    _log.warning("refused: %s", error.code)
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
