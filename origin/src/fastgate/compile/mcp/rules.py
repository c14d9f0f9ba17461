"""Compile the rules of an MCP server into the member `mcp` of its route, and find what lacks one.

Input: an MCP server, and the member `mcp` that its app declares. Output: the member of the route
document, with an entry for each tool, resource and prompt that has a rule; and each fault, with
what to do about it. What has no entry does not exist at the edge.
"""

from collections.abc import Iterable, Iterator, Mapping

from fastgate.compile.mcp.servers import McpServer, Offered, Omitted, Unlisted, offered_by
from fastgate.declare.static_access import own, texts_in
from fastgate.declare.values.mcp import KINDS, MARKER, MCP, NOT_OFFERED, rule_in

_NO_RULES: Mapping[str, object] = {}
_REMEDY = "write meta=tool_rule(scopes=[…]) at it, or meta=tool_rule() if all callers may use it"


def mcp_document(found: McpServer, declared: object) -> dict[str, object]:
    """Return the member `mcp` of the route of a server; without entries if they cannot be read."""
    members = dict(declared) if isinstance(declared, Mapping) else {}
    try:
        offered = offered_by(found.server)
    except Unlisted:
        offered = ()
    entries: dict[str, dict[str, object]] = {kind: {} for kind in KINDS}
    if offered:
        for each in offered:
            rule = _rule_of(each, members)
            if rule is not None:
                entries[each.kind][each.name] = dict(rule)
    else:
        entries = {kind: dict(_declared_rules(members, kind)) for kind in KINDS}
    kept = {
        kind: {name: rule for name, rule in sorted(rules.items()) if rule != NOT_OFFERED}
        for kind, rules in entries.items()
    }
    others = {name: value for name, value in members.items() if name not in KINDS}
    return {**{kind: rules for kind, rules in kept.items() if rules or kind == "tools"}, **others}


def mcp_faults(found: McpServer | None, declared: object) -> Iterator[tuple[str, str]]:
    """Yield what the rules of a server lack, and what to do about it."""
    if found is None:
        return
    members = declared if isinstance(declared, Mapping) else _NO_RULES
    try:
        offered = offered_by(found.server)
    except Unlisted as why:
        if isinstance(why, Omitted):
            yield (
                f"is an MCP server with tools that can be called and are not listed: {why}",
                "remove the transform, or the rules of what it omits",
            )
            return
        if any(_declared_rules(members, kind) for kind in KINDS):
            return
        yield (
            f"is an MCP server whose tools cannot be listed: {why}",
            f'name what the edge may admit: at_edge({MCP}=Mcp(tools={{"…": tool_rule(…)}}))(…), '
            "or, if its tools need no rules of their own, declare the app as one route: "
            "at_edge(opaque=True, methods=[…])(…)",
        )
        return
    yield from _unruled(offered, members)
    yield from _two_rules(offered, members)
    for kind in KINDS:
        names = {each.name for each in offered if each.kind == kind}
        for name in _declared_rules(members, kind):
            if name not in names:
                yield (
                    f'declares a rule for "{name}" under {kind}, which the server does not offer',
                    f"correct or remove it in Mcp({kind}=…)",
                )


def _unruled(
    offered: Iterable[Offered], members: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    for each in offered:
        if _rule_of(each, members) is not None:
            continue
        what = f"offers the {_word(each)} without a rule"
        if each.auth:
            what += ": the edge cannot read its auth=… (it reads require_scopes and restrict_tag)"
        elif isinstance(each.meta, Mapping) and MARKER in each.meta:
            what += f": the {MARKER} in its meta is not of this process"
        by_name = f'at_edge({MCP}=Mcp({each.kind}={{"{each.name}": tool_rule(…)}}))(…)'
        remedy = f"{_REMEDY}; where it takes no meta, write {by_name} at the mounted app"
        yield what, remedy


def _two_rules(
    offered: Iterable[Offered], members: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    first: dict[tuple[str, str], Mapping[str, object] | None] = {}
    for each in offered:
        rule = _rule_of(each, members)
        if first.setdefault((each.kind, each.name), rule) != rule:
            yield (
                f"offers two {each.kind} of one name with different rules: {_word(each)}",
                ("give both the same rule: clients name them without a version"),
            )
        named = _declared_rules(members, each.kind)
        if each.name in named and rule_in(each.meta) is not None:
            yield (
                f"has two rules for the {_word(each)}",
                (f"keep the one in its meta, or the one in Mcp({each.kind}=…)"),
            )


def _rule_of(each: Offered, members: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the rule of what a server offers; None if its author wrote none that can be read."""
    rule = rule_in(each.meta)
    if rule is None:
        named = _declared_rules(members, each.kind).get(each.name)
        rule = named if isinstance(named, Mapping) else None
    scopes = _scopes_of_checks(each)
    if rule == NOT_OFFERED or (rule is None and scopes is None):
        return rule
    rule = rule or {}
    required = dict.fromkeys((*texts_in(rule.get("scopes")), *(scopes or ())))
    return {**({"scopes": [*required]} if required else {}), **_without_scopes(rule)}


def _without_scopes(rule: Mapping[str, object]) -> Mapping[str, object]:
    return {name: value for name, value in rule.items() if name != "scopes"}


def _scopes_of_checks(each: Offered) -> list[str] | None:
    """Return the scopes that checks of `fastmcp` require; None without checks, or for others."""
    if not each.auth:
        return None
    scopes = set[str]()
    for check in each.auth if isinstance(each.auth, (list, tuple)) else (each.auth,):
        members, kind = own(check), type(check).__name__
        required = members.get("required_scopes")
        if not isinstance(required, frozenset) or kind not in ("_RequireScopes", "_RestrictTag"):
            return None
        if kind == "_RequireScopes" or members.get("tag") in each.tags:
            scopes |= {str(scope) for scope in required}
    return sorted(scopes)


def _declared_rules(members: Mapping[str, object], kind: str) -> Mapping[str, object]:
    rules = members.get(kind)
    return rules if isinstance(rules, Mapping) else {}


def _word(each: Offered) -> str:
    return f'{each.kind.removesuffix("s")} "{each.name}"'
