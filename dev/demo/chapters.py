"""The requests of `make smoke`: each feature of policy.json once, allowed and refused.

Clients at 127.0.0.x are where dev/places.json says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from callers import GARBAGE, forged_identity
from checks import Check
from layout import ORIGIN
from traits import (
    ALLOW,
    CHALLENGE,
    PROBLEM,
    PUBLIC_KEYS,
    RETRY_AFTER,
    challenge_error,
    header,
    logged,
    member,
    problem,
    without,
)


@dataclass(frozen=True)
class Chapter:
    title: str
    checks: Sequence[Check]


ORDER = {"item": "tea", "quantity": 2}
LANTERN = "7f0c2b1e-5a64-4f0e-9d3b-2c8a51e6d904"

# The last three are in no country; one of them stands in dev/blocked.json.
PYONGYANG, NEW_YORK = "127.0.0.8", "127.0.0.16"
BLOCKED, FLOODER, NOWHERE = "127.0.0.66", "127.0.0.77", "127.0.0.99"
FLOOD = 600  # what policy.base.json admits from one network in a minute

SUBJECT = member("subject", "demo-reader")
FORGED = {"Fastgate-Identity": forged_identity("admin")}
INVALID_TOKEN = challenge_error("invalid_token")
INSUFFICIENT_SCOPE = challenge_error("insufficient_scope")
FORBIDDEN = problem("forbidden")
PAGE, STRANGE_PAGE = {"Origin": "http://localhost:5173"}, {"Origin": "http://evil.example"}
ASKS_TO_POST = {"Access-Control-Request-Method": "POST"}
FIVE_PAGES = {"X-Pages": "5"}
ONCE = {"Idempotency-Key": "1"}

IDENTITY = Chapter(
    "Who is calling",
    (
        Check("GET /", 200),
        Check("GET /me", 401, (CHALLENGE, PROBLEM)),
        Check("GET /me", 200, (SUBJECT,), token="reader"),
        Check("GET /me", 200, (member("subject", "demo-es256"),), token="reader, ES256"),
        Check("GET /me", 401, (INVALID_TOKEN, PROBLEM), token="reader of other API"),
        Check("GET /me", 401, (INVALID_TOKEN, PROBLEM), token=GARBAGE),
        Check(f"GET /items/{LANTERN}", 200, (member("price", 50),)),
        Check(f"GET /items/{LANTERN}", 200, (member("price", 40),), token="reader"),
        Check(
            f"GET /items/{LANTERN}",
            200,
            (member("price", 50),),
            (logged("ignored", "token-malformed"),),
            token=GARBAGE,
        ),
    ),
)
SCOPES_AND_RULES = Chapter(
    "May they: scopes, and rules that routes share",
    (
        Check("GET /orders/7", 200, token="reader"),
        Check("GET /orders/7", 403, (INSUFFICIENT_SCOPE, PROBLEM), token="guest"),
        Check("POST /orders", 403, (INSUFFICIENT_SCOPE, PROBLEM), token="reader", json=ORDER),
        Check("POST /orders", 201, token="writer", json=ORDER),
        Check("GET /stream", 200, token="reader"),
        Check(
            "GET /shops/lumen/stock",
            200,
            logged=(logged("shadow", "would-refuse insufficient-scope"),),
            token="keeper of lumen",
        ),
        Check("GET /shops/ember/stock", 403, (FORBIDDEN,), token="keeper of lumen"),
        Check("GET /shops/ember/stock", 200, token="keeper of two shops"),
        Check(
            "GET /shops/lumen/stock",
            403,
            (FORBIDDEN,),
            (logged("verdict", "condition-unmet"),),
            token="suspended keeper of lumen",
        ),
        Check("GET /shops/ember/stock", 200, token="staff"),
        Check("GET /wholesale/prices", 200, token="partner's buyer"),
        Check("GET /wholesale/prices", 403, (FORBIDDEN,), token="partner's intern"),
        Check("GET /wholesale/prices", 200, token="staff"),
        Check("GET /wholesale/prices", 403, (FORBIDDEN,), token="reader"),
    ),
)
PLACES = Chapter(
    "From where",
    (
        Check("GET /offers", 200),
        Check("GET /offers", 403, (problem("place-refused"),), source=NEW_YORK),
        Check(
            "POST /orders",
            451,
            (problem("unavailable-for-legal-reasons"),),
            (logged("country", "KP"), logged("verdict", "place-denied")),
            token="writer",
            json=ORDER,
            source=PYONGYANG,
        ),
        Check(
            "POST /orders",
            451,
            logged=(logged("verdict", "place-unknown"),),
            token="writer",
            json=ORDER,
            source=NOWHERE,
        ),
        Check(
            "GET /items",
            200,
            logged=(logged("shadow", "would-refuse place-denied"),),
            source=NEW_YORK,
        ),
        Check(
            "GET /items",
            200,
            logged=(logged("shadow", "would-refuse place-denied"),),
            source=BLOCKED,
        ),
        Check(
            "GET /exports/orders.csv",
            403,
            (problem("place-refused"),),
            token="keeper of lumen",
            source=NEW_YORK,
        ),
    ),
)
LOOKS = Chapter(
    "Does it look right, and where does it go",
    (
        Check("GET /admin", 404, (PROBLEM,)),
        Check("DELETE /orders/7", 405, (ALLOW, PROBLEM)),
        Check("GET /orders/%2e%2e/me", 400, (PROBLEM,), token="reader"),
        Check("GET /items/7", 404, (PROBLEM,), note="no UUID"),
        Check("GET /files/a/b.txt", 200, (member("path", "a/b.txt"),), token="reader"),
        Check("GET /items?search=" + 60 * "x", 414, (problem("uri-too-long"),)),
        Check(
            "POST /orders",
            415,
            (problem("unsupported-media-type"),),
            token="writer",
            body=("text/plain", b"tea"),
            note="text",
        ),
        Check(
            "POST /orders",
            413,
            (problem("content-too-large"),),
            token="writer",
            body=("application/json", 4097 * b" "),
            note="4 KiB and a byte",
        ),
        Check("GET /v1/orders/7", 200, (header("Content-Location", "/orders/7"),), token="reader"),
        Check(f"GET /i/{LANTERN}", 200, (member("name", "a lantern"),)),
        Check(
            "OPTIONS /orders",
            403,
            (FORBIDDEN,),
            headers={**STRANGE_PAGE, **ASKS_TO_POST},
            note="strange page",
        ),
        Check(
            "OPTIONS /orders",
            204,
            (
                header("Access-Control-Allow-Origin", PAGE["Origin"]),
                header("Access-Control-Allow-Headers", "authorization"),
            ),
            headers={**PAGE, **ASKS_TO_POST},
            note="preflight",
        ),
        Check(
            "POST /gift-cards",
            503,
            (problem("maintenance"), header("Retry-After", "3600")),
            token="reader",
        ),
    ),
)
PROOFS_AND_FIELDS = Chapter(
    "Bound tokens, and what travels on",
    (
        Check(
            "POST /orders/7/refund",
            401,
            (problem("bound-token-required"),),
            token="staff",
            headers=ONCE,
        ),
        Check(
            "POST /orders/7/refund",
            400,
            (problem("bad-request"),),
            (logged("verdict", "header-missing"),),
            token="staff, bound",
        ),
        Check("POST /orders/7/refund", 200, token="staff, bound", headers=ONCE),
        Check(
            "POST /orders/7/refund",
            401,
            (challenge_error("invalid_dpop_proof"),),
            (logged("verdict", "proof-replayed"),),
            token="staff, bound",
            headers=ONCE,
            times=2,
            note="one proof",
        ),
        Check(
            "GET /diagnostics",
            200,
            (
                member("x-channel", "edge"),
                member("x-debug", None),
                member("token_came_along", True),
            ),
            token="staff",
            headers={"X-Debug": "1", "X-Channel": "mine"},
        ),
        Check("GET /", 200, (header("X-Content-Type-Options", "nosniff"),)),
        Check("GET /.well-known/fastgate/jwks.json", 200, (PUBLIC_KEYS,)),
        Check("GET /me", 200, (SUBJECT,), token="reader", headers=FORGED, note="forged identity"),
        Check("GET /me", 401, headers=FORGED, port=ORIGIN, note="forged identity"),
        Check("GET /me", 401, port=ORIGIN),
    ),
)
LIMITS = Chapter(
    "Not too often",
    (
        Check("GET /items", 200, (header("RateLimit-Policy", '"brake";q=600;w=60'),)),
        Check(
            "GET /exports/orders.csv",
            200,
            (
                header("RateLimit", '"pages";r=5;'),
                header("Content-Disposition", "attachment"),
                without("X-Instance"),
            ),
            token="keeper of lumen",
            headers=FIVE_PAGES,
            note="costs 5 of 10",
        ),
        Check(
            "GET /exports/orders.csv",
            429,
            (problem("too-many-requests"), RETRY_AFTER, header("RateLimit", '"pages";r=0;')),
            token="keeper of lumen",
            headers=FIVE_PAGES,
            times=2,
        ),
        Check(
            "POST /orders",
            429,
            (problem("too-many-requests"), RETRY_AFTER),
            (logged("subject", "demo-writer"), logged("verdict", "limit-exceeded")),
            token="writer",
            json=ORDER,
            times=5,  # and one above
        ),
        Check(
            "GET /me",
            429,
            (problem("too-many-requests"), RETRY_AFTER),
            token=GARBAGE,
            source=FLOODER,
            times=FLOOD + 1,
        ),
    ),
)

CHAPTERS = (IDENTITY, SCOPES_AND_RULES, PLACES, LOOKS, PROOFS_AND_FIELDS, LIMITS)
