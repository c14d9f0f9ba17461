"""Compare an endpoint's members with a declaration that has no effect on it.

Input: endpoints, and objects with declarations. Output: the members that differ, and the messages
about them. This module does not search for declarations.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import FunctionType, MappingProxyType, MethodType
from typing import NamedTuple, TypeAlias

from fastapi import routing
from starlette.routing import Route, WebSocketRoute

from fastgate.compile.callers.regions import REGIONS
from fastgate.compile.callers.requirements import COMPARABLE, covers
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.locations import location_of, name_of
from fastgate.compile.endpoints.route_ids import access_of, has_caller_dependency, members_of
from fastgate.declare.formerly import FORMERLY
from fastgate.declare.lookup import declared_on_route, layers
from fastgate.declare.members import ACCESS, APP_CHECKS, NO_ROUTE, OPAQUE
from fastgate.declare.merge import CALLER_REQUIREMENTS, OPEN, merge_inherited, requires_known_caller
from fastgate.declare.static_access import attribute, is_a
from fastgate.declare.stored_marks import declared

_ROUTE_SPECIFIC = frozenset((APP_CHECKS, FORMERLY, OPAQUE, "id", "methods", "path"))
"""Members that require nothing of callers and apply only to the route they were declared for."""


Members: TypeAlias = Mapping[str, object]


class IneffectiveDeclaration(NamedTuple):
    """A declaration in the surroundings of an endpoint that has no effect on it."""

    endpoint: Endpoint
    what: str
    remedy: str
    members: Members = MappingProxyType({})
    """The declared members without effect."""


class IneffectiveMark(NamedTuple):
    """A mark without effect, with its members; no members if one may have been missed."""

    endpoint: Endpoint
    target: object
    names: Sequence[str]
    remedy: str

    def as_declaration(self) -> IneffectiveDeclaration:
        """Return the message about this mark."""
        if self.names:
            what = f"has a declaration without effect: {', '.join(self.names)} on "
        else:
            what = "refers to too many objects to check them all; a declaration may be missed, "
            what += "beyond "
        what += f"{name_of(self.target)} ({location_of(self.target)})"
        members = members_named(self.names, declared(self.target))
        return IneffectiveDeclaration(self.endpoint, what, self.remedy, members)


def members_named(names: Iterable[str], known: Members = MappingProxyType({})) -> Members:
    """Return the members of these names; one whose value is unknown has the strictest: `"none"`."""
    return {name: known.get(name, NO_ROUTE) for name in names}


def is_mounted(endpoint: Endpoint) -> bool:
    """Whether an endpoint is the app of a mount, or everything below that mount."""
    return endpoint.kind in (Kind.APP, Kind.MOUNT)


def is_asgi(endpoint: Endpoint) -> bool:
    """Whether an endpoint is called as an ASGI app: mounted, or an object in a Starlette route."""
    if is_mounted(endpoint):
        return True
    route = endpoint.route
    if not is_a(route, Route, WebSocketRoute) or is_a(
        route, routing.APIRoute, routing.APIWebSocketRoute
    ):
        return False
    called = endpoint.source
    while is_a(called, partial):
        called = attribute(called, "func")
    return not is_a(called, FunctionType, MethodType, type)


def layers_of(endpoint: Endpoint) -> Iterator[object]:
    """Yield the objects from which an endpoint's declaration is read."""
    for target in endpoint.targets:
        yield from layers(target, mounted=is_mounted(endpoint))


def own_and_effective_members(endpoint: Endpoint) -> tuple[dict[str, object], "EffectiveMembers"]:
    """Return what an endpoint declares itself, and the same with what it inherits."""
    own_members = dict(endpoint.declared)
    if endpoint.kind is Kind.MOUNT and endpoint.targets:
        own_members |= declared_on_route(endpoint.route)
    by_dependencies = has_caller_dependency(endpoint)
    if by_dependencies and "access" in own_members:
        own_members = {"scopes": list(endpoint.callers.scopes), **own_members}
    effective = EffectiveMembers(merge_inherited(endpoint.inherited, own_members))
    if by_dependencies:
        effective |= {"access": access_of(endpoint)}
        effective |= {"scopes": own_members.get("scopes", members_of(endpoint).get("scopes", []))}
        effective.implied = frozenset(("access", "scopes")) - own_members.keys()
        added = endpoint.callers.added_to({}).keys() & {*COMPARABLE}
        effective |= {name: value for name, value in members_of(endpoint).items() if name in added}
        effective.implied |= added
    elif endpoint.callers.regions is not None:
        effective |= {REGIONS: members_of(endpoint)[REGIONS]}
        effective.implied |= {REGIONS}
    return own_members, effective


class EffectiveMembers(dict[str, object]):
    """The members that an endpoint declares and inherits."""

    implied: frozenset[str] = frozenset()
    """Members that only its dependencies imply: a declaration that requires no more has the same
    effect."""

    def only(self, name: str) -> "EffectiveMembers":
        """Return one member alone."""
        found = EffectiveMembers({name: self[name]} if name in self else {})
        found.implied = self.implied & {name}
        return found

    def is_like(self, other: "EffectiveMembers") -> bool:
        """Whether both would accept the same declarations."""
        return self.implied == other.implied and self == other

    def keeps(self, name: str, value: object) -> bool:
        """Whether a member that is declared elsewhere already holds for the endpoint."""
        mine = self.get(name)
        if name not in self.implied:
            return name in self and mine == value
        if name == "access":
            return _is_as_closed(mine, value)
        return covers(name, mine, value)


def differing(
    target: object, effective: Mapping[str, object], exempt: Iterable[str] = ()
) -> list[str]:
    """Return the members of an object's declaration that differ from the effective ones."""
    known = effective if isinstance(effective, EffectiveMembers) else EffectiveMembers(effective)
    names = [name for name, value in declared(target).items() if not known.keeps(name, value)]
    return [name for name in names if name not in exempt]


def holds(endpoint: Endpoint, effective: EffectiveMembers, name: str, value: object) -> bool:
    """Whether a member that is declared elsewhere holds for an endpoint, or a stricter one."""
    if effective.keeps(name, value):
        return True
    mine = access_of(endpoint)
    if name == "access":
        return _is_as_closed(mine, value)
    is_comparable = name in COMPARABLE and (mine not in OPEN or name == REGIONS)
    return is_comparable and covers(name, members_of(endpoint).get(name), value)


def members_free_to_differ(own_members: Mapping[str, object]) -> set[str]:
    """Return the members that other declarations may set differently from this endpoint.

    An open access requires nothing of callers.
    """
    requires_caller = "access" not in own_members or own_members["access"] == "authenticated"
    return {*own_members, *_ROUTE_SPECIFIC, *(() if requires_caller else CALLER_REQUIREMENTS)}


def more_open(members: Mapping[str, object], effective: Mapping[str, object]) -> list[str]:
    """Return `access` if these members are more open than the effective ones."""
    return less_open({"access": members.get("access")}, str(effective.get("access")))


def less_open(effective: Mapping[str, object], expected: str) -> list[str]:
    """Return `access` if the callers that dependencies expect are not allowed or not identified."""
    access = effective.get("access", "authenticated" if requires_known_caller(effective) else None)
    known = access in ACCESS and expected in ACCESS
    return ["access"] if known and not _is_as_closed(access, expected) else []


def _is_as_closed(access: object, other: object) -> bool:
    """Whether one access allows no caller that another refuses; False if one is invalid."""
    both = access in ACCESS and other in ACCESS
    return both and ACCESS.index(str(other)) <= ACCESS.index(str(access))


def remedy_to_declare(names: Iterable[str]) -> str:
    """Return the remedy for members that an endpoint does not declare."""
    written = ", ".join(f"{name}=…" for name in names)
    return f"declare it on the endpoint, or on the mounted app, itself: at_edge({written})"


def remedy_for(endpoint: Endpoint, names: Iterable[str]) -> str:
    """Return the remedy for missing members, considering the endpoint's dependencies.

    `at_edge` cannot declare scopes if dependencies already require a known caller.
    """
    others = [name for name in names if name != "scopes" or not endpoint.callers.own]
    if len(others) == len([*names]):
        return remedy_to_declare(names)
    remedy = (
        "require the scopes by Security(fastgate, scopes=[…]), or, if none are needed, declare "
    )
    remedy += 'at_edge(access="authenticated") on the endpoint'
    return f"{remedy}; {remedy_to_declare(others)}" if others else remedy
