"""Find requirements on callers that neither the edge nor FastAPI would enforce.

Input: an `Endpoint`. Output: faults, each with what to do about it. Only declarations are read.
"""

from collections.abc import Collection, Iterator
from functools import partial
from typing import NamedTuple

from fastgate.compile.callers.lost_requirements import lost_requirements
from fastgate.compile.callers.model_fields import dependencies_in_fields
from fastgate.compile.callers.regions import REGIONS
from fastgate.compile.callers.requirements import A_KNOWN_CALLER, COMPARABLE, Callers
from fastgate.compile.callers.unread_signatures import unread_requirements
from fastgate.compile.endpoints.contradictions import contradictions
from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.inheritance import unmet_requirements
from fastgate.compile.endpoints.locations import location_of, name_of
from fastgate.compile.endpoints.route_ids import (
    access_of,
    is_page_of_fastapi,
    is_undeclared,
    members_of,
)
from fastgate.compile.endpoints.undecided import opening
from fastgate.compile.endpoints.undeclared import DECLARE_DOCS_CALLERS, mark_for, remedy_for_callers
from fastgate.compile.ineffective.comparison import members_free_to_differ
from fastgate.declare.merge import OPEN
from fastgate.declare.schemes import undecided
from fastgate.declare.static_access import is_a
from fastgate.dependencies import FastgateScheme
from fastgate.requires import Requires

_UNDECLARED = "does not declare who may call it"


class CallerFault(NamedTuple):
    """A requirement of an endpoint without effect, and what to do about it."""

    what: str
    remedy: str
    is_lost: bool = False
    """Whether the app does not check the requirement either."""


def caller_faults(endpoint: Endpoint) -> Iterator[CallerFault]:
    """Yield what is missing or has no effect in one endpoint's requirements on callers."""
    callers, declared = endpoint.callers, endpoint.declared
    if is_undeclared(endpoint):
        mark = partial(mark_for, endpoint)
        found = undecided(callers.schemes, mark, opening(endpoint))
        what, remedy = found or ("", remedy_for_callers(endpoint))
        yield CallerFault(_UNDECLARED + what, remedy)
    else:
        yield from _faults_of_what_is_not_run(endpoint)
    for each in endpoint.uncallable:
        yield CallerFault(
            f"has {_shown(each.override)} in dependency_overrides in place of "
            f"{name_of(each.original)}, but FastAPI cannot call that: {each.why}",
            "override it with a function whose parameters FastAPI can read: lambda: …",
        )
    if callers.claimed:
        yield CallerFault(
            f"reads the caller's identity from the request itself: {', '.join(callers.claimed)}",
            "write `caller: Caller`, or `caller: AnyCaller` if the caller may be anonymous; a "
            "plain Identity annotation is not a dependency",
        )
    if dropped := (callers | endpoint.not_run).dropped:
        yield CallerFault(
            f"requires {', '.join(dropped)} in an annotation without effect: of several "
            "dependencies FastAPI runs only the last one, and none that is inside another type",
            _remedy_for_dropped(dropped),
            is_lost=True,
        )
    for text in (callers | endpoint.not_run).texts:
        yield CallerFault(
            f"requires scopes={text!r}, a string, and FastAPI reads each of its letters as a scope",
            f"write a list: scopes={text.split() or [text]!r}",
        )
    if called := (callers | endpoint.not_run).called:
        yield CallerFault(
            f"depends on an annotation as if it were a function: {', '.join(called)}; FastAPI then "
            "reads its arguments from the query and requires no caller",
            "write `caller: Caller`, or Annotated[Caller, Security(fastgate, scopes=[…])]; in a "
            "list of dependencies Security(fastgate, scopes=[…]), or Depends(any_caller)",
            is_lost=True,
        )
    yield from lost_requirement_faults(endpoint)
    yield from unread_requirement_faults(endpoint)
    if callers.unchecked:
        scopes = ", ".join(map(repr, callers.unchecked))
        yield CallerFault(
            f"passes the scopes {scopes} to any_caller, which allows every caller and checks no "
            "scope",
            f"write Security(fastgate, scopes=[{scopes}]) to require them, or "
            "Depends(any_caller) to allow every caller",
            is_lost=True,
        )
    for name in sorted({*endpoint.conflicting} - declared.keys()):
        yield CallerFault(
            f"inherits two values of {name}: one from at_edge(below=…), one from its router or "
            "from a mount around it",
            f"declare {name} once, or on the endpoint itself: at_edge({name}=…)",
        )
    if callers.own and (declared.get("access") in OPEN or "scopes" in declared):
        yield CallerFault(
            "requires a known caller by its dependencies, but declares something else for the edge",
            'leave access and scopes out of at_edge; Security(fastgate, scopes=["…"]) sets both',
        )
    for what, remedy in contradictions(callers, {**endpoint.inherited, **declared}):
        yield CallerFault(what, remedy)


def lost_requirement_faults(endpoint: Endpoint) -> Iterator[CallerFault]:
    """Yield the requirements that FastAPI does not run where they are written."""
    target = endpoint.source if endpoint.kind in (Kind.HTTP, Kind.WEBSOCKET) else None
    for each in dict.fromkeys(lost_requirements(target, endpoint.tree)):
        yield CallerFault(
            f"refers to {each.shown} in {each.where}, where it has no effect: FastAPI runs only "
            "what Depends(…) contains, and not what that returns",
            "write Depends(requires(…)): as a default, in Annotated, or in dependencies=[…]",
            is_lost=True,
        )
    for model, name, tree in dependencies_in_fields(endpoint.tree):
        depends = f"Depends({', '.join(_depended_on(each.call) for each in tree.dependencies)})"
        yield CallerFault(
            f"reads the field {name} of {name_of(model)} from the request, although it has "
            f"{depends}: FastAPI runs dependencies of parameters, and none of fields",
            f"remove the field from the model, and take it as a parameter: {name}: "
            f"Annotated[…, {depends}]",
            is_lost=True,
        )


def unchecked_requirements(endpoint: Endpoint) -> Iterator[CallerFault]:
    """Yield the requirements on callers that the app itself does not check."""
    yield from (each for each in caller_faults(endpoint) if each.is_lost)
    is_page = remedy_for_callers(endpoint) == DECLARE_DOCS_CALLERS
    if is_undeclared(endpoint) and not is_page:
        yield from _faults_of_what_is_not_run(endpoint)


def is_undeclared_page(fault: str, remedy: str) -> bool:
    """Whether a fault is that of a page of FastAPI. One call of `guard` declares all pages."""
    return (fault, remedy) == (_UNDECLARED, DECLARE_DOCS_CALLERS)


def weakening_override_faults(endpoint: Endpoint) -> Iterator[CallerFault]:
    """Yield the overrides that require less of callers than the dependencies they replace."""
    for each in endpoint.weakened:
        original, override = (name_of(call) for call in (each.original, each.override))
        yield CallerFault(
            f"runs {override} ({location_of(each.override)}) by dependency_overrides in place of "
            f"{original}, which requires {', '.join(each.missing)}",
            f"use overrides in tests only, or let {override} require the same",
        )


def _remedy_for_dropped(dropped: Collection[str]) -> str:
    if all(each == A_KNOWN_CALLER or each.startswith(("'", '"')) for each in dropped):  # scopes
        return "write all scopes in one: Annotated[Caller, Security(fastgate, scopes=[…])]"
    return (
        "write all of it in one dependency, which must be the whole annotation and never optional: "
        "Annotated[Identity, Depends(requires(…))]"
    )


def _at_edge_for(endpoint: Endpoint) -> str:
    """Return the mark with what the dependencies that are not run require."""
    required = endpoint.not_run
    if not required.known and required.regions is not None:
        return f"at_edge({REGIONS}={[*required.regions]!r})"
    members = {"scopes": [*required.scopes], **required.added_to({})}
    needed = {name: members[name] for name in COMPARABLE if members.get(name)}
    shown = (f"{name}={value!r}" for name, value in needed.items())
    return "at_edge(" + ", ".join(('access="authenticated"', *shown)) + ")"


def _faults_of_what_is_not_run(endpoint: Endpoint) -> Iterator[CallerFault]:
    if not_run := _required_but_not_run(endpoint):
        yield CallerFault(
            f"is in a router or app that depends on {not_run}, but FastAPI does not run that "
            "dependency for mounted apps, for Starlette routes and for routes that were added "
            "before it, and the endpoint itself requires less of its callers",
            "declare the requirement on the endpoint or the mounted app as well: "
            f"{_at_edge_for(endpoint)}, or the access you mean",
            is_lost=True,
        )


def _depended_on(call: object) -> str:
    """Return a dependency as `Depends(…)` contains it."""
    if is_a(call, Requires):
        return repr(call)
    return "fastgate" if is_a(call, FastgateScheme) else name_of(call)


def _shown(override: object) -> str:
    return name_of(override) if callable(override) else repr(override)


def unread_requirement_faults(endpoint: Endpoint) -> Iterator[CallerFault]:
    """Yield requirements in signatures that FastAPI does not read, if the edge is more open."""
    target = endpoint.source if endpoint.kind in (Kind.HTTP, Kind.WEBSOCKET) else None
    exempt = members_free_to_differ(endpoint.declared)
    is_open = access_of(endpoint) in OPEN and "access" not in exempt
    reported: object = None
    for each in unread_requirements(target, endpoint.tree):
        if each.unread and "scopes" not in exempt:
            reported = each.target
            yield CallerFault(
                f"requires scopes that cannot be read without running code: {each.unread} in a "
                f"signature that FastAPI does not read: {name_of(each.target)} "
                f"({location_of(each.target)})",
                "remove that annotation, and "
                f"{_remedy(each.target, is_referenced=each.is_referenced)}",
                is_lost=True,
            )
        if each.unread or each.target is reported:
            continue
        required = each.callers.without({*exempt, "access"})
        missing = [
            name
            for name in _not_required(required, endpoint)
            if name not in endpoint.callers.dropped  # reported above
        ]
        if is_open and each.callers.known:
            missing = [A_KNOWN_CALLER, *missing]
        if missing:
            yield CallerFault(
                f"requires {', '.join(missing)} in a signature that FastAPI does not read: "
                f"{name_of(each.target)} ({location_of(each.target)})",
                _remedy(each.target, is_referenced=each.is_referenced),
                is_lost=True,
            )


def _remedy(target: object, *, is_referenced: bool) -> str:
    if is_a(target, type):
        name = name_of(target)
        return (
            f"write Depends({name}(…)) if {name}.__call__ has the requirement; otherwise make "
            f"{name} "
            "a dataclass, or move the requirement to its __init__"
        )
    remedy = "require it in the signature of the endpoint itself, or in one of its dependencies"
    if is_referenced:
        remedy += "; use functools.wraps in the wrapper of that function"
    return f'{remedy}. If no caller is required, declare at_edge(access="…") on the endpoint'


def _required_but_not_run(endpoint: Endpoint) -> str:
    required = unmet_requirements(endpoint.not_run, endpoint.declared)
    members = members_of(endpoint)
    is_contradiction = endpoint.callers.regions is not None and not members[REGIONS]
    if is_contradiction or is_page_of_fastapi(endpoint):
        required = required.without((REGIONS,))  # a page is about the app, without its data
    if not required.known and required.regions is None:
        return ""
    missing = required.beyond(Callers.of_members(members))
    scopes = ", ".join(map(repr, missing.scopes))
    shown = f"Security(fastgate, scopes=[{scopes}])" if required.own else f"the scopes {scopes}"
    found = [shown] if scopes else []
    if others := missing.without(("access", "scopes")).names():
        found.append(f"requires({', '.join(others)})")
    is_open = required.known and members["access"] in OPEN
    return " and ".join(found) or (A_KNOWN_CALLER if is_open else "")


def _not_required(callers: Callers, endpoint: Endpoint) -> list[str]:
    """Return the requirements that the edge would not check for an endpoint."""
    return callers.beyond(Callers.of_members(members_of(endpoint))).names()
