"""The doctor and endpoints whose responses the edge stores."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from fastgate import AnyCaller, Caller, EdgeCache, Settings, at_edge, guard
from fastgate.__main__ import main
from fastgate.doctor.report import Finding, Verdict
from fastgate.fake_edge.signing import SigningKey
from fastgate.settings import JWKS_PATH
from fastgate.testing import CalledBy, EdgeDoctor, lasting_edge
from tests.edge import AUDIENCE, ISSUER, Edge
from tests.serving import JwksServer, uvicorn_serving


def let_in_by(found: list[Finding]) -> set[str]:
    return {each.probe for each in found if each.verdict is Verdict.LET_IN}


CACHES = {
    "tenant": EdgeCache("tenant", 60),
    "caller": EdgeCache("caller", 60),
    "groups": EdgeCache(["groups", "plan"], 60),
    "all": EdgeCache("public", 60, shared=True),
}


def with_stored_responses(settings: Settings) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.get("/items", operation_id="items")
    async def list_items(caller: AnyCaller) -> str:
        return "items"

    @app.get("/open", operation_id="open")
    @at_edge(access="public", cache=EdgeCache("public", 60))
    async def read_open(caller: AnyCaller) -> str:
        return "open"

    for name, cache in CACHES.items():

        @app.get(f"/{name}", operation_id=name)
        @at_edge(cache=cache)
        async def read(caller: Caller) -> str:
            return "read"

    guard(app, settings)
    return app


@pytest.mark.parametrize("knows_the_key", [True, False])
@pytest.mark.parametrize("name", [*CACHES, "open"])
def test_an_app_with_stored_responses_refuses_everything(
    edge: Edge,
    jwks_server: JwksServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    knows_the_key: bool,
) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [SigningKey(edge.private_key).private_jwk]}))
    settings = Settings(edge=jwks_server.origin, audience=AUDIENCE, strict=True)
    with uvicorn_serving(with_stored_responses(settings)) as (host, port):
        named = ["--origin", f"http://{host}:{port}", "--edge", jwks_server.origin]
        named += ["--audience", AUDIENCE, "--path", f"/{name}", "--route", name]
        more = ["--signing-keys", str(keys)] if knows_the_key else []
        status = main(["doctor", *named, *more, "--json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [each for each in found if not each["ok"]] == []
    assert status == 0
    assert len(found) > 100


@contextmanager
def edge_of(app: FastAPI) -> Iterator[str]:
    """Serve an edge for anonymous callers in front of `app`; yield its URL."""
    fake = lasting_edge(app)
    called = CalledBy(app, fake, None)

    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == JWKS_PATH:
            await JSONResponse(fake.jwks)(scope, receive, send)
            return
        kept = [each for each in scope.get("headers", ()) if b"fastgate" not in each[0].lower()]
        await called({**scope, "headers": kept}, receive, send)

    with uvicorn_serving(forward) as (host, port):
        yield f"http://{host}:{port}"


def test_a_path_with_stored_responses_proves_nothing_about_the_edge(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = with_stored_responses(Settings(edge=ISSUER, audience=AUDIENCE))
    with edge_of(app) as edge, uvicorn_serving(app) as (host, port):
        named = ["--origin", f"http://{host}:{port}", "--edge", edge, "--issuer", ISSUER]
        named += ["--audience", AUDIENCE, "--path", "/tenant"]
        assert main(["doctor", *named, "--edge-path", "/items"]) == 0
        capsys.readouterr()
        assert main(["doctor", *named, "--edge-path", "/open"]) == 2
    assert "write --edge-path with a path without cache" in capsys.readouterr().out


# A guard that does not check what the callers of a stored response share.


def test_a_guard_that_does_not_compare_caller_and_audience_is_reported(
    edge_doctor: EdgeDoctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = with_stored_responses(Settings(edge=ISSUER, audience=AUDIENCE))
    with uvicorn_serving(app) as (host, port):
        url = f"http://{host}:{port}"
        assert let_in_by(edge_doctor(app, url, "/items")) == set()
        monkeypatch.setattr("fastgate.claims._check_shared", lambda *_checked: None)
        let_in = let_in_by(edge_doctor(app, url, "/items"))
    assert let_in == {
        "a subject that the audience does not share",
        "roles that the audience does not share",
        "a country that the audience does not share",
        "an audience of one caller without a subject",
        "an issuer in a response for all callers",
        "scopes of an anonymous caller of an audience",
        "an audience with groups in common, without them",
        "an audience with a claim in common, without it",
    }


@pytest.mark.parametrize("instead", [frozenset[str](), frozenset(("tenant",))])
def test_a_guard_that_accepts_a_malformed_audience_is_reported(
    edge_doctor: EdgeDoctor, monkeypatch: pytest.MonkeyPatch, instead: frozenset[str]
) -> None:
    app = with_stored_responses(Settings(edge=ISSUER, audience=AUDIENCE))
    monkeypatch.setattr("fastgate.claims.texts_of", lambda _value: instead)
    with uvicorn_serving(app) as (host, port):
        let_in = let_in_by(edge_doctor(app, f"http://{host}:{port}", "/items"))
    forms = {"an audience as null", "an audience as a string", "an audience as a list of numbers"}
    assert forms <= let_in
