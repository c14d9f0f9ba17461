"""Find the app that a guard guards, and the middleware that is outside of the guard.

Input: a guard, and the scope that reached it. Output: the app whose routes it guards, and the
middleware outside of it, which receives unverified requests. It changes nothing.
"""

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.types import ASGIApp, Scope

from fastgate.routes.framework import routed_app


class Misplaced(RuntimeError):
    """A strict app does not start with its guard in this position. The message says what to do."""


def guarded_app(guard: type, inner: ASGIApp, scope: Scope) -> object | None:
    """Return the app whose routes a guard around `inner` guards; None if it cannot be found.

    Args:
        guard: the class of the guard.
        inner: the ASGI app that the guard calls.
        scope: its `app` is the app that has the guard among its middleware, or an outer app in
            which the guarded one is mounted.

    """
    around = scope.get("app")
    found = routed_app(inner)
    if around is None:
        return found
    if found is None:  # some inner middleware has no attribute `app`
        return around if guard in _middleware_of(around) else None
    return around if getattr(around, "router", None) is found else found


def outside_of(guard: type, app: object | None) -> list[str]:
    """Return the names of the middleware of `app` outside of its guard."""
    classes = _middleware_of(app)
    before = classes[: classes.index(guard)] if guard in classes else []
    return [getattr(kind, "__name__", repr(kind)) for kind in before]


def overridden_call(guard: type, app: object | None) -> str | None:
    """Return the name of the class whose `__call__` sees requests before the guard of `app`.

    None if `__call__` is the framework's own, or if the guard is outside of the app.
    """
    if not isinstance(app, Starlette) or not is_guarded(guard, app):
        return None
    owner = next(kind for kind in type(app).__mro__ if "__call__" in vars(kind))
    return None if owner in (Starlette, FastAPI) else owner.__qualname__


def is_guarded(guard: type, app: object) -> bool:
    """Whether `app` has a guard among its middleware."""
    return guard in _middleware_of(app)


def _middleware_of(app: object) -> list[object]:
    return [entry.cls for entry in getattr(app, "user_middleware", ())]
