"""The lines that `demo` prints to paste into another terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from layout import EDGE, url


@dataclass(frozen=True)
class Line:
    comment: str
    command: str


@dataclass(frozen=True)
class Group:
    title: str
    lines: Sequence[Line]


def call(path: str, *options: str) -> str:
    return " ".join(("curl -i", *options, url(EDGE, path)))


def token_of(client: str, options: str = "") -> str:
    return f"$(node dev/idp/token.mjs {client}{options})"


def bearing(variable: str) -> str:
    return f'-H "Authorization: Bearer ${variable}"'


REFUND = "/orders/7/refund"

GROUPS = (
    Group(
        "Who is calling",
        (
            Line("200: anyone may", call("/")),
            Line("401: who is it?", call("/me")),
            Line(
                "a token from the provider, good for ten minutes",
                f"TOKEN={token_of('demo-reader')}",
            ),
            Line("200: the origin knows the caller", call("/me", bearing("TOKEN"))),
            Line(
                "200, still demo-reader: what a client claims to be never gets through",
                call("/me", bearing("TOKEN"), "-H 'Fastgate-Identity: admin'"),
            ),
        ),
    ),
    Group(
        "May they",
        (
            Line("403: it lacks orders:write", call("/orders", bearing("TOKEN"), "-X POST")),
            Line("she keeps the shop lumen", f"KEEPER={token_of('demo-keeper')}"),
            Line(
                "200; below, shadow=would-refuse: a rule that is only tried",
                call("/shops/lumen/stock", bearing("KEEPER")),
            ),
            Line("403: somebody else's shop", call("/shops/ember/stock", bearing("KEEPER"))),
            Line("another provider's", f"BUYER={token_of('partner-buyer')}"),
            Line("200: for buyers of partners", call("/wholesale/prices", bearing("BUYER"))),
        ),
    ),
    Group(
        "From where (macOS needs `sudo ifconfig lo0 alias 127.0.0.8` first, and 127.0.0.16)",
        (
            Line("451: not from there", call("/orders", "--interface 127.0.0.8", "-X POST")),
            Line("403: Europe only", call("/offers", "--interface 127.0.0.16")),
        ),
    ),
    Group(
        "Not too often, not like that, not now",
        (
            Line(
                "200, 200, 429: five pages each, ten a minute",
                "for n in 1 2 3; do"
                f" {call('/exports/orders.csv', bearing('KEEPER'), '-H X-Pages:5')}; done",
            ),
            Line("200: the origin knows it as /orders/7", call("/v1/orders/7", bearing("TOKEN"))),
            Line(
                "204: the edge answers a browser's preflight",
                call(
                    "/orders",
                    "-X OPTIONS",
                    "-H 'Origin: http://localhost:5173'",
                    "-H 'Access-Control-Request-Method: POST'",
                ),
            ),
            Line("503: closed for maintenance", call("/gift-cards", "-X POST")),
        ),
    ),
    Group(
        "A stolen token is no use",
        (
            Line(
                "bound to the key in local/dpop-key.json",
                f"STAFF={token_of('demo-staff', ' --bound')}",
            ),
            Line("401: the token alone", call(REFUND, bearing("STAFF"), "-X POST")),
            Line(
                "a proof for one request",
                f'PROOF=$(node dev/idp/proof.mjs POST {url(EDGE, REFUND)} "$STAFF")',
            ),
            Line(
                "200; once more: 401",
                call(
                    REFUND,
                    '-H "Authorization: DPoP $STAFF"',
                    '-H "DPoP: $PROOF"',
                    "-H 'Idempotency-Key: 1'",
                    "-X POST",
                ),
            ),
        ),
    ),
    Group(
        "Why was that?",
        (
            Line(
                "the same walk at the desk, without a server",
                "cargo run -q -- explain --issuer dev"
                """ --claims '{"shop": "lumen"}' /shops/ember/stock""",
            ),
        ),
    ),
)
