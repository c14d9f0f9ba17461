"""Checks of requests: their form, what is forwarded, and limits."""

from callers import GARBAGE, forged_identity
from checks import Chapter, Check
from layout import ORIGIN
from shop import LANTERN, ORDER
from traits import (
    ALLOW,
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

SUBJECT = member("subject", "demo-reader")
FORGED = {"Fastgate-Identity": forged_identity("admin")}
FORBIDDEN = problem("forbidden")
PAGE, STRANGE_PAGE = {"Origin": "http://localhost:5173"}, {"Origin": "http://evil.example"}
ASKS_TO_POST = {"Access-Control-Request-Method": "POST"}
NO_CACHE, RESPONDED = header("Cache-Control", "no-cache"), logged("verdict", "responded")
FIVE_PAGES = {"X-Pages": "5"}
ONCE = {"Idempotency-Key": "1"}

FLOOD = 600  # the limit of policy.base.json for one network, per minute
FLOODER = "127.0.0.77"

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
OWN_RESPONSES = Chapter(
    "What the edge responds itself",
    (
        Check("GET /robots.txt", 200, (header("Content-Type", "text/plain"), NO_CACHE)),
        Check("HEAD /robots.txt", 200, (header("Content-Length", "33"),)),
        Check("GET /about/us", 200, (header("Content-Type", "text/html"),), (RESPONDED,)),
        Check("GET /about/logo.png", 404, (problem("not-found"),)),
        Check("GET /health", 200, (member("edge", "up"), without("X-Instance"))),
        Check(f"GET /products/{LANTERN}", 308, (header("Location", f"/items/{LANTERN}"),)),
    ),
)

GERMAN = {"Accept-Language": "de"}
STORED, MISSING = (
    header("Cache-Status", "fastgate; hit"),
    header("Cache-Status", "fastgate; fwd=uri-miss"),
)

STORED_RESPONSES = Chapter(
    "Who shares a stored response",
    (
        Check("GET /price-lists/retail", 200, (STORED,), times=2),
        Check("GET /price-lists/retail", 200, (MISSING, member("language", "de")), headers=GERMAN),
        Check("GET /price-lists/members", 401, (PROBLEM,)),
        Check("GET /price-lists/members", 200, (MISSING,), token="reader"),
        Check(
            "GET /price-lists/members", 200, (STORED,), (logged("cache", "hit"),), token="writer"
        ),
        Check("GET /price-lists/negotiated", 200, (member("lantern", 38),), token="reader"),
        Check("GET /price-lists/negotiated", 200, (MISSING, member("lantern", 30)), token="staff"),
        Check("GET /price-lists/negotiated", 200, (STORED, member("lantern", 38)), token="guest"),
        Check("GET /price-lists/negotiated", 403, (FORBIDDEN,), token="partner's buyer"),
        Check("POST /price-lists", 403, (FORBIDDEN,), token="reader"),
        Check("GET /price-lists/retail", 200, (STORED,), headers={"Fastgate-Purge": "prices"}),
        Check("POST /price-lists", 204, (without("Fastgate-Purge"),), token="staff"),
        Check("GET /price-lists/retail", 200, (MISSING,), note="purged"),
        Check("GET /price-lists/members", 200, (MISSING,), token="writer", note="purged"),
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
                header("X-Robots-Tag", "noindex"),
                without("X-Instance"),
            ),
            token="keeper of two shops",
            headers=FIVE_PAGES,
            note="costs 5 of 10",
        ),
        Check(
            "GET /exports/orders.csv",
            429,
            (problem("too-many-requests"), RETRY_AFTER, header("RateLimit", '"pages";r=0;')),
            token="keeper of two shops",
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
            times=5,  # one more than the limit
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
