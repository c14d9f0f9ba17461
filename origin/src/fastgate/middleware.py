"""Guard an app: verify each request before the app gets it.

In: an ASGI scope, of HTTP or a WebSocket. Out: the same scope without the header, and with verified
`EdgeClaims` under `SCOPE_KEY`, handed to the app; or a problem, and the app does not run.

What is done for a request, in this order: `request.head` takes the header and the request's head
from the scope, `keys` has the edge's keys, `verify` compares, `content` compares a signed body.
Behind the app's router, `routes.dispatch` compares the route. `request.sending` lets no response
out for which that was not done. What is done once for the app is in `startup`.
"""

import logging
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import errors, problem
from fastgate.claims import SCOPE_KEY, EdgeClaims
from fastgate.content import ClientGone, matched
from fastgate.keys.key_set import KeySet
from fastgate.keys.source import KeySource
from fastgate.refusal_log import LOG_KEY, RefusalLog
from fastgate.request.expiry import run_until
from fastgate.request.head import HEADER, asks_for, head_of, only, take_headers
from fastgate.request.observe import ObservedCheck, let_pass, observed_body
from fastgate.request.sending import send_for
from fastgate.responses import refuse, respond
from fastgate.routes.check import CHECK_KEY, Comparing, RouteCheck, check_for
from fastgate.routes.dispatch import install
from fastgate.routes.root_path import Arrival, arrival_of, signed_scope
from fastgate.settings import Settings
from fastgate.startup import Startup
from fastgate.verify import RequestHead, verify

__all__ = ("HEADER", "FastgateMiddleware")

_log = logging.getLogger("fastgate")

install()


class FastgateMiddleware:
    """Pure ASGI middleware that lets through what `Fastgate-Identity` vouches for.

    Put it around everything else: a middleware outside of it sees requests that were not verified.

    Args:
        app: the app to guard.
        settings: who the edge is.
        keys: where its keys come from; by default what `settings` say.
        now: the clock, Unix time in seconds.
        observe: say what would be refused, and let it pass. It protects nothing.

    Raises:
        ValueError: `observe` is no bool, or with `strict` or local callers.

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
        self.app = app
        self.settings = settings
        self.startup = Startup(FastgateMiddleware, app, settings, keys=keys, observe=observe)
        self._now = now
        self._observe = observe
        self._refusals = RefusalLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one connection through, or refuse it. A lifespan passes: it carries no request."""
        if scope["type"] == "lifespan":
            await self.startup.run(scope, receive, send)
        elif scope["type"] not in ("http", "websocket"):
            raise NotImplementedError("a kind of connection that this guard does not know")
        elif not await self.startup.is_sound(scope):
            await respond(problem.UNAVAILABLE, scope, send)
        elif isinstance(check := scope.get(CHECK_KEY), RouteCheck):
            await self._guard_again(check, scope, receive, send)
        else:
            await self._guard(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or refuse it: all that is done with it, in its order."""
        found, arrival = take_headers(scope), arrival_of(scope, self.startup.app)
        scope[SCOPE_KEY], scope[LOG_KEY] = None, self._refusals
        if asks_for(self.settings.ready_path, scope, arrival):
            await self._say_whether_ready(scope, send)
            return
        try:
            if not asks_for(self.settings.health_path, scope, arrival):
                found, receive = await self._signed_here(
                    found, signed_scope(scope, arrival), receive
                )
                claims = scope[SCOPE_KEY] = await self._verified(found, head_of(scope, arrival))
                receive = await self._compared_body(claims, scope, receive)
            if not self.startup.can_compare():
                raise errors.RouteMismatch
        except ClientGone:
            return
        except errors.FastgateError as error:
            if not self._observe:
                await refuse(error, scope, send)
                return
            let_pass(error, scope)
        check = self._check(scope, arrival)
        with Comparing(check, scope, receive):
            outgoing = send_for(check, scope, send, observe=self._observe)
            await self._run(check, scope, receive, outgoing)

    async def _guard_again(
        self, check: RouteCheck, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Let through what a guard further out has verified, for the same edge and audience."""
        claims = scope.get(SCOPE_KEY)
        ours = (self.settings.edge, self.settings.audience)
        same = isinstance(claims, EdgeClaims) and (claims.issuer, claims.audience) == ours
        opened = check.judged is None  # the one path that its operator has opened
        enforced = not isinstance(check, ObservedCheck)
        if self._observe or (enforced and (same or opened)):
            await self.app(scope, receive, send)
            return
        _log.error(
            "a guard inside of another guard, which %s %s and %s",
            "is for another edge or audience than" if enforced else "only observes, for",
            *ours,
        )
        await respond(problem.NOT_FROM_THE_EDGE, scope, send)

    async def _say_whether_ready(self, scope: Scope, send: Send) -> None:
        try:
            await self.startup.keys.current()
        except errors.KeysUnavailable as error:
            await refuse(error, scope, send)
            return
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _signed_here(
        self, found: list[bytes], scope: Scope, receive: Receive
    ) -> tuple[list[bytes], Receive]:
        """Return the header of a request without one, where a developer's machine has no edge."""
        if self.startup.local is None or found:
            return found, receive
        header, receive = await self.startup.local.header(
            scope, receive, self.settings.max_signed_body
        )
        return [header], receive

    async def _verified(self, found: list[bytes], head: RequestHead) -> EdgeClaims:
        token = only(found)
        try:
            return self._verify(token, await self.startup.keys.current(), head)
        except errors.KeyUnknown:
            # Perhaps the edge has rotated its key since. The source decides whether to look.
            return self._verify(token, await self.startup.keys.refreshed(), head)

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

    async def _compared_body(self, claims: EdgeClaims, scope: Scope, receive: Receive) -> Receive:
        expected = claims.transaction.content_digest
        if expected is None:
            return receive
        compared = observed_body if self._observe else matched
        return await compared(scope, receive, expected, self.settings.max_signed_body)

    def _check(self, scope: Scope, arrival: Arrival) -> RouteCheck:
        claims: EdgeClaims | None = scope[SCOPE_KEY]
        judged = None if claims is None else claims.transaction
        return check_for(
            scope,
            judged,
            refuse,
            self.startup.names,
            prefix=arrival.prefix(None if judged is None else judged.path),
            kind=ObservedCheck if self._observe else RouteCheck,
        )

    async def _run(self, check: RouteCheck, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; where it is so configured, no longer than the caller's token is valid."""
        claims: EdgeClaims | None = scope[SCOPE_KEY]
        token_end = None if claims is None else claims.requester.token_expires_at
        choice = self.settings.end_with_token
        if token_end is None or choice == "none":
            await self.app(scope, receive, send)
            return

        async def run(scope: Scope, receive: Receive, send: Send) -> None:
            check.receive = receive
            await self.app(scope, receive, send)

        end = token_end + self.settings.leeway
        every = choice == "all"
        await run_until(
            run, scope, receive, send, expires_at=end, now=self._now, every_response=every
        )
