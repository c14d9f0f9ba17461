"""Assertions as the vendors document them, signed with real keys that a local server publishes.

Each sample names the page that documents its header and payload. Times are the test's.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from fastgate import Gateway, from_gateway
from tests.edge import base64url
from tests.serving import JwksServer

AUD_TAG = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"
IAP_AUDIENCE = "/projects/123456789012/global/backendServices/7890123456789012345"
SIGNER = (
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/my-load-balancer/"
    "50dc6c495c0c9188"
)
CLIENT = "3ftk5t2l0f8e3hv5ld2ue6rfcr"
ALB_KID = "12345678-1234-1234-1234-123456789012"
Members = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """One documented assertion."""

    gateway: Gateway
    header: Callable[[int], Members]
    """The JOSE header at a time, without `kid`."""
    payload: Callable[[int], Members]
    subject: str
    issuer: str


def _jose(algorithm: str) -> Callable[[int], Members]:
    return lambda _now: {"alg": algorithm, "typ": "JWT"}


SAMPLES: Mapping[str, Sample] = {
    # developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/application-token
    "cloudflare-access": Sample(
        from_gateway("cloudflare-access", team="yourteam", audience=AUD_TAG),
        _jose("RS256"),
        lambda now: {
            "aud": [AUD_TAG],
            "email": "user@example.com",
            "exp": now + 60,
            "iat": now,
            "nbf": now,
            "iss": "https://yourteam.cloudflareaccess.com",
            "type": "app",
            "identity_nonce": "6ei69kawdKzMIAPF",
            "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
            "country": "US",
        },
        "7335d417-61da-459d-899c-0a01c76a2f94",
        "https://yourteam.cloudflareaccess.com",
    ),
    # docs.cloud.google.com/iap/docs/signed-headers-howto
    "google-iap": Sample(
        from_gateway("google-iap", audience=IAP_AUDIENCE),
        _jose("ES256"),
        lambda now: {
            "iss": "https://cloud.google.com/iap",
            "sub": "accounts.google.com:114513364531827491234",
            "email": "user@example.com",
            "aud": IAP_AUDIENCE,
            "exp": now + 600,
            "iat": now,
            "hd": "example.com",
            "google": {"access_levels": ["accessPolicies/1/accessLevels/recent"]},
        },
        "accounts.google.com:114513364531827491234",
        "https://cloud.google.com/iap",
    ),
    # www.pomerium.com/docs/capabilities/getting-users-identity
    "pomerium": Sample(
        from_gateway("pomerium", audience="verify.example.com"),
        _jose("ES256"),
        lambda now: {
            "iss": "verify.example.com",
            "aud": "verify.example.com",
            "jti": "3ab4ae2b-ab97-4a4e-8d8b-9d3a3a6d8e37",
            "iat": now,
            "exp": now + 300,
            "sub": "google/114513364531827491234",
            "user": "google/114513364531827491234",
            "email": "user@example.com",
            "groups": ["admins", "staff"],
            "name": "A User",
            "sid": "60f3e7f6-3c4a-4f43-9a94-8b2f6b7a3a51",
        },
        "google/114513364531827491234",
        "verify.example.com",
    ),
    # www.ory.sh/docs/oathkeeper/pipeline/mutator, `id_token`, with `aud` and `scope` in `claims`
    "oathkeeper": Sample(
        from_gateway(
            "oathkeeper",
            audience="orders",
            issuer="https://server.example.com/",
            jwks_url="https://server.example.com/.well-known/jwks.json",
        ),
        _jose("RS256"),
        lambda now: {
            "iss": "https://server.example.com/",
            "sub": "24400320",
            "aud": ["orders"],
            "exp": now + 60,
            "iat": now,
            "nbf": now,
            "jti": "b9a2d8e6-8a7b-4b5c-a3c4-f5b0f5e2a7d1",
            "email": "user@example.com",
            "scope": "orders:read orders:write",
        },
        "24400320",
        "https://server.example.com/",
    ),
    # docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
    "aws-alb": Sample(
        from_gateway("aws-alb", signer=SIGNER, client=CLIENT, region="eu-west-1"),
        lambda now: {
            "alg": "ES256",
            "typ": "JWT",
            "iss": "https://idp.example.com",
            "client": CLIENT,
            "signer": SIGNER,
            "exp": now + 120,
        },
        lambda now: {
            "sub": "1234567890",
            "name": "name",
            "email": "user@example.com",
            "exp": now + 120,
            "iss": "https://idp.example.com",
        },
        "1234567890",
        "https://idp.example.com",
    ),
}
SERVICE_TOKEN = {"sub": "", "common_name": "e367826f93b8d71185e03fe518aff3b4.access"}
"""The claims of a service token of Cloudflare Access, on the same page."""


class FakeGateway:
    """A gateway with one key, which a local server publishes as the vendor does."""

    def __init__(self, name: str, server: JwksServer) -> None:
        self.sample = SAMPLES[name]
        self.algorithm = self.sample.gateway.algorithm
        self.kid = ALB_KID if name == "aws-alb" else "key-1"
        self.server = server
        url = f"{server.origin}/keys"
        self.gateway = replace(self.sample.gateway, keys_url=url)
        self.private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
        self.rotate(self.kid)

    def rotate(self, kid: str) -> None:
        """Replace the key, and publish the new one alone."""
        self.kid = kid
        if self.algorithm == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
        else:
            self.private = rsa_key(kid)
        self.server.status, self.server.body = 200, self.published()

    def published(self) -> bytes:
        """Return the document with the public key."""
        if self.gateway.key_per_url:
            return self.pem()
        return json.dumps({"keys": [{**public_jwk(self.private), "kid": self.kid}]}).encode()

    def pem(self) -> bytes:
        """Return the public key as a PEM document."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def jose(self, now: int | None = None, /, **changes: object) -> Members:
        """Return the documented header with changes; a value of None removes a member."""
        header = self.sample.header(int(time.time()) if now is None else now)
        return _changed({**header, "kid": self.kid}, changes)

    def claims(self, now: int | None = None, /, **changes: object) -> Members:
        """Return the documented payload with changes; a value of None removes a member."""
        return _changed(self.sample.payload(int(time.time()) if now is None else now), changes)

    def mint(
        self,
        claims: Mapping[str, object] | bytes | None = None,
        jose: Mapping[str, object] | bytes | None = None,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> str:
        """Return an assertion: the documented one, unless parts are given."""
        header, payload = jose or self.jose(), claims or self.claims()
        parts = [
            each if isinstance(each, bytes) else json.dumps(each).encode()
            for each in (header, payload)
        ]
        encode = padded if self.gateway.padded else base64url
        signing_input = ".".join(map(encode, parts))
        signature = (sign or self.sign)(signing_input.encode())
        return f"{signing_input}.{encode(signature)}"

    def sign(self, signing_input: bytes) -> bytes:
        """Sign with the gateway's key (RFC 7518 §3.3, §3.4)."""
        return sign_with(self.private, signing_input)

    def fields(self, assertion: str | None = None) -> list[tuple[str, str]]:
        """Return the header of a request with one assertion."""
        value = self.mint() if assertion is None else assertion
        return [(self.gateway.header, f"Bearer {value}" if self.gateway.bearer else value)]


def sign_with(
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, signing_input: bytes
) -> bytes:
    """Return the signature in the form of a JWS."""
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(signing_input, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(private.sign(signing_input, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + s.to_bytes(32)


def public_jwk(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Members:
    """Return the public key as a JWK, without `kid`."""
    if isinstance(private, rsa.RSAPrivateKey):
        public = private.public_key().public_numbers()
        n = base64url(public.n.to_bytes((public.n.bit_length() + 7) // 8))
        return {"kty": "RSA", "alg": "RS256", "use": "sig", "n": n, "e": "AQAB"}
    point = private.public_key().public_numbers()
    x, y = (base64url(each.to_bytes(32)) for each in (point.x, point.y))
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "x": x, "y": y}


def padded(octets: bytes) -> str:
    """Encode as load balancers of AWS do: with padding."""
    return base64.urlsafe_b64encode(octets).decode()


def _octets(part: Mapping[str, object] | bytes) -> bytes:
    return part if isinstance(part, bytes) else json.dumps(part).encode()


@cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """Return the RSA key of this name. It takes long to generate one."""
    return rsa.generate_private_key(65537, 2048)


def _changed(members: Members, changes: Mapping[str, object]) -> Members:
    return {name: each for name, each in {**members, **changes}.items() if each is not None}
