"""Examine a guarded app once: when it starts, or with the first request.

Input: the guarded app, its `Settings` and its lifespan. Output: the source of keys, and the routes
and ids that requests are compared with. If the app has a fault, it does not start; on a server
without a lifespan, every request gets a 503. It judges no request: `middleware` does.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastgate.background import can_start
from fastgate.compile.cache import caching
from fastgate.compile.former_routes import overlap_of
from fastgate.compile.policy import CannotCompile
from fastgate.compile.strict import route_ids_or_raise
from fastgate.compile.unenforced import (
    Unenforced,
    refuse_lost_requirements,
    refuse_unenforced_rules,
)
from fastgate.compile.unnamed_endpoints import Unnamed
from fastgate.gateways.assertions import Assertions
from fastgate.keys.source import EdgeKeys, KeySource
from fastgate.local_rules import LocalRules
from fastgate.routes.entering import mark_guarded
from fastgate.routes.framework import routed_app, signed_root_of
from fastgate.routes.placement import Misplaced, guarded_app, outside_of, overridden_call
from fastgate.routes.route_names import Accepted, Names, Request
from fastgate.routes.self_test import understand_framework
from fastgate.settings import Settings, check_observe

if TYPE_CHECKING:
    from fastgate.fake_edge.local import LocalEdge

_log = logging.getLogger("fastgate")


class Startup:
    """The examination of one guarded app, and its results.

    Args:
        guard: the class of the guard, to find its position among the middleware.
        inner: the ASGI app that the guard calls.
        settings: how this origin recognizes its edge.
        keys: the source of the edge's keys; by default the source that `settings` describe.
        assertions: the other gateways whose requests are accepted.
        observe: log a fault of the app, and let it start.

    Raises:
        ValueError: `observe` is not a bool, or is combined with `strict` or local callers.

    """

    def __init__(
        self,
        guard: type,
        inner: ASGIApp,
        settings: Settings,
        *,
        keys: KeySource | None,
        assertions: Assertions,
        observe: bool,
    ) -> None:
        check_observe(observe, settings)
        self._guard = guard
        self._inner = inner
        self._settings = settings
        self._assertions = assertions
        self._observe = observe
        rules = settings.local_rules
        self.local = None if rules is None else _local_edge(rules)
        """The signer for callers on a developer's machine; None in production."""
        if keys is None:
            keys = settings.key_source() if self.local is None else self.local.keys
        self.keys = keys
        """The source of the edge's keys. Tests replace it."""
        self._examined = False
        self.succeeded = False
        """Whether the app was examined and may receive requests."""
        self.app: object | None = None
        """The app whose routes are guarded; None if the guard cannot find it."""
        self.names = Names()
        """The names that the edge has for the routes of the app."""
        self.gateway_names = Names()
        """The same for requests of other gateways: routes with rules of the edge have no name."""
        if observe:
            _log.error("OBSERVING ONLY: the guard refuses nothing; every request reaches the app")

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a lifespan on, and examine the app after its startup, which may still add routes."""
        fault: Exception | None = None
        examined = failed = False

        async def send_if_sound(message: Message) -> None:
            nonlocal fault, examined, failed
            if message["type"] == "lifespan.startup.complete":
                examined = True
                try:
                    await self._examine(scope)
                except Exception as error:
                    fault = error
                    raise  # the app's lifespan has to end, as after any other error
            elif message["type"] == "lifespan.startup.failed":
                failed = True
                if fault is not None:
                    message = {**message, "message": _explain(fault)}
            elif fault is not None:
                return  # the lifespan has swallowed the fault, and ends as if the app had started
            await send(message)

        try:
            await self._inner(scope, receive, send_if_sound)
            if not examined and not failed:  # the app ignores the lifespan
                await self._examine(scope)
        except Exception:
            if fault is None and not examined and not failed:
                # An app may raise to say that it has no lifespan. The server then continues.
                try:
                    await self._examine(scope)
                except Exception as found:
                    fault = found
            if fault is None:
                raise
        if fault is not None:
            if not failed:
                await send({"type": "lifespan.startup.failed", "message": _explain(fault)})
            raise fault

    async def succeeds(self, scope: Scope) -> bool:
        """Whether requests may be let in. Examine an app without a lifespan, once; log a fault."""
        if not self._examined:
            try:
                await self._examine(scope)
            except Exception as error:
                # Of two examinations at once, the one that fails decides.
                self._examined, self.succeeded = True, False
                _log.error("every request gets a 503: %s", _explain(error))
        return self.succeeded

    async def _examine(self, scope: Scope) -> None:
        try:
            await self._examine_or_raise(scope)
        except Exception as error:
            if not self._observe:
                raise
            _log.error("without observe=True the app would not start: %s", _explain(error))
        self._examined = self.succeeded = True

    async def _examine_or_raise(self, scope: Scope) -> None:
        """Read the routes of the app, now complete. Raises `CannotCompile` if strict."""
        self.app = app = guarded_app(self._guard, self._inner, scope)
        await understand_framework()
        if (isinstance(self.keys, EdgeKeys) or self._assertions) and not can_start():
            raise Misplaced(
                "the guard can fetch keys only on asyncio and trio. Run the app on one of them, or "
                "give Settings the keys: keys={…}."
            )
        if outside := outside_of(self._guard, app):
            message = f"outside of the guard, which sees unverified requests: {', '.join(outside)}"
            if self._settings.strict:
                raise Misplaced(f"{message}. Call guard after the last add_middleware.")
            _log.warning("%s", message)
        if (owner := overridden_call(self._guard, app)) is not None:
            message = f"{owner}.__call__ sees requests before the guard has verified them"
            if self._settings.strict:
                raise Misplaced(
                    f"{message}. Turn it into middleware that is added before guard is called, or "
                    "put the guard around the app: FastgateMiddleware(app, settings)."
                )
            _log.warning("%s", message)
        if not self._observe:
            mark_guarded(app)
        with caching():
            self._read(app)
        self._assertions.warn()

    def _read(self, app: object) -> None:
        """Read the edge's names for the routes of an app, and prepare for local callers."""
        if routed_app(app) is not None:
            self.names = Names(signed_root_of(app), self._former(app), unnamed=Unnamed(app))
            refuse_lost_requirements(app)
            if self._assertions:
                # No edge enforces these rules, and no compiler may ever read the app.
                refuse_unenforced_rules(app)
                self.gateway_names = self.names._replace(unnamed=Unenforced(app))
        if self._settings.strict:
            self.names = self.names._replace(ids=route_ids_or_raise(app))
        if self.local is not None:
            settings = self._settings
            self.local.sign_for(app, settings.edge, settings.audience, settings.region)

    def _former(self, app: object) -> Mapping[Request, Accepted]:
        found = overlap_of(app)
        if not self._settings.strict:  # a strict app does not start with them
            for each in found.misleading:
                _log.warning("not accepted: %s %s; %s", each.endpoint, each.what, each.remedy)
        return found.accepted


def _local_edge(rules: LocalRules) -> "LocalEdge":
    """Return the signer for local callers. Code that signs is imported here, not before."""
    from fastgate.fake_edge.local import LocalEdge

    return LocalEdge(rules)


def _explain(fault: Exception) -> str:
    return f"fastgate:\n{fault}" if isinstance(fault, CannotCompile) else f"fastgate: {fault}"
