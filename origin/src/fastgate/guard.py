"""Guard an app with one call.

Input: a FastAPI app and `Settings`. Output: the same app behind `FastgateMiddleware`, with problem
details for the refusals of its endpoints. It never adds a route.
"""

from collections.abc import Sequence

from fastapi import FastAPI, Request, Response

from fastgate.compile.endpoints.documentation import declare_docs
from fastgate.dependencies import CallerRefused
from fastgate.gateways.assertions import Assertions
from fastgate.gateways.gateway import Gateway
from fastgate.gateways.options import check_gateways
from fastgate.middleware import FastgateMiddleware
from fastgate.routes.placement import is_guarded
from fastgate.settings import Settings, check_observe


def guard(
    app: FastAPI,
    settings: Settings | None = None,
    *,
    gateways: Sequence[Gateway] = (),
    health_path: str | None = None,
    observe: bool = False,
    docs: str | None = None,
) -> None:
    """Put `app` behind `FastgateMiddleware` and let its endpoints refuse with full problems.

    Call it last: the middleware added last is the first to receive a request. A mounted app is
    behind the same guard; register `refusal_response` there too for full problem documents.

    Args:
        app: the app.
        settings: how this origin recognizes its edge; None if no edge calls the app yet.
        gateways: other gateways whose signed assertions are accepted from requests without
            `Fastgate-Identity`, until the migration is finished: `[from_gateway("…", …)]`. They
            sign no route, so routes are not compared for their requests.
        health_path: only without settings: as `Settings.health_path`.
        observe: log what the guard would refuse, and let it pass. Endpoints still refuse.
        docs: who may read FastAPI's schema and documentation pages: "public", "optional" or
            "authenticated"; "none" if the edge lets no caller read them.

    Raises:
        RuntimeError: the app is guarded already.
        ValueError: `observe` is not a bool, or is combined with strict settings, local callers or
            gateways; there are neither settings nor gateways, or two gateways use one header; or
            `docs` is another value.

    """
    # The middleware would check this only when the app starts.
    check_observe(observe, settings)
    check_gateways(settings, gateways, health_path, observe=observe)
    Assertions(gateways, 0)
    if is_guarded(FastgateMiddleware, app):
        raise RuntimeError(
            "this app is guarded already: call guard once, after the last add_middleware"
        )
    if docs is not None:
        declare_docs(app, docs)
    app.add_exception_handler(CallerRefused, refusal_response)
    app.add_middleware(
        FastgateMiddleware,
        settings=settings,
        gateways=gateways,
        health_path=health_path,
        observe=observe,
    )


async def refusal_response(_request: Request, refused: Exception) -> Response:
    """Respond to a `CallerRefused` with its problem (an exception handler for Starlette)."""
    if not isinstance(refused, CallerRefused):
        raise refused
    problem = refused.problem
    return Response(problem.body(), int(problem.status), problem.headers())
