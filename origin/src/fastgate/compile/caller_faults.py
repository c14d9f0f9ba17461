"""Find callers that an endpoint asks for, and that the edge or FastAPI would not ask for.

In: an `Endpoint`. Out: faults, each with what to do about it. It only reads declarations.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fastapi import FastAPI

from fastgate.compile.callers.dependency_tree import A_KNOWN_CALLER
from fastgate.compile.callers.unread_signatures import unasked
from fastgate.compile.endpoints.inheritance import left_to_ask
from fastgate.compile.endpoints.listing import Endpoint, Kind
from fastgate.compile.endpoints.locations import place_of
from fastgate.compile.endpoints.route_ids import access_of, access_said, members_of, says_callers
from fastgate.compile.ineffective.comparison import name_of, not_to_be_said
from fastgate.declare.merge import OPEN
from fastgate.declare.static_access import attribute, is_a

_SAY = (
    "ask for `Caller`, or `AnyCaller` if everybody may call and be known; what asks for nobody, "
    'at_edge(access="public") or "authenticated"; for a whole app or path, '
    'at_edge(access="…")(app) or at_edge(below="/…", access="…")(app)'
)
_SAY_PAGES = (
    'say who may read FastAPI\'s own pages: guard(app, settings, docs="public"), or '
    '"authenticated"; or make the app without them, FastAPI(openapi_url=None)'
)


class CallerFault(NamedTuple):
    """What an endpoint asks for without effect, and what to do about it."""

    what: str
    remedy: str


def caller_faults(endpoint: Endpoint) -> Iterator[CallerFault]:
    """Yield what cannot be enforced of what one endpoint asks of its callers."""
    callers, declared = endpoint.callers, endpoint.declared
    if not says_callers(endpoint) and access_said(endpoint) is None:
        of_pages = attribute(endpoint.source, "__module__") == FastAPI.__module__
        yield CallerFault("says nothing about its callers", _SAY_PAGES if of_pages else _SAY)
    elif not_run := _asked_and_not_run(endpoint):
        yield CallerFault(
            f"stands in a router or app that depends on {not_run}, which FastAPI does not run for "
            "what is mounted, for routes of Starlette, and for routes that are older than that; it "
            "says less of its callers",
            "say it of the endpoint or of what is mounted, too: "
            'at_edge(access="authenticated", scopes=[…]), or what is meant there',
        )
    for each in endpoint.unusable:
        yield CallerFault(
            f"has {_told(each.override)} by dependency_overrides in place of "
            f"{name_of(each.original)}, which FastAPI cannot call: {each.why}",
            "override it by a function whose parameters FastAPI can read: lambda: …",
        )
    if callers.claimed:
        yield CallerFault(
            f"would read from the request who is calling: {', '.join(callers.claimed)}",
            "ask for `caller: Caller`, or `caller: AnyCaller` for one who may be anonymous: an "
            "Identity in an annotation of its own is no dependency",
        )
    if dropped := (callers | endpoint.not_run).dropped:
        yield CallerFault(
            f"asks for {', '.join(dropped)} in an annotation, and is not asked: of several "
            "dependencies FastAPI runs the last one, and none that is within another type",
            "say all scopes in one: Annotated[Caller, Security(fastgate, scopes=[…])]",
        )
    for text in (callers | endpoint.not_run).texts:
        yield CallerFault(
            f"asks for scopes={text!r}, a text, of which FastAPI takes each letter for a scope",
            f"write a list: scopes={text.split() or [text]!r}",
        )
    if called := (callers | endpoint.not_run).called:
        yield CallerFault(
            f"depends on an annotation as if it were a function: {', '.join(called)}, so that "
            "FastAPI reads its arguments from the query, and asks nobody",
            "write `caller: Caller`, or Annotated[Caller, Security(fastgate, scopes=[…])]; in a "
            "list of dependencies Security(fastgate, scopes=[…]), or Depends(any_caller)",
        )
    yield from _unasked(endpoint)
    if callers.unchecked:
        scopes = ", ".join(map(repr, callers.unchecked))
        yield CallerFault(
            f"asks any_caller for the scopes {scopes}, which lets everybody in and checks none",
            f"Security(fastgate, scopes=[{scopes}]) for callers who have them, or "
            "Depends(any_caller) for everybody",
        )
    for name in sorted({*endpoint.disputed} - declared.keys()):
        yield CallerFault(
            "at_edge(below=…) and its router, or a mount that it stands in, say different things "
            f"of {name}",
            f"say {name} once, or of the endpoint itself: at_edge({name}=…)",
        )
    if callers.known and (declared.get("access") in OPEN or "scopes" in declared):
        yield CallerFault(
            "asks for a known caller, and declares something else for the edge",
            'leave access and scopes out of at_edge: Security(fastgate, scopes=["…"]) says both',
        )


def lessened_faults(endpoint: Endpoint) -> Iterator[CallerFault]:
    """Yield the overrides that ask less of callers than the dependencies that they replace."""
    for each in endpoint.lessened:
        original, override = (name_of(call) for call in (each.original, each.override))
        yield CallerFault(
            f"runs {override} ({place_of(each.override)}) by dependency_overrides in place of "
            f"{original}, which asks for {', '.join(each.asked)}",
            f"leave overrides to tests, or let {override} ask for as much",
        )


def _told(override: object) -> str:
    return name_of(override) if callable(override) else repr(override)


def _unasked(endpoint: Endpoint) -> Iterator[CallerFault]:
    """Find what asks for callers where FastAPI does not read it, and the edge lets more in."""
    target = endpoint.source if endpoint.kind in (Kind.HTTP, Kind.WEBSOCKET) else None
    apart = not_to_be_said(endpoint.declared)
    is_open = access_of(endpoint) in OPEN and "access" not in apart
    reported: object = None
    for each in unasked(target, endpoint.tree):
        if each.unread and "scopes" not in apart:
            reported = each.target
            yield CallerFault(
                f"asks for scopes that cannot be read without running code: {each.unread} in a "
                f"signature that FastAPI does not read: {name_of(each.target)} "
                f"({place_of(each.target)})",
                f"leave that annotation out, and {_remedy(each.target, held=each.held)}",
            )
        if each.unread or each.target is reported:
            continue
        scopes = each.callers.scopes if "scopes" not in apart else ()
        missing = [*map(repr, _not_listed(scopes, endpoint))]
        missing = [name for name in missing if name not in endpoint.callers.dropped]  # said already
        if is_open and each.callers.known:
            missing = [A_KNOWN_CALLER, *missing]
        if missing:
            yield CallerFault(
                f"asks for {', '.join(missing)} in a signature that FastAPI does not read: "
                f"{name_of(each.target)} ({place_of(each.target)})",
                _remedy(each.target, held=each.held),
            )


def _remedy(target: object, *, held: bool) -> str:
    if is_a(target, type):
        name = name_of(target)
        return (
            f"Depends({name}(…)) if it is {name}.__call__ that asks; otherwise make a dataclass of "
            f"{name}, or ask in its __init__"
        )
    remedy = "ask for it in the signature of the endpoint itself, or in a dependency of its"
    if held:
        remedy += "; write functools.wraps on what wraps that function"
    return f'{remedy}. If nobody is meant to be asked, say at_edge(access="…") of the endpoint'


def _asked_and_not_run(endpoint: Endpoint) -> str:
    asked, members = left_to_ask(endpoint.not_run, endpoint.declared), members_of(endpoint)
    if not asked.known:
        return ""
    if missing := _not_listed(asked.scopes, endpoint):
        return f"Security(fastgate, scopes=[{', '.join(map(repr, missing))}])"
    return "a known caller" if members["access"] in OPEN else ""


def _not_listed(scopes: Iterable[str], endpoint: Endpoint) -> list[str]:
    """Return the scopes that the edge would not ask for at an endpoint."""
    listed = members_of(endpoint).get("scopes")
    return [name for name in scopes if not isinstance(listed, list) or name not in listed]
