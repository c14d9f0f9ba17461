"""Note on the routes of a marked app where they come from: they may be served without it.

In: an app, a router of Starlette or a mount that `at_edge` marks; and for the compiler, a route and
the apps that it is served by. Out: what is declared of apps, for all of their routes, that do not
serve the route. Nothing is judged here, and nothing is run.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Host, Mount, Router

from fastgate.static import own
from fastgate.template import begins, comparable, takes_all_below

Members = Mapping[str, object]

SOURCES_ATTRIBUTE = "__fastgate_sources__"
"""On a route or a router: the marked apps that it is a part of."""

_OWN_ATTRIBUTE = "__fastgate_source__"
"""On an app, a router or a mount: what is declared of it itself."""

_SERVED_ATTRIBUTE = "__fastgate_served__"
"""On what is to serve the routes of a marked app: on itself, and on what a mount leads to."""


COPIED_FROM = "__fastgate_copied_from__"
"""On a route that older FastAPI has copied: the routers that it was included by."""

NOTES = (COPIED_FROM, SOURCES_ATTRIBUTE, _OWN_ATTRIBUTE, _SERVED_ATTRIBUTE)
"""The names of all that is written here."""


class Source:
    """What is declared of a marked app, for all of its routes. It does not keep the app."""

    def __init__(self, name: str) -> None:
        self.name = name
        """The name of its class."""
        self.members: Members = {}
        self.below: Mapping[str, Members] = {}
        """What is declared of paths, by their prefixes."""


class _NotingRoutes(list[Any]):
    """The routes of a marked app, which notes on each where it was added first."""

    sources: tuple[Source, ...] = ()

    def append(self, route: Any) -> None:  # noqa: ANN401
        note(route, self.sources)
        super().append(route)

    def insert(self, index: Any, route: Any) -> None:  # noqa: ANN401
        note(route, self.sources)
        super().insert(index, route)

    def extend(self, routes: Iterable[Any]) -> None:
        super().extend(self._noted(routes))

    def __iadd__(self, routes: Iterable[Any]) -> "_NotingRoutes":  # type: ignore[misc]
        super().extend(self._noted(routes))
        return self

    def __setitem__(self, index: Any, routes: Any) -> None:  # noqa: ANN401
        added = self._noted(routes if isinstance(index, slice) else [routes])
        super().__setitem__(index, added if isinstance(index, slice) else added[0])

    def _noted(self, routes: Iterable[Any]) -> list[Any]:
        added = list(routes)
        for route in added:
            note(route, self.sources)
        return added


def note_source(target: object, members: Members, below: Mapping[str, Members]) -> None:
    """Note what is declared of a whole app, router or mount, on its routes and later ones."""
    if not isinstance(target, (Starlette, Router, Mount, Host)):
        return
    app: object = target
    if isinstance(target, (Mount, Host)):
        app = getattr(target, "_base_app", target.app)
    router: Any = getattr(app, "router", app)
    if not isinstance(router, Router) or not isinstance(router.routes, list):
        return
    source = own(target).get(_OWN_ATTRIBUTE)
    if not isinstance(source, Source):
        source = Source(type(target).__name__)
        setattr(target, _OWN_ATTRIBUTE, source)
        # What is mounted may be mounted once more: that takes nothing from its first mount.
        for each in {id(each): each for each in (target, app)}.values():
            _add(each, _SERVED_ATTRIBUTE, (source,))
    source.members, source.below = members, below
    note(router, (source,))
    if not isinstance(router.routes, _NotingRoutes):
        router.routes = _NotingRoutes(router.routes)
    router.routes.sources = tuple(dict.fromkeys((*router.routes.sources, source)))
    for route in router.routes:
        note(route, (source,))


def note(part: object, sources: Iterable[Source]) -> None:
    """Write on a route or a router of which marked apps it is a part."""
    _add(part, SOURCES_ATTRIBUTE, sources)


def noted(part: object) -> tuple[Source, ...]:
    """Return the marked apps that a route or a router is a part of."""
    return _sources(part, SOURCES_ATTRIBUTE)


def without(sources: Iterable[Source], holders: Iterable[object]) -> tuple[Source, ...]:
    """Return those of marked apps that are not among what serves a route."""
    served = {source for each in holders for source in _sources(each, _SERVED_ATTRIBUTE)}
    return tuple(source for source in dict.fromkeys(sources) if source not in served)


def not_handed_on(sources: Iterable[Source], routers: Iterable[object]) -> tuple[Source, ...]:
    """Return those of marked apps that are none of these routers, which hand their marks on."""
    handed_on = [own(each).get(_OWN_ATTRIBUTE) for each in routers]
    return tuple(source for source in sources if source not in handed_on)


def declared_in(source: Source, template: str) -> dict[str, object]:
    """Return what is declared of a marked app for what is served at a template elsewhere.

    It is not told what stood before the path there, so that a path of the app (`below`) is looked
    for at each part of the template.
    """
    found = dict(source.members)
    segments = template.split("/")
    rests = ["/" + "/".join(segments[index:]) for index in range(1, len(segments))]
    for path in sorted(source.below, key=lambda each: len(comparable(each))):
        if any(begins(rest, path) or takes_all_below(rest, path) for rest in rests):
            found |= source.below[path]
    return found


def _sources(target: object, name: str) -> tuple[Source, ...]:
    found = own(target).get(name)
    return found if isinstance(found, tuple) else ()


def _add(target: object, name: str, sources: Iterable[Source]) -> None:
    with suppress(AttributeError):
        setattr(target, name, tuple(dict.fromkeys((*_sources(target, name), *sources))))
