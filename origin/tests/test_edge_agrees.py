"""The edge's matcher and the app's router choose the same route, for 100,000 generated pairs.

The edge is the library of this repository, in the program `dev/decide.rs`. The app reads the
forwarded request through both of uvicorn's parsers. Needs `cargo build --example decide`.
"""

import asyncio
import json
import os
import subprocess
from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.routing import compile_path
from starlette.types import Message, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from fastgate import EdgeClaims, Refused
from fastgate.claims import SCOPE_KEY
from fastgate.compile.endpoints.endpoint import Kind
from fastgate.routes.check import Comparing, RouteCheck, check_for
from fastgate.routes.dispatch import install
from fastgate.routes.framework import WEBSOCKET
from tests.edge import payload
from tests.generated import GeneratedApp, generated_app, generated_target

ROOT = Path(__file__).parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
DECIDE = TARGET / "debug" / "examples" / "decide"

SEEDS, APPS, REQUESTS = 10, 20, 560

pytestmark = pytest.mark.skipif(not DECIDE.exists(), reason="cargo build --example decide")


def decisions(lines: list[object]) -> list[dict[str, Any]]:
    """Return the edge's decisions about policies and requests."""
    text = "\n".join(map(json.dumps, lines))
    ran = subprocess.run([DECIDE], input=text, capture_output=True, text=True, check=True)  # noqa: S603
    return [json.loads(line) for line in ran.stdout.splitlines()]


def policy_of(generated: GeneratedApp) -> dict[str, object]:
    return {
        "edge": {"issuer": "https://edge.example", "hosts": ["edge.example"]},
        "origins": {"app": {"backend": "origin", "audience": "orders"}},
        "issuers": {
            "idp": {"issuer": "https://idp.example", "backend": "idp", "audiences": ["orders"]}
        },
        "routes": generated.routes,
    }


@pytest.mark.parametrize("seed", range(SEEDS))
def test_edge_and_app_choose_the_same_route(seed: int) -> None:
    """Judge a tenth of the pairs by the edge and by the app."""
    dice = Random(seed)  # noqa: S311
    apps = [generated_app(dice) for _ in range(APPS)]
    lines: list[object] = []
    pairs: list[tuple[GeneratedApp, str] | None] = []
    for generated in apps:
        lines.append({"policy": policy_of(generated)})
        pairs.append(None)
        for _ in range(REQUESTS):
            method, target = generated_target(dice, generated.routes)
            socket = method == WEBSOCKET
            request = {"method": "GET" if socket else method, "target": target, "websocket": socket}
            lines.append(request)
            pairs.append((generated, method))

    seen: Counter[str] = Counter()
    for pair, line, decision in zip(pairs, lines, decisions(lines), strict=True):
        if pair is None:
            assert decision == {"faults": []}
        elif "path" in decision:
            seen["pairs"] += 1
            seen[decision.get("refusal", "routed")] += 1
            seen["oddly spelled"] += decision["path"] != line["target"]  # type: ignore[index]
            became = compare(*pair, decision)
            seen[became] += 1
            seen["handshake ran"] += (pair[1], became) == (WEBSOCKET, "ran")
    for generated in apps:
        compare_rules(generated)
        seen["left out"] += generated.left_out
    assert seen["pairs"] >= 100_000 / SEEDS, seen
    assert seen["routed"] > seen["pairs"] / 3, seen
    assert seen["no-route"] > seen["pairs"] / 20, seen
    assert seen["method-not-allowed"] > seen["pairs"] / 50, seen
    assert seen["oddly spelled"] > seen["pairs"] / 4, seen
    assert seen["handshake ran"] > seen["pairs"] / 100, seen
    assert 0 < seen["below a mount"] < seen["ran"] / 10, seen


def compare(generated: GeneratedApp, method: str, decision: dict[str, Any]) -> str:
    """Let the app dispatch all requests, forwarded or not; return what ran."""
    forwarded = f"{method} {decision['path']}"
    scopes = [
        read_by(parser, "GET" if method == WEBSOCKET else method, decision["path"])
        for parser in (H11Protocol, HttpToolsProtocol)
    ]
    first, second = ({**scope, "headers": []} for scope in scopes)
    assert first == second, f"h11 and httptools differ on {forwarded}"
    assert first["raw_path"] == decision["path"].encode(), forwarded

    if method == WEBSOCKET:
        first = {**first, "type": "websocket", "scheme": "ws", "subprotocols": []}
        del first["method"]
    ran, check = dispatched(generated.app, first, decision.get("template"))
    if "route" not in decision:
        assert ran == [], f"the edge knows no route, the app ran {ran}: {forwarded}"
        return "refused"
    name = decision["route"]
    if not ran and below_an_earlier_mount(generated, name, first["path"]):
        return "below a mount"
    assert ran == [name], f"the edge judged {decision['route']}, the app ran {ran}: {forwarded}"
    assert check.done, forwarded
    return "ran"


def below_an_earlier_mount(generated: GeneratedApp, name: str, path: str) -> bool:
    """Whether a mount in front of this endpoint takes the path and responds itself."""
    for endpoint in generated.endpoints:
        if endpoint.name == name and endpoint.kind is not Kind.MOUNT:
            return False
        if endpoint.kind is Kind.MOUNT and compile_path(endpoint.template)[0].match(path):
            return True
    return False


def compare_rules(generated: GeneratedApp) -> None:
    """Every endpoint's callers are those that it declares."""
    served = set()
    for route in generated.routes:
        name = str(route["id"])
        rules = generated.rules[name]
        served.add(name)
        assert route["access"] == rules.access, name
        assert set(route.get("scopes", [])) == set(rules.scopes), name  # type: ignore[call-overload]
    assert served


class _Transport(asyncio.Transport):
    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 8000) if name in ("sockname", "peername") else default

    def write(self, data: object) -> None:
        raise AssertionError(f"the parser responds itself: {data!r}")

    def is_closing(self) -> bool:
        return False


class _Loop:
    """A loop that runs nothing: the parser has already stored the request in its scope."""

    def create_task(self, coroutine: Coroutine[Any, Any, None], **_: object) -> "_Done":
        coroutine.close()
        return _Done()

    def call_later(self, *_: object) -> None:
        return None


class _Done:
    def add_done_callback(self, _: object) -> None:
        pass


_CONFIG = uvicorn.Config(FastAPI(), log_config=None, lifespan="off", ws="none", proxy_headers=False)


def read_by(
    parser: type[Any],
    method: str,
    target: str,
    fields: Iterable[Sequence[str]] = (("Host", "edge.example"),),
) -> Scope:
    """Return the scope that a server makes of a request's bytes."""
    loop: Any = _Loop()
    protocol = parser(_CONFIG, ServerState(), {}, loop)
    protocol.connection_made(_Transport())
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    protocol.data_received("\r\n".join([*lines, "", ""]).encode())
    scope: Scope = dict(protocol.scope)
    return scope


def dispatched(app: FastAPI, scope: Scope, template: str | None) -> tuple[list[str], RouteCheck]:
    """Let the app's router choose; return the endpoints that ran, and the comparison."""

    async def refuse(_fault: Refused, _scope: Scope, _send: Send) -> None:
        pass

    async def receive() -> Message:
        if scope["type"] == "websocket":
            return {"type": "websocket.connect"}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Message) -> None:
        pass

    ran: list[str] = []
    signed = payload(template=template or "/", method=str(scope.get("method", "GET")))
    claims = EdgeClaims.parse({**signed, "scope": "a:read a:write b"})
    check = check_for(scope, claims.transaction if template is not None else None, refuse)
    scope.update({"ran": ran, SCOPE_KEY: claims})
    install()
    watching = nullcontext() if template is None else Comparing(check, scope)
    running: Any = app(scope, receive, send)
    try:
        with watching:
            running.send(None)
    except StopIteration:
        return ran, check
    raise AssertionError("the app waits for something")
