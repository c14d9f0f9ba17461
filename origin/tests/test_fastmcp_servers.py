"""MCP servers of the package `fastmcp`: rules in `meta`, and scopes of its own checks."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from fastgate import at_edge, role, tool_rule
from fastgate.compile.policy import CannotCompile, compile_routes

fastmcp: Any = pytest.importorskip("fastmcp")
auth: Any = pytest.importorskip("fastmcp.server.auth")


def give() -> str:
    return ""


def compiled(server: Any, **options: object) -> dict[str, object]:  # noqa: ANN401
    app = FastAPI(openapi_url=None)
    app.mount("/", at_edge(access="authenticated")(server.http_app(**options)))
    (route,) = compile_routes(app)
    return route


def test_rules_in_meta_and_scopes_of_checks_are_read() -> None:
    server = fastmcp.FastMCP("orders")
    server.tool(name="plain", meta=tool_rule())(give)
    server.tool(name="scoped", auth=auth.require_scopes("b", "a"))(give)
    server.tool(
        name="both", auth=auth.require_scopes("a"), meta=tool_rule(scopes=["c"], require=role("r"))
    )(give)
    server.tool(name="tagged", tags={"t"}, auth=auth.restrict_tag("t", scopes=["t"]))(give)
    server.tool(name="untagged", auth=[auth.restrict_tag("t", scopes=["t"])])(give)
    server.resource("config://app", meta=tool_rule(scopes=["a"]))(give)
    server.resource("orders://{id}", meta=tool_rule())(_of_id)
    server.prompt(name="summary", meta=tool_rule())(give)
    route = compiled(server)
    assert route["methods"] == ["GET", "POST", "DELETE"]
    assert route["mcp"] == {
        "tools": {
            "both": {"scopes": ["c", "a"], "require": {"role": "r"}},
            "plain": {},
            "scoped": {"scopes": ["a", "b"]},
            "tagged": {"scopes": ["t"]},
            "untagged": {},
        },
        "resources": {"config://app": {"scopes": ["a"]}, "orders://{id}": {}},
        "prompts": {"summary": {}},
    }


def _of_id(id: str) -> str:  # noqa: A002 - the name in the template
    return id


@pytest.mark.parametrize(("stateless", "methods"), [(True, ["POST"]), (False, 3)])
def test_a_server_without_sessions_takes_no_get(stateless: bool, methods: object) -> None:
    server = fastmcp.FastMCP("orders")
    server.tool(meta=tool_rule())(give)
    route = compiled(server, stateless_http=stateless, path="/here")
    found = route["methods"]
    assert route["path"] == "/here"
    assert found == methods or (isinstance(found, list) and len(found) == methods)


@pytest.mark.parametrize(
    "check", [lambda: auth.require_roles("admin", extract=lambda _: []), lambda: lambda _: True]
)
def test_an_opaque_check_needs_a_rule(check: Callable[[], object]) -> None:
    server = fastmcp.FastMCP("orders")
    server.tool(name="secret", auth=check())(give)
    with pytest.raises(CannotCompile, match="cannot read its auth=") as caught:
        compiled(server)
    assert "meta=tool_rule(" in str(caught.value)
    ruled = fastmcp.FastMCP("orders")
    ruled.tool(name="secret", auth=check(), meta=tool_rule(require=role("admin")))(give)
    assert compiled(ruled)["mcp"] == {"tools": {"secret": {"require": {"role": "admin"}}}}


def test_tools_of_mounted_servers_have_their_names_there() -> None:
    inner, outer = fastmcp.FastMCP("inner"), fastmcp.FastMCP("outer")
    inner.tool(meta=tool_rule(scopes=["a"]))(give)
    outer.mount(inner, "in")
    assert compiled(outer)["mcp"] == {"tools": {"in_give": {"scopes": ["a"]}}}


def test_a_tool_that_a_mounted_server_does_not_list_is_a_fault() -> None:
    inner, outer = fastmcp.FastMCP("inner"), fastmcp.FastMCP("outer")
    inner.tool(name="hidden", auth=auth.require_scopes("a"))(give)
    outer.mount(inner, "in")
    with pytest.raises(CannotCompile, match="does not list what has auth=…: hidden"):
        compiled(outer)


def test_two_versions_with_different_rules_are_a_fault() -> None:
    server = fastmcp.FastMCP("orders")
    server.tool(name="a", version="1", meta=tool_rule())(give)
    server.tool(name="a", version="2", meta=tool_rule(scopes=["s"]))(give)
    with pytest.raises(CannotCompile, match='of one name with different rules: tool "a"'):
        compiled(server)
