"""The doctor finds every hole, and none where there is none."""

import base64
import importlib
import json
import socket
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Literal

import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import Caller, Settings, guard
from fastgate.__main__ import main
from fastgate.doctor import Finding, examine
from fastgate.forgeries import Believed
from fastgate.route import RouteCheck
from fastgate.stand_in import SigningKey
from fastgate.testing import EdgeDoctor
from fastgate.verify import _base64url, _json_object
from tests.edge import AUDIENCE, ISSUER, Edge
from tests.serving import JwksServer, uvicorn_serving

Served = Callable[[ASGIApp], list[Finding]]


def names(found: list[Finding], *, ok: bool) -> set[str]:
    return {finding.forgery for finding in found if finding.ok is ok}


def guarded(settings: Settings) -> FastAPI:
    app = FastAPI()

    @app.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    guard(app, settings)
    return app


@pytest.fixture
def signing_key(edge: Edge) -> SigningKey:
    return SigningKey(edge.private_key)


def believed(edge: Edge, key: SigningKey | None) -> Believed:
    return Believed(ISSUER, AUDIENCE, "/me", "/me", edge.jwks, key)


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("knows_the_key", [True, False])
def test_a_guarded_app_refuses_the_whole_matrix(
    edge: Edge, signing_key: SigningKey, http: Literal["h11", "httptools"], knows_the_key: bool
) -> None:
    with uvicorn_serving(guarded(edge.settings()), http=http) as (host, port):
        url = f"http://{host}:{port}"
        key = signing_key if knows_the_key else None
        found = examine(url, believed(edge, key), direct=[url])
    assert len(found) > 70
    assert names(found, ok=False) == set()


def _nothing(*_checked: object) -> None:
    pass


def _yes(check: RouteCheck, _template: str | None, **_route: bool) -> None:
    check.done = True


class Careless:
    """An app that believes whatever the header says, if there is one at all.

    Args:
        check: what it does look at, given the payload it decoded and the scope; all of it if None.

    """

    def __init__(self, check: Callable[[dict[str, object], Scope], bool] | None = None) -> None:
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        if scope["type"] != "http":
            return
        allowed = self._check is None or self._check(_payload(scope), scope)
        await PlainTextResponse("served", 200 if allowed else 401)(scope, receive, send)


def _payload(scope: Scope) -> dict[str, object]:
    headers = dict(scope["headers"])
    body = headers.get(b"fastgate-identity", b"").split(b".")[1:2]
    try:
        payload = json.loads(base64.urlsafe_b64decode(body[0] + b"=="))
    except (IndexError, ValueError):
        return {}
    return payload if isinstance(payload, dict) else {}


@pytest.fixture
def examined(edge: Edge, signing_key: SigningKey) -> Served:
    def run(app: ASGIApp) -> list[Finding]:
        with uvicorn_serving(app) as (host, port):
            return examine(f"http://{host}:{port}", believed(edge, signing_key))

    return run


def test_an_app_without_a_door_has_every_hole(examined: Served) -> None:
    found = examined(Careless())
    assert names(found, ok=True) == {"control: a good header"}


def test_an_app_that_looks_at_nothing_but_the_payload_has_the_other_holes(examined: Served) -> None:
    found = examined(Careless(lambda payload, _scope: "sub" in payload))
    let_in = names(found, ok=False)
    assert "no header" not in let_in
    assert let_in >= {
        *("alg none, unsigned", "unknown kid", "a changed payload", "two headers, both good"),
        *("expired", "from the future", "wrong audience", "wrong path", "wrong route"),
        *("replayed on another path", "a provider's token in its place", "typ JWT"),
    }


def test_an_app_that_forgets_one_check_has_that_hole(examined: Served) -> None:
    def all_but_the_path(payload: dict[str, object], scope: Scope) -> bool:
        return payload.get("aud") == AUDIENCE and scope["query_string"] == b""

    let_in = names(examined(Careless(all_but_the_path)), ok=False)
    assert "replayed on another path" in let_in
    assert not let_in & {"wrong audience", "replayed with another query"}


@pytest.mark.parametrize(
    ("check", "instead", "holes"),
    [
        ("fastgate.verify._check_time", _nothing, {"expired", "from the future"}),
        (
            "fastgate.verify._check_request",
            _nothing,
            {
                *("wrong path", "wrong method", "wrong query", "replayed by another method"),
                "replayed with another query",
            },
        ),
        ("fastgate.middleware._only", lambda found: [*found, b""][0], {"two headers, both good"}),
        ("fastgate.route.RouteCheck.fault", _yes, {"wrong route"}),
        (
            "fastgate.verify._checked_header",
            lambda segment: itemgetter("alg", "kid")(_json_object(_base64url(segment))),
            {"typ JWT", "no typ", "typ at+jwt"},
        ),
    ],
)
def test_the_door_without_one_of_its_checks_has_that_hole(
    edge: Edge,
    examined: Served,
    monkeypatch: pytest.MonkeyPatch,
    check: str,
    instead: object,
    holes: set[str],
) -> None:
    monkeypatch.setattr(check, instead)
    let_in = names(examined(guarded(edge.settings())), ok=False)
    assert let_in >= holes
    assert not let_in & {"no header", "unknown kid", "a changed payload", "wrong audience"}


def test_an_origin_that_refuses_everything_proves_nothing(examined: Served) -> None:
    found = examined(Careless(lambda _payload, _scope: False))
    assert "control: a good header" in names(found, ok=False)


def test_nobody_at_the_address_is_as_good_as_a_refusal(edge: Edge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        host, port = unused.getsockname()
    found = examine(f"http://{host}:{port}", believed(edge, None))
    assert names(found, ok=False) == set()
    assert {finding.answer for finding in found} == {"no answer (ConnectionRefusedError)"}


def test_it_examines_an_app_from_within_a_test(edge_doctor: EdgeDoctor) -> None:
    app = guarded(Settings(edge="https://api.example.com", audience="orders"))
    with uvicorn_serving(app) as (host, port):
        found = edge_doctor(app, f"http://{host}:{port}", "/me")
    assert names(found, ok=False) == set()
    assert "control: a good header" in names(found, ok=True)


# The command, against the demo.


@pytest.fixture
def demo(jwks_server: JwksServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("FASTGATE_EDGE", jwks_server.origin)
    module = importlib.import_module("demo.app")
    with uvicorn_serving(importlib.reload(module).app) as (host, port):
        yield f"http://{host}:{port}"


def arguments(demo: str, edge: str, *more: str) -> list[str]:
    named = ["--origin", demo, "--edge", edge, "--audience", "demo-api", "--path", "/me"]
    return ["doctor", *named, *more]


def test_the_demo_refuses_everything(
    demo: str,
    edge: Edge,
    jwks_server: JwksServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = edge.private_key.private_numbers().private_value.to_bytes(32)
    jwk = {**edge.jwk, "d": base64.urlsafe_b64encode(secret).rstrip(b"=").decode()}
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [jwk]}))
    more = ["--signing-keys", str(keys), "--direct", demo]
    assert main(arguments(demo, jwks_server.origin, *more)) == 0
    table = capsys.readouterr().out
    assert "ok    control: a good header" in table
    assert table.endswith(" requests, 0 not answered as they must be\n")


def test_the_findings_are_json_for_machines(
    demo: str, jwks_server: JwksServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(demo, jwks_server.origin, "--json")) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert {"forgery", "where", "answer", "ok"} == document["findings"][0].keys()


def test_a_hole_is_a_failure(jwks_server: JwksServer, capsys: pytest.CaptureFixture[str]) -> None:
    with uvicorn_serving(Careless()) as (host, port):
        assert main(arguments(f"http://{host}:{port}", jwks_server.origin)) == 1
    assert "HOLE  no header " in capsys.readouterr().out


def test_without_the_edges_keys_the_call_is_wrong(
    jwks_server: JwksServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jwks_server.status = 500
    assert main(arguments("http://127.0.0.1:1", jwks_server.origin)) == 2
    assert "publishes no keys" in capsys.readouterr().err
    wrong = tmp_path / "keys.json"
    wrong.write_text('{"keys": []}')
    more = ["--signing-keys", str(wrong)]
    assert main(arguments("http://127.0.0.1:1", jwks_server.origin, *more)) == 2
