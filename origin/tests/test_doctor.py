"""The doctor reports every forged request that is let in, and no other."""

import base64
import importlib
import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Literal

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate import Caller, FastgateMiddleware, Settings, at_edge, guard, requester
from fastgate.__main__ import main
from fastgate.content import content_digest
from fastgate.declare.lookup import declared_on_route
from fastgate.doctor.examine import examine
from fastgate.doctor.probe import Target
from fastgate.doctor.report import Finding, Verdict, as_table, exit_code
from fastgate.fake_edge.signing import EdgeExchangeKey, EdgeKeys, SigningKey
from fastgate.keys.key_set import read_key_set
from fastgate.keys.origin import PrivateKey
from fastgate.keys.source import StaticKeys
from fastgate.routes.check import RouteCheck
from fastgate.testing import EdgeDoctor
from fastgate.verify import _base64url, _json_object
from tests.edge import AUDIENCE, ISSUER, Edge
from tests.serving import JwksServer, uvicorn_serving

Served = Callable[[ASGIApp], list[Finding]]


def names(found: list[Finding], *, ok: bool) -> set[str]:
    return {finding.probe for finding in found if finding.ok is ok}


def let_in_by(found: list[Finding]) -> set[str]:
    return {finding.probe for finding in found if finding.verdict is Verdict.LET_IN}


def guarded(settings: Settings) -> FastAPI:
    app = FastAPI()

    @app.get("/me")
    async def read_me(caller: Caller) -> str:
        return caller.subject

    guard(app, settings)
    return app


@pytest.fixture
def private_keys(edge: Edge) -> EdgeKeys:
    """Return the private keys of `edge`, which publishes both."""
    exchange = EdgeExchangeKey()
    edge.jwks = {"keys": [edge.jwk, exchange.jwk]}
    return EdgeKeys(SigningKey(edge.private_key), exchange)


@pytest.fixture
def own() -> PrivateKey:
    """Return the private key of an origin."""
    return PrivateKey(X25519PrivateKey.generate())


def target(edge: Edge, keys: EdgeKeys | None) -> Target:
    return Target(ISSUER, AUDIENCE, "/me", "/me", edge.jwks, keys)


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("knows_the_key", [True, False])
def test_a_guarded_app_refuses_the_whole_matrix(
    edge: Edge, private_keys: EdgeKeys, http: Literal["h11", "httptools"], knows_the_key: bool
) -> None:
    with uvicorn_serving(guarded(edge.settings()), http=http) as (host, port):
        url = f"http://{host}:{port}"
        keys = private_keys if knows_the_key else None
        found = examine(url, target(edge, keys), direct=[url])
    assert len(found) > 90
    assert names(found, ok=False) == set()


def _nothing(*_checked: object) -> None:
    pass


async def _understands() -> None: ...


def _yes(check: RouteCheck, *_chosen: object) -> None:
    check.done = True


class Careless:
    """An app that does not verify signatures.

    Args:
        check: whether to serve a request, by its decoded payload and its scope; None to serve all.

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
def examined(edge: Edge, private_keys: EdgeKeys) -> Served:
    def run(app: ASGIApp) -> list[Finding]:
        with uvicorn_serving(app) as (host, port):
            return examine(f"http://{host}:{port}", target(edge, private_keys))

    return run


def test_an_app_without_a_guard_lets_every_probe_in(examined: Served) -> None:
    found = examined(Careless())
    refused_by_h11 = {
        "replayed with two Hosts, the signed one first",
        "replayed with two Hosts, the signed one last",
    }
    assert names(found, ok=True) == {"control: a valid header"} | refused_by_h11


def test_an_app_that_reads_only_the_payload_lets_probes_with_a_payload_in(examined: Served) -> None:
    found = examined(Careless(lambda payload, _scope: "sub" in payload))
    let_in = let_in_by(found)
    assert "no header" not in let_in
    assert let_in >= {
        *("alg none, unsigned", "unknown kid", "a changed payload", "two headers, both valid"),
        *("expired", "from the future", "wrong audience", "wrong path", "wrong route"),
        *("replayed on another path", "a provider's token in its place", "typ JWT"),
    }


def test_an_app_without_one_check_lets_that_probe_in(examined: Served) -> None:
    def all_but_the_path(payload: dict[str, object], scope: Scope) -> bool:
        return payload.get("aud") == AUDIENCE and scope["query_string"] == b""

    let_in = let_in_by(examined(Careless(all_but_the_path)))
    assert "replayed on another path" in let_in
    assert not let_in & {"wrong audience", "replayed with another query"}


@pytest.mark.parametrize(
    ("check", "instead", "accepted"),
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
        (
            "fastgate.verify._check_host",
            _nothing,
            {"wrong host", "replayed with another Host"},
        ),
        ("fastgate.middleware.only", lambda found: [*found, b""][0], {"two headers, both valid"}),
        ("fastgate.routes.check.RouteCheck.fault", _yes, {"wrong route"}),
        (
            "fastgate.verify._checked_header",
            lambda segment: itemgetter("alg", "kid")(_json_object(_base64url(segment))),
            {
                *("typ JWT", "no typ", "typ at+jwt"),
                *("no ver", "ver 1", "ver 3", "ver in quotes", "ver in a list"),
            },
        ),
    ],
)
def test_a_guard_without_one_check_lets_that_probe_in(
    edge: Edge,
    examined: Served,
    monkeypatch: pytest.MonkeyPatch,
    check: str,
    instead: object,
    accepted: set[str],
) -> None:
    monkeypatch.setattr(check, instead)
    # An app with such a fault would not start.
    monkeypatch.setattr("fastgate.startup.understand_framework", _understands)
    let_in = names(examined(guarded(edge.settings())), ok=False)
    assert let_in >= accepted
    assert not let_in & {"no header", "unknown kid", "a changed payload", "wrong audience"}


def test_an_origin_that_refuses_everything_proves_nothing(examined: Served) -> None:
    found = examined(Careless(lambda _payload, _scope: False))
    assert "control: a valid header" in names(found, ok=False)


@pytest.fixture
def no_listener() -> str:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        host, port = unused.getsockname()
    return f"http://{host}:{port}"


def test_an_address_without_a_listener_proves_nothing(edge: Edge, no_listener: str) -> None:
    (finding,) = examine(no_listener, target(edge, None))
    assert (finding.response, finding.ok) == ("no response (ConnectionRefusedError)", False)
    assert exit_code([finding]) == 2


def test_an_unreachable_origin_that_must_be_unreachable_passes(
    edge: Edge, no_listener: str
) -> None:
    (finding,) = examine(no_listener, target(edge, None), expect_unreachable=True)
    assert finding.verdict is Verdict.UNREACHABLE
    assert exit_code([finding]) == 0


def test_a_reachable_origin_that_must_be_unreachable_fails(edge: Edge) -> None:
    with uvicorn_serving(guarded(edge.settings())) as (host, port):
        found = examine(f"http://{host}:{port}", target(edge, None), expect_unreachable=True)
    assert exit_code(found) == 1


def test_a_name_that_does_not_exist_is_not_an_unreachable_origin(edge: Edge) -> None:
    found = examine("http://typo.invalid", target(edge, None), expect_unreachable=True)
    assert [finding.response for finding in found] == ["not sent (no such name)"]
    assert exit_code(found) == 2


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8000", "origin.example", "ftp://origin.example", "http://", "http://o.example:0"],
)
def test_an_address_that_is_not_a_url_is_refused(edge: Edge, address: str) -> None:
    for more in ({"origin": address}, {"direct": [address]}, {"edge": address}):
        arguments = {"origin": "http://127.0.0.1:1", "target": target(edge, None), **more}
        with pytest.raises(ValueError, match=r"write|a port is"):
            examine(**arguments)  # type: ignore[arg-type]


def test_a_refusal_by_another_program_does_not_prove_a_guard(edge: Edge) -> None:
    app = FastAPI()

    @app.middleware("http")
    async def refuse(_request: Request, _call_next: object) -> JSONResponse:
        return JSONResponse({"detail": "Not authenticated"}, 401)

    with uvicorn_serving(app) as (host, port):
        found = examine(f"http://{host}:{port}", target(edge, None))
    assert let_in_by(found) == set()
    assert exit_code(found) == 2
    assert as_table(found).splitlines()[-1].startswith(f"0 of {len(found)} refused by the guard")


@pytest.mark.parametrize("status", [200, 400, 401, 404, 500])
def test_a_page_that_quotes_the_guards_problem_is_not_the_guard(edge: Edge, status: int) -> None:
    async def quoting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            body = '{"type": "urn:fastgate:problem:not-from-the-edge"}'
            await PlainTextResponse(body, status)(scope, receive, send)

    with uvicorn_serving(quoting) as (host, port):
        found = examine(f"http://{host}:{port}", target(edge, None))
    assert not any(finding.verdict is Verdict.BY_GUARD for finding in found)
    assert exit_code(found) != 0


def test_a_guard_without_keys_proves_nothing_about_signatures(edge: Edge) -> None:
    settings = Settings(edge=ISSUER, audience=AUDIENCE, jwks_url="http://127.0.0.1:1/none")
    with uvicorn_serving(guarded(settings)) as (host, port):
        found = examine(f"http://{host}:{port}", target(edge, None))
    unproved = {finding.probe for finding in found if finding.verdict is Verdict.UNPROVED}
    assert "another key under the published kid" in unproved
    assert exit_code(found) == 2


def test_the_doctor_examines_an_app_in_a_test(edge_doctor: EdgeDoctor) -> None:
    app = guarded(Settings(edge="https://api.example.com", audience="orders"))
    with uvicorn_serving(app) as (host, port):
        found = edge_doctor(app, f"http://{host}:{port}", "/me")
    assert names(found, ok=False) == set()
    assert "control: a valid header" in names(found, ok=True)


@pytest.mark.parametrize(
    "member",
    ["roles", "groups", "tenant", "claims", "auth_time", "acr", "sid", "cnf"],
)
def test_a_guard_that_ignores_a_member_of_the_caller_is_reported(
    edge: Edge, private_keys: EdgeKeys, monkeypatch: pytest.MonkeyPatch, member: str
) -> None:
    at, _, _ = requester._REQUESTER[member]
    monkeypatch.setitem(requester._REQUESTER, member, (at, lambda _value: (), False))
    with uvicorn_serving(guarded(edge.settings())) as (host, port):
        found = examine(f"http://{host}:{port}", target(edge, private_keys))
    let_in = let_in_by(found)
    assert len(let_in) >= 4
    assert {name.split()[0] for name in let_in} == {member}
    assert exit_code(found) == 1


# An origin with a key of its own, with ids, and with a route that binds the body.


def guarded_by_mac(edge: Edge, own: PrivateKey) -> FastAPI:
    return guarded(edge.settings(origin_key=own.private_jwk))


def with_bound_body(settings: Settings) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.post("/orders", operation_id="make_order")
    @at_edge(sign_body=True)
    async def make_order(order: dict[str, int], caller: Caller) -> str:
        return caller.subject

    guard(app, settings)
    return app


def bound(edge: Edge, keys: EdgeKeys | None, route: str = "make_order") -> Target:
    target = Target(ISSUER, AUDIENCE, "/orders", "/orders", edge.jwks, keys)
    return replace(target, method="POST", route=route, body=b'{"quantity": 1}')


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("knows_the_key", [True, False])
@pytest.mark.parametrize("knows_the_origin_key", [True, False])
def test_an_origin_with_its_own_key_refuses_the_whole_matrix(
    edge: Edge,
    private_keys: EdgeKeys,
    own: PrivateKey,
    http: Literal["h11", "httptools"],
    knows_the_key: bool,
    knows_the_origin_key: bool,
) -> None:
    keys = private_keys if knows_the_key else None
    with uvicorn_serving(guarded_by_mac(edge, own), http=http) as (host, port):
        public = own.public if knows_the_origin_key else None
        checked = replace(target(edge, keys), origin_key=public)
        found = examine(f"http://{host}:{port}", checked)
    assert names(found, ok=False) == set()
    assert "signed by another origin's key" in names(found, ok=True)
    by_pair = {
        "another origin's key under this origin's kid",
        "the key of this origin for another audience",
        "another edge's key for this origin",
        "alg HS256 by its X25519 octets as a secret, for a pair of keys",
    }
    assert (by_pair <= names(found, ok=True)) is knows_the_origin_key
    controls = {"control: a valid header", "control: a valid header by EdDSA"}
    assert (controls <= names(found, ok=True)) is (knows_the_key and knows_the_origin_key)


def test_the_control_fails_if_the_origin_has_not_this_key(
    edge: Edge, private_keys: EdgeKeys, own: PrivateKey
) -> None:
    with uvicorn_serving(guarded(edge.settings())) as (host, port):
        checked = replace(target(edge, private_keys), origin_key=own.public)
        found = examine(f"http://{host}:{port}", checked)
    assert names(found, ok=False) == {"control: a valid header"}


def test_an_origin_that_accepts_its_key_for_any_audience_lets_that_probe_in(
    edge: Edge, private_keys: EdgeKeys, own: PrivateKey
) -> None:
    assert private_keys.exchange
    signers = [
        private_keys.exchange.for_origin(own.public, audience)
        for audience in (AUDIENCE, "another-origin")
    ]
    keys = StaticKeys({**read_key_set(json.dumps(edge.jwks).encode()), **dict(signers[1:])})
    app = FastgateMiddleware(guarded_by_mac(edge, own), edge.settings(), keys=keys)
    app.app = Careless()
    with uvicorn_serving(app) as (host, port):
        checked = replace(target(edge, private_keys), origin_key=own.public)
        found = examine(f"http://{host}:{port}", checked)
    assert "the key of this origin for another audience" in let_in_by(found)
    assert "another edge's key for this origin" not in let_in_by(found)


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("knows_the_key", [True, False])
def test_an_origin_behind_a_backend_host_refuses_the_whole_matrix(
    edge: Edge, private_keys: EdgeKeys, http: Literal["h11", "httptools"], knows_the_key: bool
) -> None:
    app = guarded(edge.settings(backend_host="orders.internal"))
    keys = private_keys if knows_the_key else None
    with uvicorn_serving(app, http=http) as (host, port):
        checked = replace(target(edge, keys), backend_host="orders.internal")
        found = examine(f"http://{host}:{port}", checked)
        assert names(found, ok=False) == set()
        assert "wrong host" not in names(found, ok=True)
        unaware = examine(f"http://{host}:{port}", target(edge, keys))
    control = {"control: a valid header"} if knows_the_key else set()
    assert names(unaware, ok=False) == control


@pytest.mark.parametrize("knows_the_key", [True, False])
def test_an_origin_of_one_region_refuses_the_whole_matrix(
    edge: Edge, private_keys: EdgeKeys, knows_the_key: bool
) -> None:
    keys = private_keys if knows_the_key else None
    with uvicorn_serving(guarded(edge.settings(region="eu"))) as (host, port):
        found = examine(f"http://{host}:{port}", replace(target(edge, keys), region="eu"))
        unaware = examine(f"http://{host}:{port}", target(edge, keys))
    assert names(found, ok=False) == set()
    assert {"another region", "no region"} <= names(found, ok=True)
    control = {"control: a valid header"} if knows_the_key else set()
    assert names(unaware, ok=False) == control


def test_an_origin_that_does_not_compare_its_region_lets_that_probe_in(
    edge: Edge, private_keys: EdgeKeys
) -> None:
    with uvicorn_serving(guarded(edge.settings())) as (host, port):
        checked = replace(target(edge, private_keys), region="eu")
        found = examine(f"http://{host}:{port}", checked)
    assert let_in_by(found) == {"another region", "no region"}


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("knows_the_key", [True, False])
def test_a_route_with_a_signed_body_refuses_another_body(
    edge: Edge, private_keys: EdgeKeys, http: Literal["h11", "httptools"], knows_the_key: bool
) -> None:
    app = with_bound_body(edge.settings(strict=True))
    keys = private_keys if knows_the_key else None
    with uvicorn_serving(app, http=http) as (host, port):
        found = examine(f"http://{host}:{port}", bound(edge, keys))
    forged = {"another body", "no body", "a body that is not signed", "the id of another route"}
    assert forged <= names(found, ok=True)
    assert names(found, ok=False) == set()


@pytest.mark.parametrize(
    ("check", "instead", "accepted"),
    [
        ("fastgate.content.content_digest", None, {"another body", "no body"}),
        (
            "fastgate.routes.check.declared_on_route",
            lambda view: {**declared_on_route(view), "sign_body": False},
            {"a body that is not signed"},
        ),
    ],
)
def test_a_body_that_is_not_compared_is_let_in(
    edge: Edge,
    private_keys: EdgeKeys,
    monkeypatch: pytest.MonkeyPatch,
    check: str,
    instead: object,
    accepted: set[str],
) -> None:
    checked = bound(edge, private_keys)
    signed = content_digest(checked.body or b"")
    monkeypatch.setattr(check, instead or (lambda _content: signed))
    with uvicorn_serving(with_bound_body(edge.settings(strict=True))) as (host, port):
        found = examine(f"http://{host}:{port}", checked)
    assert names(found, ok=False) == accepted


def test_a_strict_origin_that_does_not_compare_ids_lets_that_probe_in(
    edge: Edge, private_keys: EdgeKeys
) -> None:
    with uvicorn_serving(with_bound_body(edge.settings())) as (host, port):
        found = examine(f"http://{host}:{port}", bound(edge, private_keys))
    assert names(found, ok=False) == {"the id of another route"}


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
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [SigningKey(edge.private_key).private_jwk]}))
    more = ["--signing-keys", str(keys), "--direct", demo]
    assert main(arguments(demo, jwks_server.origin, *more)) == 0
    table = capsys.readouterr().out
    assert "ok    control: a valid header" in table
    assert re.search(r"1[45]\d of \d+ refused by the guard; 0 let in, 0 not proved", table)


def test_the_findings_are_json_for_machines(
    demo: str, jwks_server: JwksServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(demo, jwks_server.origin, "--json")) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert document["by_guard"] > 60
    members = {"probe", "where", "response", "verdict", "ok"}
    assert members == document["findings"][0].keys()


def test_a_request_that_is_let_in_is_a_failure(
    jwks_server: JwksServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with uvicorn_serving(Careless()) as (host, port):
        assert main(arguments(f"http://{host}:{port}", jwks_server.origin)) == 1
    assert "FAIL  no header " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("http://127.0.0.1:1", "this proves nothing; check the address"),
        ("http://typo.invalid", "no response (no such name)"),
        ("127.0.0.1:8000", "write https://HOST"),
    ],
)
def test_a_run_that_proves_nothing_ends_with_2(
    jwks_server: JwksServer, capsys: pytest.CaptureFixture[str], origin: str, said: str
) -> None:
    assert main(arguments(origin, jwks_server.origin)) == 2
    assert said in "".join(capsys.readouterr())


def test_a_firewalled_origin_is_expected_to_be_unreachable(
    jwks_server: JwksServer, no_listener: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(no_listener, jwks_server.origin, "--expect-unreachable")) == 0
    assert "unreachable (ConnectionRefusedError)" in capsys.readouterr().out


# The command, again and again.


class Enough(Exception):
    """Raised when the test has seen enough runs."""


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Do not wait; stop the command at its third pause."""
    taken: list[float] = []

    def nap(seconds: float) -> None:
        taken.append(seconds)
        if len(taken) == 3:
            raise Enough

    monkeypatch.setattr("fastgate.commands.doctor._wait", nap)
    return taken


def runs(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_scheduled_doctor_prints_one_line_for_each_run(
    demo: str, jwks_server: JwksServer, naps: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Enough):
        main(arguments(demo, jwks_server.origin, "--every", "3600"))
    assert [(run["ok"], run["let_in"]) for run in runs(capsys)] == [(True, [])] * 3
    assert all(3000 < seconds <= 3600 for seconds in naps)


def test_it_ends_when_a_request_is_let_in_unless_keep_going_is_set(
    jwks_server: JwksServer, naps: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with uvicorn_serving(Careless()) as (host, port):
        every = arguments(f"http://{host}:{port}", jwks_server.origin, "--every", "60")
        assert main(every) == 1
        (run,) = runs(capsys)
        assert run["ok"] is False
        assert isinstance(run["let_in"], list)
        assert run["let_in"][0]["probe"] == "no header"
        with pytest.raises(Enough):
            main([*every, "--keep-going"])
    assert len(runs(capsys)) == len(naps) == 3


def test_an_edge_that_does_not_respond_is_an_error_of_the_run(
    jwks_server: JwksServer, naps: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    jwks_server.status = 500
    every = arguments("http://127.0.0.1:1", jwks_server.origin, "--every", "60")
    assert main(every) == 2
    assert capsys.readouterr().out == ""
    with pytest.raises(Enough):
        main([*every, "--keep-going"])
    assert len(naps) == 3
    assert all(
        run["ok"] is False and "publishes no keys" in str(run["error"]) for run in runs(capsys)
    )
    assert main([*every[:-1], "0"]) == 2


def test_without_the_edges_keys_the_call_is_wrong(
    jwks_server: JwksServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jwks_server.status = 500
    assert main(arguments("http://127.0.0.1:1", jwks_server.origin)) == 2
    assert "publishes no keys" in capsys.readouterr().err
    wrong = tmp_path / "keys.json"
    private = PrivateKey(X25519PrivateKey.generate())
    signing = SigningKey().private_jwk
    for option, document, said in (
        ("--signing-keys", {"keys": []}, "holds no private key on Ed25519"),
        ("--signing-keys", {"keys": [SigningKey().jwk]}, "not a private key on Ed25519"),
        ("--signing-keys", {"keys": [signing, EdgeExchangeKey().jwk]}, "not-private"),
        ("--origin-key", private.private_jwk, "not-public"),
        ("--origin-key", {}, "not-an-exchange-key"),
    ):
        wrong.write_text(json.dumps(document))
        more = [option, str(wrong)]
        assert main(arguments("http://127.0.0.1:1", jwks_server.origin, *more)) == 2
        assert said in capsys.readouterr().err
    wrong.write_text(json.dumps({"keys": [signing]}))
    public = tmp_path / "public.json"
    public.write_text(json.dumps(private.public_jwk))
    more = ["--signing-keys", str(wrong), "--origin-key", str(public)]
    assert main(arguments("http://127.0.0.1:1", jwks_server.origin, *more)) == 2
    assert "signs no MAC" in capsys.readouterr().err


async def _status_and_nonce(app: FastAPI, **fields: str) -> tuple[int, str | None]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        response = await http.get(
            "/me", headers={key.replace("_", "-"): fields[key] for key in fields}
        )
    return response.status_code, response.headers.get("Doctor-Nonce")


@pytest.mark.anyio
async def test_the_guard_repeats_a_nonce_to_verified_requests_alone(edge: Edge) -> None:
    app, nonce = guarded(edge.settings()), "a" * 32
    signed = edge.mint("/me", "/me").decode()
    status_and_nonce = partial(_status_and_nonce, app)
    assert await status_and_nonce(Fastgate_Identity=signed, Doctor_Nonce=nonce) == (200, nonce)
    assert await status_and_nonce(Fastgate_Identity=signed) == (200, None)
    assert await status_and_nonce(Fastgate_Identity=signed, Doctor_Nonce="a b" * 9) == (200, None)
    assert await status_and_nonce(Doctor_Nonce=nonce) == (401, None)
