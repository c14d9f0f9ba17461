"""What a route inherits from apps, mounts, paths (`below`) and routers, and what it does not.

In: an app, what is left to itself, and one of its routes. Out: the members that were declared for
more than this route, the nearest declaration counting. Nothing is judged here, and nothing is run.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeAlias

from fastapi import APIRouter
from fastapi.params import Depends

from fastgate.compile.callers.dependency_tree import (
    Callers,
    Dependant,
    callers_of,
    dependant_of_listed,
    flat,
)
from fastgate.compile.callers.overrides import run_of
from fastgate.declare.at_edge import (
    ACCESS,
    Inherited,
    declared,
    declared_below,
    lost_of_router,
)
from fastgate.declare.merge import OF_KNOWN_CALLERS, OPEN, implied, over
from fastgate.declare.provenance import COPIED_FROM, dependencies_of, noted_dependencies
from fastgate.path_template import begins, comparable
from fastgate.routes.framework import View, inclusions, router_dependencies, router_of

Members = Mapping[str, object]

Listed: TypeAlias = tuple[object, frozenset[str]]
"""A dependency, and the members of which a mount nearer than it says something itself."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What one app declares of paths, as seen from it or from what is mounted in it."""

    members: Mapping[str, tuple[str, Members]]
    """By the path as it is here: how it is written in `below`, and what is said of it."""
    used: set[str] = field(default_factory=set)
    """Those at or below which something is served, as they are written."""
    said: frozenset[str] = frozenset()
    """Members that mounts on the way here say, so that none of the two is nearer."""

    def at(self, path: object) -> dict[str, object]:
        """Return what is declared for a path; what is declared for the longest part counts."""
        found: dict[str, object] = {}
        # Names of parameters make no other path.
        for part in sorted(self.members, key=lambda each: len(comparable(each))):
            if isinstance(path, str) and begins(path, part):
                written, members = self.members[part]
                found = over(found, members)
                self.used.add(written)
        return found

    def within(self, path: str, said: Iterable[str]) -> "Parts":
        """Return what is declared of paths that lie within a mount, as they are seen from there."""
        depth = path.count("/")
        inner = {
            "/" + "/".join(part.split("/")[depth + 1 :]): declaration
            for part, declaration in self.members.items()
            if begins(part, path) and comparable(part) != comparable(path)
        }
        return replace(self, members=inner, said=self.said | {*said})


@dataclass(frozen=True, slots=True)
class Left:
    """What is left to a route, a mount or an app."""

    inherited: Members = field(default_factory=dict)
    disputed: tuple[str, ...] = ()
    """Members of which two declarations say different things; neither is nearer."""
    within: tuple[Parts, ...] = ()
    """What is declared of paths within this mount; the innermost app's first."""
    not_run: Callers = field(default_factory=Callers)
    """What dependencies of routers and apps ask that FastAPI runs for its own routes alone."""
    listed: tuple["Listed", ...] = ()
    """Those dependencies themselves."""
    said_by_mounts: frozenset[str] = frozenset()
    """Members that mounts around it say, or what is mounted there."""
    routers: tuple[object, ...] = ()
    """The routers that it was included by, or is copied from."""

    def through(self, members: Members) -> "Left":
        """Return what is left to the app of a mount that declares `members`."""
        within = (replace(each, said=each.said | members.keys()) for each in self.within)
        return replace(
            self,
            inherited=over(self.inherited, members),
            within=tuple(within),
            not_run=left_to_ask(self.not_run, members),
            said_by_mounts=self.said_by_mounts | members.keys(),
            listed=tuple((call, apart | _said_with(members)) for call, apart in self.listed),
        )


def left_to_ask(asked: Callers, members: Members) -> Callers:
    """Return what dependencies that are not run ask beyond what members say of callers.

    `access="authenticated"` says that a caller is known, and nothing of scopes.
    """
    if "scopes" in members or members.get("access") in (*OPEN, ACCESS[-1]):
        return Callers()
    return Callers() if "access" in members and not asked.scopes else asked


def _said_with(members: Members) -> frozenset[str]:
    """Return what members leave nothing to be said of: where all may call, nothing is asked."""
    of_callers = OF_KNOWN_CALLERS if members.get("access") in OPEN else ()
    return frozenset((*members, *of_callers))


class Inheritance:
    """What the routes of one app inherit.

    Args:
        app: the app.
        around: what is left to it.

    """

    def __init__(self, app: object, around: Left) -> None:
        self._app = app
        self._around = around
        self.parts: Mapping[str, Members] = _declared_of_paths(getattr(app, "_base_app", app))
        """What the app, or the router that it runs, declares of paths."""
        self._own = Parts({part: (part, members) for part, members in self.parts.items()})

    def left_to(self, view: View, path: object, through: Iterable[object] = ()) -> Left:
        """Return what is left to a route of the app.

        A path may be within a router's, and a router's within a path, and a path within a mount
        that declares something itself: of access the stricter counts, scopes add up, and nothing
        else can be decided. What a router that it stands in or comes `through` depends on is run
        for routes that were added later, by the router's own methods.
        """
        dependant = getattr(view, "dependant", None)
        if dependant is None:
            listed = router_dependencies(self._app, view)
            marks: list[object] = [each.dependency for each in listed]
            tree = dependant_of_listed(listed, path)
            not_run = self._asked_by(tree, listed)
            every = (*flat(tree), *flat(self._with_overrides(tree)))
            called = {id(each.call): each.call for each in every}.values()
            calls = tuple((call, frozenset[str]()) for call in called)
        else:
            marks = _marks_of(view, [each.call for each in flat(dependant)])
            not_run, calls = self._asked_by(self._listed_around(view, path, through)), ()
        members = dict(self._around.inherited)
        said = set[str]()
        for of_router in self._of_routers(marks):
            members = over(members, of_router)
            said |= of_router.keys()
        disputed = {*self._around.disputed}
        within: list[Parts] = []
        for parts in (self._own, *self._around.within):
            if isinstance(path, str):
                within.append(parts.within(path, said))
            below = parts.at(path)
            mine = {name: members.get(name) for name in said | parts.said}
            below |= {
                **implied(members, below),
                **implied(below, mine),
            }
            for name, value in below.items():
                if name not in mine:
                    members[name] = value
                elif members[name] != value and not _both(members, name, value):
                    disputed.add(name)
            said |= below.keys()
        inner = tuple(parts for parts in within if parts.members)
        around = self._around
        by_marks = (mark.router for mark in marks if isinstance(mark, Inherited))
        copied: Iterable[object] = getattr(view, COPIED_FROM, ())
        return Left(
            members,
            tuple(sorted(disputed)),
            inner,
            around.not_run | not_run,
            (*around.listed, *calls),
            around.said_by_mounts,
            (*around.routers, *through, *copied, *by_marks),
        )

    def _listed_around(self, view: View, path: object, through: Iterable[object]) -> Dependant:
        copied: Iterable[object] = getattr(view, COPIED_FROM, ())
        around = (router_of(self._app), *through, *copied)
        routers = {id(each): each for each in around if isinstance(each, APIRouter)}.values()
        return dependant_of_listed([each for it in routers for each in dependencies_of(it)], path)

    def _asked_by(self, tree: Dependant, listed: Iterable[Depends] = ()) -> Callers:
        """Return what a tree asks of callers, and what would be run by overrides in its place."""
        asked, run = callers_of(tree, listed), self._with_overrides(tree)
        return asked if run is tree else asked | callers_of(run, listed)

    def _with_overrides(self, tree: Dependant) -> Dependant:
        return run_of(tree, None, getattr(self._app, "_base_app", self._app)).dependant

    def unused(self) -> list[str]:
        """Return the paths of the app's declarations at which nothing was found that is served."""
        return [part for part in self.parts if part not in self._own.used]

    def _of_routers(self, marks: Iterable[object]) -> Iterable[Members]:
        """Return what is declared on the routers that a route stands in, the innermost's last."""
        router = router_of(self._app)
        found = dict[int, dict[str, object]]()
        app = getattr(self._app, "_base_app", self._app)
        # Of the app's own router it is written down, too: its routes may be older than the mark.
        if router is not app:
            found[id(router)] = dict(declared(router))
        for mark in marks:
            if not isinstance(mark, Inherited):
                continue
            if mark.router is router or mark.router is app:
                found.setdefault(id(mark.router), dict(declared(mark.router)))
            else:
                found.setdefault(id(mark.router), {}).update(mark.members)
        return found.values()


def _marks_of(view: View, built: list[object]) -> list[object]:
    """Return what a route depends on, with marks of its router that it was built without.

    Such a route is in the list of another app or router, which does not read its router again, or
    was put into the list of its own.
    """
    noted = noted_dependencies(getattr(view, "original_route", view))
    own = getattr(view, "dependencies", None) or ()
    listed = [each.dependency for each in (*own, *noted)]
    marks = [each for each in listed if isinstance(each, Inherited)]
    return built if all(mark in built for mark in marks) else [*marks, *built]


def _declared_of_paths(app: object) -> Mapping[str, Members]:
    """Return what an app declares of paths, and its router, which is nearer to what it serves."""
    found = dict(declared_below(app))
    if (router := router_of(app)) is not app:
        for path, members in declared_below(router).items():
            found[path] = over(found.get(path, {}), members)
    return found


def _both(members: dict[str, object], name: str, value: object) -> bool:
    """Let both of two different values count; False if that cannot be."""
    mine = members[name]
    if name == "access":
        said = (str(value), str(mine))
        members[name] = max(said, key=ACCESS.index) if {*said} <= {*ACCESS} else said
    elif name == "scopes":
        if isinstance(value, (list, tuple)) and isinstance(mine, (list, tuple)):
            members[name] = list(dict.fromkeys(chain(value, mine)))
    else:
        return False
    return True


def lost_in_inclusions(app: object) -> Iterator[tuple[View, list[str]]]:
    """Yield each route of an included router that does not have what is declared on the router.

    That are routes which were added to its list, or whose router has got another list of
    dependencies; with what is lost.
    """
    for inclusion in inclusions(getattr(app, "routes", ())):
        router = inclusion.original_router
        for each in inclusion.effective_candidates():
            if lost := lost_of_router(router, _dependencies_of(each, router)):
                yield getattr(each, "original_route", each), lost


def _dependencies_of(candidate: View, router: View) -> object:
    """Return the list that tells a candidate of an inclusion what is declared on its router."""
    if (context := getattr(candidate, "include_context", None)) is not None:
        return context.dependencies  # of a router that is included in turn
    built = getattr(candidate, "starlette_route", None)
    # Routes of Starlette depend on nothing; for them the router's own list is read.
    return getattr(candidate if built is None else built, "dependencies", router.dependencies)
