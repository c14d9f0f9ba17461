"""One call that closes an app.

In: a FastAPI app and `Settings`. Out: the same app behind the door, refusing with one voice. It
never adds a route.
"""

from fastapi import FastAPI, Request, Response

from fastgate.dependencies import CallerRefused
from fastgate.middleware import FastgateMiddleware
from fastgate.pages import declare_docs
from fastgate.placement import is_guarded
from fastgate.settings import Settings, check_flag


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
            "authenticated"; "none" for nobody from the edge.

    Raises:
        RuntimeError: the app is guarded already.
        ValueError: `observe` is no bool, or with settings that are strict, or have local callers;
            or `docs` is none of these.

    """
    check_flag("observe", observe)
    if observe and (settings.strict or settings.local_rules is not None):
        # Here as well, so that it is said where it was written, and not at the start.
        raise ValueError("observe lets everything pass: not with strict, nor with local callers")
    if is_guarded(FastgateMiddleware, app):
        raise RuntimeError("this app is guarded already: call guard once, after add_middleware")
    if docs is not None:
        declare_docs(app, docs)
    app.add_exception_handler(CallerRefused, refusal_response)
    app.add_middleware(FastgateMiddleware, settings=settings, observe=observe)


async def refusal_response(_request: Request, refused: Exception) -> Response:
    """Answer a `CallerRefused` with its problem (an exception handler for Starlette)."""
    if not isinstance(refused, CallerRefused):
        raise refused
    answer = refused.problem
    return Response(answer.body(), int(answer.status), answer.headers())
