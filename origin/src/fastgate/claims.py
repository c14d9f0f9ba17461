"""The claims of a verified `Fastgate-Identity` header, as Python types.

Input: the JSON object of the payload, already authenticated by `verify`. Output: `EdgeClaims`.
Every known claim is checked strictly: a wrong type is refused, and so is `null`. Unknown claims are
ignored, so that an edge may be updated first. It never reads the clock, the request or a key.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, NamedTuple, Self

from fastgate.base64url import SHA256
from fastgate.edge_only import FROM_THE_EDGE
from fastgate.errors import ClaimMalformed
from fastgate.requester import LATEST, Requester, beyond, lacking, texts_of

SCOPE_KEY = "fastgate"
"""The key of the ASGI scope under which the guard stores the `EdgeClaims` of a request."""

_NO_SCOPES = frozenset[str]()
_ABSENT = object()
_NOTHING: dict[str, object] = {}
_ALWAYS_IN_TCTX = 5
"""The number of members that every `tctx` has. Only if there are more, there are optional ones."""
_tuple = tuple.__new__
"""Makes a named tuple in half the time of its class. The claims are read for every request."""
_CONTENT_DIGEST = re.compile(r"sha-256=:[A-Za-z0-9+/]{43}=:")


class ModelRequest(NamedTuple):
    """`tctx.inference`: what the edge decided about a request to a model."""

    model: Annotated[str, FROM_THE_EDGE]
    """The name of the model in the body that the app receives."""
    alias: str | None = None
    """The name that the caller used, if it is another one."""
    remaining: Mapping[str, int] = MappingProxyType({})
    """How many units are left of each budget, by its name, without what this request can cost."""

    @classmethod
    def parse(cls, inference: object) -> Self:
        """Read `tctx.inference`. Raises `ClaimMalformed`."""
        if not isinstance(inference, dict):
            raise ClaimMalformed("tctx.inference")
        model = _required(inference, "tctx.inference.", "model")
        alias = _optional(inference, "tctx.inference.", "alias")
        remaining = inference.get("remaining", {})
        # In Python a bool is an int.
        if not isinstance(remaining, Mapping) or any(
            type(units) is not int or units < 0 for units in remaining.values()
        ):
            raise ClaimMalformed("tctx.inference.remaining")
        return cls(model, alias, remaining)


class McpMessage(NamedTuple):
    """`tctx.mcp`: what the edge decided about a message to an MCP server."""

    method: Annotated[str, FROM_THE_EDGE]
    """The method of the message."""
    name: str | None = None
    """The name of the tool or prompt, or the URI of the resource, if it is about one."""

    @classmethod
    def parse(cls, mcp: object) -> Self:
        """Read `tctx.mcp`. Raises `ClaimMalformed`."""
        if not isinstance(mcp, dict):
            raise ClaimMalformed("tctx.mcp")
        return cls(_required(mcp, "tctx.mcp.", "method"), _optional(mcp, "tctx.mcp.", "name"))


class Transaction(NamedTuple):
    """`tctx`: the request that the edge judged, and the route whose rules it applied."""

    route: Annotated[str, FROM_THE_EDGE]
    """The route's id in the edge's policy."""
    template: str
    """That route's path template, in FastAPI's syntax."""
    method: str
    host: str
    """The `Host` that the client used, as the edge forwards it."""
    path: str
    """The canonical path; its UTF-8 bytes are the request's `raw_path`."""
    query: str | None
    """The SHA-256 of the query string's bytes in base64url; None for an empty query."""
    content_digest: str | None = None
    """The body's `Content-Digest` (RFC 9530); None if the route does not require a signed body."""
    websocket: bool = False
    """Whether this is the opening handshake of a WebSocket, and not another GET."""
    shared: frozenset[str] | None = None
    """What the callers that share the response have in common: `tenant`, `roles`, `groups`,
    `caller`, `claim:` and a claim's name in the app; empty if it is for all. None if the response
    is for this caller alone."""
    inference: ModelRequest | None = None
    """What was decided about a request to a model; None if the route is for other requests."""
    mcp: McpMessage | None = None
    """What was decided about a message to an MCP server; None if the body is none."""

    @classmethod
    def parse(cls, tctx: Mapping[str, object]) -> Self:
        """Read `tctx`. Raises `ClaimMalformed`."""
        get = tctx.get
        route, template, method = get("route"), get("template"), get("method")
        host, path = get("host"), get("path")
        if not (
            isinstance(route, str)
            and isinstance(template, str)
            and isinstance(method, str)
            and isinstance(host, str)
            and isinstance(path, str)
            and route
            and template
            and method
            and host
            and path
        ):
            raise _malformed(tctx, "tctx.", "route", "template", "method", "host", "path")
        query = content = shared = inference = mcp = None
        websocket = False
        if len(tctx) > _ALWAYS_IN_TCTX:
            query = _optional(tctx, "tctx.", "query")
            if query is not None and not SHA256.fullmatch(query):
                raise ClaimMalformed("tctx.query")
            content = _optional(tctx, "tctx.", "content_digest")
            if content is not None and not _CONTENT_DIGEST.fullmatch(content):
                raise ClaimMalformed("tctx.content_digest")
            websocket = "websocket" in tctx
            if websocket and tctx["websocket"] is not True:
                raise ClaimMalformed("tctx.websocket")
            if "inference" in tctx:
                inference = ModelRequest.parse(tctx["inference"])
            if "shared" in tctx:
                shared = texts_of(tctx["shared"])
                # A response of a model depends on the body, and not on what one caller has left.
                of_model = inference is not None and content is not None and not inference.remaining
                is_stored = (method in ("GET", "HEAD") or of_model) and not websocket
                if shared is None or "" in shared or not is_stored:
                    raise ClaimMalformed("tctx.shared")
            if "mcp" in tctx:
                mcp = McpMessage.parse(tctx["mcp"])
        request = (route, template, method, host, path, query, content, websocket)
        return _tuple(cls, (*request, shared, inference, mcp))


class EdgeClaims(NamedTuple):
    """All statements of the edge about one request and its caller."""

    issuer: Annotated[str, FROM_THE_EDGE]
    """The edge that minted the header."""
    audience: str
    """The origin for which the header was minted."""
    issued_at: int
    """Unix time, seconds."""
    expires_at: int
    """Unix time, seconds."""
    request_id: str
    """`txn`: the request id, as in `X-Request-ID` and in the edge's log line."""
    subject: str | None
    """The caller, unique within `requester.issuer`; None for an anonymous caller, and if the
    response is shared by several callers (`transaction.shared`)."""
    scopes: frozenset[str]
    transaction: Transaction
    requester: Requester

    @classmethod
    def parse(cls, payload: Mapping[str, object]) -> Self:
        """Read the whole payload.

        Raises:
            ClaimMalformed: a claim is missing, has the wrong type, or contradicts another: a
                subject without its issuer or the reverse, scopes without a subject, another
                requesting workload than the edge, something of the caller that those who share
                the response do not have in common, or not all that they have in common.

        """
        get = payload.get
        issuer, audience, request_id = get("iss"), get("aud"), get("txn")
        if not (
            isinstance(issuer, str)
            and isinstance(audience, str)
            and isinstance(request_id, str)
            and issuer
            and audience
            and request_id
        ):
            raise _malformed(payload, "", "iss", "aud", "txn")
        if get("req_wl") != issuer:
            raise ClaimMalformed("req_wl")
        subject, scope = _optional(payload, "", "sub"), get("scope")
        if not isinstance(scope, str):
            raise ClaimMalformed("scope")
        rctx, tctx = get("rctx", _NOTHING), get("tctx")
        if not isinstance(rctx, dict):
            raise ClaimMalformed("rctx")
        requester = Requester.parse(rctx)
        issued_at, expires_at = get("iat"), get("exp")
        # In Python a bool is an int. In the contract it is not.
        if type(issued_at) is not int or not -LATEST <= issued_at <= LATEST:
            raise ClaimMalformed("iat")
        if type(expires_at) is not int or not -LATEST <= expires_at <= LATEST:
            raise ClaimMalformed("exp")
        if not isinstance(tctx, dict):
            raise ClaimMalformed("tctx")
        scopes = _scopes(scope) if scope else _NO_SCOPES
        judged = Transaction.parse(tctx)
        if (shared := judged.shared) is not None:
            _check_shared(shared, subject, scope, requester)
        elif scope and subject is None:
            raise ClaimMalformed("scope")
        elif (subject is None) != (requester.issuer is None):
            raise ClaimMalformed("rctx.iss")
        # fmt: off
        return _tuple(cls, (
            issuer, audience, issued_at, expires_at, request_id, subject, scopes, judged, requester,
        ))
        # fmt: on


def _check_shared(
    shared: frozenset[str], subject: str | None, scope: str, requester: Requester
) -> None:
    """Refuse a header with more about the caller than its audience has in common, or with less.

    If the audience is not empty, a known caller is one with an issuer. If it is empty, the response
    is for all, and the header does not say whether the caller is known.
    """
    is_known = requester.issuer is not None
    if (name := beyond(requester, shared)) is not None:
        raise ClaimMalformed("rctx." + name)
    if is_known and (name := lacking(requester, shared)) is not None:
        raise ClaimMalformed("rctx." + name)
    if (subject is not None) != (is_known and "caller" in shared):
        raise ClaimMalformed("sub")
    if scope and shared and not is_known:
        raise ClaimMalformed("scope")


def _malformed(members: Mapping[str, object], within: str, *names: str) -> ClaimMalformed:
    """Return the error for the first of these claims that is not a text, or is empty."""
    for name in names:
        value = members.get(name)
        if not isinstance(value, str) or not value:
            break
    return ClaimMalformed(within + name)


def _optional(members: Mapping[str, object], within: str, name: str) -> str | None:
    value = members.get(name, _ABSENT)
    if value is _ABSENT:
        return None
    if isinstance(value, str) and value:
        return value
    # Null, an empty string and other types are refused.
    raise ClaimMalformed(within + name)


def _required(members: Mapping[str, object], within: str, name: str) -> str:
    if (value := _optional(members, within, name)) is None:
        raise ClaimMalformed(within + name)
    return value


# Many callers hold the same scopes, and a signature has vouched for each of these texts.
@lru_cache(maxsize=256)
def _scopes(scope: str) -> frozenset[str]:
    # Single spaces separate scopes; tabs and double spaces do not (RFC 6749 §3.3).
    scopes = frozenset(scope.split(" "))
    if "" in scopes or not scope.isprintable():
        raise ClaimMalformed("scope")
    return scopes
