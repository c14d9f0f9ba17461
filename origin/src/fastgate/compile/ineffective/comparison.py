"""Compare what an endpoint declares with a declaration that has no effect on it.

In: endpoints, and objects with declarations. Out: members, and the words in which a lost one is
reported. Nothing is looked for here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import FunctionType, MethodType
from typing import NamedTuple

from fastapi import routing
from starlette.routing import Route, WebSocketRoute

from fastgate.compile.endpoints.listing import Endpoint, Kind
from fastgate.compile.endpoints.locations import place_of
from fastgate.compile.endpoints.route_ids import access_of, members_of, says_callers
from fastgate.declare.at_edge import ACCESS, OPAQUE, declared
from fastgate.declare.formerly import FORMERLY
from fastgate.declare.lookup import declared_by, layers
from fastgate.declare.merge import OF_KNOWN_CALLERS, OPEN, asks_of_callers, over
from fastgate.declare.static_access import attribute, is_a

_OF_ONE_ROUTE = frozenset((FORMERLY, OPAQUE, "id", "methods", "path"))
"""What says nothing of callers, and need not be said where it was meant for another route."""


class Unread(NamedTuple):
    """A declaration within the reach of an endpoint that is not read of it."""

    endpoint: Endpoint
    what: str
    remedy: str


class Lost(NamedTuple):
    """A declaration that is not read, by the names of its members; none if one may be missed."""

    endpoint: Endpoint
    target: object
    names: Sequence[str]
    remedy: str

    def unread(self) -> Unread:
        """Return this in words."""
        if self.names:
            what = f"has a declaration that is not read: {', '.join(self.names)} of "
        else:
            what = "has more within its reach than is looked at, so a declaration may be lost, "
            what += "beyond "
        what += f"{name_of(self.target)} ({place_of(self.target)})"
        return Unread(self.endpoint, what, self.remedy)


def is_mounted(endpoint: Endpoint) -> bool:
    """Whether an endpoint is what a mount leads to, or everything below that mount."""
    return endpoint.kind in (Kind.APP, Kind.BELOW)


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
    """Yield what a declaration of an endpoint is read of."""
    for target in endpoint.targets:
        yield from layers(target, mounted=is_mounted(endpoint))


def said_by(endpoint: Endpoint) -> tuple[dict[str, object], "Said"]:
    """Return what an endpoint says itself, and the same with what it inherits."""
    here = dict(endpoint.declared)
    if endpoint.kind is Kind.BELOW and endpoint.targets:
        here |= declared_by(endpoint.route)
    by_dependencies = says_callers(endpoint)
    if by_dependencies and "access" in here:
        here = {"scopes": list(endpoint.callers.scopes), **here}
    said = Said(over(endpoint.inherited, here))
    if by_dependencies:
        said |= {"access": access_of(endpoint)}
        said |= {"scopes": here.get("scopes", members_of(endpoint).get("scopes", []))}
        said.told = frozenset(("access", "scopes")) - here.keys()
    return here, said


class Said(dict[str, object]):
    """What an endpoint says and inherits."""

    told: frozenset[str] = frozenset()
    """Members that its dependencies tell of, and no word of its own: they ask for as much as that,
    and do not say that nothing else is meant."""

    def only(self, name: str) -> "Said":
        """Return what is said of one member."""
        found = Said({name: self[name]} if name in self else {})
        found.told = self.told & {name}
        return found

    def is_like(self, other: "Said") -> bool:
        """Whether both keep the same."""
        return self.told == other.told and self == other

    def keeps(self, name: str, value: object) -> bool:
        """Whether what is declared elsewhere holds for the endpoint, too."""
        mine = self.get(name)
        if name not in self.told:
            return name in self and mine == value
        if name == "access":
            return _is_as_closed(mine, value)
        return isinstance(value, (list, tuple)) and isinstance(mine, list) and {*value} <= {*mine}


def differing(target: object, said: Mapping[str, object], apart: Iterable[str] = ()) -> list[str]:
    """Return the members that a declaration has, and that are not said, or not like that."""
    known = said if isinstance(said, Said) else Said(said)
    names = [name for name, value in declared(target).items() if not known.keeps(name, value)]
    return [name for name in names if name not in apart]


def holds(endpoint: Endpoint, said: Said, name: str, value: object) -> bool:
    """Whether what is declared elsewhere holds for an endpoint, or it is closed further."""
    if said.keeps(name, value):
        return True
    mine = access_of(endpoint)
    if name == "access":
        return _is_as_closed(mine, value)
    scopes = members_of(endpoint).get("scopes")
    lists = isinstance(value, (list, tuple)) and isinstance(scopes, (list, tuple))
    return name == "scopes" and mine not in OPEN and lists and {*value} <= {*scopes}  # type: ignore[misc]


def not_to_be_said(here: Mapping[str, object]) -> set[str]:
    """Return the members that may be other ones within reach, as an endpoint says what it says.

    Where everybody may call, nothing is asked of a caller.
    """
    of_callers = "access" not in here or here["access"] == "authenticated"
    return {*here, *_OF_ONE_ROUTE, *(() if of_callers else OF_KNOWN_CALLERS)}


def more_open(members: Mapping[str, object], said: Mapping[str, object]) -> list[str]:
    """Return `access`, where what is said is closed further than these members."""
    return less_open({"access": members.get("access")}, str(said.get("access")))


def less_open(said: Mapping[str, object], asked: str) -> list[str]:
    """Return what is to be declared where the callers asked for are not let in, or not known."""
    given = said.get("access", "authenticated" if asks_of_callers(said) else None)
    known = given in ACCESS and asked in ACCESS
    return ["access"] if known and not _is_as_closed(given, asked) else []


def _is_as_closed(access: object, other: object) -> bool:
    """Whether one access lets in no caller that another refuses; False if one is no access."""
    both = access in ACCESS and other in ACCESS
    return both and ACCESS.index(str(other)) <= ACCESS.index(str(access))


def say(names: Iterable[str]) -> str:
    """Return the remedy for members that an endpoint is silent about."""
    written = ", ".join(f"{name}=…" for name in names)
    return f"say it of the endpoint, or of what is mounted, itself: at_edge({written})"


def say_of(endpoint: Endpoint, names: Iterable[str]) -> str:
    """Return the remedy for what an endpoint is silent about, as its dependencies let it be said.

    Scopes are not said by `at_edge` where a known caller is asked for.
    """
    others = [name for name in names if name != "scopes" or not endpoint.callers.known]
    if len(others) == len([*names]):
        return say(names)
    remedy = "ask for the scopes by Security(fastgate, scopes=[…]), or, if they are not meant, say "
    remedy += 'at_edge(access="authenticated") of the endpoint'
    return f"{remedy}; {say(others)}" if others else remedy


def name_of(target: object) -> str:
    """Return the name of a function or class, or of an object's class."""
    while is_a(target, MethodType):
        target = attribute(target, "__func__")
    named = target if is_a(target, FunctionType, type) else type(target)
    return str(attribute(named, "__qualname__"))
