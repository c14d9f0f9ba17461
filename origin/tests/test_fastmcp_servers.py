"""MCP servers of the package `fastmcp`: rules in `meta`, and scopes of its own checks."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI

from fastgate import Mcp, at_edge, role, tool_rule
from fastgate.compile.policy import CannotCompile, compile_routes

fastmcp: Any = pytest.importorskip("fastmcp")
auth: Any = pytest.importorskip("fastmcp.server.auth")
tools: Any = pytest.importorskip("fastmcp.tools")
injection: Any = pytest.importorskip("fastmcp.server.middleware.tool_injection")
transform: Any = pytest.importorskip("fastmcp.tools.tool_transform")
transforms: Any = pytest.importorskip("fastmcp.server.transforms")
search: Any = pytest.importorskip("fastmcp.server.transforms.search")
as_tools: Any = pytest.importorskip("fastmcp.server.transforms.resources_as_tools")


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


def a_server() -> Any:  # noqa: ANN401
    server = fastmcp.FastMCP("orders")
    server.tool(name="cancel", meta=tool_rule(scopes=["c"]))(give)
    server.tool(name="scoped", auth=auth.require_scopes("a"))(give)
    server.resource("config://app", meta=tool_rule())(give)
    return server


def test_names_are_those_after_the_transforms_of_the_server() -> None:
    server = a_server()
    server.add_transform(transforms.Namespace("ns"))
    assert compiled(server)["mcp"] == {
        "tools": {"ns_cancel": {"scopes": ["c"]}, "ns_scoped": {"scopes": ["a"]}},
        "resources": {"config://ns/app": {}},
    }


def test_a_rule_follows_its_tool_to_another_name() -> None:
    server = a_server()
    names = {"cancel": "scoped", "scoped": "cancel"}
    renamed = {name: transform.ToolTransformConfig(name=other) for name, other in names.items()}
    server.add_transform(transforms.ToolTransform(renamed))
    found = compiled(server)["mcp"]
    assert isinstance(found, dict)
    assert found["tools"] == {"cancel": {"scopes": ["a"]}, "scoped": {"scopes": ["c"]}}


def test_an_omitted_tool_is_noticed_although_another_has_the_same_rule() -> None:
    server, rule = fastmcp.FastMCP("tools"), tool_rule(require=role("admin"))
    for name in ("cancel", "shown"):
        server.tool(name=name, meta=rule)(give)
    server.add_transform(search.BM25SearchTransform(always_visible=["shown"]))
    mcp = Mcp(tools={"search_tools": tool_rule(), "call_tool": tool_rule()})
    app = FastAPI(openapi_url=None)
    app.mount("/", at_edge(access="authenticated", mcp=mcp)(server.http_app()))
    with pytest.raises(CannotCompile, match='one of its transforms omits "cancel"'):
        compile_routes(app)


@pytest.mark.parametrize("inner", [False, True])
def test_a_transform_that_omits_tools_with_rules_is_a_fault(inner: bool) -> None:
    """They stay callable: another tool takes their name as an argument."""
    server, outer = a_server(), fastmcp.FastMCP("outer")
    server.add_transform(search.BM25SearchTransform())
    outer.mount(server)
    with pytest.raises(CannotCompile, match=': one of its transforms omits "cancel", or another'):
        compiled(outer if inner else server)


def test_tools_that_middleware_or_a_transform_adds_need_rules() -> None:
    added = injection.ToolInjectionMiddleware([tools.Tool.from_function(give, name="injected")])
    server = fastmcp.FastMCP("orders", middleware=[added])
    server.add_transform(as_tools.ResourcesAsTools(server))
    with pytest.raises(CannotCompile) as caught:
        compiled(server)
    said = [each.what for each in caught.value.faults]
    names = ("list_resources", "read_resource", "injected")
    assert said == [f'offers the tool "{name}" without a rule' for name in names]


def test_what_is_disabled_keeps_its_rule() -> None:
    server = a_server()
    rules = compiled(server)["mcp"]
    server.disable(names={"cancel"})
    assert compiled(server)["mcp"] == rules


def test_a_server_that_verifies_tokens_itself_is_found() -> None:
    server = fastmcp.FastMCP("orders", auth=auth.StaticTokenVerifier({}))
    server.tool(meta=tool_rule(scopes=["a"]))(give)
    assert compiled(server)["mcp"] == {"tools": {"give": {"scopes": ["a"]}}}
