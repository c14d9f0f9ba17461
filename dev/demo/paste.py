"""The lines that `demo` prints to paste into another terminal, and the expected statuses."""

from collections.abc import Sequence
from dataclasses import dataclass

from layout import EDGE, url


@dataclass(frozen=True)
class Line:
    comment: str
    command: str
    statuses: Sequence[int] = ()  # of the responses, in order
    source: str = ""  # the client's address, if it is not the usual one

    def remark(self) -> str:
        statuses = ", ".join(map(str, self.statuses))
        return f"# {statuses}: {self.comment}" if statuses else f"# {self.comment}"


@dataclass(frozen=True)
class Group:
    title: str
    lines: Sequence[Line]


def calls(status: int, comment: str, path: str, *options: str, source: str = "") -> Line:
    origin = (f"--interface {source}",) if source else ()
    return Line(comment, curl(path, *origin, *options), (status,), source)


def curl(path: str, *options: str) -> str:
    return " ".join(("curl -i", *options, url(EDGE, path)))


def fetches(variable: str, client: str, comment: str) -> Line:
    return Line(comment, f"{variable}=$(node dev/idp/token.mjs {client})")


def bearing(variable: str) -> str:
    return f'-H "Authorization: Bearer ${variable}"'


POST = "-X POST"
EXPORT, REFUND = "/exports/orders.csv", "/orders/7/refund"

IDENTITY = Group(
    "Who is calling",
    (
        calls(200, "open to every caller", "/"),
        calls(401, "a token is required", "/me"),
        fetches("TOKEN", "demo-reader", "a token from the provider, valid for ten minutes"),
        calls(200, "the origin knows the caller", "/me", bearing("TOKEN")),
        calls(
            200,
            "still demo-reader: the edge removes a forged header",
            "/me",
            bearing("TOKEN"),
            "-H 'Fastgate-Identity: admin'",
        ),
    ),
)
RULES = Group(
    "Is the caller allowed",
    (
        calls(403, "the token lacks orders:write", "/orders", POST, bearing("TOKEN")),
        fetches("KEEPER", "demo-keeper", "the keeper of the shop lumen"),
        calls(
            200,
            "the keeper's own shop (the log shows would-refuse for a shadow rule)",
            "/shops/lumen/stock",
            bearing("KEEPER"),
        ),
        calls(403, "the shop of another keeper", "/shops/ember/stock", bearing("KEEPER")),
        fetches("BUYER", "partner-buyer", "from a partner's provider"),
        calls(200, "the partner's buyers are allowed", "/wholesale/prices", bearing("BUYER")),
    ),
)
PLACES = Group(
    "From where (macOS first needs `sudo ifconfig lo0 alias 127.0.0.8`, and 127.0.0.16)",
    (
        calls(451, "the shop does not deliver there", "/orders", POST, source="127.0.0.8"),
        calls(403, "the offers are for Europe only", "/offers", source="127.0.0.16"),
    ),
)
REQUESTS = Group(
    "Limits, rewrites, preflights, maintenance",
    (
        Line(
            "each request uses five of ten pages a minute",
            f"for n in 1 2 3; do {curl(EXPORT, bearing('KEEPER'), '-H X-Pages:5')}; done",
            (200, 200, 429),
        ),
        calls(200, "the edge rewrites the path to /orders/7", "/v1/orders/7", bearing("TOKEN")),
        calls(
            204,
            "the edge responds to a browser's preflight",
            "/orders",
            "-X OPTIONS",
            "-H 'Origin: http://localhost:5173'",
            "-H 'Access-Control-Request-Method: POST'",
        ),
        calls(503, "closed for maintenance", "/gift-cards", POST),
    ),
)
PROOFS = Group(
    "A stolen token is useless",
    (
        fetches("STAFF", "demo-staff --bound", "bound to the key in local/dpop-key.json"),
        calls(401, "the token without a proof", REFUND, POST, bearing("STAFF")),
        Line(
            "a proof of possession for one request",
            f'PROOF=$(node dev/idp/proof.mjs POST {url(EDGE, REFUND)} "$STAFF")',
        ),
        calls(
            200,
            "with the proof; the same proof again gives 401",
            REFUND,
            POST,
            "-H 'Idempotency-Key: 1'",
            '-H "Authorization: DPoP $STAFF"',
            '-H "DPoP: $PROOF"',
        ),
    ),
)
REASONS = Group(
    "Explain a decision",
    (
        Line(
            "the same pipeline, step by step, without a server",
            ".venv/bin/fastgate explain --issuer dev "
            '--claims \'{"shop": "lumen"}\' /shops/ember/stock',
        ),
    ),
)

GROUPS = (IDENTITY, RULES, PLACES, REQUESTS, PROOFS, REASONS)
