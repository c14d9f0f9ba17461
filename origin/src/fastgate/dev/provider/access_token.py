"""The claims of an access token (RFC 9068 §2.2) for a caller.

Input: a caller, and the issuer's own values. Output: the payload of a token, or what is wrong with
the caller. A claim that the provider or another member of the caller writes cannot be replaced by
`claims`. It signs nothing.
"""

import re
import uuid
from collections.abc import Iterable, Iterator, Mapping

from fastgate.fake_edge.signing import identity_claims
from fastgate.local_rules import LocalCaller

TYPE = "at+jwt"
DEFAULT_CLIENT = "fastgate-dev"
"""`client_id` of a caller that names none: RFC 9068 §2.2 requires one."""

_LONGEST_NAME = 255
"""The longest subject and client id that the edge accepts, in bytes."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3
_BY_PROVIDER = "leave it out: the provider writes it"
_RESERVED = {
    "iss": "leave it out: it is the issuer of the URL",
    "sub": 'write "subject"',
    "aud": 'write "audience"',
    "exp": 'write "expires_in"',
    "scope": 'write "scopes"',
    "scp": 'write "scopes"',
    "roles": 'write "roles" beside "claims"',
    "groups": 'write "groups" beside "claims"',
    **dict.fromkeys(("nbf", "iat", "jti", "client_id", "azp"), _BY_PROVIDER),
}
"""The claims that no caller may name, and what to write."""


def payload_for(
    caller: LocalCaller,
    *,
    issuer: str,
    audience: str | list[str],
    issued_at: int,
    expires_at: int,
    tenant_claim: str,
) -> dict[str, object]:
    """Return the payload of a token for a caller. Times are Unix time, in seconds.

    Args:
        caller: its subject, scopes, roles, groups, tenant and claims. `issuer` and `country` of it
            are not used.
        issuer: `iss`.
        audience: `aud`.
        issued_at: `iat`.
        expires_at: `exp`.
        tenant_claim: the claim with the tenant.

    """
    identity = identity_claims(caller)
    facts = identity["rctx"] if isinstance(identity["rctx"], dict) else {}
    named = {"roles": "roles", "groups": "groups", "tenant": tenant_claim}
    of_sign_in = {name: facts[name] for name in ("auth_time", "acr", "sid", "cnf") if name in facts}
    return {
        **of_sign_in,
        **caller.claims,
        **{claim: facts[name] for name, claim in named.items() if name in facts},
        **({"scope": identity["scope"]} if caller.scopes else {}),
        "iss": issuer,
        "sub": caller.subject,
        "aud": audience,
        "client_id": caller.client_id or DEFAULT_CLIENT,
        "iat": issued_at,
        "exp": expires_at,
        "jti": str(uuid.uuid4()),
    }


def fault_of(caller: LocalCaller, tenant_claim: str) -> str | None:
    """Return what the edge would not read in a token of this caller; None if nothing is wrong."""
    return next(_faults(caller, tenant_claim), None)


def reserved_claims(tenant_claim: str) -> Mapping[str, str]:
    """Return the claims that no caller may name, each with what to write instead."""
    return {tenant_claim: 'write "tenant" beside "claims"', **_RESERVED}


def _faults(caller: LocalCaller, tenant_claim: str) -> Iterator[str]:
    client, tenant = caller.client_id, caller.tenant
    single = (("subject", caller.subject), ("client_id", client), ("tenant", tenant))
    for member, name in single:
        if name is not None and not _is_name(name):
            yield f'"{member}": is no name; write 1 to {_LONGEST_NAME} bytes, no control characters'
    for scope in caller.scopes:
        if not _SCOPE.fullmatch(scope):
            yield f'"scopes": {scope!r} is no scope; write one without spaces and quotes'
    several: tuple[tuple[str, Iterable[str]], ...] = (
        ("roles", caller.roles),
        ("groups", caller.groups or ()),
    )
    for member, names in several:
        for name in names:
            if not name or _CONTROL.search(name):
                yield f'"{member}": {name!r} is no name; write at least one character'
    for claim, remedy in reserved_claims(tenant_claim).items():
        if claim in caller.claims:
            yield f'"claims": cannot replace "{claim}"; {remedy}'


def _is_name(name: str) -> bool:
    return 0 < len(name.encode()) <= _LONGEST_NAME and not _CONTROL.search(name)
