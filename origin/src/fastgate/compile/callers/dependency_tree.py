"""Read which callers dependencies ask for: `Caller`, `AnyCaller`, `Security(fastgate, …)`.

In: FastAPI's trees of dependencies, or what a router lists as its own. Out: `Callers`. Nothing is
judged here, and nothing is run.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from inspect import Parameter
from types import MethodType
from typing import Annotated, Any, TypeAlias, get_args, get_origin

from fastapi.dependencies.utils import get_typed_signature
from fastapi.params import Depends, Security
from fastapi.routing import APIRoute

from fastgate.compile.cache import cached
from fastgate.declare.at_edge import Inherited
from fastgate.declare.lookup import layers
from fastgate.declare.static_access import attribute, is_a
from fastgate.dependencies import FastgateScheme, any_caller
from fastgate.edge_only import reads_who_is_calling
from fastgate.identity import Identity

A_KNOWN_CALLER = "a known caller"

_DEEPEST = 20
"""How deep a type is looked into: one that contains itself has no end."""

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
    dropped: tuple[str, ...] = ()
    """Scopes, and `A_KNOWN_CALLER`, that an annotation asks for, and another dependency in the same
    annotation replaces: FastAPI runs the last one."""
    called: tuple[str, ...] = ()
    """`Caller` and `AnyCaller` where they are depended on like functions, as they are written."""
    texts: tuple[str, ...] = ()
    """Scopes that are written as one text, of which FastAPI takes each letter for a scope."""

    def __or__(self, other: "Callers") -> "Callers":
        """Return what both say together."""
        return Callers(
            self.known or other.known,
            self.anybody or other.anybody,
            tuple(dict.fromkeys((*self.scopes, *other.scopes))),
            tuple(dict.fromkeys((*self.unchecked, *other.unchecked))),
            tuple(dict.fromkeys((*self.claimed, *other.claimed))),
            tuple(dict.fromkeys((*self.dropped, *other.dropped))),
            tuple(dict.fromkeys((*self.called, *other.called))),
            tuple(dict.fromkeys((*self.texts, *other.texts))),
        )


def callers_of(dependant: Dependant, listed: Iterable[Depends] = ()) -> Callers:
    """Return what an endpoint's tree of dependencies says; nothing if there is none.

    Args:
        dependant: the tree.
        listed: those dependencies of it that a route, a router or an app lists, as written there.

    """
    found = asked_by(flat(dependant))
    if dependant is None:
        return found
    claimed = tuple(dict.fromkeys(_claimed(dependant)))
    every = (dependant, *flat(dependant))
    dropped = tuple(dict.fromkeys(name for each in every for name in _dropped(each)))
    called = tuple(dict.fromkeys(name for each in every for name in _called_as_functions(each)))
    written = (*listed, *(each for part in every for each in _written_in(part)))
    texts = tuple(dict.fromkeys(text for each in written for text in _text_of(each, found)))
    return replace(found, claimed=claimed, dropped=dropped, called=called, texts=texts)


def asked_by(dependencies: Iterable[Dependant]) -> Callers:
    """Return what dependencies ask of callers, each by itself."""
    known = anybody = False
    scopes: dict[str, None] = {}
    unchecked: dict[str, None] = {}
    for dependency in dependencies:
        required: Iterable[str] = (
            *(dependency.parent_oauth_scopes or ()),
            *(dependency.own_oauth_scopes or ()),
        )
        called = _called(dependency.call)
        if any(each is any_caller for each in called):
            anybody = True
            unchecked |= dict.fromkeys(required)
        if any(is_a(each, FastgateScheme) or each is FastgateScheme.__call__ for each in called):
            known = True
            scopes |= dict.fromkeys(required)
    return Callers(known, anybody, tuple(scopes), tuple(unchecked))


def _parameters_of(dependant: Dependant) -> Mapping[str, Parameter]:
    return cached(_parameters_of_call, dependant.call)


def _parameters_of_call(call: Any) -> Mapping[str, Parameter]:  # noqa: ANN401
    try:
        return get_typed_signature(call).parameters
    except (TypeError, ValueError):
        return {}  # it has no signature, so FastAPI has read no annotation of it


def _written_in(dependant: Dependant) -> Iterator[Depends]:
    """Yield the dependencies in the signature of one function, as they are written."""
    for parameter in _parameters_of(dependant).values():
        yield from dependencies_in(parameter.annotation)
        if isinstance(parameter.default, Depends):
            yield parameter.default


def _text_of(dependency: Depends, found: Callers) -> Iterator[str]:
    """Yield the scopes of a dependency if they are one text, and its letters are asked of callers.

    Another scheme may take them for something else.
    """
    scopes = dependency.scopes if isinstance(dependency, Security) else ()
    if isinstance(scopes, str) and scopes and {*scopes} <= {*found.scopes, *found.unchecked}:
        yield scopes


def _dropped(dependant: Dependant) -> Iterator[str]:
    """Yield what annotations of one function ask of callers, and no dependency of its asks."""
    run = {each.name: each for each in dependant.dependencies}
    for name, parameter in _parameters_of(dependant).items():
        asked = [*dependencies_in(parameter.annotation)]
        used = run.get(name)
        if len(asked) < 2 and used is not None:
            continue
        below = () if used is None else (used, *flat(used))
        given = asked_by(below)
        scopes = {*given.scopes, *(used.own_oauth_scopes or () if used is not None else ())}
        for each in asked:
            # Without a function it is the class that is annotated.
            listed = () if each.dependency is None else (each,)
            wanted = asked_by(flat(dependant_of_listed(listed, "/")))
            own = each.scopes if isinstance(each, Security) else ()
            for scope in (*(own or ()), *wanted.scopes):
                if scope not in scopes:
                    yield repr(scope)
            if wanted.known and not given.known:
                yield A_KNOWN_CALLER


def _called_as_functions(dependency: Dependant) -> Iterator[str]:
    """Yield `Caller` or `AnyCaller` if that is what FastAPI would call: it is an annotation."""
    if get_origin(dependency.call) is not Annotated:
        return
    listed = [each for each in dependencies_in(dependency.call) if each.dependency is not None]
    asked = asked_by(flat(dependant_of_listed(listed, "/")))
    if asked.known or asked.anybody:
        name = "Caller" if asked.known else "AnyCaller"
        scopes = list(dependency.own_oauth_scopes or ())
        yield f"Security({name}, scopes={scopes!r})" if scopes else f"Depends({name})"


def dependencies_in(annotation: object, depth: int = 0) -> Iterator[Depends]:
    """Yield the dependencies in an annotation and in whatever type it is made of."""
    if depth > _DEEPEST:
        return
    parts: tuple[object, ...] = get_args(annotation)
    if get_origin(annotation) is Annotated:
        parts, metadata = parts[:1], parts[1:]
        yield from (each for each in metadata if isinstance(each, Depends))
    for alias in (annotation, get_origin(annotation)):
        if type(alias).__name__ == "TypeAliasType":
            parts = (*parts, getattr(alias, "__value__", None))
    for part in parts:
        yield from dependencies_in(part, depth + 1)


def _claimed(dependant: Dependant) -> Iterator[str]:
    """Yield the parameters of a tree by which FastAPI would read from a request who is calling."""
    for each in (dependant, *flat(dependant)):
        for called in _called(each.call):
            if is_a(called, type) and issubclass(called, Identity):  # type: ignore[arg-type]
                yield each.name or "Identity"  # its members, then
        for parameter in read_from_the_request(each):
            if reads_who_is_calling(parameter.field_info.annotation):
                yield parameter.name


def read_from_the_request(dependant: Dependant) -> Iterator[Any]:
    """Yield the parameters of one function that FastAPI reads from a request."""
    for part in ("path", "query", "header", "cookie", "body"):
        yield from getattr(dependant, f"{part}_params")


def _called(dependency: object) -> tuple[object, ...]:
    """Return what a dependency is, and what it calls as a partial function or a bound method."""
    return cached(_all_called, dependency)


def _all_called(dependency: object) -> tuple[object, ...]:
    return tuple(_each_called(dependency))


def _each_called(dependency: object) -> Iterator[object]:
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
