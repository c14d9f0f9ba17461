"""Guard an app: verify each request before the app receives it.

Input: an ASGI scope of an HTTP request or a WebSocket. Output: the app runs with the same scope,
without the header and with verified `EdgeClaims` under `SCOPE_KEY`; or the client gets a problem
and the app does not run.

The steps for a request, in order: `request.head` takes the header and the request head from the
scope, `keys` returns the keys of the edge, `verify` compares, and `content` compares a signed body.
Behind the router of the app, `routes.dispatch` compares the route. `request.sending` stops a
response if a step was left out. The work done once for each app is in `startup`.
"""

import time
from collections.abc import Awaitable, Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import errors, problem
from fastgate.claims import SCOPE_KEY, EdgeClaims
from fastgate.content import ClientGone, matched
from fastgate.gateways.assertions import Assertions, Found
from fastgate.gateways.evidence import GatewayCheck, gateway_check_for
from fastgate.gateways.gateway import Gateway
from fastgate.gateways.options import check_gateways, without_edge
from fastgate.keys.key_set import KeySet
from fastgate.keys.source import KeySource, NoEdge
from fastgate.local_edge import as_served
from fastgate.refusal_log import LOG_KEY, RefusalLog
from fastgate.request.expiry import run_until
from fastgate.request.head import HEADER, asks_for, head_of, only, take_headers
from fastgate.request.mcp_transports import check_transports
from fastgate.request.nested import GuardedFor, is_guarded_for, refuse_nested
from fastgate.request.observe import ObservedCheck, let_pass, observed_body
from fastgate.request.readiness import respond_readiness
from fastgate.request.response_keys import begin_keys, end_keys
from fastgate.request.sending import send_for
from fastgate.responses import refuse, respond
from fastgate.routes.check import CHECK_KEY, RouteCheck, begin, end
from fastgate.routes.dispatch import can_compare_routes, install
from fastgate.routes.host import method_of
from fastgate.routes.root_path import arrival_of, signed_scope
from fastgate.settings import Settings, expected_host
from fastgate.startup import Startup
from fastgate.verify import RequestHead, verify

__all__ = ("HEADER", "FastgateMiddleware")

install()


class FastgateMiddleware:
    """Pure ASGI middleware that admits a request only with a valid `Fastgate-Identity`.

    With `gateways`, a request without this header may have the assertion of one of them instead.

    It must be the outermost middleware: any middleware outside of it sees unverified requests.

    Args:
        app: the app to guard.
        settings: how this origin recognizes its edge; None if only `gateways` send requests.
        gateways: other gateways whose assertions are accepted, from `from_gateway`.
        health_path: without settings, a path that GET and HEAD reach without any assertion.
        keys: the source of the edge's keys; by default the source that `settings` describe.
        now: the clock, Unix time in seconds.
        observe: log what would be refused and let it pass. This protects nothing.

    Raises:
        ValueError: `observe` is not a bool, or is combined with `strict`, local callers or
            gateways; there are neither settings nor gateways; or two gateways use one header.

    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings | None = None,
        *,
        gateways: Sequence[Gateway] = (),
        health_path: str | None = None,
        keys: KeySource | None = None,
        now: Callable[[], float] = time.time,
        observe: bool = False,
    ) -> None:
        check_gateways(settings, gateways, health_path, observe=observe)
        self.app = app
        self.has_edge = settings is not None
        """Whether the app has settings of an edge, and not only of other gateways."""
        if settings is None:
            settings, keys = without_edge(health_path), keys or NoEdge()
        else:
            settings, keys = as_served(settings, keys)
        self.settings = settings
        self._assertions = Assertions(gateways, settings.leeway)
        self.startup = Startup(
            FastgateMiddleware,
            app,
            settings,
            keys=keys,
            assertions=self._assertions,
            observe=observe,
        )
        self._now = now
        self._backend_host = expected_host(settings)
        self._guarded_for = GuardedFor(settings.edge, settings.audience, settings.region)
        self._observe = observe
        self._kind = ObservedCheck if observe else RouteCheck
        self._compared_body = observed_body if observe else matched
        self._refusals = RefusalLog()
        check_transports()

    @property
    def keys(self) -> KeySource:
        """The source of the edge's keys. A new one is in force from the next request on."""
        return self.startup.keys

    @keys.setter
    def keys(self, keys: KeySource) -> None:
        self.startup.keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one connection through, or refuse it. A lifespan passes: it carries no request."""
        if scope["type"] == "lifespan":
            await self.startup.run(scope, receive, send)
        elif scope["type"] not in ("http", "websocket"):
            raise NotImplementedError(f"fastgate does not know this connection: {scope['type']}")
        elif not self.startup.succeeded and not await self.startup.succeeds(scope):
            await respond(problem.UNAVAILABLE, scope, send)
        elif isinstance(check := scope.get(CHECK_KEY), RouteCheck):
            if isinstance(check, GatewayCheck):
                passes = check.claims is not None and self._assertions.accepts(check.claims)
            else:
                passes = is_guarded_for(self._guarded_for, check, scope)
            if self._observe or passes:
                await self.app(scope, receive, send)
            else:
                await refuse_nested(self._guarded_for, check, scope, send)
        else:
            await self._guard(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or refuse it: every step, in order."""
        check_transports()  # the package may have been loaded since the last request
        settings, startup = self.settings, self.startup
        app = startup.app
        (found, host, has_optional), arrival = take_headers(scope), arrival_of(scope, app)
        scope[SCOPE_KEY], scope[LOG_KEY] = None, self._refusals
        found_assertions = self._take_assertions(scope, found) if self._assertions else None
        ready, health = settings.ready_path, settings.health_path
        if ready is not None and asks_for(ready, scope, arrival):
            await respond_readiness(startup.keys, scope, send)
            return
        claims: EdgeClaims | None
        asserted, content = None, b""
        try:
            if health is not None and asks_for(health, scope, arrival):
                pass
            elif found_assertions:
                head_of(scope, arrival, host)  # it refuses a path that the app would read otherwise
                asserted = await self._assertions.verified(found_assertions, self._now())
            else:
                if startup.local is not None and not found:
                    signed, limit = signed_scope(scope, arrival), settings.max_signed_body
                    header, receive = await startup.local.header(signed, receive, limit)
                    scope["headers"] = startup.local.forwarded(signed)
                    found = [header]
                head = head_of(scope, arrival, host)
                token, keys = only(found), await startup.keys.current()
                try:
                    verified = self._verify(token, keys, head)
                except errors.KeyUnknown:
                    # The edge may have rotated its key. The source decides whether to fetch again.
                    verified = self._verify(token, await startup.keys.refreshed(), head)
                scope[SCOPE_KEY] = verified
                tctx, limit = verified.transaction, settings.max_signed_body
                if tctx.content_digest is not None:
                    content, receive = await self._compared_body(scope, receive, tctx, limit)
                elif tctx.mcp is not None:
                    raise errors.ContentMismatch
            if not can_compare_routes(app, arrival.at_guard.router):
                raise errors.RouteMismatch
        except ClientGone:
            return
        except errors.FastgateError as error:
            if not self._observe:
                await refuse(error, scope, send)
                return
            let_pass(error, scope)
        claims = scope[SCOPE_KEY]  # None again if it would be refused
        judged = None if claims is None else claims.transaction
        prefix = arrival.prefix(None if judged is None else judged.path)
        if asserted is None:
            method, path, names = method_of(scope), scope["path"], startup.names
            check = self._kind(judged, refuse, method, path, host, prefix, names, prefix.router)
            if content and judged is not None and judged.mcp is None:
                check.content = content
        else:
            check = gateway_check_for(asserted, scope, refuse, startup.gateway_names, prefix)
        token_end = None if claims is None else claims.requester.token_expires_at
        choice = settings.end_with_token
        comparing = begin(check, scope, receive)
        named, naming = begin_keys(is_http=scope["type"] == "http")
        try:
            outgoing = send_for(
                check, named, scope, send, has_optional=has_optional, observe=self._observe
            )
            if token_end is None or choice == "none":
                await self.app(scope, receive, outgoing)
            else:
                await self._run_until(token_end, check, scope, receive, outgoing)
        finally:
            end_keys(naming)
            end(check, comparing)

    def _take_assertions(self, scope: Scope, found: list[bytes]) -> list[Found]:
        """Return the assertions that decide about a request: none if it has our own header."""
        is_from_edge = bool(found) or self.startup.local is not None
        assertions = self._assertions.take(scope, is_from_edge=is_from_edge)
        return [] if is_from_edge else assertions

    def _verify(self, token: bytes, keys: KeySet, head: RequestHead) -> EdgeClaims:
        settings = self.settings
        return verify(
            token,
            keys,
            head,
            issuer=settings.edge,
            audience=settings.audience,
            now=self._now(),
            leeway=settings.leeway,
            backend_host=self._backend_host,
            region=settings.region,
        )

    async def _run_until(
        self, token_end: int, check: RouteCheck, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Run the app, as long as the caller's token is valid."""

        def run(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            check.receive = receive
            return self.app(scope, receive, send)

        choice, end = self.settings.end_with_token, token_end + self.settings.leeway
        every = choice == "all"
        await run_until(
            run, scope, receive, send, expires_at=end, now=self._now, every_response=every
        )
