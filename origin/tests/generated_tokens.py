"""Random tokens, most with hostile claims, and what an app has to learn of each.

A token is signed by an issuer of the tests, not by the library under test. What is expected of it
is computed from its claims alone.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fastgate import Identity, NotForwarded
from tests.edge import base64url
from tests.generated import UUID, VALUES

NOW = 1_800_000_000
"""The time of the edge in `dev/decide.rs`, Unix time in seconds."""
AUDIENCE = "https://api.example.com"
LONGEST_NAME = 255
"""The longest name, such as a subject or a tenant, in bytes of UTF-8."""

TEXTS = (
    *(
        "a",
        "é",
        "e\u0301",
        "🦊",
        "\0",
        "a\0b",
        "\x7f",
        "\u2028",
        "\ufeff",
        '"\\/',
        "1",
        "true",
        "7",
    ),
    *("", " ", "a b", "<script>", "\r\nX: y", "𐀀\uffff", UUID, "x" * 300, *VALUES),
)
NUMBERS: tuple[Any, ...] = (
    *(0, 1, 7, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 2**64, -(2**63) - 1),
    *(0.0, -0.0, 1.0, 1.5, 7.0, 0.1, 1e15, 1e16, 1e300, 5e-324, 123456789.123456789, 2.0**53),
    *(10**30, -(10**400 // 10**390)),
)
MEMBERS = ("a", "b", "", "é", "tctx", "cnf", "iss", "\0", "__proto__", "host")
_CLAIMS = ("x", "n", "tctx", "rctx", "email", "org", "tenant", "req_wl", "txn", "ver")


@dataclass(frozen=True)
class Issuer:
    """An issuer of tokens, and its entry in the policy."""

    id: str
    issuer: str
    key: Ed25519PrivateKey = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)
    """`claims` of the policy: where roles, groups, client and tenant are."""
    forward: tuple[Any, ...] = field(repr=False)

    @property
    def jwks(self) -> dict[str, object]:
        """The JWK Set that it publishes."""
        public = base64url(self.key.public_key().public_bytes_raw())
        key = {"kty": "OKP", "crv": "Ed25519", "x": public, "kid": self.id, "alg": "EdDSA"}
        return {"keys": [key]}

    @property
    def document(self) -> dict[str, object]:
        """Its entry in the policy."""
        return {
            "issuer": self.issuer,
            "backend": "idp",
            "audiences": [AUDIENCE],
            "algorithms": ["EdDSA"],
            "claims": dict(self.claims),
            "forward": list(self.forward),
        }

    def sign(self, payload: bytes) -> str:
        """Sign any octets as an access token (RFC 9068)."""
        header = {"alg": "EdDSA", "typ": "at+jwt", "kid": self.id}
        signed = f"{base64url(json.dumps(header).encode())}.{base64url(payload)}"
        return f"{signed}.{base64url(self.key.sign(signed.encode()))}"


def issuers(dice: Random) -> list[Issuer]:
    """Return two issuers with different claims. Their keys follow from the dice."""
    keys = [Ed25519PrivateKey.from_private_bytes(dice.randbytes(32)) for _ in range(2)]
    plain = {"roles": ["roles"], "groups": ["groups"], "client": ["client_id"], "tenant": "tenant"}
    nested = {
        "roles": [["realm", "roles"], {"claim": "granted", "form": "keys"}],
        "groups": [{"claim": "groups", "form": "comma"}],
        "client": ["azp"],
        "tenant": ["org", "id"],
    }
    org = {"claim": ["org", "id"], "as": "org_id"}
    return [
        Issuer("idp", "https://idp.example", keys[0], plain, (org,)),
        Issuer("other", "https://other.example/é".replace("é", "e"), keys[1], nested, ("groups",)),
    ]


@dataclass
class Token:
    """The credentials of a caller."""

    issuer: Issuer
    claims: dict[str, Any]
    compact: str = field(repr=False)
    certificate: str | None = None
    """The client's certificate, by its SHA-256 in base64url."""
    fault: str = ""
    """Why no edge may accept the token; empty for a good one."""


def generated_token(dice: Random, known: list[Issuer], near: Sequence[str] = ()) -> Token:
    """Make a token; most of them are good. Some claims have values of `near`."""
    issuer = dice.choice(known)
    claims: dict[str, Any] = {
        "iss": issuer.issuer,
        "aud": dice.choice([AUDIENCE, [AUDIENCE, "b"]]),
        "exp": NOW + dice.choice([1, 600, 600.5]),
        "sub": dice.choice(["ada", "é", "🦊", "a b", "iss|sub", "x" * LONGEST_NAME]),
    }
    _add_known(dice, issuer, claims)
    for name in dice.sample(_CLAIMS, k=dice.randint(0, 4)):
        claims[name] = generated_value(dice)
    if near and dice.random() < 0.4:
        text = dice.choice(near)
        value = dice.choice([text, [text, "b"], {"a": text}, text.upper()])
        number = int(text) if text.isdecimal() else value
        claims[dice.choice(["x", "n", "tctx", "tenant"])] = dice.choice([value, number])
    token = Token(issuer, claims, "")
    if dice.random() < 0.15:
        token.certificate = base64url(hashlib.sha256(dice.randbytes(4)).digest())
        claims["cnf"] = {"x5t#S256": token.certificate}
    if dice.random() < 0.15:
        token.fault = dice.choice(sorted(_FAULTS))
        claims |= _FAULTS[token.fault]
        if token.fault == "another certificate":
            token.certificate = base64url(bytes(32))
    payload = json.dumps(claims, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    if token.fault == "a claim twice":
        payload = payload[:-1] + b', "sub": "root"}'
    signer = issuer
    if token.fault == "another key":
        signer = Issuer(
            issuer.id, issuer.issuer, Ed25519PrivateKey.from_private_bytes(bytes(32)), {}, ()
        )
    token.compact = signer.sign(payload)
    return token


_FAULTS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 600},
    "another audience": {"aud": "https://other.example.com"},
    "no subject": {"sub": ""},
    "NUL in the subject": {"sub": "ada\0"},
    "a long subject": {"sub": "x" * (LONGEST_NAME + 1)},
    "another issuer": {"iss": "https://evil.example"},
    "a lone surrogate": {"x": "\ud800"},
    "a lone surrogate as a name": {"x": {"\udfff": 1}},
    "not a number": {"n": float("nan")},
    "an infinite number": {"n": float("inf")},
    "too deep": {"x": json.loads("[" * 200 + "]" * 200)},
    "another certificate": {"cnf": {"x5t#S256": base64url(hashlib.sha256(b"x").digest())}},
    "an unknown binding": {"cnf": {"kid": "k"}},
    "no binding": {"cnf": {}},
    "a claim twice": {},
    "another key": {},
}


def _add_known(dice: Random, issuer: Issuer, claims: dict[str, Any]) -> None:
    """Add the claims that the edge reads itself; some have a wrong type."""
    names = [
        dice.choice(["admin", "é", "staff", "", *TEXTS[:8]]) for _ in range(dice.randint(0, 4))
    ]
    listed: list[Any] = [*names, *dice.choice([[], [], [1, None, ["admin"]]])]
    if issuer.id == "idp":
        claims["roles"] = dice.choice([listed, "admin", 7, {"admin": True}])
        claims["groups"] = dice.choice([listed, ["staff", "é"], None])
        claims["client_id"] = dice.choice(["shop", "é"])
        claims["tenant"] = dice.choice(["a", "acme", "", "\0", 7, "x" * 256, None])
    else:
        claims["realm"] = dice.choice([{"roles": listed}, {"roles": 1}, [], {}])
        claims["granted"] = dice.choice([{"admin": True, "é": False, "": 1}, ["admin"], {}])
        claims["groups"] = dice.choice(["staff,é,,a b", "", ["staff"], ","])
        claims["azp"] = "shop"
        claims["org"] = dice.choice([{"id": "a"}, {"id": 1}, "a", {}])
    for name in dice.sample(["scope", "auth_time", "acr", "sid"], k=dice.randint(1, 4)):
        claims[name] = dice.choice(_OPTIONAL[name])
    if dice.random() < 0.1:
        del claims[dice.choice([name for name in claims if name not in _NEEDED])]


_NEEDED = ("iss", "aud", "exp", "sub")
_OPTIONAL: dict[str, tuple[Any, ...]] = {
    "scope": (
        *("a:read b a:write",) * 4,
        "a:read",
        "a:read b",
        "a:read a:write b c:é",
        "",
        " a:read  b",
        ["b", "a b"],
        7,
        None,
    ),
    # No age is between a `max_age` of the generated apps and the leeways that edge and app add.
    "auth_time": (NOW - 10, NOW - 10.5, NOW - 2000, NOW - 10000, NOW + 4000, -1, "1", None, 1e12),
    "acr": ("urn:mfa", "1", "é", "", "\0", 1, None, ["urn:mfa"]),
    "sid": ("s-1", "🦊", "", "\n", 1, {}, "x" * 255, "x" * 256),
}


def generated_value(dice: Random, depth: int = 0) -> Any:  # noqa: ANN401
    """Return any JSON value."""
    kind = dice.random()
    if kind < 0.4 or depth > 3:
        return dice.choice(TEXTS)
    if kind < 0.6:
        return dice.choice(NUMBERS)
    if kind < 0.7:
        return dice.choice([None, True, False])
    if kind < 0.71:
        return json.loads("[" * 40 + "]" * 40)
    inner = [generated_value(dice, depth + 1) for _ in range(dice.randint(0, 3))]
    return inner if kind < 0.85 else dict(zip(dice.sample(MEMBERS, k=3), inner, strict=False))


# What an app has to learn.


def facts_of(identity: Identity) -> dict[str, Any]:
    """Return what an app learns of its caller's token, with every JSON type distinguishable."""
    try:
        groups: object = sorted(identity.groups)
    except NotForwarded:
        groups = "not forwarded"
    confirmation = identity.confirmation
    return {
        "subject": identity.subject,
        "issuer": identity.issuer,
        "client_id": identity.client_id,
        "scopes": sorted(identity.scopes),
        "roles": sorted(identity.roles),
        "groups": groups,
        "tenant": identity.tenant,
        "claims": typed(dict(identity.claims)),
        "confirmation": confirmation and (confirmation.jkt, confirmation.x5t_s256),
        "authenticated_at": identity.authenticated_at,
        "acr": identity.acr,
        "session_id": identity.session_id,
        "token_expires_at": identity.token_expires_at,
    }


def facts_in(token: Token, forward: Iterable[Any]) -> dict[str, Any]:
    """Return what the app has to learn of a good token under these entries of `forward`."""
    claims, at = token.claims, token.issuer.claims
    entries = list(forward)
    scopes = claims.get("scope")
    scopes = scopes.split(" ") if isinstance(scopes, str) else scopes
    confirmation = claims.get("cnf")
    return {
        "subject": claims["sub"],
        "issuer": token.issuer.issuer,
        "client_id": claims.get(at["client"][0]),
        "scopes": sorted({each for each in _listed(scopes) if _is_scope(each)}),
        "roles": _names(claims, at["roles"]),
        "groups": _names(claims, at["groups"]) if "groups" in entries else "not forwarded",
        "tenant": _name(found(claims, at["tenant"])),
        "claims": typed(forwarded_claims(token, entries)),
        "confirmation": confirmation and (None, confirmation["x5t#S256"]),
        "authenticated_at": _time(claims.get("auth_time")),
        "acr": _name(claims.get("acr")),
        "session_id": _name(claims.get("sid")),
        "token_expires_at": _time(claims["exp"]),
    }


def forwarded_claims(token: Token, forward: Iterable[Any]) -> dict[str, Any]:
    """Return the claims that these entries name, by their names in the app."""
    entries: list[Any] = [entry for entry in forward if isinstance(entry, dict)]
    return {
        entry.get("as", entry["claim"]): found(token.claims, entry["claim"]) for entry in entries
    }


def found(claims: object, path: str | list[str]) -> Any:  # noqa: ANN401
    """Return the claim at a path; None if there is none."""
    for step in [path] if isinstance(path, str) else path:
        claims = claims.get(step) if isinstance(claims, dict) else None
    return claims


def is_forwardable(value: object, depth: int = 32) -> bool:
    """Whether a claim arrives unchanged at every parser of JSON: what the contract promises."""
    if isinstance(value, bool | str) or value is None:
        return True
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    if isinstance(value, float):
        return abs(value) < 2**53 and str(value) != "-0.0"
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(is_forwardable(each, depth - 1) for each in inner)  # type: ignore[attr-defined]


def typed(value: object) -> str:
    """Return a text that differs for 1, 1.0 and true, and not for another order of members."""
    return json.dumps(value, sort_keys=True)


def _names(claims: dict[str, Any], places: list[Any]) -> list[str]:
    names: set[str] = set()
    for place in places:
        form = place.get("form") if isinstance(place, dict) else None
        value = found(claims, place["claim"] if isinstance(place, dict) else place)
        if form == "keys":
            granted = value.items() if isinstance(value, dict) else ()
            names |= {
                name for name, given in granted if name and given is not None and given is not False
            }
        elif form == "comma":
            names |= (
                {name for name in value.split(",") if name} if isinstance(value, str) else set()
            )
        else:
            names |= {name for name in _listed(value) if isinstance(name, str)}
    return sorted(names)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_scope(value: object) -> bool:
    """Whether it is a scope (RFC 6749 §3.3)."""
    characters = {0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)}
    return isinstance(value, str) and value != "" and {*map(ord, value)} <= characters


def _name(value: object) -> str | None:
    if not isinstance(value, str) or not 0 < len(value.encode()) <= LONGEST_NAME:
        return None
    controls = {*range(0x20), *range(0x7F, 0xA0)}
    return None if controls & {*map(ord, value)} else value


def _time(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= 253_402_300_799 else None
