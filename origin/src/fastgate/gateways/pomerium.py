"""Pomerium.

Input: the host of the route. Output: a `Gateway`. Source: pomerium.com, "Continuous Identity
Verification" and "JWT Verification": ES256; `aud` is the host of the route, and so is `iss`, unless
`jwt_issuer_format` is `uri`.
"""

import re

from fastgate.gateways.claims import groups_of, text_of
from fastgate.gateways.gateway import Asserted, Gateway, Members

NAME = "pomerium"
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


def pomerium(*, audience: str, issuer: str | None = None) -> Gateway:
    """Return the gateway. Raises `ValueError`."""
    if not _HOST.fullmatch(audience):
        raise ValueError(
            'audience: write the host of the route in lower case, without scheme: "app.example.com"'
        )
    uri = f"https://{audience}/"
    if issuer not in (None, audience, uri):
        raise ValueError(
            f'issuer: leave it out, or write "{uri}" if jwt_issuer_format of Pomerium is "uri"'
        )
    return Gateway(
        name=NAME,
        header="x-pomerium-jwt-assertion",
        algorithm="ES256",
        keys_url=f"https://{audience}/.well-known/pomerium/jwks.json",
        issuer=issuer or audience,
        audience=audience,
        read=_caller,
    )


def _caller(payload: Members) -> Asserted:
    return Asserted(text_of(payload, "sub"), groups=groups_of(payload, "groups"))
