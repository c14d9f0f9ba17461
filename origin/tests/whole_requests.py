"""Whole requests through the real edge and a real, guarded app, and the comparison of both.

The edge is the library of this repository, in the program `dev/decide.rs`: it verifies the caller's
token, decides by the policy that the app compiles to, and signs the header. The app gets exactly
what the edge forwards, through one of uvicorn's parsers.

A second edge has the same routes without their requirements. The app gets what that one forwards
where the first one refuses a caller, so that `requires(…)` has to refuse the same callers.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from starlette.routing import compile_path
from starlette.types import Message
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fastgate import Settings
from fastgate.dependencies import CallerRefused
from fastgate.guard import refusal_response
from fastgate.keys.origin import PrivateKey
from fastgate.middleware import FastgateMiddleware
from fastgate.routes.framework import WEBSOCKET
from tests.generated import GeneratedApp, Seen, generated_app, generated_target
from tests.generated_tokens import (
    NOW,
    Issuer,
    Token,
    facts_in,
    facts_of,
    forwarded_claims,
    generated_token,
    is_forwardable,
    issuers,
)
from tests.test_edge_agrees import below_an_earlier_mount, decisions, read_by

REQUESTS = 200
"""The number of requests to each app."""
HOSTS = {
    "edge.example": "edge.example",
    "EDGE.Example": "edge.example",
    "edge.example:443": "edge.example:443",
    "Edge.example:8443": "edge.example:8443",
    "api.example:9000": "api.example:9000",
    "api.EXAMPLE:9000": "api.example:9000",
    "[2001:db8::1]": "[2001:db8::1]",
    "[2001:DB8::1]:8443": "[2001:db8::1]:8443",
    "api.example": None,
    "edge.example:80": None,
    "edge.example.": None,
    "other.example": None,
    "edge.example@other.example": None,
    "edge.example, edge.example": None,
    "": None,
}
"""The hosts that clients name, and what origins learn; None is a host that the edge refuses."""
BACKEND = "backend.internal"
"""The name of the backend, which a WebSocket has in `Host`: Fastly hands it over so."""
COMMON = ("edge.example", "edge.example", "edge.example", "EDGE.Example", "api.example:9000")
METHODS = ("HEAD", "OPTIONS", "PROPFIND", "get", "QUERY", "TRACE", "DELETE")
QUERIES = (
    "",
    "",
    "",
    "?",
    "?a=1",
    "?a=1&a=2",
    "?%41=%zz",
    "?x=é",
    "?a=b?c/d",
    "?;&=",
    "?a+b=%2B%00",
)
HANDSHAKE = (
    ("connection", "Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
)
REFUSED_BY_RULES = frozenset(
    {
        *("credentials-missing", "token-unbound", "insufficient-scope", "condition-unmet"),
        "authentication-insufficient",
    }
)
"""The verdicts of the edge for which the app's own `requires(…)` refuses as well."""


@dataclass(frozen=True)
class Request:
    """What a client sends."""

    method: str
    """`WEBSOCKET` for an opening handshake."""
    target: str
    host: str
    token: Token | None

    def line(self) -> dict[str, Any]:
        """Return the request as `dev/decide.rs` reads it."""
        fields = [("host", self.host)]
        if self.method == WEBSOCKET:
            fields += HANDSHAKE
        if self.token is not None:
            fields.append(("authorization", f"Bearer {self.token.compact}"))
        method = "GET" if self.method == WEBSOCKET else self.method
        certificate = self.token.certificate if self.token else None
        line = {"method": method, "target": self.target, "headers": fields}
        return line if certificate is None else {**line, "certificate": certificate}


@dataclass
class Ran:
    """What became of a request at the app."""

    status: int
    ran: list[str]
    seen: list[Seen]


def agree(seed: int, number: int) -> Counter[str]:
    """Compare edge and app for one generated app and this many requests; return what was seen.

    Raises:
        AssertionError: they disagree. The message has the seed and the request.

    """
    dice = Random(seed)  # noqa: S311
    generated = generated_app(dice, requiring=True)
    known = issuers(dice)
    own = PrivateKey(X25519PrivateKey.from_private_bytes(dice.randbytes(32)))
    by_mac = dice.random() < 0.5
    policy = policy_of(generated, known, own if by_mac else None)
    requests = [generated_request(dice, generated, known) for _ in range(number)]
    keys = {issuer.id: issuer.jwks for issuer in known}
    lines = [request.line() for request in requests]
    strict, lenient = {"policy": policy, "keys": keys}, {"policy": lenient_of(policy), "keys": keys}
    first, *decided = decisions([strict, *lines, lenient, *lines])
    assert first["faults"] == [], f"seed {seed}: {first}"
    assert decided[number]["faults"] == [], f"seed {seed}: {decided[number]}"

    app = generated.app
    app.add_exception_handler(CallerRefused, refusal_response)
    settings = Settings(
        edge=str(policy["edge"]["issuer"]),
        audience="orders",
        keys=first["jwks"],
        origin_key=own.private_jwk if by_mac else None,
    )
    app.add_middleware(FastgateMiddleware, settings=settings, now=lambda: NOW)
    judged = zip(requests, decided[:number], decided[number + 1 :], strict=True)
    return asyncio.run(_compare_all(_Comparison(seed, dice, generated, policy), judged))


async def _compare_all(comparison: "_Comparison", judged: Any) -> Counter[str]:  # noqa: ANN401
    for request, decision, without_rules in judged:
        await comparison.compare(request, decision, without_rules)
    return comparison.count


def policy_of(
    generated: GeneratedApp, known: Sequence[Issuer], key: PrivateKey | None
) -> dict[str, Any]:
    """Return the policy of an app's edge."""
    origin: dict[str, object] = {"backend": "origin", "audience": "orders"}
    if key is not None:
        origin["key"] = key.public_jwk
    return {
        "edge": {
            "issuer": "https://edge.example:8443",
            "hosts": ["edge.example", "api.example:9000", "[2001:db8::1]"],
            "forward": [{"claim": "email"}],
        },
        "origins": {"app": origin},
        "issuers": {issuer.id: issuer.document for issuer in known},
        "routes": generated.routes,
    }


def lenient_of(policy: dict[str, Any]) -> dict[str, Any]:
    """Return the same policy without the requirements of its routes."""
    dropped = ("scopes", "require", "require_bound", "authentication")
    routes = [
        {name: value for name, value in route.items() if name not in dropped}
        | ({"access": "optional"} if route["access"] == "authenticated" else {})
        for route in policy["routes"]
    ]
    return {**policy, "routes": routes}


def generated_request(dice: Random, generated: GeneratedApp, known: list[Issuer]) -> Request:
    """Make a request; most have a route, a known host and a token."""
    method, target = generated_target(dice, generated.routes, ())
    if dice.random() < 0.1:
        method = dice.choice(METHODS)
    host = dice.choice(COMMON) if dice.random() < 0.85 else dice.choice([*HOSTS])
    near = unquote(target, errors="replace").split("/")
    token = generated_token(dice, known, near) if dice.random() < 0.9 else None
    return Request(method, target + dice.choice(QUERIES), host, token)


class _Comparison:
    """The comparison of edge and app for one app."""

    def __init__(
        self, seed: int, dice: Random, generated: GeneratedApp, policy: dict[str, Any]
    ) -> None:
        self.seed, self.dice, self.generated = seed, dice, generated
        self.forward = policy["edge"]["forward"]
        self.routes: dict[str, dict[str, Any]] = {
            str(each["id"]): each for each in generated.routes
        }
        self.count = Counter[str]()

    async def compare(
        self, request: Request, decision: dict[str, Any], without_rules: dict[str, Any]
    ) -> None:
        """Compare what one request becomes at the edge and at the app."""
        shown = {name: value for name, value in decision.items() if name != "headers"}
        about = f"seed {self.seed}: {request} is {shown}"
        self.count["pairs"] += 1
        self.count["a token with a fault"] += bool(request.token and request.token.fault)
        if "refusal" in decision:
            self.count[decision["refusal"]] += 1
            self._check_refusal(request, decision, about)
            route = self.routes.get(without_rules.get("route", ""), {})
            if route.get("access") == "authenticated":
                await self._app_refuses(decision, without_rules, about)
            return
        self.count["forwarded"] += 1
        assert "refusal" not in without_rules, about
        await self._app_accepts(request, decision, about)
        if self.dice.random() < 0.15:
            await self._app_refuses_altered(decision, about)

    def _check_refusal(self, request: Request, decision: dict[str, Any], about: str) -> None:
        """Check that a refusal has a cause in the request, and that the edge names it."""
        verdict, token = decision["refusal"], request.token
        assert (HOSTS[request.host] is None) == verdict.startswith("host-"), about
        if verdict == "credentials-missing":
            assert token is None, about
        elif decision.get("status") == 401 and verdict not in REFUSED_BY_RULES:
            assert token, about
            assert token.fault, about

    async def _app_accepts(self, request: Request, decision: dict[str, Any], about: str) -> None:
        route = self.routes[decision["route"]]
        path, _, query = decision["target"].partition("?")
        path = unquote(path)
        received = await self._sent(decision)
        if not received.ran and below_an_earlier_mount(self.generated, route["id"], path):
            # The guard refuses what the mount runs; a mounted router refuses what it does not have.
            self.count["below a mount"] += 1
            if not decision["websocket"]:
                assert received.status in (401, 404, 405), f"{about}; the app: {received}"
            return
        about = f"{about}; the app: {received}"
        assert received.ran == [route["id"]], about
        assert received.status < 400, about
        (seen,) = received.seen
        host = HOSTS[request.host]
        # An opening handshake at a route that is none arrives as a GET.
        is_get = request.method == WEBSOCKET and not decision["websocket"]
        assert seen.method == ("GET" if is_get else request.method), about
        assert seen.host == [BACKEND if decision["websocket"] else host], about
        pattern, _, convertors = compile_path(route["path"])
        if not route["path"].endswith("{path:path}"):
            matched = pattern.match(path)
            assert matched, about
            values = {
                name: convertors[name].convert(text) for name, text in matched.groupdict().items()
            }
            assert seen.parameters == values, about
        self.count["a query"] += query != ""
        self.count["another host"] += host != "edge.example"
        token, caller = request.token, seen.caller
        if route["access"] == "public" or token is None or token.fault:
            assert caller is None, about
            assert route["access"] != "authenticated", about
            self.count["anonymous"] += 1
            return
        forward = [*self.forward, *token.issuer.forward, *route.get("forward", [])]
        assert caller is not None, about
        claims = forwarded_claims(token, forward)
        assert all(map(is_forwardable, claims.values())), about
        assert facts_of(caller) == facts_in(token, forward), about
        assert (caller.host, caller.route) == (host, route["id"]), about
        assert caller.client.country == "CH", about
        self.count["known"] += 1
        self.count["claims"] += sum(value is not None for value in claims.values())
        self.count["bound"] += caller.confirmation is not None
        self.count["rules met"] += bool({"require", "authentication", "require_bound"} & {*route})

    async def _app_refuses(
        self, decision: dict[str, Any], without_rules: dict[str, Any], about: str
    ) -> None:
        """Send what an edge without the rules of the app forwards."""
        received = await self._sent(without_rules)
        assert received.ran == [], f"{about}; the app: {received}"
        path = unquote(without_rules["target"].partition("?")[0])
        if below_an_earlier_mount(self.generated, without_rules["route"], path):
            return
        if not without_rules["websocket"]:
            assert received.status == decision["status"], f"{about}; the app: {received}"
        self.count["refused by both"] += 1

    async def _app_refuses_altered(self, decision: dict[str, Any], about: str) -> None:
        """Send the header of one request with another request."""
        fields = [[name, value] for name, value in decision["headers"] if name != "host"]
        (host,) = (value for name, value in decision["headers"] if name == "host")
        path, _, query = decision["target"].partition("?")
        by_host = [
            {"headers": [*fields, ["host", name]]}
            for name in ("api.example", host.upper(), f"{host}:443", BACKEND)
            if name != host
        ]
        altered: dict[str, Any] = self.dice.choice(
            [
                {"headers": [*fields, ["host", host], ["host", host]]},
                {"headers": [["host", host]]},
                {"method": "PUT" if decision["method"] != "PUT" else "GET", "websocket": False},
                {"websocket": not decision["websocket"], "method": "GET"},
                {"target": f"{path}x?{query}" if query else f"{path}x"},
                {"target": f"{path}?{query}&y" if query else f"{path}?y"},
                # A WebSocket may have any one host.
                *([] if decision["websocket"] else by_host),
            ]
        )
        received = await self._sent({**decision, **altered})
        assert received.ran == [], f"{about}; altered by {altered}: {received}"
        if not {**decision, **altered}["websocket"]:
            assert received.status == 401, f"{about}; altered by {altered}: {received}"
        self.count["altered"] += 1

    async def _sent(self, forwarded: dict[str, Any]) -> Ran:
        """Send a forwarded request to the guarded app, through one of uvicorn's parsers."""
        hops = ("connection", "upgrade")
        fields = [field for field in forwarded["headers"] if field[0] not in hops]
        # h11 itself refuses two Hosts (RFC 9112 §3.2).
        hosts = sum(name == "host" for name, _ in fields)
        parser = self.dice.choice([H11Protocol, HttpToolsProtocol][hosts - 1 :])
        scope = read_by(parser, forwarded["method"], forwarded["target"], fields)
        if forwarded["websocket"]:
            scope = {**scope, "type": "websocket", "scheme": "ws", "subprotocols": []}
            del scope["method"]
            if hosts == 1:
                scope["headers"] = [
                    (name, BACKEND.encode() if name == b"host" else value)
                    for name, value in scope["headers"]
                ]
        ran = Ran(0, [], [])
        scope.update({"ran": ran.ran, "seen": ran.seen, "state": {}})
        received: list[Message] = [
            {"type": "websocket.connect"}
            if forwarded["websocket"]
            else {"type": "http.request", "body": b"", "more_body": False}
        ]

        async def receive() -> Message:
            return received.pop() if received else {"type": "websocket.disconnect", "code": 1000}

        async def send(message: Message) -> None:
            ran.status = message.get("status", ran.status)

        await self.generated.app(scope, receive, send)
        return ran
