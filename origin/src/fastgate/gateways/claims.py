"""Readers of claims that several gateways share.

Input: the payload of an assertion, already authenticated. Output: one value of the right type, or
`ClaimMalformed`.
"""

from fastgate.errors import ClaimMalformed
from fastgate.gateways.gateway import Members

_LONGEST_SUBJECT = 512


def text_of(payload: Members, name: str) -> str:
    """Return a claim that must be a non-empty string of printable characters."""
    value = payload.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_SUBJECT:
        raise ClaimMalformed(name)
    if not value.isprintable():
        raise ClaimMalformed(name)
    return value


def groups_of(payload: Members, name: str) -> frozenset[str] | None:
    """Return a claim that is a list of strings; None if it is absent."""
    value = payload.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ClaimMalformed(name)
    return frozenset(value)


def scopes_of(payload: Members, name: str) -> frozenset[str] | None:
    """Return a claim that is a space-separated string (RFC 8693 §4.2); None if it is absent."""
    if name not in payload:
        return None
    value = payload[name]
    if not isinstance(value, str):
        raise ClaimMalformed(name)
    scopes = frozenset(value.split(" ")) if value else frozenset[str]()
    if "" in scopes or not value.isprintable():
        raise ClaimMalformed(name)
    return scopes
