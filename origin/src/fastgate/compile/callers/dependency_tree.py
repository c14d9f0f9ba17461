"""Read what dependencies require of callers: `Caller`, `requires(…)`, schemes of FastAPI.

Input: FastAPI's tree of dependencies, or the list of a router. Output: `Callers`. This module
checks nothing and runs no code of the app.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from inspect import Parameter
from types import MethodType
from typing import Annotated, Any, TypeAlias, get_args, get_origin

from fastapi.dependencies.utils import get_typed_signature
from fastapi.params import Depends, Security
from fastapi.routing import APIRoute

from fastgate.compile.cache import cached
from fastgate.compile.callers.requirements import Callers
from fastgate.declare.lookup import layers
from fastgate.declare.router_marks import RouterMark
from fastgate.declare.schemes import Scheme, scheme_of
from fastgate.declare.static_access import attribute, is_a, plain_text
from fastgate.dependencies import FastgateScheme, any_caller
from fastgate.edge_only import reads_who_is_calling
from fastgate.identity import Identity
from fastgate.requires import Requires

_MAX_DEPTH = 20
"""The maximum depth of a type: a recursive type has no end."""

Dependant: TypeAlias = Any
"""FastAPI's tree of dependencies, whose class is not public."""


def callers_of(dependant: Dependant, listed: Iterable[Depends] = ()) -> Callers:
    """Return what an endpoint's tree of dependencies requires; empty if there is no tree.

    Args:
        dependant: the tree.
        listed: the dependencies in the tree that a route, a router or an app lists, as written
            there.

    """
    found = callers_required_by(flatten(dependant))
    if dependant is None:
        return found
    claimed = tuple(dict.fromkeys(_parameters_naming_a_caller(dependant)))
    every = (dependant, *flatten(dependant))
    dropped = tuple(dict.fromkeys(name for each in every for name in _dropped_requirements(each)))
    called = tuple(dict.fromkeys(name for each in every for name in _called_as_functions(each)))
    written = (*listed, *(each for part in every for each in _written_in(part)))
    texts = tuple(dict.fromkeys(text for each in written for text in _text_of(each, found)))
    return replace(found, claimed=claimed, dropped=dropped, called=called, texts=texts)


def callers_required_by(dependencies: Iterable[Dependant], *, with_schemes: bool = True) -> Callers:
    """Return what dependencies require of callers, without what is below them in the tree.

    Args:
        dependencies: the dependencies.
        with_schemes: whether the security schemes of FastAPI count, and not only Fastgate's.

    """
    own = anybody = False
    schemes: dict[Scheme, None] = {}
    scopes: dict[str, None] = {}
    unchecked: dict[str, None] = {}
    read: dict[str, None] = {}
    required_by_app = Callers()
    for dependency in dependencies:
        required = scopes_for(dependency)
        called = called_objects(dependency.call)
        if dependency.security_scopes_param_name is not None:
            read |= dict.fromkeys(required)  # the function checks them itself
        if any(each is any_caller for each in called):
            anybody = True
            unchecked |= dict.fromkeys(required)
        if any(_requires_caller(each, required) for each in called):
            own = True
            scopes |= dict.fromkeys(required)
        elif with_schemes and (scheme := cached(scheme_of, dependency.call)) is not None:
            schemes[scheme] = None
            scopes |= dict.fromkeys(required)
        for each in called:
            if is_a(each, Requires):
                required_by_app |= Callers.of_requirement(attribute(each, "requirement"))  # type: ignore[arg-type]
    known = own or any(each.requires_token for each in schemes)
    if known and with_schemes:
        scopes |= read
        read = {}
    found = Callers(
        known=known,
        anybody=anybody,
        scopes=tuple(scopes),
        read=tuple(read) if with_schemes else (),
        unchecked=tuple(unchecked),
        own=own,
        schemes=tuple(schemes),
    )
    return found | required_by_app


def scopes_for(dependant: Dependant) -> tuple[str, ...]:
    """Return the scopes that FastAPI passes to a dependency: of the chain above, and its own."""
    return (*map(plain_text, dependant.parent_oauth_scopes or ()), *own_scopes(dependant))


def own_scopes(dependant: Dependant) -> tuple[str, ...]:
    """Return the scopes of the `Security(…)` with which a dependency is written."""
    return tuple(map(plain_text, dependant.own_oauth_scopes or ()))


def _requires_caller(called: object, scopes: Iterable[str]) -> bool:
    """Whether a dependency refuses anonymous callers: `requires(region=…)` alone does not."""
    if is_a(called, Requires):
        return any(scopes) or attribute(called, "requirement").is_of_callers  # type: ignore[attr-defined]
    return is_a(called, FastgateScheme) or called is FastgateScheme.__call__


def parameters_of(dependant: Dependant) -> Mapping[str, Parameter]:
    """Return the parameters of one function, as FastAPI reads its signature, by name."""
    return cached(parameters_of_call, dependant.call)


def parameters_of_call(call: Any) -> Mapping[str, Parameter]:  # noqa: ANN401
    """Return the parameters of a function or another callable; empty without a signature."""
    try:
        return get_typed_signature(call).parameters
    except (TypeError, ValueError):
        return {}  # without a signature FastAPI reads no annotation


def _written_in(dependant: Dependant) -> Iterator[Depends]:
    """Yield the dependencies in the signature of one function, as they are written."""
    for parameter in parameters_of(dependant).values():
        yield from dependencies_in(parameter.annotation)
        if isinstance(parameter.default, Depends):
            yield parameter.default


def _text_of(dependency: Depends, found: Callers) -> Iterator[str]:
    """Yield the scopes of a dependency if they are one string that was read as letters.

    Another security scheme may accept a string.
    """
    scopes = dependency.scopes if isinstance(dependency, Security) else ()
    if (
        isinstance(scopes, str)
        and scopes
        and {*scopes} <= {*found.scopes, *found.read, *found.unchecked}
    ):
        yield scopes


def _dropped_requirements(dependant: Dependant) -> Iterator[str]:
    """Yield the requirements in annotations of one function that no dependency enforces."""
    run = {each.name: each for each in dependant.dependencies}
    for name, parameter in parameters_of(dependant).items():
        written = [*dependencies_in(parameter.annotation)]
        used = run.get(name)
        if len(written) < 2 and used is not None:
            continue
        below = () if used is None else (used, *flatten(used))
        given = callers_required_by(below)
        scopes = {*given.scopes, *(own_scopes(used) if used is not None else ())}
        for each in written:
            # `Depends()` without a function depends on the annotated class.
            listed = () if each.dependency is None else (each,)
            wanted = callers_required_by(flatten(dependant_of_listed(listed, "/")))
            own = each.scopes if isinstance(each, Security) else ()
            for scope in (*map(plain_text, own or ()), *wanted.scopes):
                if scope not in scopes:
                    yield repr(scope)
            yield from wanted.without(("scopes",)).beyond(given).names()


def _called_as_functions(dependency: Dependant) -> Iterator[str]:
    """Yield `Caller` or `AnyCaller` if FastAPI would call it: it is an annotation."""
    if get_origin(dependency.call) is not Annotated:
        return
    listed = [each for each in dependencies_in(dependency.call) if each.dependency is not None]
    tree = flatten(dependant_of_listed(listed, "/"))
    required = callers_required_by(tree, with_schemes=False)
    if required.are_any:
        name = "Caller" if required.known else "AnyCaller"
        scopes = list(own_scopes(dependency))
        yield f"Security({name}, scopes={scopes!r})" if scopes else f"Depends({name})"


def dependencies_in(annotation: object, depth: int = 0) -> Iterator[Depends]:
    """Yield the dependencies in an annotation and in the types that it consists of."""
    if depth > _MAX_DEPTH:
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


def _parameters_naming_a_caller(dependant: Dependant) -> Iterator[str]:
    """Yield the parameters by which FastAPI would read the caller's identity from a request."""
    for each in (dependant, *flatten(dependant)):
        for called in called_objects(each.call):
            if is_a(called, type) and issubclass(called, Identity):  # type: ignore[arg-type]
                yield each.name or "Identity"  # FastAPI would read its fields
        for parameter in read_from_the_request(each):
            if reads_who_is_calling(parameter.field_info.annotation):
                yield parameter.name


def read_from_the_request(dependant: Dependant) -> Iterator[Any]:
    """Yield the parameters of one function that FastAPI reads from a request."""
    for part in ("path", "query", "header", "cookie", "body"):
        yield from getattr(dependant, f"{part}_params")


def called_objects(dependency: object) -> tuple[object, ...]:
    """Return a dependency and what it calls as a partial function or a bound method."""
    return cached(_all_called, dependency)


def _all_called(dependency: object) -> tuple[object, ...]:
    return tuple(_each_called(dependency))


def _each_called(dependency: object) -> Iterator[object]:
    for layer in layers(dependency, mounted=False):
        yield layer
        if is_a(layer, MethodType):
            yield attribute(layer, "__self__")


def dependant_of_listed(dependencies: Iterable[Depends], path: object) -> Dependant:
    """Return the tree of dependencies that a router or an app lists; None if it lists none."""
    listed = [each for each in dependencies if not isinstance(each.dependency, RouterMark)]
    if not listed:
        return None
    template = path if isinstance(path, str) and path else "/"
    return APIRoute(template, _nothing, dependencies=listed).dependant


def flatten(dependant: Dependant) -> Iterator[Dependant]:
    """Yield all dependencies of a tree, in the order in which they are listed."""
    if dependant is not None:
        for dependency in dependant.dependencies:
            yield dependency
            yield from flatten(dependency)


async def _nothing() -> None: ...
