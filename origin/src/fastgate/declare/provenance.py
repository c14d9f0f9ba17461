"""Note on a route the app and the routers that it belongs to, for routes that move elsewhere.

A route may be served by another app than the one that protects it. Input: an app, router or mount
that `at_edge` marks, and the dependencies of routers; for the compiler, a route and the apps that
serve it. Output: the declarations of marked apps that do not serve the route, and the dependencies
of the routers that it was added to. This module checks nothing and runs no code of the app.
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
"""On an app, a router or a mount: its own `Source`."""

_SERVED_ATTRIBUTE = "__fastgate_served__"
"""On a marked app and on the app of a marked mount: the `Source`s whose routes it serves."""


COPIED_FROM = "__fastgate_copied_from__"
"""On a copy that older FastAPI made of a route: the routers that included it."""

COPIED = "__fastgate_copied__"
"""On a router that older FastAPI has included, and on its routes: a later mark would have no
effect."""

_DEPENDENCIES = "__fastgate_dependencies__"
"""On a route or mount: the dependencies of the routers that it was added to. They stay known if the
route is put into the list of another router, or copied by older FastAPI."""

_NOTING_ATTRIBUTE = "__fastgate_noting__"
"""On a router: the notes that its list of routes writes on each new route."""

NOTES = (
    *(COPIED, COPIED_FROM, SOURCES_ATTRIBUTE),
    *(_DEPENDENCIES, _OWN_ATTRIBUTE, _SERVED_ATTRIBUTE),
)
"""The names of all attributes that this module stores on routes."""


class Source:
    """The declaration of a marked app, for all of its routes. It holds no reference to the app."""

    def __init__(self, name: str) -> None:
        self.name = name
        """The name of the class of the app."""
        self.members: Members = {}
        self.below: Mapping[str, Members] = {}
        """The declarations for paths, by their prefixes."""


class RouterDependencies:
    """The dependencies of a router, read at the time of iteration."""

    __slots__ = ("router",)

    def __init__(self, router: object) -> None:
        self.router = router

    def __iter__(self) -> Iterator[Depends]:
        return iter(dependencies_of(self.router))

    def __deepcopy__(self, memo: dict[int, object]) -> "RouterDependencies":
        """Return those of the router's copy, if the router is copied too."""
        copied = memo.get(id(self.router))
        return self if copied is None else RouterDependencies(copied)


def dependencies_of(router: object) -> list[Depends]:
    """Return a router's current dependencies; values of other types do not count."""
    found = getattr(router, "dependencies", None)
    if not isinstance(found, (list, tuple)):
        return []
    return [each for each in found if isinstance(each, Depends)]


class _RouteNotes:
    """The notes that a router's list writes on each route that is added to it."""

    sources: tuple[Source, ...] = ()
    """The marked apps whose routes are in the list."""
    dependencies: RouterDependencies | None = None
    """The dependencies of the router, if it is marked."""

    def write_on(self, route: object) -> None:
        """Write the notes on a route."""
        note_sources(route, self.sources)
        if self.dependencies is not None:
            note_dependencies(route, self.dependencies)


class _NotingList(list[Any]):
    """The routes of a marked app or router; the list notes on each where it was added first."""

    noting = _RouteNotes()

    def append(self, route: Any) -> None:  # noqa: ANN401
        self.noting.write_on(route)
        super().append(route)

    def insert(self, index: Any, route: Any) -> None:  # noqa: ANN401
        self.noting.write_on(route)
        super().insert(index, route)

    def extend(self, routes: Iterable[Any]) -> None:
        super().extend(self._noted(routes))

    def __iadd__(self, routes: Iterable[Any]) -> "_NotingList":  # type: ignore[misc]
        super().extend(self._noted(routes))
        return self

    def __setitem__(self, index: Any, routes: Any) -> None:  # noqa: ANN401
        added = self._noted(routes if isinstance(index, slice) else [routes])
        super().__setitem__(index, added if isinstance(index, slice) else added[0])

    def _noted(self, routes: Iterable[Any]) -> list[Any]:
        added = list(routes)
        for route in added:
            self.noting.write_on(route)
        return added


def _notes_of(router: Router) -> _RouteNotes:
    """Return the notes of a router's list; empty notes if it has none yet."""
    noting = own(router).get(_NOTING_ATTRIBUTE)
    if not isinstance(noting, _RouteNotes):
        noting = _RouteNotes()
        setattr(router, _NOTING_ATTRIBUTE, noting)
    return noting


def _note_on_all(router: Any, noting: _RouteNotes) -> None:  # noqa: ANN401
    if not isinstance(router.routes, _NotingList) or router.routes.noting is not noting:
        routes = _NotingList(router.routes)
        routes.noting = noting
        with suppress(AttributeError):  # it may be a property without a setter
            router.routes = routes
    for route in router.routes:
        noting.write_on(route)


def restore_noting_list(router: object) -> None:
    """Wrap a list that has replaced a noting list, so that it notes new routes as well."""
    noting = own(router).get(_NOTING_ATTRIBUTE)
    routes = own(router).get("routes")
    if not isinstance(noting, _RouteNotes) or not isinstance(routes, list):
        return
    if not isinstance(routes, _NotingList) or routes.noting is not noting:
        _note_on_all(router, noting)


def note_router_dependencies(router: Router) -> None:
    """Note the dependencies of a marked router on its routes, now and later."""
    noting = _notes_of(router)
    noting.dependencies = RouterDependencies(router)
    _note_on_all(router, noting)


def note_added_routes(router: Router, routes: Iterable[object]) -> None:
    """Write a router's notes on routes that its own methods have added."""
    noting = own(router).get(_NOTING_ATTRIBUTE)
    listed = RouterDependencies(router) if hasattr(router, "dependencies") else None
    for route in routes:
        if isinstance(noting, _RouteNotes):  # its list may be a property that builds a new list
            noting.write_on(route)
        if listed is not None:
            note_dependencies(route, listed)


def note_dependencies(
    route: object, dependencies: RouterDependencies | Sequence[Any], *, nearest: bool = False
) -> None:
    """Note on a route the dependencies of a router that it was added to.

    Args:
        route: the route or mount.
        dependencies: the router's dependencies, which may still change; or a fixed list.
        nearest: whether this router is nearer to the route than those noted before.

    """
    known = _noted_lists(route)
    if not any(_are_same(each, dependencies) for each in known):
        lists = (*known, dependencies) if nearest else (dependencies, *known)
        with suppress(AttributeError):
            setattr(route, _DEPENDENCIES, lists)


def noted_dependencies(route: object) -> list[Any]:
    """Return the dependencies of the routers of a route, the nearest router's last."""
    return [each for it in _noted_lists(route) for each in it]


def _are_same(one: object, other: object) -> bool:
    if isinstance(one, RouterDependencies) and isinstance(other, RouterDependencies):
        return one.router is other.router
    return one is other


def _noted_lists(route: object) -> tuple[Iterable[Any], ...]:
    found = getattr(route, _DEPENDENCIES, ())
    return found if isinstance(found, tuple) else ()


def note_declaration(target: object, members: Members, below: Mapping[str, Members]) -> None:
    """Note the declaration of a whole app, router or mount on its routes, now and later."""
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
        # An app may be mounted twice; each mount keeps its own source.
        for each in {id(each): each for each in (target, app)}.values():
            _add(each, _SERVED_ATTRIBUTE, (source,))
    source.members, source.below = members, below
    note_sources(router, (source,))
    noting = _notes_of(router)
    noting.sources = tuple(dict.fromkeys((*noting.sources, source)))
    _note_on_all(router, noting)


def note_sources(part: object, sources: Iterable[Source]) -> None:
    """Note on a route or a router the marked apps that it is a part of."""
    _add(part, SOURCES_ATTRIBUTE, sources)


def sources_of(part: object) -> tuple[Source, ...]:
    """Return the marked apps that a route or a router is a part of."""
    return _sources(part, SOURCES_ATTRIBUTE)


def sources_not_serving(sources: Iterable[Source], holders: Iterable[object]) -> tuple[Source, ...]:
    """Return the marked apps that are not among the apps that serve a route."""
    served = {source for each in holders for source in _sources(each, _SERVED_ATTRIBUTE)}
    return tuple(source for source in dict.fromkeys(sources) if source not in served)


def declared_in(source: Source, template: str) -> dict[str, object]:
    """Return the declaration of a marked app for a route that another app serves.

    The route's path in the marked app is unknown, so a path of that app (`below`) is compared with
    every suffix of the template.
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
