"""Find endpoints whose credentials never arrive from the edge, because it removes or replaces them.

Input: an `Endpoint`. Output: faults, each with what to do about it. Only what FastAPI's own schemes
and parameters read is known; a scheme with a `__call__` of its own may read anything.
"""

from collections.abc import Iterator, Mapping

from fastgate.compile.callers.parameters import headers_read
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.route_ids import (
    access_of,
    checked_by_app,
    is_undeclared,
    members_of,
    schemes_run,
)
from fastgate.compile.endpoints.undeclared import mark_for
from fastgate.declare.schemes import AUTHORIZATION, NO_PASSWORDS, Scheme
from fastgate.removed_fields import is_removed, never_arrives

_VERIFIED = (
    "{}, so that the edge verifies the token and passes it on. It passes on no token of the app's "
    "own: read that from a cookie or another request field, or declare {} and serve the endpoint "
    "without the edge"
)

_RENAME = (
    'give the field another name, such as "X-API-Key", without "_" and without one of the reserved '
    "beginnings"
)


_LEAVE_OUT = 'leave "{}" out of request_headers for this endpoint'


def removed_credential_faults(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield each scheme whose credential never arrives, if no request is then accepted."""
    if is_undeclared(endpoint):
        return
    run = schemes_run(endpoint)
    found = {each: _why_removed(each, endpoint) for each in run}
    removed = {scheme: why for scheme, why in found.items() if why is not None}
    named = checked_by_app(endpoint)
    is_all = removed.keys() == {*run}
    for scheme, (what, remedy) in removed.items():
        is_meant = scheme.name in named or _is_name(scheme)
        if scheme.refuses or (is_all and is_meant):
            yield f"depends on {scheme.shown}, {what}", remedy
    written, _ = _edits_of(endpoint)
    for scheme in run:
        if scheme.name in named and scheme.field in written:
            yield (
                f'depends on {scheme.shown}, which reads the request field "{scheme.field}", but '
                "request_headers sets that, so the app gets one value for all callers and no "
                "credential of theirs",
                _LEAVE_OUT.format(scheme.field),
            )
    yield from _required_headers(endpoint)


def _edits_of(endpoint: Endpoint) -> tuple[frozenset[str], frozenset[str]]:
    """Return the request fields that the policy sets, and those that it removes."""
    edits = members_of(endpoint).get("request_headers")
    found = [edits.get(each) if isinstance(edits, Mapping) else None for each in ("set", "remove")]
    written, removed = (
        frozenset(str(each).lower() for each in names or ())
        if isinstance(names, (Mapping, list, tuple))
        else frozenset()
        for names in found
    )
    return written, removed - written  # what is set arrives


def _required_headers(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield each parameter without which FastAPI refuses a request, if it never arrives."""
    required = [each.names for each in headers_read(endpoint.tree) if each.required]
    written, removed = _edits_of(endpoint) if required else (frozenset(), frozenset())
    for names in dict.fromkeys(required):
        if not written.isdisjoint(names):
            continue
        name = names[0]
        takes = f'takes the request field "{name}" as a required parameter'
        if all(map(never_arrives, names)):
            yield f"{takes}, but the edge removes that name", _RENAME
        elif removed.issuperset(names):
            yield f"{takes}, but request_headers removes that", _LEAVE_OUT.format(name)
        elif names == (AUTHORIZATION,) and (found := _why_no_token(endpoint)):
            why, remedy = found
            yield f"{takes}, but {why}", remedy


def _why_removed(scheme: Scheme, endpoint: Endpoint) -> tuple[str, str] | None:
    """Return why what a scheme reads never arrives, and what to do; None if it may arrive."""
    if scheme.reads_password and scheme.field:
        what, remedy = NO_PASSWORDS
        return f"which reads a password in Authorization, but {what}", remedy
    if scheme.field == AUTHORIZATION:
        found = _why_no_token(endpoint)
        return None if found is None else (f"which reads Authorization, but {found[0]}", found[1])
    if scheme.field and is_removed(scheme.field):
        return (
            f'which reads the request field "{scheme.field}", but the edge removes that name',
            _RENAME,
        )
    if scheme.field in _edits_of(endpoint)[1]:
        return (
            f'which reads the request field "{scheme.field}", but request_headers removes that',
            _LEAVE_OUT.format(scheme.field),
        )
    return None


def _why_no_token(endpoint: Endpoint) -> tuple[str, str] | None:
    """Return why the edge passes no token on, and what to do; None if it does."""
    if access_of(endpoint) == "public":
        closed = mark_for(endpoint, 'access="authenticated"')
        none = mark_for(endpoint, 'access="none"')
        what = 'the edge passes that on for no access="public"'
        return what, f"declare {_VERIFIED.format(closed, none)}"
    if not members_of(endpoint).get("forward_token"):
        remedy = "remove forward_token=False, or take `caller: Caller` in its place"
        return "forward_token=False removes it", remedy
    return None


def _is_name(scheme: Scheme) -> bool:
    """Whether the name of the field is the reason: no declaration can have meant that."""
    return is_removed(scheme.field) and not scheme.reads_password
