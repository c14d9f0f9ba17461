"""The routes of a policy document.

Input: the document. Output: its routes, or those of one origin.
"""

from collections.abc import Mapping

from fastgate.compile.policy import RouteDocument


def routes_of(policy: Mapping[str, object], origin: str | None) -> list[RouteDocument]:
    """Return the routes of a policy document; with `origin`, those of one origin only.

    Raises:
        ValueError: the document has no list of routes.

    """
    routes = policy.get("routes")
    if not isinstance(routes, list) or not all(isinstance(route, dict) for route in routes):
        raise ValueError('has no list "routes"')
    return [route for route in routes if origin is None or route.get("origin") == origin]


def has_origin(route: RouteDocument) -> bool:
    """Return whether an app responds to the route, and not the edge itself (`respond`)."""
    return route.get("respond") is None
