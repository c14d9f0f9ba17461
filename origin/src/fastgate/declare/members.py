"""The members that `at_edge` accepts, and the checks of their names and values.

Input: members of the edge's route document, by name. Output: one sentence for each member that the
edge would not understand, with what to write instead. Only names and simple types are checked here;
the edge checks the values when it reads the policy.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterator, Mapping

from fastgate.conditions import Condition
from fastgate.declare.formerly import FORMERLY, read_former
from fastgate.declare.merge import CALLER_REQUIREMENTS, contradictory
from fastgate.declare.static_access import plain
from fastgate.declare.values.edge_cache import CACHE, EdgeCache, invalid_cache
from fastgate.declare.values.inference import INFERENCE, Inference, Model, invalid_inference
from fastgate.declare.values.mcp import MCP, Mcp, invalid_mcp
from fastgate.surrogates import WHY_NONE, with_half_a_pair

ACCESS = ("public", "optional", "authenticated", "none")
"""The values of `access`, from the most open to the most closed."""

NO_ROUTE = "none"
"""The `access` of an endpoint without a route at the edge."""

CALLERS = ("access", *CALLER_REQUIREMENTS)
"""The members that decide who may call a route."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""The methods that the edge forwards, in the order in which the policy lists them."""

_FLAGS = ("bearer_subprotocol", "forward_token", "require_bound", "sign_body", "websocket")
_LISTS = ("from", "limits", "regions", "scopes", "token_audiences")
_OTHERS = (
    *(
        "accepts",
        "access",
        "authentication",
        CACHE,
        "forward",
        "group",
        "id",
        INFERENCE,
        "issuers",
        MCP,
        "methods",
        "origin",
    ),
    *("path", "request_headers", "require", "response_headers", "rewrite", "shadow", "timeout"),
)
ROUTE_MEMBERS = frozenset((*_FLAGS, *_LISTS, *_OTHERS))
"""The members of the edge's route document: `RouteDocument` in policy.schema.json."""

_RULES = (
    *("authentication", "from", INFERENCE, "issuers", MCP, "regions", "require"),
    *("require_bound", "scopes", "sign_body", "token_audiences"),
)
"""Members that let only some requests pass, or only in some regions, and that only the edge
enforces. `accepts`, `limits` and `methods` are not among them: they do not decide who may call."""

_RENAMED = {"answer_headers": "response_headers", "trial": "shadow"}
"""Former names of members, each with its present name."""

FORWARDED_FACTS = ("roles", "groups", "tenant")
"""The entries of `forward` that are strings: what the issuer's `claims` name."""

_LONGEST_CLAIM_NAME = 64
"""The greatest length of a name in the app, in bytes of UTF-8."""

PREFIX = "prefix"
"""A path prefix that clients see and the edge removes: short for `path` and `rewrite` together."""

OPAQUE = "opaque"
"""Declares a mounted app as one route of the edge. The app's own routes do not count."""

APP_CHECKS = "app_checks"
"""Names security schemes and dependencies that the app itself checks. The edge has no such member.
"""

SINGLE_ROUTE_MEMBERS = frozenset(
    ("bearer_subprotocol", FORMERLY, "id", INFERENCE, OPAQUE, "path", "sign_body", "websocket")
)
"""Members that belong to one route and cannot be declared for a whole app, router or path."""

_NOT_FOR_MANY = {
    FORMERLY: f"declare {FORMERLY} on each endpoint: @at_edge({FORMERLY}=…)",
    INFERENCE: f"declare {INFERENCE} on each endpoint: @at_edge({INFERENCE}=Inference(…))",
    MCP: f'declare {MCP} on the mounted app: app.mount("/", at_edge({MCP}=Mcp(…), …)(other))',
    OPAQUE: f'declare {OPAQUE} on a mounted app: app.mount("/…", at_edge({OPAQUE}=True, …)(other))',
}

TIMEOUT = "timeout"
"""For how many seconds the edge waits for a response to begin."""
LONGEST_TIMEOUT = 110
"""The greatest `timeout` in the policy, in seconds."""

_PREFIX = re.compile(r"(?:/[^/{}?#\\\s]+)+")


def invalid_members(members: Mapping[str, object]) -> Iterator[str]:
    """Yield one message for each invalid member: what is wrong and what to write instead."""
    for name, value in members.items():
        if (text := with_half_a_pair((name, value))) is not None:
            yield f"{ascii(name)[1:-1]} has {text!r}, {WHY_NONE}"
        elif name == PREFIX:
            if not isinstance(value, str) or not _PREFIX.fullmatch(value):
                yield f'prefix is {value!r}; it must be a path like "/gw", without parameters'
        elif name == FORMERLY:
            try:
                read_former(value)
            except ValueError as error:
                yield str(error)
        elif name == OPAQUE:
            if not isinstance(value, bool):
                yield f"{name} is {value!r}; it must be True or False"
        elif name == APP_CHECKS:
            if not _is_list_of_text(value) or not all(value):  # type: ignore[arg-type]
                yield (
                    f"{name} is {value!r}; it must list names of security schemes or of "
                    f'dependencies: {name}=["APIKeyHeader"], or none: {name}=[]'
                )
        elif name in _RENAMED:
            yield f'"{name}" is now called "{_RENAMED[name]}"; rename it'
        elif name not in ROUTE_MEMBERS:
            near = difflib.get_close_matches(name, ROUTE_MEMBERS, 1)
            names = ", ".join(sorted(ROUTE_MEMBERS))
            known = f'did you mean "{near[0]}"?' if near else f"the members are {names}"
            yield f'the edge has no member "{name}"; {known}'
        elif name == "access" and value not in ACCESS:
            yield f"access is {value!r}; it must be one of {', '.join(map(repr, ACCESS))}"
        elif name == "methods" and not _are_among(METHODS, value):
            yield f"methods is {value!r}; it must be a list of {', '.join(map(repr, METHODS))}"
        elif name in _LISTS and not _is_list_of_text(value):
            yield f'{name} is {value!r}; it must be a list of strings: {name}=["…"]'
        elif name == "regions" and not (value and all(value)):  # type: ignore[arg-type]
            yield f"{name} is {value!r}; it must list at least one region, and none may be empty"
        elif name == TIMEOUT and (type(value) is not int or not 1 <= value <= LONGEST_TIMEOUT):
            yield f"{name} is {value!r}; it must be 1 to {LONGEST_TIMEOUT} whole seconds"
        elif name == "token_audiences" and not (value and all(value)):  # type: ignore[arg-type]
            yield f"{name} is {value!r}; it must list at least one audience, and none may be empty"
        elif name == "require" and value is not None and not isinstance(value, Mapping):
            yield (
                f'require is {value!r}; it must be a condition: require=role("…"), or '
                'require={"role": "…"}; write Depends(requires(…)) in the endpoint for more'
            )
        elif name in _FLAGS and not isinstance(value, bool):
            yield f"{name} is {value!r}; it must be True or False"
        elif name == "forward":
            yield from _invalid_entries(value)
        elif name == CACHE:
            yield from invalid_cache(value)
        elif name == INFERENCE:
            yield from invalid_inference(value)
        elif name == MCP:
            yield from invalid_mcp(value)
        elif name == "authentication" and (what := _invalid_authentication(value)):
            yield (
                f"authentication is {value!r}; {what}: "
                'authentication={"acr": ["…"], "max_age": 300}, or one of the two'
            )
    if contradictory(members):
        required = ", ".join(name for name in CALLER_REQUIREMENTS if members.get(name))
        yield (
            f"access is {members['access']!r}, which allows every caller, but {required} requires "
            'a known caller: write access="authenticated", or leave one of the two out'
        )

    if members.get("access") == "public" and "token_audiences" in members:
        yield (
            "access is 'public', for which the edge reads no token, but token_audiences is about "
            'tokens: write access="authenticated" or "optional", or leave token_audiences out'
        )


def as_json(value: object) -> object:
    """Return a member with each condition, declaration and enumeration as JSON of the policy."""
    if isinstance(value, (Condition, EdgeCache, Inference, Mcp, Model)):
        return value.document()
    if isinstance(value, Mapping):
        return {plain(name): as_json(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(as_json, value)) if type(value) in (list, tuple) else value
    return plain(value)


def requires_the_edge(members: Mapping[str, object]) -> bool:
    """Whether a declaration has rules about callers that only the edge enforces."""
    return any(members.get(rule) for rule in _RULES)


def refuses_without_the_edge(members: Mapping[str, object]) -> bool:
    """Whether no request of another gateway may reach what is declared so."""
    return members.get("access") == NO_ROUTE or requires_the_edge(members)


def refuse_for_many(members: Mapping[str, object]) -> None:
    """Raise `ValueError` for members that cannot be declared for several routes at once."""
    for name, why in _NOT_FOR_MANY.items():
        if name in members:
            raise ValueError(f"at_edge: {why}")


def _invalid_entries(forward: object) -> Iterator[str]:
    """Yield one message for each invalid entry of `forward`."""
    if not isinstance(forward, (list, tuple)):
        yield f'forward is {forward!r}; it must be a list: forward=["groups", {{"claim": "…"}}]'
        return
    names = dict[str, object]()
    for entry in forward:
        if isinstance(entry, str):
            if entry not in FORWARDED_FACTS:
                known = ", ".join(map(repr, FORWARDED_FACTS))
                yield f'forward has {entry!r}; write {{"claim": "{entry}"}}, or one of {known}'
        elif what := _invalid_claim(entry):
            yield f"forward has {entry!r}; {what}"
        elif names.setdefault(name := _name_in_app(entry), entry["claim"]) != entry["claim"]:
            yield f'forward gives two claims the name "{name}"; give one of them another: "as": "…"'


def _name_in_app(entry: Mapping[str, object]) -> str:
    return str(entry.get("as", entry["claim"]))


def _invalid_claim(entry: object) -> str | None:
    """Return the fault of an entry for a claim; None if it has none."""
    if not isinstance(entry, Mapping) or "claim" not in entry or entry.keys() - {"claim", "as"}:
        return 'a claim is written {"claim": "…"} or {"claim": "…", "as": "…"}'
    claim = entry["claim"]
    is_nested = isinstance(claim, (list, tuple))
    steps = claim if is_nested else [claim]
    if not steps or not all(isinstance(step, str) and step for step in steps):
        return '"claim" must be a name, or a list of names that leads into objects'
    if is_nested and "as" not in entry:
        return 'a claim within objects needs a name: {"claim": […], "as": "…"}'
    name = entry.get("as", claim)
    # The edge counts the controls of Unicode: the category Cc.
    if not isinstance(name, str) or not 1 <= len(name.encode()) <= _LONGEST_CLAIM_NAME:
        return f"its name in the app must have 1 to {_LONGEST_CLAIM_NAME} bytes"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return "its name in the app must not contain control characters"
    return None


def _invalid_authentication(value: object) -> str | None:
    """Return the fault of `authentication`; None if it has none."""
    if not isinstance(value, Mapping) or not value or value.keys() - {"acr", "max_age"}:
        return "it must have acr, max_age, or both"
    if "acr" in value and (not value["acr"] or not _is_list_of_text(value["acr"])):
        return "acr must be a list of strings"
    max_age = value.get("max_age", 0)
    # In Python a bool is an int.
    if type(max_age) is not int or max_age < 0:
        return "max_age must be a number of seconds"
    return None


def _are_among(known: tuple[str, ...], value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(item in known for item in value)


def _is_list_of_text(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
