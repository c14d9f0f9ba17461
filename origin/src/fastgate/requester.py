"""`rctx` of a verified `Fastgate-Identity` header: the caller and its client, as Python types.

Input: the JSON object `rctx`, already authenticated. Output: a `Requester`. As in `claims`, known
members are checked strictly, and unknown ones ignored. It runs for every request.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from string import ascii_uppercase
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, Self

from pydantic import JsonValue
from pydantic_core import CoreSchema

from fastgate.base64url import SHA256
from fastgate.edge_only import FROM_THE_EDGE, Handler, OnlyMade
from fastgate.errors import ClaimMalformed

_NO_CLAIMS: Mapping[str, JsonValue] = MappingProxyType({})
_COUNTRIES = frozenset(map("".join, product(ascii_uppercase, repeat=2)))
_SUBDIVISION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
_CONTINENTS = frozenset(("AF", "AN", "AS", "EU", "NA", "OC", "SA"))
_CONNECTIONS = frozenset(("wired", "wifi", "mobile", "dialup", "satellite"))
_PROXIES = frozenset(
    ("anonymous", "aol", "blackberry", "corporate", "edu", "hosting", "public", "transparent")
)
_LAST_ASN = 2**32 - 1
"""The greatest number of an autonomous system (RFC 6793)."""
LATEST = 2**53 - 1
"""The largest integer that every JSON parser reads as it is written (RFC 8259 §6)."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The key or certificate to which the caller's token is bound (RFC 7800 §3.1).

    The caller has proved to the edge that it holds it.
    """

    jkt: Annotated[str | None, OnlyMade()] = None
    """The thumbprint (RFC 7638), in base64url, of the key of the caller's DPoP proofs (RFC 9449
    §6.1)."""
    x5t_s256: str | None = None
    """The SHA-256, in base64url, of the caller's client certificate (RFC 8705 §3.1)."""

    @classmethod
    def parse(cls, value: object) -> Self | None:
        """Read `rctx.cnf`; None if it is malformed, or has no known member."""
        if not isinstance(value, dict):
            return None
        found = [value[name] for name in ("jkt", "x5t#S256") if name in value]
        if not found or not all(isinstance(each, str) and SHA256.fullmatch(each) for each in found):
            return None
        return cls(value.get("jkt"), value.get("x5t#S256"))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: Handler) -> CoreSchema:
        """Allow a `Confirmation` in a response, and refuse to read one from a request."""
        return OnlyMade(cls).__get_pydantic_core_schema__(source, handler)


class Requester(NamedTuple):
    """`rctx`: the caller and its client. For an anonymous caller, only the latter is known."""

    issuer: Annotated[str | None, FROM_THE_EDGE]
    """The issuer of the caller's own token; None for an anonymous caller."""
    client_id: str | None
    """The OAuth client, if the caller's token names one."""
    country: str | None
    """ISO 3166-1 alpha-2, upper case: the country from which the client connected to the edge."""
    token_expires_at: int | None = None
    """`exp` of the caller's own token (RFC 7519 §4.1.4): Unix time, seconds. None for an anonymous
    caller, or if the edge does not report it."""
    confirmation: Confirmation | None = None
    """`cnf`: the key or certificate to which the caller's token is bound; None if to none."""
    roles: frozenset[str] = frozenset()
    groups: frozenset[str] | None = None
    """None if the route does not forward groups."""
    tenant: str | None = None
    claims: Mapping[str, JsonValue] = _NO_CLAIMS
    """The forwarded claims, by the names that the policy gives them. None is a claim that the
    caller's token lacks. It cannot be changed, but lists and objects in it can."""
    authenticated_at: int | None = None
    """`auth_time`: when the caller signed in; Unix time, seconds."""
    acr: str | None = None
    session_id: str | None = None
    """`sid`: the caller's session at the issuer."""
    region: str | None = None
    """The region of the backend to which the edge sent the request; None if the origin has none."""
    subdivision: str | None = None
    """ISO 3166-2, `US-CA`. This and the members below are None unless a rule of the route uses
    them and they are known."""
    continent: str | None = None
    """`AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`."""
    asn: int | None = None
    """The number of the autonomous system."""
    connection: str | None = None
    """`wired`, `wifi`, `mobile`, `dialup` or `satellite`."""
    proxy: str | None = None
    """`anonymous`, `aol`, `blackberry`, `corporate`, `edu`, `hosting`, `public` or
    `transparent`."""

    @classmethod
    def parse(cls, rctx: Mapping[str, object]) -> Self:
        """Read `rctx`. Raises `ClaimMalformed`."""
        found, known = _UNKNOWN.copy(), _REQUESTER
        has_issuer = "iss" in rctx
        # Most headers have few of the known members, so this looks only at those present.
        for name, value in rctx.items():
            if name not in known:
                continue
            at, read, of_a_token = known[name]
            # Most members are texts, and a call takes longer than this comparison.
            parsed = value if read is _text and type(value) is str and value else read(value)
            if parsed is None or (of_a_token and not has_issuer):
                raise ClaimMalformed("rctx." + name)
            found[at] = parsed
        return tuple.__new__(cls, found)  # in half the time of `_make`


# The readers of `rctx` return None for a malformed value.


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def texts_of(value: object) -> frozenset[str] | None:
    """Return a list of strings as a set; None if it is another value."""
    # An issuer may call a role "", and the edge forwards that.
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return None
    return frozenset(value)


def _some_texts(value: object) -> frozenset[str] | None:
    return texts_of(value) or None


def _claims(value: object) -> Mapping[str, JsonValue] | None:
    if not isinstance(value, dict) or not value or "" in value:
        return None
    return MappingProxyType(value)


def _time(value: object) -> int | None:
    # In Python a bool is an int.
    return value if type(value) is int and 0 <= value <= LATEST else None


def _end_of_token(value: object) -> int | None:
    return _time(value) or None  # every token expires after 1970


def _asn(value: object) -> int | None:
    return value if type(value) is int and 0 < value <= _LAST_ASN else None


def _matching(pattern: re.Pattern[str]) -> Callable[[object], str | None]:
    return lambda value: value if isinstance(value, str) and pattern.fullmatch(value) else None


def _one_of(known: frozenset[str]) -> Callable[[object], str | None]:
    return lambda value: value if isinstance(value, str) and value in known else None


_READERS: Mapping[str, tuple[str, Callable[[object], object], bool]] = {
    "iss": ("issuer", _text, False),
    "client_id": ("client_id", _text, False),
    "country": ("country", _one_of(_COUNTRIES), False),
    "token_exp": ("token_expires_at", _end_of_token, True),
    "cnf": ("confirmation", Confirmation.parse, True),
    "roles": ("roles", _some_texts, True),
    "groups": ("groups", texts_of, True),
    "tenant": ("tenant", _text, True),
    "claims": ("claims", _claims, True),
    "auth_time": ("authenticated_at", _time, True),
    "acr": ("acr", _text, True),
    "sid": ("session_id", _text, True),
    "region": ("region", _text, False),
    "subdivision": ("subdivision", _matching(_SUBDIVISION), False),
    "continent": ("continent", _one_of(_CONTINENTS), False),
    "asn": ("asn", _asn, False),
    "connection": ("connection", _one_of(_CONNECTIONS), False),
    "proxy": ("proxy", _one_of(_PROXIES), False),
}
"""The members of `rctx`: the name in `Requester`, the reader, and whether the caller's token is its
source, so that it is malformed for an anonymous caller."""
_REQUESTER = {
    name: (Requester._fields.index(field), read, of_a_token)
    for name, (field, read, of_a_token) in _READERS.items()
}
"""The same, with the position of the field: a tuple is made faster by position than by names."""
_OF_AUDIENCES = frozenset(("roles", "groups", "tenant"))
"""The members that callers of an audience may have in common, by the same names."""
_OF_KEYS = frozenset(("region",))
"""The members that are part of the key of every stored response."""
_UNKNOWN: list[Any] = list(Requester(None, None, None))
"""The fields of a requester about whom nothing is known."""


def beyond(requester: Requester, shared: frozenset[str]) -> str | None:
    """Return the first member of `rctx` that callers with `shared` in common need not share.

    None if there is no such member: everything that is known is part of `shared`.
    """
    in_common = {*_OF_KEYS, *_OF_AUDIENCES & shared}
    in_common |= {"iss"} if shared else set()
    in_common |= {"claims"} if any(each.startswith("claim:") for each in shared) else set()
    for name, (at, _, _) in _REQUESTER.items():
        if name not in in_common and requester[at] != _UNKNOWN[at]:
            return name
    return None


def lacking(requester: Requester, shared: frozenset[str]) -> str | None:
    """Return the member of `rctx` that a known caller with `shared` in common has, but lacks here.

    None if there is no such member. Roles and a tenant are absent if the caller has none; groups
    and claims never are: a caller without groups has an empty list, a claim without a value `null`.
    """
    if "groups" in shared and requester.groups is None:
        return "groups"
    names = {each.removeprefix("claim:") for each in shared if each.startswith("claim:")}
    return None if names <= requester.claims.keys() else "claims"
