"""Ory Oathkeeper with the mutator `id_token`.

Input: the configured issuer, the URL of the JWK Set, and the audience that the mutator's template
`claims` adds. Output: a `Gateway`. Source: ory.sh, "Mutators", `id_token`: the token is in
`Authorization: Bearer`, signed with RS256 or ES256 by the first key of the set.
"""

from fastgate.gateways.claims import scopes_of, text_of
from fastgate.gateways.gateway import Algorithm, Asserted, Gateway, Members
from fastgate.settings import check_address

NAME = "oathkeeper"


def oathkeeper(
    *, audience: str, issuer: str, jwks_url: str, algorithm: Algorithm = "RS256"
) -> Gateway:
    """Return the gateway. Raises `ValueError`."""
    if algorithm not in ("ES256", "RS256"):
        raise ValueError('algorithm: write "RS256" or "ES256", as the key of the mutator')
    check_address("jwks_url", jwks_url)
    return Gateway(
        name=NAME,
        header="authorization",
        bearer=True,
        algorithm=algorithm,
        keys_url=jwks_url,
        issuer=issuer,
        audience=audience,
        reports_scopes=True,
        read=_caller,
    )


def _caller(payload: Members) -> Asserted:
    return Asserted(text_of(payload, "sub"), scopes=scopes_of(payload, "scope"))
