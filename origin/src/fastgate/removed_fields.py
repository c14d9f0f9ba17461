"""The request fields that never reach the app through the edge, whatever the policy says.

Input: the name of a field. Output: whether the edge removes what a client sends under that name.
These are the rules of `src/headers/fate.rs`; a test compares both.
"""

import re

HOP_BY_HOP = frozenset(
    (
        *("connection", "content-length", "expect", "host", "http2-settings", "keep-alive"),
        *("proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    )
)
"""Fields of one connection or message."""
RESERVED = frozenset(
    (
        *("authenticated-user", "cdn-cache-control", "cdn-loop", "cf-connecting-ip", "client-ip"),
        *("daphne-root-path", "forwarded", "remote-user", "script-name", "true-client-ip"),
        *("x-client-ip", "x-cluster-client-ip", "x-http-method", "x-http-method-override"),
        *("x-method-override", "x-original-host", "x-original-method", "x-original-uri"),
        *("x-original-url", "x-real-ip", "x-remote-user", "x-request-id", "x-rewrite-url"),
        "x-script-name",
    )
)
"""Fields that only the edge may set."""
RESERVED_PREFIXES = (
    *("fastgate-", "fastly-", "surrogate-", "x-auth-request-", "x-authenticated-", "x-envoy-"),
    *("x-fastgate-", "x-forwarded-", "x-surrogate-"),
)
PROOF = "dpop"
"""The field with a proof of possession (RFC 9449 §4.1), which the edge reads and removes."""
_OF_CALLERS = frozenset(
    (
        *("authenticated-user", "proxy-authorization", "remote-user", "x-remote-user", PROOF),
        *("x-forwarded-access-token", "x-forwarded-email", "x-forwarded-groups"),
        *("x-forwarded-preferred-username", "x-forwarded-user"),
    )
)
_OF_EACH_CONNECTION = frozenset(
    ("connection", "content-length", "host", "transfer-encoding", "upgrade")
)
"""Those of `HOP_BY_HOP` that each connection may have again, also the last one."""
_PREFIXES_OF_CALLERS = ("x-auth-request-", "x-authenticated-")
_NOT_A_LETTER = re.compile(r"[^a-z0-9]")


def is_removed(name: str) -> bool:
    """Whether the edge passes no field of this name on that a client sends."""
    name = name.lower()
    return name == PROOF or name in HOP_BY_HOP or is_reserved(name)


def never_arrives(name: str) -> bool:
    """Whether no field of this name arrives, because nothing behind the edge sets it either.

    The edge, Fastly and proxies of the origin set others, such as `Host` and `X-Forwarded-For`.
    """
    name = name.lower()
    folded = folded_name(name)
    if name in HOP_BY_HOP - _OF_EACH_CONNECTION:
        return True
    return "_" in name or folded in _OF_CALLERS or folded.startswith(_PREFIXES_OF_CALLERS)


def is_reserved(name: str) -> bool:
    """Whether only the edge may set a field of this name, in lower case.

    Servers that follow CGI cannot tell an underscore from a hyphen (RFC 3875 §4.1.18).
    """
    folded = folded_name(name)
    return "_" in name or folded in RESERVED or folded.startswith(RESERVED_PREFIXES)


def folded_name(name: str) -> str:
    """Return a name in lower case with every character but letters and digits as a hyphen."""
    return _NOT_A_LETTER.sub("-", name)
