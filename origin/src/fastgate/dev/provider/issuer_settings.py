"""What a developer configures of one issuer of the development provider.

Input: its audience, clients and callers. Output: the same, checked; or a `ValueError` that says
what to write.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from fastgate.dev.provider.access_token import fault_of
from fastgate.local_rules import LocalCaller

LONGEST_LIFETIME = 86_400
"""Seconds. Tokens for development need not live longer than a day."""
_CLIENT_NAME = re.compile(r"[A-Za-z0-9._~-]+")


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the client credentials grant. Its secret is its name and `-secret`.

    `LocalCaller` describes the members.
    """

    scopes: tuple[str, ...] = ()
    """The scopes that it may request; all of them if it requests none."""
    claims: Mapping[str, JsonValue] = field(default_factory=dict, hash=False)
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None
    tenant: str | None = None
    any_scope: bool = False
    """Whether it may also request every other scope."""

    def as_caller(self, name: str, scopes: tuple[str, ...]) -> LocalCaller:
        """Return the client as the subject of its own token (RFC 9068 §2.2)."""
        return LocalCaller(
            name,
            scopes,
            client_id=name,
            roles=self.roles,
            groups=self.groups,
            tenant=self.tenant,
            claims=self.claims,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """One issuer. All times in seconds.

    Raises:
        ValueError: the edge would not read a token of a client or a caller, or the audience is
            empty, or the lifetime is out of range.

    """

    audience: str
    """`aud` of a token whose request names no other."""
    resources: tuple[str, ...] = ()
    """Further audiences that a client may request as `resource` (RFC 8707)."""
    clients: Mapping[str, Client] = field(default_factory=dict)
    callers: Mapping[str, LocalCaller] = field(default_factory=dict)
    """Callers with a name. A request with this name as its `subject` gets a token with their
    subject, scopes and so on, as far as it does not give others."""
    tenant_claim: str = "tenant"
    """The claim with the tenant: `claims.tenant` of the issuer in the policy."""
    lifetime: int = 3600
    """The lifetime of a token whose request names no other; `max_lifetime` in the policy may
    require less."""

    def __post_init__(self) -> None:
        if not self.audience:
            raise ValueError('audience: is empty; write audience="https://api.example.com"')
        if not 1 <= self.lifetime <= LONGEST_LIFETIME:
            raise ValueError(f"lifetime: write 1 to {LONGEST_LIFETIME} seconds")
        for name, client in self.clients.items():
            if not _CLIENT_NAME.fullmatch(name):
                raise ValueError(f"clients: write {name!r} with letters, digits and ._~- only")
            self._check("clients", name, client.as_caller(name, client.scopes))
        for name, caller in self.callers.items():
            self._check("callers", name, caller)

    def _check(self, where: str, name: str, caller: LocalCaller) -> None:
        if (fault := fault_of(caller, self.tenant_claim)) is not None:
            raise ValueError(f"{where}: {name}: {fault}")


def secret_of(client: str) -> str:
    """Return the secret of a client. It protects nothing: it is in the documentation."""
    return f"{client}-secret"
