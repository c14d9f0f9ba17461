"""What the policy compiler makes of an app with one route, or why it refuses the app."""

import functools
from typing import Any

import pytest
from fastapi import Depends, FastAPI

from fastgate import at_edge
from fastgate.compile.policy import CannotCompile, compile_routes


def compiled(app: object) -> dict[str, Any]:
    """Return the members of the only route, without those that every route has."""
    (route,) = compile_routes(app)
    return {name: route[name] for name in route if name not in ("id", "path", "methods")}


def faults(app: object) -> str:
    with pytest.raises(CannotCompile) as error:
        compile_routes(app)
    return str(error.value)


async def endpoint() -> None: ...


def app_with(*dependencies: Any, **mark: Any) -> FastAPI:  # noqa: ANN401
    """Return an app whose only route has dependencies, and a mark if there is one."""
    app = FastAPI(openapi_url=None)
    target = at_edge(**mark)(functools.partial(endpoint)) if mark else endpoint
    listed = [each if hasattr(each, "scopes") else Depends(each) for each in dependencies]
    app.get("/x", dependencies=listed)(target)
    return app
