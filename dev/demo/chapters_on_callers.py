"""Checks of callers: identity, access and place."""

from callers import GARBAGE
from checks import Chapter, Check
from shop import LANTERN, ORDER
from traits import CHALLENGE, PROBLEM, challenge_error, logged, member, problem

INVALID_TOKEN = challenge_error("invalid_token")
INSUFFICIENT_SCOPE = challenge_error("insufficient_scope")
FORBIDDEN = problem("forbidden")

# From dev/places.json. The last two have no country, and one of them is in dev/blocked.json.
PYONGYANG, NEW_YORK = "127.0.0.8", "127.0.0.16"
BLOCKED, NOWHERE = "127.0.0.66", "127.0.0.99"

IDENTITY = Chapter(
    "Who is calling",
    (
        Check("GET /", 200),
        Check("GET /me", 401, (CHALLENGE, PROBLEM)),
        Check("GET /me", 200, (member("subject", "demo-reader"),), token="reader"),
        Check("GET /me", 200, (member("subject", "demo-es256"),), token="reader, ES256"),
        Check("GET /me", 401, (INVALID_TOKEN, PROBLEM), token="reader of other API"),
        Check("GET /me", 401, (INVALID_TOKEN, PROBLEM), token=GARBAGE),
        Check(f"GET /items/{LANTERN}", 200, (member("price", 50),)),
        Check(f"GET /items/{LANTERN}", 200, (member("price", 40),), token="reader"),
        Check(
            f"GET /items/{LANTERN}",
            200,
            (member("price", 50),),
            (logged("credentials_ignored", "token-malformed"),),
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
            (member("shop_of_caller", "lumen"),),
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
        Check("GET /shops/ember/stock", 200, (member("shop_of_caller", None),), token="staff"),
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
