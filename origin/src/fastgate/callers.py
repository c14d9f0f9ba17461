"""Read what dependencies say of callers: `Caller`, `AnyCaller`, `Security(fastgate, scopes=[…])`.

In: FastAPI's trees of dependencies, or what a router lists as its own. Out: `Callers`. Nothing is
judged here, and nothing is run.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import MethodType
from typing import Any, TypeAlias

from fastapi.params import Depends
from fastapi.routing import APIRoute

from fastgate.declare import Inherited
from fastgate.dependencies import FastgateScheme, any_caller
from fastgate.identity import Identity
from fastgate.marks import layers
from fastgate.not_input import reads_who_is_calling
from fastgate.static import attribute, is_a

Dependant: TypeAlias = Any
"""FastAPI's tree of dependencies, whose class is not for others to import."""


@dataclass(frozen=True, slots=True)
class Callers:
    """What dependencies say of callers."""

    known: bool = False
    """`Caller` or `Security(fastgate)` is among them."""
    anybody: bool = False
    """`AnyCaller` or `Depends(any_caller)` is among them."""
    scopes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    """Scopes that `any_caller` is asked for, which checks none."""
    claimed: tuple[str, ...] = ()
    """What would be read from the request, and says who is calling: names of parameters."""

    def __or__(self, other: "Callers") -> "Callers":
        """Return what both say together."""
        return Callers(
            self.known or other.known,
            self.anybody or other.anybody,
            tuple(dict.fromkeys((*self.scopes, *other.scopes))),
            tuple(dict.fromkeys((*self.unchecked, *other.unchecked))),
            tuple(dict.fromkeys((*self.claimed, *other.claimed))),
        )


def callers_of(dependant: Dependant) -> Callers:
    """Return what an endpoint's tree of dependencies says; nothing if there is none."""
    known = anybody = False
    scopes: dict[str, None] = {}
    unchecked: dict[str, None] = {}
    for dependency in flat(dependant):
        required: Iterable[str] = (
            *(dependency.parent_oauth_scopes or ()),
            *(dependency.own_oauth_scopes or ()),
        )
        called = list(_called(dependency.call))
        if any(each is any_caller for each in called):
            anybody = True
            unchecked |= dict.fromkeys(required)
        if any(is_a(each, FastgateScheme) or each is FastgateScheme.__call__ for each in called):
            known = True
            scopes |= dict.fromkeys(required)
    claimed = () if dependant is None else tuple(dict.fromkeys(_claimed(dependant)))
    return Callers(known, anybody, tuple(scopes), tuple(unchecked), claimed)


def _claimed(dependant: Dependant) -> Iterator[str]:
    """Yield the parameters of a tree by which FastAPI would read from a request who is calling."""
    for each in (dependant, *flat(dependant)):
        for called in _called(each.call):
            if is_a(called, type) and issubclass(called, Identity):  # type: ignore[arg-type]
                yield each.name or "Identity"  # its members, then
        for parameters in _READ_FROM_THE_REQUEST:
            for parameter in getattr(each, parameters):
                if reads_who_is_calling(parameter.field_info.annotation):
                    yield parameter.name


_READ_FROM_THE_REQUEST = tuple(
    f"{part}_params" for part in ("path", "query", "header", "cookie", "body")
)


def _called(dependency: object) -> Iterator[object]:
    """Yield what a dependency is, and what it calls as a partial function or a bound method."""
    for layer in layers(dependency, mounted=False):
        yield layer
        if is_a(layer, MethodType):
            yield attribute(layer, "__self__")


def dependant_of_listed(dependencies: Iterable[Depends], path: object) -> Dependant:
    """Return the tree of what a router or an app lists, for a route at `path`; None if nothing."""
    listed = [each for each in dependencies if not isinstance(each.dependency, Inherited)]
    if not listed:
        return None
    template = path if isinstance(path, str) and path else "/"
    return APIRoute(template, _nothing, dependencies=listed).dependant


def flat(dependant: Dependant) -> Iterator[Dependant]:
    """Yield all dependencies of a tree, in the order in which they are listed."""
    if dependant is not None:
        for dependency in dependant.dependencies:
            yield dependency
            yield from flat(dependency)


async def _nothing() -> None: ...
