"""`tool_rule` and `Mcp`: who may use which tool, resource and prompt of an MCP server.

Input: the values that an author writes at a tool, or at the app of the server. Output: what to pass
as `meta` of the tool, the rule behind it, and the member `mcp` of a route document; or an error
with what to write instead. Clients see `meta`, so a rule itself is stored here and not there.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fastgate.conditions import Condition
from fastgate.declare.values.inference import Requirement
from fastgate.declare.values.inference_budgets import is_budget_name
from fastgate.surrogates import WHY_NONE, with_half_a_pair
from fastgate.vocabulary import is_scope

MCP = "mcp"
"""The member of the route document."""
KINDS = ("tools", "resources", "prompts")
"""What a server offers, as the policy and `Mcp` name it."""
MARKER = "fastgate/rule"
"""The name in `meta` under which clients see that there is a rule, by a random text."""
NOT_OFFERED: Mapping[str, object] = {"access": "none"}
"""The rule of what has no entry at the edge."""
LISTS = ("usable", "all")
MOST_BODY_BYTES = 2 * 1024 * 1024
"""The longest body that can be admitted, in bytes."""

_MOST_UNITS = 1_000_000_000_000
"""The greatest amount of a budget."""

_rules: dict[str, Mapping[str, object]] = {}
_watchers: list[Callable[[], None]] = []


def tool_rule(
    *,
    scopes: Sequence[str] = (),
    require: Requirement | None = None,
    limits: Sequence[str] = (),
    budgets: Mapping[str, int] | None = None,
    access: str | None = None,
) -> dict[str, object]:
    """Say who may use a tool, resource or prompt of an MCP server: `meta=tool_rule(…)`.

    The edge checks this in addition to the rules of the server's endpoint. `tool_rule()` adds
    nothing to these. The dictionary contains only a random text, because clients see `meta`.

    Args:
        scopes: what the token needs, in addition to the scopes of the endpoint.
        require: a condition on the caller, such as `role("admin")`. For callers who cannot meet it,
            the tool does not exist.
        limits: names of limits of the policy that count its calls.
        budgets: what each use costs of budgets of the policy, in their units: `{"daily": 500}`.
        access: `"none"` if the edge offers it to nobody.

    Raises:
        TypeError: a value has another type.
        ValueError: the edge would refuse a value.

    """
    rule = _rule(scopes, require, limits, budgets, access)
    marker = secrets.token_hex(8)
    _rules[marker] = rule
    for watcher in _watchers:
        watcher()
    return {MARKER: marker}


def when_a_rule_is_made(watcher: Callable[[], None]) -> None:
    """Call a function whenever a rule is made: the package of a server is loaded by then."""
    _watchers.append(watcher)


def rule_in(meta: object) -> Mapping[str, object] | None:
    """Return the rule that `tool_rule` has written for this `meta`; None without one."""
    marker = meta.get(MARKER) if isinstance(meta, Mapping) else None
    return _rules.get(marker) if isinstance(marker, str) else None


def requires_anything() -> bool:
    """Whether any rule in this process requires something that only the edge checks."""
    return any(_rules.values())


@dataclass(frozen=True, slots=True)
class Mcp:
    """What the edge admits to an MCP server: `at_edge(mcp=Mcp(…))(server.streamable_http_app())`.

    It is needed only for what cannot be written at a tool: prompts of the package `mcp`, which take
    no `meta`, and what holds for the whole server.

    Raises:
        TypeError: a value has another type.
        ValueError: the edge would refuse a value.

    """

    tools: Mapping[str, Mapping[str, object]] | None = None
    """Rules of tools by name, each a `tool_rule(…)`, for tools without a rule in `meta`."""
    resources: Mapping[str, Mapping[str, object]] | None = None
    """The same for resources, by their URI or URI template."""
    prompts: Mapping[str, Mapping[str, object]] | None = None
    """The same for prompts."""
    methods: Sequence[str] = ()
    """Further methods of the protocol that are admitted, such as `"logging/setLevel"`."""
    list: str = "usable"
    """What lists show: `"usable"`, what the caller may use now; or `"all"`, also what needs scopes
    that the caller can still ask for."""
    max_body: int | None = None
    """The length of the longest request, at most 2097152. None is 262144."""

    def __post_init__(self) -> None:
        for error, what in _faults(self):
            raise error(f"Mcp: {what}")

    def document(self) -> dict[str, object]:
        """Return the member `mcp` as far as it is declared, without members with their default."""
        found: dict[str, object] = {
            kind: {name: dict(rule_in(rule) or {}) for name, rule in rules.items()}
            for kind in KINDS
            if (rules := getattr(self, kind))
        }
        if self.methods:
            found["methods"] = [*self.methods]
        if self.list != LISTS[0]:
            found["list"] = self.list
        if self.max_body is not None:
            found["max_body"] = self.max_body
        return found


def invalid_mcp(value: object) -> Iterator[str]:
    """Yield one message if the member `mcp`, as JSON, cannot be one. The edge checks the rest."""
    if not _is_mcp(value):
        yield f"{MCP} is {value!r}; write {MCP}=Mcp(…)"


def _is_mcp(value: object) -> bool:
    if not isinstance(value, Mapping) or value.keys() - {*KINDS, "methods", "list", "max_body"}:
        return False
    rules = [value.get(kind, {}) for kind in KINDS]
    return all(
        isinstance(named, Mapping) and all(isinstance(rule, Mapping) for rule in named.values())
        for named in rules
    )


def _rule(
    scopes: object, require: object, limits: object, budgets: object, access: object
) -> Mapping[str, object]:
    if access is not None:
        if access != "none":
            raise ValueError(
                f'tool_rule: access is {access!r}; write access="none", or leave it out: who may '
                "reach the server is declared at its app"
            )
        if scopes or require is not None or limits or budgets:
            raise ValueError('tool_rule: access="none" lets nobody in; leave the others out')
        return NOT_OFFERED
    rule = dict[str, object]()
    for name, value in (("scopes", scopes), ("limits", limits)):
        if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
            raise TypeError(f'tool_rule: {name} is {value!r}; write a list of texts: {name}=["…"]')
        for each in value:
            if with_half_a_pair(each):
                raise ValueError(f"tool_rule: {name} has {each!r}, {WHY_NONE}")
            if not each or (name == "scopes" and not is_scope(each)):
                raise ValueError(f"tool_rule: {name} has {each!r}; write one name in each text")
        if value:
            rule[name] = [*dict.fromkeys(map(str.__str__, value))]
    if costs := _costs(budgets):
        rule["budgets"] = costs
    if isinstance(require, Condition):
        rule["require"] = require.document()
    elif isinstance(require, Mapping) and require:
        rule["require"] = dict(require)
    elif require is not None:
        raise TypeError(f'tool_rule: require is {require!r}; write a condition: require=role("…")')
    return rule


def _costs(budgets: object) -> dict[str, int]:
    if budgets is None:
        return {}
    if not isinstance(budgets, Mapping):
        raise TypeError(f'tool_rule: budgets is {budgets!r}; write budgets={{"daily": 500}}')
    for name, units in budgets.items():
        if not is_budget_name(name):
            raise ValueError(f"tool_rule: budgets has {name!r}; write the name of a budget")
        # In Python a bool is an int.
        if type(units) is not int:
            raise TypeError(f'tool_rule: budgets["{name}"] is {units!r}; write a whole number')
        if not 1 <= units <= _MOST_UNITS:
            raise ValueError(
                f'tool_rule: budgets["{name}"] is {units}; it must be 1 to {_MOST_UNITS}'
            )
    return {str.__str__(name): units for name, units in budgets.items()}


def _faults(mcp: Mcp) -> Iterator[tuple[type[Exception], str]]:
    for kind in KINDS:
        rules: object = getattr(mcp, kind)
        if rules is None:
            continue
        if not isinstance(rules, Mapping) or not all(isinstance(name, str) for name in rules):
            yield TypeError, f'{kind} is {rules!r}; write {kind}={{"…": tool_rule(…)}}'
            continue
        for name, rule in rules.items():
            if not name or with_half_a_pair(name):
                yield ValueError, f"{kind} has {name!r}, which is no name of one"
            if rule_in(rule) is None:
                yield TypeError, f'{kind}["{name}"] is {rule!r}; write tool_rule(…)'
    methods: object = mcp.methods
    if not isinstance(methods, (list, tuple)) or not all(
        isinstance(each, str) and each for each in methods
    ):
        yield TypeError, f'methods is {methods!r}; write methods=["logging/setLevel"]'
    if mcp.list not in LISTS:
        yield ValueError, f"list is {mcp.list!r}; write {' or '.join(map(repr, LISTS))}"
    # In Python a bool is an int.
    if mcp.max_body is not None and type(mcp.max_body) is not int:
        yield TypeError, f"max_body is {mcp.max_body!r}; write a whole number: max_body=65536"
    elif mcp.max_body is not None and not 1 <= mcp.max_body <= MOST_BODY_BYTES:
        yield ValueError, f"max_body is {mcp.max_body}; it must be 1 to {MOST_BODY_BYTES}"
