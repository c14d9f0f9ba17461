"""Read the declarations of a route within an app that was judged as a whole.

Input: a route that a router has chosen, which the guard did not know of, and its scope. Output:
its own declaration, and those of the routers and apps that contain it, as far as they are noted on
the route or the app is in the scope. This module checks nothing.
"""

from collections.abc import Iterator, Mapping

from starlette.types import Scope

from fastgate.declare.lookup import declared_on_layers, declared_on_route, original_of
from fastgate.declare.provenance import noted_dependencies, sources_of
from fastgate.declare.router_marks import RouterMark
from fastgate.declare.stored_marks import declared_below
from fastgate.routes.framework import View

Members = Mapping[str, object]


def declared_around(view: View, scope: Scope, judged: object) -> Iterator[Members]:
    """Yield the declarations of a route and of what contains it, not merged.

    Args:
        view: the route as its router shows it; None if no route was chosen.
        scope: the scope with which the route would run.
        judged: the app whose route was judged as a whole. Its declarations are known already.

    """
    path = str(scope["path"])
    if view is not None:
        yield declared_on_route(view)
        yield declared_on_layers(view)
        original = original_of(view)
        listed = getattr(view, "dependencies", None)
        for each in (*(listed if isinstance(listed, list) else ()), *noted_dependencies(original)):
            if isinstance(mark := getattr(each, "dependency", None), RouterMark):
                yield mark.members
        for source in sources_of(original):
            yield source.members
            yield from _below(source.below, path)
    if (app := scope.get("app")) is not None and app is not judged:
        yield declared_on_layers(app)
        yield from _below(declared_below(app), path)


def _below(below: Mapping[str, Members], path: str) -> Iterator[Members]:
    """Yield the declarations for parts of an app that may contain a path.

    The path of the app itself is unknown, so each suffix of the path may begin with the part.
    """
    for part, members in below.items():
        if "{" in part or f"{part}/" in f"{path}/":
            yield members
