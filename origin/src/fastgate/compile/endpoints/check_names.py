"""Find names in marks with `app_checks` that mean several dependencies.

Input: the endpoints that are served. Output: faults, each with what to do about it. The other
checks of such marks use the same names and identities. None of the code is run.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import partial
from types import FunctionType, MethodType

from fastapi.params import Depends

from fastgate.compile.callers.dependency_tree import (
    Dependant,
    dependant_of_listed,
    flatten,
    parameters_of,
)
from fastgate.compile.callers.lost_requirements import metadata_in
from fastgate.compile.callers.model_fields import all_dependencies_in_fields
from fastgate.compile.callers.object_graph import mro_of
from fastgate.compile.callers.unread_signatures import unread_dependencies
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.locations import assigned, location_of, name_of
from fastgate.compile.endpoints.route_ids import access_of, checked_by_app, declared_access
from fastgate.compile.endpoints.undecided import own_name, quoted
from fastgate.declare.members import APP_CHECKS
from fastgate.declare.merge import OPEN, merge_inherited
from fastgate.declare.router_marks import RouterMark
from fastgate.declare.schemes import scheme_object_of
from fastgate.declare.static_access import attribute, is_a, own

_MAX_SHOWN = 5
"""The maximum number of names in a remedy."""


def unclear_names(served: Iterable[Endpoint]) -> Iterator[tuple[Endpoint, str, str]]:
    """Yield each name by which one mark means several different dependencies of endpoints."""
    first: dict[tuple[int, str], tuple[object, Endpoint]] = {}
    reported: set[tuple[int, str]] = set()
    for endpoint in served:
        named = frozenset[str]() if closes_itself(endpoint) else checked_by_app(endpoint)
        for name, calls in by_name(flatten(endpoint.tree)).items() if named else ():
            key = (id(mark_of(endpoint)), name)
            for call in calls if name in named and key not in reported else ():
                other, user = first.setdefault(key, (call, endpoint))
                if identity(other) == identity(call):
                    continue
                reported.add(key)
                yield (
                    endpoint,
                    f"{opened(endpoint, (name,))}, but that names several dependencies: "
                    f"{_shown(other)} of {user.template}, and {_shown(call)} of "
                    f"{endpoint.template}",
                    _remedy_for_names(name, (other, call)),
                )
                break


def _remedy_for_names(name: str, calls: Sequence[object]) -> str:
    schemes = [each for call in calls if (each := scheme_object_of(call)) is not None]
    if schemes:
        kind = type(schemes[-1]).__name__
        once = "" if all(map(assigned, calls)) else "if both are meant to be one, create it once, "
        once += "assign it to a variable and use that; otherwise " if once else ""
        return (
            f'{once}give it a name of its own, scheme_name="…" of {kind}, or its attribute '
            "scheme_name if a library creates it, and list that name as well, if the app checks "
            f'both: app_checks=[{quoted(name)}, "…"]'
        )
    if "<" in name or is_a(calls[-1], MethodType, partial):
        return (
            "write a function with a name of its own around each, and depend on that: "
            "def check_a(found=Depends(…)): return found; if the app checks both, list these names "
            f'in place of {quoted(name)}: app_checks=["check_a", "check_b"]'
        )
    if all(is_a(each, FunctionType, type) for each in calls):
        return "rename one of them, and list both names in app_checks if the app checks both"
    return (
        "write a subclass for each object, and list both names in app_checks if the app checks both"
    )


def _shown(call: object) -> str:
    place, name = assigned(call) or (location_of(call), own_name(call))
    return f"{name} ({place})"


def names_not_run(endpoint: Endpoint, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield names that an endpoint has only where FastAPI does not run them, each with that place.

    Args:
        endpoint: the endpoint.
        names: the names that count, without those that FastAPI runs for the endpoint.

    """
    target = endpoint.source if endpoint.kind in (Kind.HTTP, Kind.WEBSOCKET) else None
    tree = () if endpoint.tree is None else (endpoint.tree, *flatten(endpoint.tree))
    for each in tree if names else ():
        for parameter in parameters_of(each).values():
            for value in (parameter.default, *metadata_in(parameter.annotation)):
                if own_name(value) in names:
                    yield own_name(value), f"the parameter {parameter.name}, without Depends(…)"
    for name in names_uncalled(tree) & {*names}:
        yield name, f"Depends({name}), and not in Depends({name}(…))"
    for holder, depends in unread_dependencies(target, endpoint.tree) if names else ():
        for name in _names_of((depends,)) & {*names}:
            yield name, f"the signature of {name_of(holder)} ({location_of(holder)})"
    for field in all_dependencies_in_fields(endpoint.tree) if names else ():
        for name in by_name(flatten(field.tree)).keys() & {*names}:
            yield name, f"the field {field.name} of {name_of(field.model)}"


def _names_of(listed: Iterable[Depends]) -> set[str]:
    try:
        return {*by_name(flatten(dependant_of_listed(listed, "/")))}
    except Exception:  # FastAPI would fail as well
        return set()


def opened(endpoint: Endpoint, names: Iterable[str]) -> str:
    """Return the access of an endpoint and the names in its mark, as the beginning of a fault."""
    listed = ", ".join(map(quoted, sorted(names)))
    access = access_of(endpoint)
    by = " by" if access in OPEN else ", and"
    return f'has access="{access}"{by} a mark with app_checks=[{listed}]'


def closes_itself(endpoint: Endpoint) -> bool:
    """Whether a mark around an endpoint is open, and dependencies of it require a known caller."""
    if APP_CHECKS in endpoint.declared:
        return False
    return access_of(endpoint) not in OPEN and declared_access(endpoint) in OPEN


def mark_of(endpoint: Endpoint) -> object:
    """Return the names in the mark of an endpoint: the list is the mark's own if inherited."""
    return merge_inherited(endpoint.inherited, endpoint.declared).get(APP_CHECKS)


def by_name(parts: Iterable[Dependant]) -> dict[str, list[object]]:
    """Return dependencies by the names that `app_checks` has for them.

    A class with a `__call__` is none: FastAPI creates an object of it, and does not call that.
    """
    found: dict[str, list[object]] = {}
    for each in parts:
        if not _is_uncalled(each.call) and not is_a(each.call, RouterMark):
            found.setdefault(own_name(each.call), []).append(each.call)
    return found


def names_uncalled(parts: Iterable[Dependant]) -> set[str]:
    """Return the names of classes whose objects FastAPI creates and does not call."""
    return {own_name(each.call) for each in parts if _is_uncalled(each.call)}


def _is_uncalled(call: object) -> bool:
    return is_a(call, type) and any("__call__" in own(each) for each in mro_of(call))


def remedy_for_unknown(names: Iterable[str], known: Iterable[str], uncalled: set[str]) -> str:
    """Return how to correct names that nothing has; empty if there is no way to tell.

    Args:
        names: the names.
        known: the names of what is run.
        uncalled: the names of classes whose objects are not called.

    """
    names = sorted(names)
    written = ", ".join(f"Depends({each}(…))" for each in names if each in uncalled)
    if written:
        return f"write {written}: FastAPI calls that object, and of a class it only creates one; "
    likeness = {it: max(_likeness(each, it) for each in names) for it in {*known} - {*names}}
    near = sorted(likeness, key=lambda it: (-likeness[it], it))[:_MAX_SHOWN]
    return f"name what is run: {', '.join(map(quoted, near))}; " if near else ""


def _likeness(name: str, other: str) -> float:
    last = other.rpartition(".")[2]  # a method has its class in its name
    return max(SequenceMatcher(None, name, each).ratio() for each in (other, last))


def identity(call: object) -> tuple[int, ...]:
    """Return what is equal for two uses of one dependency: each access creates another method."""
    if (scheme := scheme_object_of(call)) is not None:
        return (id(scheme),)
    if is_a(call, MethodType):
        return (id(attribute(call, "__self__")), id(attribute(call, "__func__")))
    return (id(call),)
