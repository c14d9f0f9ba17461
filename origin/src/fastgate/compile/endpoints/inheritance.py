"""Compute what a route inherits from apps, mounts, paths (`below`) and routers.

Input: an app, the context around it, and one of its routes. Output: the members that were declared
for more than this route, where the nearest declaration counts, and the dependencies that it does
not inherit. This module checks nothing and runs no code of the app.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeAlias

from fastapi import APIRouter
from fastapi.params import Depends

from fastgate.compile.callers.dependency_tree import (
    Dependant,
    callers_of,
    dependant_of_listed,
    flatten,
)
from fastgate.compile.callers.overrides import effective_dependencies
from fastgate.compile.callers.regions import REGIONS
from fastgate.compile.callers.requirements import Callers
from fastgate.declare.members import ACCESS
from fastgate.declare.merge import CALLER_REQUIREMENTS, OPEN, implied_access, merge_inherited
from fastgate.declare.provenance import COPIED_FROM, dependencies_of, noted_dependencies
from fastgate.declare.router_marks import RouterMark, members_not_inherited
from fastgate.declare.stored_marks import declared, declared_below
from fastgate.path_template import begins, comparable
from fastgate.routes.framework import View, inclusions, router_dependencies, router_of

Members = Mapping[str, object]

ListedDependency: TypeAlias = tuple[object, frozenset[str]]
"""A dependency, and the members that a nearer mount declares itself."""


@dataclass(frozen=True, slots=True)
class PathDeclarations:
    """The declarations of one app for paths, relative to it or to an app mounted in it."""

    members: Mapping[str, tuple[str, Members]]
    """By the relative path: the path as written in `below`, and its members."""
    used: set[str] = field(default_factory=set)
    """The paths, as written, at or below which something is served."""
    declared_names: frozenset[str] = frozenset()
    """Members that mounts between the app and here declare: neither of the two is nearer."""

    def at(self, path: object) -> dict[str, object]:
        """Return the members declared for a path; the longest matching path counts."""
        found: dict[str, object] = {}
        # Two paths that differ in the names of parameters are the same path.
        for part in sorted(self.members, key=lambda each: len(comparable(each))):
            if isinstance(path, str) and begins(path, part):
                written, members = self.members[part]
                found = merge_inherited(found, members)
                self.used.add(written)
        return found

    def within(self, path: str, declared_names: Iterable[str]) -> "PathDeclarations":
        """Return the declarations for paths inside of a mount, relative to that mount."""
        depth = path.count("/")
        inner = {
            "/" + "/".join(part.split("/")[depth + 1 :]): declaration
            for part, declaration in self.members.items()
            if begins(part, path) and comparable(part) != comparable(path)
        }
        return replace(self, members=inner, declared_names=self.declared_names | {*declared_names})


@dataclass(frozen=True, slots=True)
class InheritedContext:
    """The members and requirements that a route, a mount or an app inherits."""

    inherited: Members = field(default_factory=dict)
    conflicting: tuple[str, ...] = ()
    """Members that two declarations set differently; neither is nearer."""
    within: tuple[PathDeclarations, ...] = ()
    """The declarations for paths inside of this mount; those of the innermost app first."""
    not_run: Callers = field(default_factory=Callers)
    """The requirements of routers and apps that FastAPI enforces for its own routes only."""
    listed: tuple["ListedDependency", ...] = ()
    """The dependencies with those requirements."""
    declared_by_mounts: frozenset[str] = frozenset()
    """Members that mounts around it declare, or the apps that they mount."""
    routers: tuple[object, ...] = ()
    """The routers that included it, or whose route was copied."""

    def through(self, members: Members) -> "InheritedContext":
        """Return what the app of a mount inherits if the mount declares `members`."""
        within = (
            replace(each, declared_names=each.declared_names | members.keys())
            for each in self.within
        )
        return replace(
            self,
            inherited=merge_inherited(self.inherited, members),
            within=tuple(within),
            not_run=unmet_requirements(self.not_run, members),
            declared_by_mounts=self.declared_by_mounts | members.keys(),
            listed=tuple((call, exempt | _settled_by(members)) for call, exempt in self.listed),
        )


def unmet_requirements(required: Callers, members: Members) -> Callers:
    """Return the requirements of dependencies that are not run, minus what members declare.

    `access="authenticated"` requires a known caller and nothing more; `scopes` sets the scopes,
    `regions` the regions. An open access leaves the latter.
    """
    left = required.without({*members} & {"scopes", REGIONS})
    if (access := members.get("access")) == ACCESS[-1]:
        return Callers()
    is_declared = "access" in members or "scopes" in members
    settled = access in OPEN or (is_declared and not left.is_more_than_known)
    return Callers(regions=left.regions) if settled else left


def _settled_by(members: Members) -> frozenset[str]:
    """Return the members that need no further declaration: an open access requires nothing."""
    of_callers = CALLER_REQUIREMENTS if members.get("access") in OPEN else ()
    return frozenset((*members, *of_callers))


class Inheritance:
    """The members and requirements that the routes of one app inherit.

    Args:
        app: the app.
        around: what the app itself inherits.

    """

    def __init__(self, app: object, around: InheritedContext) -> None:
        self._app = app
        self._around = around
        self.parts: Mapping[str, Members] = _path_declarations(getattr(app, "_base_app", app))
        """The declarations for paths of the app, or of the router that it runs."""
        self._own = PathDeclarations(
            {part: (part, members) for part, members in self.parts.items()}
        )

    def inherited_by(
        self, view: View, path: object, through: Iterable[object] = ()
    ) -> InheritedContext:
        """Return what a route of the app inherits.

        A path may be within a router, a router within a path, and a path within a mount with a
        declaration of its own. Then the stricter access counts, scopes add up, and any other
        difference is a conflict. Dependencies of a router around the route, or `through` which it
        is included, run for routes that were added later by the router's own methods.
        """
        dependant = getattr(view, "dependant", None)
        if dependant is None:
            listed = router_dependencies(self._app, view)
            marks: list[object] = [each.dependency for each in listed]
            tree = dependant_of_listed(listed, path)
            not_run = self._requirements_of(tree, listed)
            every = (*flatten(tree), *flatten(self._with_overrides(tree)))
            called = {id(each.call): each.call for each in every}.values()
            calls = tuple((call, frozenset[str]()) for call in called)
        else:
            marks = _marks_of(view, [each.call for each in flatten(dependant)])
            not_run, calls = self._requirements_of(self._listed_around(view, path, through)), ()
        members = dict(self._around.inherited)
        declared_names = set[str]()
        for of_router in self._of_routers(marks):
            members = merge_inherited(members, of_router)
            declared_names |= of_router.keys()
        conflicting = {*self._around.conflicting}
        within: list[PathDeclarations] = []
        for parts in (self._own, *self._around.within):
            if isinstance(path, str):
                within.append(parts.within(path, declared_names))
            below = parts.at(path)
            mine = {name: members.get(name) for name in declared_names | parts.declared_names}
            below |= {
                **implied_access(members, below),
                **implied_access(below, mine),
            }
            for name, value in below.items():
                if name not in mine:
                    members[name] = value
                elif members[name] != value and not _both(members, name, value):
                    conflicting.add(name)
            declared_names |= below.keys()
        inner = tuple(parts for parts in within if parts.members)
        around = self._around
        by_marks = (mark.router for mark in marks if isinstance(mark, RouterMark))
        copied: Iterable[object] = getattr(view, COPIED_FROM, ())
        return InheritedContext(
            members,
            tuple(sorted(conflicting)),
            inner,
            around.not_run | not_run,
            (*around.listed, *calls),
            around.declared_by_mounts,
            (*around.routers, *through, *copied, *by_marks),
        )

    def _listed_around(self, view: View, path: object, through: Iterable[object]) -> Dependant:
        copied: Iterable[object] = getattr(view, COPIED_FROM, ())
        around = (router_of(self._app), *through, *copied)
        routers = {id(each): each for each in around if isinstance(each, APIRouter)}.values()
        return dependant_of_listed([each for it in routers for each in dependencies_of(it)], path)

    def _requirements_of(self, tree: Dependant, listed: Iterable[Depends] = ()) -> Callers:
        """Return what a tree requires of callers, with and without overrides."""
        required, run = callers_of(tree, listed), self._with_overrides(tree)
        return required if run is tree else required | callers_of(run, listed)

    def _with_overrides(self, tree: Dependant) -> Dependant:
        return effective_dependencies(
            tree, None, getattr(self._app, "_base_app", self._app)
        ).dependant

    def unused(self) -> list[str]:
        """Return the paths of the app's declarations at which nothing is served."""
        return [part for part in self.parts if part not in self._own.used]

    def _of_routers(self, marks: Iterable[object]) -> Iterable[Members]:
        """Return the declarations of the routers around a route, the innermost last."""
        router = router_of(self._app)
        found = dict[int, dict[str, object]]()
        app = getattr(self._app, "_base_app", self._app)
        # The mark of the app's own router is read directly: its routes may be older than the mark.
        if router is not app:
            found[id(router)] = dict(declared(router))
        for mark in marks:
            if not isinstance(mark, RouterMark):
                continue
            if mark.router is router or mark.router is app:
                found.setdefault(id(mark.router), dict(declared(mark.router)))
            else:
                found.setdefault(id(mark.router), {}).update(mark.members)
        return found.values()


def _marks_of(view: View, built: list[object]) -> list[object]:
    """Return the dependencies of a route, including marks of its router that it was built without.

    Such a route is in the list of another app or router, which does not read its router again, or
    was put into the list of its own router directly.
    """
    noted = noted_dependencies(getattr(view, "original_route", view))
    own = getattr(view, "dependencies", None) or ()
    listed = [each.dependency for each in (*own, *noted)]
    marks = [each for each in listed if isinstance(each, RouterMark)]
    return built if all(mark in built for mark in marks) else [*marks, *built]


def _path_declarations(app: object) -> Mapping[str, Members]:
    """Return the declarations for paths of an app, and of its router, which is nearer."""
    found = dict(declared_below(app))
    if (router := router_of(app)) is not app:
        for path, members in declared_below(router).items():
            found[path] = merge_inherited(found.get(path, {}), members)
    return found


def _both(members: dict[str, object], name: str, value: object) -> bool:
    """Merge two different values of a member; False if that is impossible."""
    mine = members[name]
    if name == "access":
        declared_names = (str(value), str(mine))
        members[name] = (
            max(declared_names, key=ACCESS.index)
            if {*declared_names} <= {*ACCESS}
            else declared_names
        )
    elif name == "scopes":
        if isinstance(value, (list, tuple)) and isinstance(mine, (list, tuple)):
            members[name] = list(dict.fromkeys(chain(value, mine)))
    else:
        return False
    return True


def routes_without_router_mark(app: object) -> Iterator[tuple[View, list[str]]]:
    """Yield each route of an included router without the router's declaration, and what it lacks.

    Such a route was put into the router's list directly, or its router's list of dependencies was
    replaced.
    """
    for inclusion in inclusions(getattr(app, "routes", ())):
        router = inclusion.original_router
        for each in inclusion.effective_candidates():
            if missing := members_not_inherited(router, _dependencies_of(each, router)):
                yield getattr(each, "original_route", each), missing


def _dependencies_of(candidate: View, router: View) -> object:
    """Return the list that passes a router's declaration on to a candidate of an inclusion."""
    if (context := getattr(candidate, "include_context", None)) is not None:
        return context.dependencies  # an included router includes another one
    built = getattr(candidate, "starlette_route", None)
    # Starlette routes have no dependencies; the router's own list is read for them.
    return getattr(candidate if built is None else built, "dependencies", router.dependencies)
