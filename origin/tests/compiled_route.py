"""What the policy compiler makes of an app with one route, or why it refuses the app."""

from typing import Any

import pytest

from fastgate.compile.policy import CannotCompile, compile_routes


def compiled(app: object) -> dict[str, Any]:
    """Return the members of the only route, without those that every route has."""
    (route,) = compile_routes(app)
    return {name: route[name] for name in route if name not in ("id", "path", "methods")}


def faults(app: object) -> str:
    with pytest.raises(CannotCompile) as error:
        compile_routes(app)
    return str(error.value)
