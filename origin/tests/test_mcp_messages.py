"""The app runs the message to an MCP server that the edge judged, and no other."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.testclient import TestClient

from fastgate import Gateway, McpMessage, Settings, at_edge, guard, tool_rule
from fastgate.content import content_digest
from fastgate.mcp_message import is_message, is_response
from fastgate.testing import AsCaller
from tests.edge import HEADER, Edge, payload
from tests.gateway_samples import FakeGateway
from tests.serving import JwksServer

CALL = {"name": "ping", "arguments": {}}
OPTIONS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def message(method: str = "tools/call", params: object = CALL, **more: object) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **more}
    ).encode()


PING = message()


def app_with_tools(
    settings: Settings | None, *, stateless: bool = True, gateways: Sequence[Gateway] = ()
) -> FastAPI:
    server = MCPServer("tools")

    @server.tool(meta=tool_rule())
    def ping() -> str:
        return "pong"

    @server.tool(meta=tool_rule(scopes=["orders:write"]))
    def cancel() -> str:
        return "cancelled"

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with server.session_manager.run():
            yield

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    hosts = TransportSecuritySettings(allowed_hosts=["testserver"])
    tools = server.streamable_http_app(
        stateless_http=stateless, json_response=True, transport_security=hosts
    )
    app.mount("/", at_edge(access="authenticated")(tools))
    guard(app, settings, gateways=gateways)
    return app


def minted(edge: Edge, digest: str | None, mcp: object = None, method: str = "POST") -> str:
    judged = {"route": f"{method.lower()}-mcp", "content_digest": digest, "mcp": mcp}
    return signed(edge, method, "/mcp", "/mcp", judged)


def signed(edge: Edge, method: str, path: str, template: str, judged: Mapping[str, object]) -> str:
    """Return the signed header with these members of `tctx`; None leaves one out."""
    claims = payload(path, template, method=method)
    tctx = claims["tctx"]
    assert isinstance(tctx, dict)
    tctx |= {name: value for name, value in judged.items() if value is not None}
    return edge.sign(claims).decode()


def sent(
    edge: Edge,
    body: bytes,
    mcp: object,
    *,
    method: str = "POST",
    signed: bool = True,
    stateless: bool = True,
) -> Any:  # noqa: ANN401 - of httpx, or of the package that follows it
    digest = content_digest(body) if signed else None
    headers = {HEADER: minted(edge, digest, mcp, method), **OPTIONS}
    with TestClient(app_with_tools(edge.settings(), stateless=stateless)) as client:
        return client.request(method, "/mcp", content=body, headers=headers)


def test_the_judged_message_runs(edge: Edge) -> None:
    response = sent(edge, PING, {"method": "tools/call", "name": "ping"})
    assert response.status_code == 200
    assert response.json()["result"]["content"][0]["text"] == "pong"


@pytest.mark.parametrize(
    ("body", "mcp"),
    [
        (message(params={**CALL, "name": "cancel"}), {"method": "tools/call", "name": "ping"}),
        (PING, {"method": "tools/call"}),
        (PING, {"method": "tools/list"}),
        (PING, {"method": "prompts/get", "name": "ping"}),
        (message("tools/list", {}), {"method": "tools/call", "name": "ping"}),
        (message(params=[]), {"method": "tools/call", "name": "ping"}),
        (b"[" + PING + b"]", {"method": "tools/call", "name": "ping"}),
        (PING[:-1], {"method": "tools/call", "name": "ping"}),
        (
            PING.replace(b'"name"', b'"name": "cancel", "name"'),
            {"method": "tools/call", "name": "ping"},
        ),
    ],
)
def test_another_message_gets_the_same_refusal_as_any_other_fault(
    edge: Edge, body: bytes, mcp: object, caplog: pytest.LogCaptureFixture
) -> None:
    refused = sent(edge, body, mcp)
    assert caplog.messages[-1] == "refused: content-mismatch"
    forged = sent(edge, PING, {"method": 7})
    assert (refused.status_code, refused.content) == (401, forged.content)


def test_a_message_without_a_signed_body_is_refused(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    mcp = {"method": "tools/call", "name": "ping"}
    assert sent(edge, PING, mcp, signed=False).status_code == 401
    assert caplog.messages[-1] == "refused: content-mismatch"


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("stateless", [True, False])
def test_an_mcp_server_does_not_run_what_the_edge_did_not_judge(
    edge: Edge, signed: bool, stateless: bool, caplog: pytest.LogCaptureFixture
) -> None:
    response = sent(edge, PING, None, signed=signed, stateless=stateless)
    assert response.status_code == 401
    assert caplog.messages[-1].startswith("refused: route-mismatch")


def test_requests_of_sessions_have_no_message(edge: Edge) -> None:
    answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {}}).encode()
    for method, body in (("DELETE", b""), ("POST", answer)):
        response = sent(edge, body, None, method=method, stateless=False)
        assert response.status_code == 400, response.text  # of the server: there is no session
        assert "session" in response.text.lower()
    assert sent(edge, PING, None, method="DELETE", stateless=False).status_code == 401


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        ("resources/read", {"uri": "a://b"}, "a://b"),
        ("resources/subscribe", {"uri": "a://b"}, "a://b"),
        ("prompts/get", {"name": "summary"}, "summary"),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "a"}}, "a"),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": "a://b"}}, "a://b"),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["a://b"]}}, "a://b"),
        ("subscriptions/listen", {"notifications": {}}, None),
        ("subscriptions/listen", {"resourceSubscriptions": ["a://b", "a://c"]}, None),
        ("tools/list", {}, None),
    ],
)
def test_the_name_is_compared_where_the_method_has_it(
    method: str, params: dict[str, object], name: str | None
) -> None:
    body = message(method, params)
    assert is_message(body, McpMessage(method, name))
    assert not is_message(body, McpMessage(method, "another"))
    assert not is_message(body, McpMessage("ping", name))
    if method in ("resources/read", "resources/subscribe", "prompts/get"):
        assert not is_message(body, McpMessage(method))


def test_parameters_may_be_absent() -> None:
    assert is_message(b'{"jsonrpc":"2.0","id":1,"method":"ping"}', McpMessage("ping"))


@pytest.mark.parametrize("body", [b"", b"[]", PING, b'{"id":1}', b'{"result":{},"error":{}}'])
def test_only_a_response_is_one(body: bytes) -> None:
    assert not is_response(body)


def test_other_gateways_do_not_judge_messages(caplog: pytest.LogCaptureFixture) -> None:
    server = JwksServer()
    fake = FakeGateway("google-iap", server)
    app = app_with_tools(None, gateways=[fake.gateway])
    with TestClient(app) as client:
        fields = {**OPTIONS, **dict(fake.fields())}
        assert client.post("/mcp", content=PING, headers=fields).status_code == 401
    server.close()
    assert "refused: rule-not-enforced" in caplog.messages[-1]


def test_the_helpers_judge_messages_as_the_edge_does(as_caller: AsCaller) -> None:
    app = app_with_tools(Settings(edge="https://api.example.com", audience="orders"))
    with as_caller(app, sub="ada") as ada:
        response = ada.post("/mcp", content=PING, headers=OPTIONS)
    assert response.json()["result"]["content"][0]["text"] == "pong"
