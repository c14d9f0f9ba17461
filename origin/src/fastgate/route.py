"""Name the route that FastAPI is about to run, as the edge's policy writes it.

In: the scope of a request that has been routed. Out: the template with every prefix in front, or
None where no template can be known. It never matches paths itself: it reads what routing left.
"""

from starlette.types import Scope


def dispatched_template(scope: Scope) -> str | None:
    """Return the full path template of the route that is being run, such as `/orders/{order_id}`.

    The prefix of a mount or a `root_path` is what routing took off the path: text, not a template.
    So a route below a *parametrized* mount has no template that an edge could have signed.
    """
    path = _own_template(scope)
    return None if path is None else _prefix(scope) + path


def _own_template(scope: Scope) -> str | None:
    route = scope.get("route")
    # Newer FastAPI includes routers by reference: the route keeps its own path, and the path with
    # the prefix of `include_router` stands in the inclusion. Older FastAPI copies the route and
    # prefixes the copy, and there is no inclusion.
    inclusion = scope.get("fastapi", {}).get("effective_route_context")
    if inclusion is not None and getattr(inclusion, "original_route", None) is route:
        route = inclusion
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else None


def _prefix(scope: Scope) -> str:
    # The rule by which Starlette takes `root_path` off; every mount appends itself to that.
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return root if path == root or path.startswith(root + "/") else ""
