"""Note on routes where they come from: they may be served without what protects them there.

In: an app, a router or a mount that `at_edge` marks, and what a router depends on; and for the
compiler, a route and the apps that it is served by. Out: what is declared of apps, for all of their
routes, that do not serve the route; and the dependencies of routers that it was added to. Nothing
is judged here, and nothing is run.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from fastapi.params import Depends
from starlette.applications import Starlette
from starlette.routing import Host, Mount, Router

from fastgate.declare.static_access import own
from fastgate.path_template import begins, comparable, takes_all_below

Members = Mapping[str, object]

SOURCES_ATTRIBUTE = "__fastgate_sources__"
"""On a route or a router: the marked apps that it is a part of."""

_OWN_ATTRIBUTE = "__fastgate_source__"
"""On an app, a router or a mount: what is declared of it itself."""

_SERVED_ATTRIBUTE = "__fastgate_served__"
"""On what is to serve the routes of a marked app: on itself, and on what a mount leads to."""


COPIED_FROM = "__fastgate_copied_from__"
"""On a route that older FastAPI has copied: the routers that it was included by."""

COPIED = "__fastgate_copied__"
"""On a router that older FastAPI has included, and on its routes: a later mark would be lost."""

_DEPENDENCIES = "__fastgate_dependencies__"
"""On a route or mount: what the routers depend on that it was added to. It may be put into the list
of another router, and older FastAPI includes copies."""

_NOTING_ATTRIBUTE = "__fastgate_noting__"
"""On a router: what its list notes on routes."""

NOTES = (
    *(COPIED, COPIED_FROM, SOURCES_ATTRIBUTE),
    *(_DEPENDENCIES, _OWN_ATTRIBUTE, _SERVED_ATTRIBUTE),
)
"""The names of all that is written on routes."""


class Source:
    """What is declared of a marked app, for all of its routes. It does not keep the app."""

    def __init__(self, name: str) -> None:
        self.name = name
        """The name of its class."""
        self.members: Members = {}
        self.below: Mapping[str, Members] = {}
        """What is declared of paths, by their prefixes."""


class ListOf:
    """What a router depends on, whatever list it has when this is read."""

    __slots__ = ("router",)

    def __init__(self, router: object) -> None:
        self.router = router

    def __iter__(self) -> Iterator[Depends]:
        return iter(dependencies_of(self.router))

    def __deepcopy__(self, memo: dict[int, object]) -> "ListOf":
        """Return that of the router's copy, if it is copied, too; no route copies its router."""
        copied = memo.get(id(self.router))
        return self if copied is None else ListOf(copied)


def dependencies_of(router: object) -> list[Depends]:
    """Return what a router depends on now; what other classes call so is left out."""
    found = getattr(router, "dependencies", None)
    if not isinstance(found, (list, tuple)):
        return []
    return [each for each in found if isinstance(each, Depends)]


class _Noting:
    """What the list of a router notes on each route that is put into it."""

    sources: tuple[Source, ...] = ()
    """The marked apps whose routes are in the list."""
    dependencies: ListOf | None = None
    """What the router depends on, if it is marked."""

    def note(self, route: object) -> None:
        """Write it on a route."""
        note(route, self.sources)
        if self.dependencies is not None:
            note_dependencies(route, self.dependencies)


class _NotingRoutes(list[Any]):
    """The routes of a marked app or router, which notes on each where it was added first."""

    noting = _Noting()

    def append(self, route: Any) -> None:  # noqa: ANN401
        self.noting.note(route)
        super().append(route)

    def insert(self, index: Any, route: Any) -> None:  # noqa: ANN401
        self.noting.note(route)
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
            self.noting.note(route)
        return added


def _noting_of(router: Router) -> _Noting:
    """Return what the list of a router is to note, which is nothing yet if it is new."""
    noting = own(router).get(_NOTING_ATTRIBUTE)
    if not isinstance(noting, _Noting):
        noting = _Noting()
        setattr(router, _NOTING_ATTRIBUTE, noting)
    return noting


def _note_on_all(router: Any, noting: _Noting) -> None:  # noqa: ANN401
    if not isinstance(router.routes, _NotingRoutes) or router.routes.noting is not noting:
        routes = _NotingRoutes(router.routes)
        routes.noting = noting
        with suppress(AttributeError):  # a property may take none
            router.routes = routes
    for route in router.routes:
        noting.note(route)


def renew(router: object) -> None:
    """Let a list note what it is given that was set in the place of a noting one."""
    noting = own(router).get(_NOTING_ATTRIBUTE)
    routes = own(router).get("routes")
    if not isinstance(noting, _Noting) or not isinstance(routes, list):
        return
    if not isinstance(routes, _NotingRoutes) or routes.noting is not noting:
        _note_on_all(router, noting)


def note_for_router(router: Router) -> None:
    """Note what a marked router depends on, on whatever is put into its list from now on."""
    noting = _noting_of(router)
    noting.dependencies = ListOf(router)
    _note_on_all(router, noting)


def note_added(router: Router, routes: Iterable[object]) -> None:
    """Note on routes that a router has got by its own methods what is noted of the router."""
    noting = own(router).get(_NOTING_ATTRIBUTE)
    listed = ListOf(router) if hasattr(router, "dependencies") else None
    for route in routes:
        if isinstance(noting, _Noting):  # its list may be a property, which makes it anew
            noting.note(route)
        if listed is not None:
            note_dependencies(route, listed)


def note_dependencies(
    route: object, dependencies: ListOf | Sequence[Any], *, nearest: bool = False
) -> None:
    """Write on a route what a router depends on that it was added to.

    Args:
        route: the route or mount.
        dependencies: what the router has, as that may change; or a list that stays as it is.
        nearest: whether this router is nearer to the route than those of which it is noted already.

    """
    known = _lists_of(route)
    if not any(_are_same(each, dependencies) for each in known):
        lists = (*known, dependencies) if nearest else (dependencies, *known)
        with suppress(AttributeError):
            setattr(route, _DEPENDENCIES, lists)


def noted_dependencies(route: object) -> list[Any]:
    """Return what the routers depend on that a route was added to, the nearest router's last."""
    return [each for it in _lists_of(route) for each in it]


def _are_same(one: object, other: object) -> bool:
    if isinstance(one, ListOf) and isinstance(other, ListOf):
        return one.router is other.router
    return one is other


def _lists_of(route: object) -> tuple[Iterable[Any], ...]:
    found = getattr(route, _DEPENDENCIES, ())
    return found if isinstance(found, tuple) else ()


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
    noting = _noting_of(router)
    noting.sources = tuple(dict.fromkeys((*noting.sources, source)))
    _note_on_all(router, noting)


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
