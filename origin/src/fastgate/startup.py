"""What a guard does once for its app: before the first request, or with it.

In: the guarded app, its `Settings` and its lifespan. Out: the source of keys, and the routes and
ids that requests are compared with; or an app that does not start, or responds 503 where a server
has no lifespan. It judges no request: see `middleware`.
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
from fastgate.compile.unnamed_endpoints import Unnamed
from fastgate.keys.source import EdgeKeys, KeySource
from fastgate.local_rules import LocalRules
from fastgate.routes.dispatch import can_compare_all, mark_guarded
from fastgate.routes.framework import routed_app, signed_root_of
from fastgate.routes.placement import Misplaced, answers_before, guarded_app, outside_of
from fastgate.routes.route_names import Accepted, Names, Request
from fastgate.routes.self_test import understand_framework
from fastgate.settings import Settings, check_observe

if TYPE_CHECKING:
    from fastgate.fake_edge.local import LocalEdge

_log = logging.getLogger("fastgate")


class Startup:
    """The look at one guarded app, and what came of it.

    Args:
        guard: the guard's class, to find where it stands among the middleware.
        inner: what the guard calls.
        settings: who the edge is.
        keys: where the edge's keys come from; by default what `settings` say.
        observe: a fault of the app is logged, and does not keep it from starting.

    Raises:
        ValueError: `observe` is no bool, or with `strict` or local callers.

    """

    def __init__(
        self,
        guard: type,
        inner: ASGIApp,
        settings: Settings,
        *,
        keys: KeySource | None,
        observe: bool,
    ) -> None:
        check_observe(observe, settings)
        self._guard = guard
        self._inner = inner
        self._settings = settings
        self._observe = observe
        rules = settings.local_rules
        self.local = None if rules is None else _local_edge(rules)
        """What signs for callers on a developer's machine; None in production."""
        if keys is None:
            keys = settings.key_source() if self.local is None else self.local.keys
        self.keys = keys
        """Where the edge's keys come from; tests replace it."""
        self._seen = self._faulty = False
        self.app: object | None = None
        """The app whose routes are guarded; None if none can be seen."""
        self.names = Names()
        """What the edge calls the app's routes."""
        if observe:
            _log.error("OBSERVING ONLY: nothing is refused, every request reaches the app")

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a lifespan on, and look at the app once it has started: it may still add routes."""
        fault: Exception | None = None
        looked = failed = False

        async def send_if_sound(message: Message) -> None:
            nonlocal fault, looked, failed
            if message["type"] == "lifespan.startup.complete":
                looked = True
                try:
                    await self._look(scope)
                except Exception as error:
                    fault = error
                    raise  # so that the app's lifespan ends, as with any other error
            elif message["type"] == "lifespan.startup.failed":
                failed = True
                if fault is not None:
                    message = {**message, "message": _explain(fault)}
            elif fault is not None:
                return  # its lifespan has swallowed the fault, and ends as if it had started
            await send(message)

        try:
            await self._inner(scope, receive, send_if_sound)
            if not looked and not failed:  # it takes no part in the lifespan
                await self._look(scope)
        except Exception:
            if fault is None and not looked and not failed:
                # An app may say so that it knows no lifespan: the server goes on without one.
                try:
                    await self._look(scope)
                except Exception as found:
                    fault = found
            if fault is None:
                raise
        if fault is not None:
            if not failed:
                await send({"type": "lifespan.startup.failed", "message": _explain(fault)})
            raise fault

    async def is_sound(self, scope: Scope) -> bool:
        """Whether requests may be let in; looks at an app that serves already, and logs it once."""
        if not self._seen:
            try:
                await self._look(scope)
            except Exception as error:
                self._seen = self._faulty = True
                _log.error("every request is answered with 503: %s", _explain(error))
        return not self._faulty

    def can_compare(self) -> bool:
        """Whether each of the app's routes, as they are now, would be compared."""
        return can_compare_all(self.app)

    async def _look(self, scope: Scope) -> None:
        try:
            await self._look_or_raise(scope)
        except Exception as error:
            if not self._observe:
                raise
            _log.error("the app would not start: %s", _explain(error))
        self._seen, self._faulty = True, False

    async def _look_or_raise(self, scope: Scope) -> None:
        """Read the routes of the app, once they are all there; raise `CannotCompile` if strict."""
        self.app = app = guarded_app(self._guard, self._inner, scope)
        await understand_framework()
        if isinstance(self.keys, EdgeKeys) and not can_start():
            raise Misplaced(
                "keys are fetched on asyncio and trio alone. Run the app on one of them, or give "
                "Settings the keys: keys={…} or origin_keys={…}."
            )
        if outside := outside_of(self._guard, app):
            message = f"outside of the guard, where nobody is verified: {', '.join(outside)}"
            if self._settings.strict:
                raise Misplaced(f"{message}. Call guard after the last add_middleware.")
            _log.warning("%s", message)
        if (owner := answers_before(self._guard, app)) is not None:
            message = f"{owner}.__call__ sees requests before the guard, where nobody is verified"
            if self._settings.strict:
                raise Misplaced(
                    f"{message}. Make middleware of it, added before guard is called, or put the "
                    "guard around the app: FastgateMiddleware(app, settings)."
                )
            _log.warning("%s", message)
        if not self._observe:
            mark_guarded(app)
        with caching():
            self._read(app)

    def _read(self, app: object) -> None:
        """Read what the edge calls the routes of an app, and what it lets local callers do."""
        if routed_app(app) is not None:
            self.names = Names(signed_root_of(app), self._former(app), unnamed=Unnamed(app))
        if self._settings.strict:
            self.names = self.names._replace(ids=route_ids_or_raise(app))
        if self.local is not None:
            self.local.sign_for(app, self._settings.edge, self._settings.audience)

    def _former(self, app: object) -> Mapping[Request, Accepted]:
        found = overlap_of(app)
        if not self._settings.strict:  # a strict app does not start
            for each in found.misleading:
                _log.warning("not accepted: %s %s; %s", each.endpoint, each.what, each.remedy)
        return found.accepted


def _local_edge(rules: LocalRules) -> "LocalEdge":
    """Return what signs for local callers. Only now is code that signs imported."""
    from fastgate.fake_edge.local import LocalEdge

    return LocalEdge(rules)


def _explain(fault: Exception) -> str:
    return f"strict:\n{fault}" if isinstance(fault, CannotCompile) else f"fastgate: {fault}"
