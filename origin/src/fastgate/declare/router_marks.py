"""Declare members for all routes of a FastAPI router.

Input: a router and members of the edge's route document. Output: the members in a dependency of the
router and of its routes. FastAPI copies dependencies to every route that it includes, so the
compiler finds the declaration wherever the route is served.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Depends

from fastgate.declare.provenance import COPIED, note_router_dependencies
from fastgate.declare.static_access import own
from fastgate.declare.stored_marks import ATTRIBUTE, declared, merged_mark


class RouterMark:
    """A dependency without effect that carries the declaration of a router."""

    def __init__(self, members: Mapping[str, object], router: APIRouter) -> None:
        self.members = members
        self.router = router

    async def __call__(self) -> None:
        """Do nothing."""


def mark_router(router: APIRouter, members: Mapping[str, object]) -> None:
    """Declare members for all routes of a router.

    Raises:
        TypeError: FastAPI would not pass the declaration on, because the router is already included
            or contains something without dependencies.
        ValueError: the router has a mark with another value.

    """
    if own(router).get(COPIED):
        raise TypeError(
            "at_edge: mark a router before it is included; this version of FastAPI copies its "
            "routes on inclusion"
        )
    mark = merged_mark(router, own(router).get(ATTRIBUTE), members)
    depends = Depends(RouterMark(members, router))
    # FastAPI keeps frontends in a list of their own.
    holders = (router, *router.routes, *getattr(router, "_low_priority_routes", ()))
    for holder in holders:
        # Both ways in which FastAPI includes a router read these lists.
        if not isinstance(getattr(holder, "dependencies", None), list):
            raise TypeError(
                "at_edge: mark a router before it includes routers, mounts or Starlette routes: "
                "at_edge(…)(APIRouter(…))"
            )
    for holder in holders:
        dependencies: list[object] = holder.dependencies
        # The order is: earlier marks of this router, this one, then marks of included routers.
        marks = [index for index, each in enumerate(dependencies) if _is_mark_of(router, each)]
        dependencies.insert(marks[-1] + 1 if marks else 0, depends)
    # Only an inclusion reads these lists. If the router itself runs, as an app or in a mount, its
    # existing routes were built without the new dependency, so the mark is stored on it as well.
    setattr(router, ATTRIBUTE, mark)
    # Existing inclusions must read the router again.
    if (mark_changed := getattr(router, "_mark_routes_changed", None)) is not None:
        mark_changed()
    note_router_dependencies(router)


def members_not_inherited(router: APIRouter, dependencies: object) -> list[str]:
    """Return the members of a router's declaration that these dependencies do not pass on."""
    inherited: dict[str, object] = {}
    for each in dependencies if isinstance(dependencies, (list, tuple)) else ():
        if _is_mark_of(router, each):
            inherited |= each.dependency.members
    members = declared(router)
    return sorted(
        name for name in members if name not in inherited or inherited[name] != members[name]
    )


def _is_mark_of(router: APIRouter, dependency: object) -> bool:
    mark = getattr(dependency, "dependency", None)
    return isinstance(mark, RouterMark) and mark.router is router
