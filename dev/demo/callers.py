"""Credentials: tokens of the development providers, proofs of possession, forged headers."""

import base64
import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from exchange import send
from layout import IDP, ROOT, DemoError, url

OTHER_API = "https://other.fastgate.example"
PARTNERS = "/partners"


@dataclass(frozen=True)
class TokenRequest:
    """A client-credentials request to a provider; the clients are in dev/idp/clients.mjs."""

    client: str
    scope: str = ""
    resource: str = ""
    provider: str = ""  # the path of the provider
    bound: bool = False  # whether the token is bound to the key of proof.mjs

    def token(self) -> str:
        form = {"grant_type": "client_credentials", "scope": self.scope, "resource": self.resource}
        credentials = base64.b64encode(f"{self.client}:{self.client}-secret".encode()).decode()
        headers = {
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        path = f"{self.provider}/token"
        if self.bound:
            headers["DPoP"] = proof("POST", url(IDP, path))
        body = urlencode({name: value for name, value in form.items() if value}).encode()
        response = send(IDP, "POST", path, headers, body)
        grant = response.json()
        if not isinstance(grant, dict) or "access_token" not in grant:
            raise DemoError(f"no token for {self.client}: {response.status} {response.body!r}")
        return str(grant["access_token"])


TOKENS: Mapping[str, TokenRequest] = {
    "reader": TokenRequest("demo-reader", "orders:read"),
    "reader, ES256": TokenRequest("demo-es256", "orders:read"),
    "writer": TokenRequest("demo-writer", "orders:read orders:write"),
    "guest": TokenRequest("demo-guest"),
    "reader of other API": TokenRequest("demo-reader", "orders:read", OTHER_API),
    "keeper of lumen": TokenRequest("demo-keeper", "orders:read"),
    "keeper of two shops": TokenRequest("demo-chain", "orders:read"),
    "suspended keeper of lumen": TokenRequest("demo-suspended"),
    "staff": TokenRequest("demo-staff", "orders:read orders:write"),
    "staff, bound": TokenRequest("demo-staff", "orders:read orders:write", bound=True),
    "partner's buyer": TokenRequest("partner-buyer", provider=PARTNERS),
    "partner's intern": TokenRequest("partner-intern", provider=PARTNERS),
}
GARBAGE = "garbage"


def proof(method: str, target: str, token: str = "") -> str:
    """A proof of possession (RFC 9449) for one request; signing needs more than the standard library."""
    command = ("node", "dev/idp/proof.mjs", method, target, token)
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise DemoError(f"no proof of possession: {made.stderr.strip()}")
    return made.stdout.strip()


def forged_identity(subject: str) -> str:
    """A `Fastgate-Identity` as an attacker might write it: well-formed, with a signature of zeros."""

    def part(members: Mapping[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")

    now = int(time.time())
    header = part({"alg": "EdDSA", "typ": "txntoken+jwt", "ver": 2, "kid": "forged"})
    claims = part({"aud": "demo-api", "iat": now, "exp": now + 60, "txn": "0", "sub": subject})
    return f"{header}.{claims}.{'A' * 86}"
