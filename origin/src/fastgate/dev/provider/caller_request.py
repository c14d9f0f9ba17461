"""Read the request for a token of a caller that a developer names.

Input: the body of `POST /<issuer>/tokens`, JSON. Output: the caller, the audience and the lifetime;
or `RequestRefused`, whose text says what to write. Members with another type, and unknown ones, are
refused: a token without what was meant would be hard to find.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, cast

from pydantic import JsonValue

from fastgate import strict_json
from fastgate.dev.provider.access_token import fault_of
from fastgate.dev.provider.issuer_settings import LONGEST_LIFETIME, IssuerSettings
from fastgate.local_rules import LocalCaller

_EXAMPLES = {
    "subject": '"subject": "ada"',
    "scopes": '"scopes": ["orders:read"]',
    "roles": '"roles": ["admin"]',
    "groups": '"groups": ["staff"]',
    "tenant": '"tenant": "acme"',
    "claims": '"claims": {"plan": "team"}',
    "audience": '"audience": "https://api.example.com"',
    "expires_in": f'"expires_in": 300, 1 to {LONGEST_LIFETIME} seconds',
}
"""Every member, and how to write it."""


class RequestRefused(ValueError):
    """The request for a token is wrong. The text says what to write."""


class CallerRequest(NamedTuple):
    """A request for a token."""

    caller: LocalCaller
    audience: str | list[str]
    lifetime: int | None
    """In seconds; None if the request does not say."""


def read_caller_request(body: bytes, settings: IssuerSettings) -> CallerRequest:
    """Return the request in a body, with the members of a configured caller that it leaves out.

    Raises:
        RequestRefused: it is not such a request.

    """
    try:
        members = strict_json.parse_object(body)
    except ValueError as error:
        raise RequestRefused(
            f"The body is no JSON object ({error}); write {{{_EXAMPLES['subject']}}}"
        ) from error
    for name in members:
        if name not in _EXAMPLES:
            raise RequestRefused(f'"{name}": is unknown; the members are {", ".join(_EXAMPLES)}')
    caller = _caller(members, settings)
    if (fault := fault_of(caller, settings.tenant_claim)) is not None:
        raise RequestRefused(fault)
    return CallerRequest(caller, _audience(members, settings), _lifetime(members))


def _caller(members: Mapping[str, object], settings: IssuerSettings) -> LocalCaller:
    subject = members.get("subject")
    if not isinstance(subject, str):
        raise _wrong("subject", members)
    changes: dict[str, object] = {
        name: _strings(name, members) for name in ("scopes", "roles", "groups") if name in members
    }
    if "tenant" in members:
        if not isinstance(members["tenant"], str):
            raise _wrong("tenant", members)
        changes["tenant"] = members["tenant"]
    if "claims" in members:
        if not isinstance(members["claims"], dict):
            raise _wrong("claims", members)
        changes["claims"] = cast("dict[str, JsonValue]", members["claims"])
    known = settings.callers.get(subject, LocalCaller(subject))
    return replace(known, **changes)  # type: ignore[arg-type]


def _audience(members: Mapping[str, object], settings: IssuerSettings) -> str | list[str]:
    found = members.get("audience", settings.audience)
    if isinstance(found, list):
        several = _strings("audience", members)
        if several and all(several):
            return list(several)
    elif isinstance(found, str) and found:
        return found
    raise _wrong("audience", members)


def _lifetime(members: Mapping[str, object]) -> int | None:
    if "expires_in" not in members:
        return None
    found = members["expires_in"]
    # A truth value is an int in Python, and not in JSON.
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= LONGEST_LIFETIME:
        raise _wrong("expires_in", members)
    return found


def _strings(name: str, members: Mapping[str, object]) -> tuple[str, ...]:
    found = members[name]
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise _wrong(name, members)
    return tuple(found)


def _wrong(name: str, members: Mapping[str, object]) -> RequestRefused:
    state = "has a wrong value" if name in members else "is missing"
    return RequestRefused(f'"{name}": {state}; write {_EXAMPLES[name]}')
