"""Guard an app with one call.

In: a FastAPI app and `Settings`. Out: the same app behind `FastgateMiddleware`, with problem
details for the refusals of its endpoints. It never adds a route.
"""

from fastapi import FastAPI, Request, Response

from fastgate.compile.endpoints.documentation import declare_docs
from fastgate.dependencies import CallerRefused
from fastgate.middleware import FastgateMiddleware
from fastgate.routes.placement import is_guarded
from fastgate.settings import Settings, check_observe


def guard(
    app: FastAPI, settings: Settings, *, observe: bool = False, docs: str | None = None
) -> None:
    """Put `app` behind `FastgateMiddleware` and let its endpoints refuse with full problems.

    Call it last: the middleware that is added last is the first to see a request. A mounted app is
    behind the same guard; register `refusal_response` there too for full problem documents.

    Args:
        app: the app.
        settings: who the edge is.
        observe: refuse nothing but what endpoints refuse; what the guard would refuse is in the
            log.
        docs: who may read FastAPI's schema and documentation pages: "public", "optional" or
            "authenticated"; "none" if the edge lets no caller read them.

    Raises:
        RuntimeError: the app is guarded already.
        ValueError: `observe` is no bool, or with settings that are strict, or have local callers;
            or `docs` is none of these.

    """
    check_observe(observe, settings)  # the middleware does so when the app starts: too late
    if is_guarded(FastgateMiddleware, app):
        raise RuntimeError("this app is guarded already: call guard once, after add_middleware")
    if docs is not None:
        declare_docs(app, docs)
    app.add_exception_handler(CallerRefused, refusal_response)
    app.add_middleware(FastgateMiddleware, settings=settings, observe=observe)


async def refusal_response(_request: Request, refused: Exception) -> Response:
    """Respond to a `CallerRefused` with its problem (an exception handler for Starlette)."""
    if not isinstance(refused, CallerRefused):
        raise refused
    problem = refused.problem
    return Response(problem.body(), int(problem.status), problem.headers())
