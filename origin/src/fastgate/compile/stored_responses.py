"""Find declarations of stored responses that contradict the rest of an endpoint.

Input: an `Endpoint`. Output: faults, each with what to write instead. The edge refuses most of them
in a policy (`src/policy/route/shared_responses.rs`); the requirements of dependencies only the app
knows.
"""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fastgate.compile.callers.requirements import tests_in
from fastgate.compile.endpoints.app_checks import names_run
from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.route_ids import (
    access_of,
    checked_by_app,
    has_cacheable_responses,
    members_of,
    readers_of_tokens,
    schemes_run,
)
from fastgate.compile.endpoints.undecided import quoted, undecided_names
from fastgate.declare.lookup import declared_on_layers
from fastgate.declare.values.edge_cache import (
    CACHE,
    audience_of,
    claim_fact,
    invalid_cache,
    is_for_all_admitted,
)
from fastgate.declare.values.inference import INFERENCE
from fastgate.forwarded import written_fact


class StoredResponseFault(NamedTuple):
    """A declaration of stored responses without effect, and what to do about it."""

    what: str
    remedy: str


def stored_response_faults(endpoint: Endpoint) -> Iterator[StoredResponseFault]:
    """Yield what contradicts the `cache` of an endpoint."""
    if endpoint.declared.get(CACHE) is not None and not has_cacheable_responses(endpoint):
        yield StoredResponseFault(
            "declares cache, but has neither responses to GET nor an inference, and the edge "
            "stores no others",
            "move cache to the endpoint of the GET, or leave it out",
        )
    members = members_of(endpoint)
    if (cache := members.get(CACHE)) is None or [*invalid_cache(cache)]:
        return
    is_for_models = bool(inference := members.get(INFERENCE))
    api = inference.get("api", _REPEATABLE[0]) if isinstance(inference, Mapping) else None
    if is_for_models and api not in _REPEATABLE:
        yield StoredResponseFault(
            f"declares cache, and inference with api={api!r}, whose requests say nothing by which "
            "the same one would get the same response: nothing would be stored",
            "remove cache",
        )
    if is_for_models and isinstance(cache, Mapping) and cache.get(_RENEWAL):
        yield StoredResponseFault(
            f"declares inference, and cache with {_RENEWAL}: the edge keeps no request by which it "
            "could renew a response",
            f"remove {_RENEWAL}, or make ttl longer",
        )
    for name, why in _EXCLUDED.items():
        if members.get(name) and not (is_for_models and name == "sign_body"):
            is_declared = name in endpoint.declared or name in endpoint.inherited
            yield StoredResponseFault(
                f"declares cache and {name}: {why}",
                "remove one of the two from at_edge; cache=None if the cache is inherited"
                if is_declared
                else f"take `caller: Caller` in place of {_schemes_of(endpoint)}, or remove cache",
            )
    inherits = "" if CACHE in endpoint.declared else "; or at_edge(cache=None) to inherit none"
    found = (
        *_audience_faults(endpoint, cache),
        *_requirement_faults(endpoint, audience_of(cache)),
        *_app_check_faults(endpoint),
    )
    yield from (each._replace(remedy=each.remedy + inherits) for each in found)


def _schemes_of(endpoint: Endpoint) -> str:
    """Return what the edge forwards the token for, such as schemes of FastAPI."""
    return " and ".join(readers_of_tokens(endpoint))


_REPEATABLE = ("openai-chat", "openai-embeddings")
_RENEWAL = "stale_while_revalidate"
_EXCLUDED = {
    "forward_token": "the response might depend on the token, which is not part of the audience",
    "sign_body": "a request with a signed body has no stored response, unless it is for a model",
    "websocket": "a WebSocket has no stored response",
}


def _audience_faults(endpoint: Endpoint, cache: object) -> Iterator[StoredResponseFault]:
    audience, is_public = audience_of(cache), access_of(endpoint) == "public"
    if is_public and audience:
        yield StoredResponseFault(
            f"is public, so no token is read, but its cache has an audience of callers: "
            f"{', '.join(sorted(audience))}",
            'write EdgeCache(audience="public", …), or another access',
        )
    elif is_public and is_for_all_admitted(cache):
        yield StoredResponseFault(
            "is public, so all callers share its responses anyway, but its cache has shared=True",
            "leave shared out of EdgeCache(…)",
        )
    elif not is_public and not audience and not is_for_all_admitted(cache):
        yield StoredResponseFault(
            'has the cache audience "public", but is not public itself',
            'write EdgeCache(audience="tenant", …), "roles" or "caller"; or shared=True if all '
            "admitted callers may see one response",
        )
    elif is_for_all_admitted(cache) and endpoint.callers.known:
        mark = declared_on_layers(endpoint.source, mounted=False)
        if not is_for_all_admitted(mark.get(CACHE)):
            yield StoredResponseFault(
                "requires a known caller, and its cache is shared by all of them, so the app "
                "cannot check that there is one; but the cache is not declared on the endpoint",
                'declare it there: @at_edge(cache=EdgeCache(audience="public", shared=True, …))',
            )


def _requirement_faults(
    endpoint: Endpoint, shared: frozenset[str]
) -> Iterator[StoredResponseFault]:
    """Yield the requirements of dependencies that the app could not check."""
    callers = endpoint.callers
    for text in callers.conditions:
        condition = json.loads(text)
        read = sorted({*_facts(condition)} - shared)
        if not read:
            continue
        has_scope = any(each.startswith("scope:") for each in read)
        entries = ", ".join(map(written_fact, read))
        add = "" if has_scope else f"add {entries} to the audience, or "
        yield StoredResponseFault(
            f"requires {text} in the app, which does not learn {', '.join(read)} for a response "
            "that the edge stores",
            f"{add}let only the edge check it: at_edge(require={condition!r})",
        )
    unchecked = {
        "requires(bound=True)": ("at_edge(require_bound=True)", callers.bound),
        "requires(acr=…)": ('at_edge(authentication={"acr": […]})', callers.acr),
        "requires(max_age=…)": (
            'at_edge(authentication={"max_age": …})',
            callers.max_age is not None,
        ),
    }
    for written, (instead, is_required) in unchecked.items():
        if is_required:
            yield StoredResponseFault(
                f"has {written}, which the app cannot check for a response that the edge stores",
                f"let only the edge check it: {instead}",
            )


def _app_check_faults(endpoint: Endpoint) -> Iterator[StoredResponseFault]:
    """Yield a fault if the app checks callers itself: for a stored response, it never does.

    These are the checks that a mark names, security schemes, and dependencies that may be checks,
    as `Security(…)` says. A forwarded token is another fault.
    """
    schemes = schemes_run(endpoint)
    names = {each.name for each in schemes} | {*undecided_names(endpoint)}
    names |= names_run(endpoint) & checked_by_app(endpoint)
    if members_of(endpoint).get("forward_token"):
        names -= {each.name for each in schemes if each.reads_token}
    if names:
        yield StoredResponseFault(
            f"declares cache, but the app itself checks {', '.join(map(quoted, sorted(names)))}, "
            "and it gets no request for which the edge has a stored response",
            "remove cache; or let the edge decide who may call it, so that nothing is left to the "
            "app: take `caller: Caller` in place of that check",
        )


def _facts(condition: object) -> Iterator[str]:
    """Yield what a condition reads, as `tctx.shared` names it; a scope as `scope:…`.

    The header has only the scopes that the route requires of every caller.
    """
    for each in tests_in(condition):
        if "role" in each:
            yield "roles"
        if "group" in each:
            yield "groups"
        if "scope" in each:
            yield f"scope:{each['scope']}"
        if "claim" in each:
            yield claim_fact(each["claim"]["name"])
