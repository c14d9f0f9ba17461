"""`Gateway`: what is known of one gateway in front of the app that is not Fastgate.

Input: the parameters that `from_gateway` checked. Output: the rules by which `verify` judges the
gateway's assertion, and `assertions` finds it and its keys. It verifies nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

Algorithm: TypeAlias = Literal["ES256", "RS256"]
"""The algorithms of RFC 7518 §3.3 and §3.4 that gateways sign with."""

Members: TypeAlias = Mapping[str, Any]
"""A JSON object, already parsed strictly."""


class Asserted(NamedTuple):
    """What an assertion says about the caller, in the terms of `Identity`."""

    subject: str
    client_id: str | None = None
    scopes: frozenset[str] | None = None
    """None if the assertion reports no scopes."""
    groups: frozenset[str] | None = None
    """None if the gateway reports no groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One gateway whose assertions the app accepts. `from_gateway` creates it."""

    name: str
    """The name that was given to `from_gateway`."""
    header: str
    """The name of the header with the assertion, lower case."""
    algorithm: Algorithm
    """The only accepted algorithm. The token never chooses it (RFC 8725 §3.1)."""
    keys_url: str
    """The URL of the JWK Set; or, with `key_per_url`, the URL that a `/` and the `kid` follow."""
    issuer: str | None
    """The exact `iss`; None if the load balancer `signer` vouches for the issuer that it names."""
    audience: str | None
    """The value that `aud` has to be or to contain; None if `signed_header` takes its place."""
    read: Callable[[Members], Asserted] = field(repr=False)
    """Reads the payload. Raises `ClaimMalformed`."""
    bearer: bool = False
    """Whether the header is `Authorization: Bearer`."""
    padded: bool = False
    """Whether the segments may have the padding of base64, against RFC 7515 §2."""
    key_per_url: bool = False
    """Whether each key is a PEM document of its own."""
    signed_header: tuple[tuple[str, str], ...] = ()
    """Members of the JOSE header, each with its only accepted value."""
    times_in_header: bool = False
    """Whether `exp` and `iss` are members of the JOSE header."""
    claims: tuple[tuple[str, str], ...] = ()
    """Claims of the payload, each with its only accepted value."""
    requires_issue_time: bool = True
    """Whether `iat` must be present."""
    leeway: float = 0.0
    """The difference between clocks that the vendor tells verifiers to allow: seconds."""
    max_lifetime: int | None = None
    """The longest accepted `exp - iat`: seconds."""
    reports_scopes: bool = False
    """Whether the assertion has a documented claim for scopes."""
