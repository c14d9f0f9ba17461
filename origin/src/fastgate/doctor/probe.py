"""Probes: requests with a forged header, and the target under test that must refuse them.

Input: the known facts about an origin. Output: headers that are valid, or that have the requested
fault. It sends nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fastgate.content import content_digest
from fastgate.fake_edge.signing import (
    EdgeKeys,
    MacSigner,
    SigningKey,
    contract,
    identity_claims,
)
from fastgate.keys.jwks import ExchangeKey
from fastgate.local_rules import LocalCaller

HEADER = "Fastgate-Identity"
Fields = tuple[tuple[str, str], ...]

BY_SERVER = frozenset({400, 413, 414, 421, 426, 431, 501, 505})
"""Statuses of a server that refuses a request before the app."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One request that must not be let in."""

    name: str
    fields: Fields = ()
    method: str | None = None
    """A method other than the target's."""
    request_target: str | None = None
    """A request target other than the target's path."""
    body: bytes | None = None
    """A body other than the target's."""
    must_pass: bool = False
    """Whether this is the control: the others prove nothing unless this request is let in."""
    before: frozenset[int] = frozenset()
    """The statuses with which a server or a proxy may refuse this request itself."""


@dataclass(frozen=True, slots=True)
class Target:
    """The target under test: an origin, and the known properties of requests that it accepts."""

    issuer: str
    audience: str
    path: str
    template: str
    jwks: Mapping[str, object]
    """The keys that the edge publishes."""
    keys: EdgeKeys | None = None
    """The private keys of the edge, if it is a test edge."""
    origin_key: ExchangeKey | None = None
    """The public key of the origin, if the edge signs for it by a MAC (HS256)."""
    backend_host: str | None = None
    """The `Host` to send: `Settings.backend_host` of the origin. By default that of its URL."""
    region: str | None = None
    """The region in which the origin runs, if it accepts no other: `Settings.region`."""
    method: str = "GET"
    """The method for `path`."""
    route: str | None = None
    """The id of its route, if the origin compares ids: `Settings(strict=True)`."""
    body: bytes | None = None
    """The body to send, if the route requires a signed body."""


class Mint:
    """Makes valid headers, and headers with the requested changes."""

    def __init__(self, target: Target, host: str, signer: SigningKey | MacSigner, kid: str) -> None:
        self._signer, self.kid = signer, kid
        tctx = {"route": target.route or "doctor", "template": target.template}
        self.tctx = {**tctx, "method": target.method, "host": host, "path": target.path}
        if target.body is not None:
            self.tctx["content_digest"] = content_digest(target.body)
        caller = LocalCaller("doctor", ("doctor",), issuer=target.issuer)
        about_caller = identity_claims(caller)
        if target.region is not None:
            rctx = about_caller["rctx"]
            about_caller["rctx"] = {**rctx, "region": target.region}  # type: ignore[dict-item]
        self.claims = contract(target.issuer, target.audience, self.tctx, about_caller)

    @property
    def is_by_mac(self) -> bool:
        """Whether the headers are signed by HS256, not by EdDSA."""
        return isinstance(self._signer, MacSigner)

    def token(self, header: Mapping[str, object] | None = None, /, **claims: object) -> str:
        """Return the valid token with these changes. Ellipsis removes a member or a claim."""
        payload = {k: v for k, v in {**self.claims, **claims}.items() if v is not ...}
        return self._signer.sign(payload, **{"kid": self.kid, **(header or {})})

    def by(self, signer: SigningKey | MacSigner, **header: object) -> Fields:
        """Return the field with the valid claims, signed by this key."""
        return ((HEADER, signer.sign(self.claims, **header)),)

    def field(self, header: Mapping[str, object] | None = None, /, **claims: object) -> Fields:
        """Return the field with `token`."""
        return ((HEADER, self.token(header, **claims)),)

    def about(self, **tctx: object) -> Fields:
        """Return the field with the valid token, except for these members of `tctx`."""
        return self.field(tctx={k: v for k, v in {**self.tctx, **tctx}.items() if v is not ...})
