"""The lines that `demo` prints to paste into another terminal, and what each is answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from layout import EDGE, url


@dataclass(frozen=True)
class Line:
    comment: str
    command: str
    statuses: Sequence[int] = ()  # of the answers, in order
    source: str = ""  # the client's own address, where it is not the usual one

    def remark(self) -> str:
        answered = ", ".join(map(str, self.statuses))
        return f"# {answered}: {self.comment}" if answered else f"# {self.comment}"


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
        calls(200, "anyone may", "/"),
        calls(401, "who is it?", "/me"),
        fetches("TOKEN", "demo-reader", "a token from the provider, good for ten minutes"),
        calls(200, "the origin knows the caller", "/me", bearing("TOKEN")),
        calls(
            200,
            "still demo-reader; what a client claims to be never gets through",
            "/me",
            bearing("TOKEN"),
            "-H 'Fastgate-Identity: admin'",
        ),
    ),
)
RULES = Group(
    "May they",
    (
        calls(403, "the token lacks orders:write", "/orders", POST, bearing("TOKEN")),
        fetches("KEEPER", "demo-keeper", "she keeps the shop lumen"),
        calls(
            200,
            "her shop (and in the log: would-refuse, of a rule that is only tried)",
            "/shops/lumen/stock",
            bearing("KEEPER"),
        ),
        calls(403, "somebody else's shop", "/shops/ember/stock", bearing("KEEPER")),
        fetches("BUYER", "partner-buyer", "from a partner's provider"),
        calls(200, "its buyers are welcome here", "/wholesale/prices", bearing("BUYER")),
    ),
)
PLACES = Group(
    "From where (macOS first needs `sudo ifconfig lo0 alias 127.0.0.8`, and 127.0.0.16)",
    (
        calls(451, "nothing is delivered there", "/orders", POST, source="127.0.0.8"),
        calls(403, "offers hold in Europe", "/offers", source="127.0.0.16"),
    ),
)
REQUESTS = Group(
    "Not too often, not like that, not now",
    (
        Line(
            "five pages each, of ten a minute",
            f"for n in 1 2 3; do {curl(EXPORT, bearing('KEEPER'), '-H X-Pages:5')}; done",
            (200, 200, 429),
        ),
        calls(200, "the origin knows it as /orders/7", "/v1/orders/7", bearing("TOKEN")),
        calls(
            204,
            "the edge answers a browser's preflight",
            "/orders",
            "-X OPTIONS",
            "-H 'Origin: http://localhost:5173'",
            "-H 'Access-Control-Request-Method: POST'",
        ),
        calls(503, "closed for maintenance", "/gift-cards", POST),
    ),
)
PROOFS = Group(
    "A stolen token is no use",
    (
        fetches("STAFF", "demo-staff --bound", "bound to the key in local/dpop-key.json"),
        calls(401, "the token alone", REFUND, POST, bearing("STAFF")),
        Line(
            "a proof that the key is here, for one request",
            f'PROOF=$(node dev/idp/proof.mjs POST {url(EDGE, REFUND)} "$STAFF")',
        ),
        calls(
            200,
            "with the proof; send it again, and it is 401",
            REFUND,
            POST,
            "-H 'Idempotency-Key: 1'",
            '-H "Authorization: DPoP $STAFF"',
            '-H "DPoP: $PROOF"',
        ),
    ),
)
REASONS = Group(
    "Why was that?",
    (
        Line(
            "the same walk at the desk, room by room, without a server",
            'cargo run -q -- explain --issuer dev --claims \'{"shop": "lumen"}\' /shops/ember/stock',
        ),
    ),
)

GROUPS = (IDENTITY, RULES, PLACES, REQUESTS, PROOFS, REASONS)
