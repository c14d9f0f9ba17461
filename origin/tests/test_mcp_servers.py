"""MCP servers of the package `mcp`: what the policy has for their tools, and what stops a start."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
from fastapi import FastAPI
from mcp import Client
from mcp.server import MCPServer
from mcp.server.lowlevel import Server
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from fastgate import Mcp, at_edge, guard, role, scope, tool_rule
from fastgate.__main__ import main
from fastgate.commands.policy import written
from fastgate.compile.drift import drift
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.declare.values.mcp import MARKER
from tests.edge import Edge


def give() -> str:
    return ""


def a_server() -> MCPServer:
    server = MCPServer("orders")

    @server.tool(meta=tool_rule(scopes=["orders:read"]))
    def get_order(order_id: int) -> int:
        return order_id

    @server.tool(
        meta={
            **tool_rule(
                scopes=["orders:write"],
                require=role("admin"),
                limits=["cancel"],
                budgets={"daily": 500},
            ),
            "example.com/cost": 3,
        }
    )
    def cancel_order(order_id: int) -> int:
        return order_id

    @server.tool(meta=tool_rule())
    def ping() -> str:
        return "pong"

    @server.tool(meta=tool_rule(access="none"))
    def rebuild() -> str:
        return ""

    @server.resource("orders://{id}", meta=tool_rule(scopes=["orders:read"]))
    def order(id: str) -> str:  # noqa: A002 - the name in the template
        return id

    @server.resource("config://app", meta=tool_rule())
    def config() -> str:
        return ""

    return server


def with_prompt(server: MCPServer) -> MCPServer:
    @server.prompt()
    def summary() -> str:
        return ""

    return server


def mounted(
    server: MCPServer | Server[object],
    at: str = "/",
    *,
    stateless: bool = True,
    **members: Any,  # noqa: ANN401 - as at_edge takes them
) -> FastAPI:
    app = FastAPI(openapi_url=None)
    tools = server.streamable_http_app(stateless_http=stateless)
    app.mount(at, at_edge(access="authenticated", **members)(tools))
    return app


ENTRIES = {
    "tools": {
        "cancel_order": {
            "scopes": ["orders:write"],
            "limits": ["cancel"],
            "budgets": {"daily": 500},
            "require": {"role": "admin"},
        },
        "get_order": {"scopes": ["orders:read"]},
        "ping": {},
    },
    "resources": {"config://app": {}, "orders://{id}": {"scopes": ["orders:read"]}},
}


def faults_of(app: FastAPI) -> str:
    with pytest.raises(CannotCompile) as caught:
        compile_routes(app)
    return str(caught.value)


def test_the_policy_has_the_rules_of_all_that_a_server_offers() -> None:
    assert compile_routes(mounted(a_server(), scopes=["mcp"])) == [
        {
            "id": "post-mcp",
            "path": "/mcp",
            "methods": ["POST"],
            "access": "authenticated",
            "scopes": ["mcp"],
            "mcp": ENTRIES,
        }
    ]


def test_the_members_of_the_server_are_declared_where_it_is_mounted() -> None:
    mcp = Mcp(
        prompts={"summary": tool_rule(require=scope("sum"))},
        methods=["logging/setLevel"],
        list="all",
        max_body=65536,
    )
    app = mounted(with_prompt(a_server()), "/ai", stateless=False, mcp=mcp)
    (route,) = compile_routes(app, "orders")
    assert (route["path"], route["methods"]) == ("/ai/mcp", ["GET", "POST", "DELETE"])
    assert route["mcp"] == {
        **ENTRIES,
        "prompts": {"summary": {"require": {"scope": "sum"}}},
        "methods": ["logging/setLevel"],
        "list": "all",
        "max_body": 65536,
    }
    assert json.loads(written({}, [route]))["routes"] == [route]


def test_clients_see_neither_scopes_nor_conditions() -> None:
    async def listed() -> str:
        async with Client(a_server()) as client:
            tools, resources = await client.list_tools(), await client.list_resources()
            return tools.model_dump_json(by_alias=True) + resources.model_dump_json(by_alias=True)

    seen = asyncio.run(listed())
    assert MARKER in seen
    assert "example.com/cost" in seen
    assert not any(word in seen for word in ("orders:write", "admin", 'cancel"'))


def test_a_tool_without_a_rule_is_a_fault() -> None:
    server = with_prompt(a_server())
    server.tool(name="new_tool")(give)
    said = faults_of(mounted(server))
    assert 'offers the tool "new_tool" without a rule' in said
    assert "meta=tool_rule(" in said
    assert 'offers the prompt "summary" without a rule' in said
    assert 'at_edge(mcp=Mcp(prompts={"summary": tool_rule(…)}))' in said


def test_it_stops_a_strict_start(edge: Edge) -> None:
    for strict in (True, False):
        server = a_server()
        server.tool(name="new_tool")(give)
        app = mounted(server)
        guard(app, edge.settings(strict=strict))
        if strict:
            with pytest.raises(CannotCompile, match='"new_tool" without a rule'), TestClient(app):
                pass
        else:
            with TestClient(app):
                pass


def test_a_strict_app_with_rules_starts(edge: Edge) -> None:
    app = mounted(a_server())
    guard(app, edge.settings(strict=True))
    with TestClient(app):
        pass


def test_the_commands_report_a_new_tool_a_changed_scope_and_a_removed_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = ModuleType("orders_app")
    module.app = mounted(server := a_server())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "orders_app", module)
    policy = tmp_path / "policy.json"
    assert main(["policy", "orders_app:app"]) == 0
    policy.write_text(capsys.readouterr().out)
    assert main(["drift", "orders_app:app", str(policy)]) == 0

    server.remove_tool("ping")
    server.remove_tool("get_order")
    server.tool(name="get_order", meta=tool_rule(scopes=["orders:all"]))(give)
    server.tool(name="added", meta=tool_rule())(give)
    capsys.readouterr()
    assert main(["drift", "orders_app:app", str(policy)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[:-1] == [
        'POST /mcp: tool "added": only the app has a rule for it (the edge hides it)',
        'POST /mcp: tool "get_order": only the app requires the scope "orders:all"',
        'POST /mcp: tool "get_order": only the edge requires the scope "orders:read"',
        'POST /mcp: tool "ping": only the edge has a rule for it',
    ]
    server.tool(name="forgotten")(give)
    assert main(["drift", "orders_app:app", str(policy)]) == 1
    assert 'the tool "forgotten" without a rule' in "".join(capsys.readouterr())


def test_drift_compares_conditions_and_ignores_what_only_the_edge_limits() -> None:
    ours = compile_routes(mounted(a_server()))
    theirs = json.loads(json.dumps(ours))
    entries = theirs[0]["mcp"]["tools"]
    entries["ping"]["limits"] = ["many"]
    theirs[0]["mcp"]["methods"] = ["logging/setLevel"]
    assert drift(ours, theirs) == []
    assert drift(ours, theirs, everything=True) == [
        'POST /mcp: tool "ping": limits: the app has nothing, the edge has ["many"]',
        'POST /mcp: mcp.methods: the app has nothing, the edge has ["logging/setLevel"]',
    ]
    entries["ping"]["require"] = {"role": "admin"}
    del entries["cancel_order"]["require"]
    assert drift(ours, theirs) == [
        'POST /mcp: tool "cancel_order": require: the app has {"role": "admin"}, '
        "the edge has nothing",
        'POST /mcp: tool "ping": require: the app has nothing, the edge has {"role": "admin"}',
    ]
    del theirs[0]["mcp"]
    assert drift(ours, theirs) == [
        "POST /mcp: mcp: only the app has rules for tools, resources and prompts"
    ]


def test_rules_by_name_hold_for_a_server_whose_lists_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fastgate.declare.values.mcp._rules", {})  # of other tests
    server = Server[object]("plain")
    assert "cannot be listed: its author handles the requests" in faults_of(mounted(server))
    opaque = mounted(server, opaque=True, methods=["POST"])
    (route,) = compile_routes(opaque)
    assert "mcp" not in route
    (route,) = compile_routes(mounted(server, mcp=Mcp(tools={"add": tool_rule(scopes=["w"])})))
    assert route["mcp"] == {"tools": {"add": {"scopes": ["w"]}}}
    assert "tools of this app have rules" in faults_of(opaque)


def test_a_server_that_fails_to_list_is_a_fault() -> None:
    class Failing(MCPServer):
        async def list_tools(self) -> NoReturn:
            raise RuntimeError("no database")

    assert "RuntimeError: no database" in faults_of(mounted(Failing("failing")))


def test_declarations_for_nothing_are_faults() -> None:
    named = Mcp(prompts={"absent": tool_rule()})
    assert 'a rule for "absent" under prompts, which the server does not offer' in faults_of(
        mounted(a_server(), mcp=named)
    )
    twice = Mcp(tools={"ping": tool_rule()})
    assert 'has two rules for the tool "ping"' in faults_of(mounted(a_server(), mcp=twice))
    app = FastAPI(openapi_url=None)

    @app.get("/a")
    @at_edge(access="authenticated", mcp=Mcp())
    def no_server() -> None: ...

    assert "no MCP server of the package mcp or fastmcp is found here" in faults_of(app)
    with pytest.raises(ValueError, match="declare mcp on the mounted app"):
        at_edge(mcp=Mcp(), below="/ai")(FastAPI())


def test_a_rule_of_another_process_is_none() -> None:
    server = MCPServer("copied")
    server.tool(name="far", meta={MARKER: "0123456789abcdef"})(give)
    assert "is not of this process" in faults_of(mounted(server))


def test_other_routes_of_the_mounted_app_have_no_tools() -> None:
    server = a_server()

    async def health(_request: Request) -> Response:
        return Response()

    server.custom_route("/health", methods=["GET"])(health)
    routes = compile_routes(mounted(server, mcp=Mcp(list="all")))
    assert {str(route["path"]): "mcp" in route for route in routes} == {
        "/mcp": True,
        "/health": False,
    }


def test_an_app_without_mcp_imports_neither_package() -> None:
    program = (
        "import sys, fastapi, fastgate.compile.policy as policy\n"
        "app = fastapi.FastAPI(openapi_url=None)\npolicy.compile_routes(app)\n"
        "assert not {'mcp', 'fastmcp'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)  # noqa: S603


@pytest.mark.parametrize(
    ("values", "error", "part"),
    [
        ({"scopes": "orders:read"}, TypeError, 'scopes=["…"]'),
        ({"scopes": ["a b"]}, ValueError, "one name in each text"),
        ({"scopes": [""]}, ValueError, "one name in each text"),
        ({"scopes": ["\ud800"]}, ValueError, "scopes has"),
        ({"limits": "cancel"}, TypeError, 'limits=["…"]'),
        ({"budgets": ["daily"]}, TypeError, 'budgets={"daily": 500}'),
        ({"budgets": {"Daily": 1}}, ValueError, "the name of a budget"),
        ({"budgets": {"daily": True}}, TypeError, "a whole number"),
        ({"budgets": {"daily": 0}}, ValueError, "1 to 1000000000000"),
        ({"budgets": {"daily": 1}, "access": "none"}, ValueError, "leave the others out"),
        ({"require": "admin"}, TypeError, 'require=role("…")'),
        ({"require": {}}, TypeError, 'require=role("…")'),
        ({"access": "public"}, ValueError, 'access="none"'),
        ({"access": "none", "scopes": ["a"]}, ValueError, "leave the others out"),
    ],
)
def test_a_rule_that_the_edge_would_refuse_is_refused(
    values: dict[str, object], error: type[Exception], part: str
) -> None:
    with pytest.raises(error) as caught:
        tool_rule(**values)  # type: ignore[arg-type]
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("values", "error", "part"),
    [
        ({"prompts": {"a": {"scopes": ["x"]}}}, TypeError, "write tool_rule(…)"),
        ({"tools": ["a"]}, TypeError, 'tools={"…": tool_rule(…)}'),
        ({"tools": {"": tool_rule()}}, ValueError, "no name of one"),
        ({"methods": "ping"}, TypeError, 'methods=["logging/setLevel"]'),
        ({"list": "some"}, ValueError, "'usable' or 'all'"),
        ({"max_body": True}, TypeError, "whole number"),
        ({"max_body": 2_097_153}, ValueError, "1 to 2097152"),
    ],
)
def test_declarations_that_the_edge_would_refuse_are_refused(
    values: dict[str, object], error: type[Exception], part: str
) -> None:
    with pytest.raises(error) as caught:
        Mcp(**values)  # type: ignore[arg-type]
    assert part in str(caught.value)


@pytest.mark.parametrize("value", ["tools", {"tool": {}}, {"tools": []}, {"tools": {"a": 1}}])
def test_other_values_of_the_member_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="write mcp=Mcp"):
        at_edge(mcp=value)
