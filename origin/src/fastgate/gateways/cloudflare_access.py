"""Cloudflare Access.

Input: the name of the team, and the audience tag of the application. Output: a `Gateway`. Source:
developers.cloudflare.com, "Application token" and "Validate JWTs".
"""

import re

from fastgate.errors import ClaimMalformed
from fastgate.gateways.claims import text_of
from fastgate.gateways.gateway import Asserted, Gateway, Members

NAME = "cloudflare-access"
_TEAM = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SERVICE = "service-token:"


def cloudflare_access(*, team: str, audience: str) -> Gateway:
    """Return the gateway. Raises `ValueError`."""
    if not _TEAM.fullmatch(team):
        raise ValueError('team: write the name alone: "example" for example.cloudflareaccess.com')
    issuer = f"https://{team}.cloudflareaccess.com"
    return Gateway(
        name=NAME,
        header="cf-access-jwt-assertion",
        algorithm="RS256",
        keys_url=f"{issuer}/cdn-cgi/access/certs",
        issuer=issuer,
        audience=audience,
        # The other type, `org`, is the session of the whole team.
        claims=(("type", "app"),),
        read=_caller,
    )


def _caller(payload: Members) -> Asserted:
    """Read a user, or a service token: its `sub` is empty, and `common_name` is its client id."""
    if payload.get("sub") == "" and "common_name" in payload:
        client_id = text_of(payload, "common_name")
        return Asserted(f"{_SERVICE}{client_id}", client_id)
    subject = text_of(payload, "sub")
    # The two kinds of subjects stay apart, even if the identity provider chose the user's.
    if subject.startswith(_SERVICE):
        raise ClaimMalformed("sub")
    return Asserted(subject)
