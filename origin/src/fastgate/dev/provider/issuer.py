"""One issuer of the development provider.

Input: its settings, and a request for a token. Output: its metadata (OpenID Connect Discovery §3,
RFC 8414 §2), its key set, and tokens. Its key is new in every process, and never written anywhere.
"""

import time
from collections.abc import Sequence

from fastgate.dev.provider.access_token import TYPE, payload_for
from fastgate.dev.provider.caller_request import read_caller_request
from fastgate.dev.provider.client_credentials import AUTHENTICATION_METHODS, GRANT, granted
from fastgate.dev.provider.es256 import ALGORITHM, Es256Key
from fastgate.dev.provider.issuer_settings import IssuerSettings
from fastgate.local_rules import LocalCaller


class Issuer:
    """An issuer with a key of its own."""

    def __init__(self, url: str, settings: IssuerSettings) -> None:
        self.url, self.settings = url, settings
        self._key = Es256Key()
        self.jwks: dict[str, list[dict[str, str]]] = {"keys": [self._key.jwk]}
        """The public key."""
        self.metadata: dict[str, object] = {
            "issuer": url,
            "jwks_uri": f"{url}/jwks",
            "token_endpoint": f"{url}/token",
            "token_endpoint_auth_methods_supported": list(AUTHENTICATION_METHODS),
            "grant_types_supported": [GRANT],
            "scopes_supported": sorted(_scopes(settings)),
            # Nobody signs in here, so there are no response types. But the official client of MCP
            # reads no metadata without this member.
            "authorization_endpoint": f"{url}/authorize",
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        }

    def token_for_client(self, authorization: Sequence[str], body: bytes) -> dict[str, object]:
        """Return the response of the token endpoint (RFC 6749 §5.1). Raises `GrantRefused`."""
        return self._response(*granted(authorization, body, self.settings), None)

    def token_for_caller(self, body: bytes) -> dict[str, object]:
        """Return the response to a request for a token of a named caller.

        Raises:
            RequestRefused: `body` is not the JSON of such a request.

        """
        return self._response(*read_caller_request(body, self.settings))

    def _response(
        self, caller: LocalCaller, audience: str | list[str], lifetime: int | None
    ) -> dict[str, object]:
        settings, now = self.settings, int(time.time())
        expires_at = caller.token_expires_at
        if lifetime is not None or expires_at is None:
            expires_at = now + (settings.lifetime if lifetime is None else lifetime)
        payload = payload_for(
            caller,
            issuer=self.url,
            audience=audience,
            issued_at=now,
            expires_at=expires_at,
            tenant_claim=settings.tenant_claim,
        )
        return {
            "access_token": self._key.sign(payload, typ=TYPE),
            "token_type": "Bearer",
            "expires_in": max(expires_at - now, 0),
            **({"scope": payload["scope"]} if "scope" in payload else {}),
        }


def _scopes(settings: IssuerSettings) -> set[str]:
    found = {scope for client in settings.clients.values() for scope in client.scopes}
    return found | {scope for caller in settings.callers.values() for scope in caller.scopes}
