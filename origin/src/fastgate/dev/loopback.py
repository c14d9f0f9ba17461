"""Accept only requests that come from this machine, and from no page of another site.

Input: the ASGI scope of a request or a WebSocket. Output: the app runs, or the client gets a 403
that says why. The developer's browser is on this machine too, so these attacks are refused: a page
whose own name resolves to this machine (DNS rebinding: `Host`), and a page that sends requests here
from its own site (`Origin`, `Sec-Fetch-Site`, and the content types that need no preflight).
"""

from collections.abc import Collection, Iterable
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate.problem import Problem
from fastgate.responses import respond
from fastgate.this_machine import host_of_field, is_loopback, is_loopback_name

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
"""A page of any site can send this type without asking first (Fetch §2.2.2)."""
_CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})
_HTTP = {"ws": "http", "wss": "https"}


class LoopbackOnly:
    """Pure ASGI middleware that admits only requests from this machine.

    A page may send requests if its origin is that of the request itself, or one of `origins`.

    Args:
        app: the app to protect.
        origins: origins of other pages that may send requests: `http://127.0.0.1:7676`.
        form_paths: the paths that also accept a form (OAuth's token endpoint has to).

    Raises:
        ValueError: one of `origins` is no origin, or not of this machine.

    """

    def __init__(
        self, app: ASGIApp, *, origins: Iterable[str] = (), form_paths: Collection[str] = ()
    ) -> None:
        self.app = app
        self._origins = loopback_origins(origins)
        self._form_paths = frozenset(form_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one connection through, or refuse it. A lifespan passes: it carries no request."""
        refusal = None if scope["type"] == "lifespan" else self.refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await respond(_problem(refusal), scope, send)

    def refusal(self, scope: Scope) -> str | None:
        """Return why a request is refused, and what to do; None if it is accepted."""
        return (
            _foreign_connection(scope)
            or _foreign_host(scope)
            or self._foreign_page(scope)
            or self._wrong_type(scope)
        )

    def _foreign_page(self, scope: Scope) -> str | None:
        """Look at what the browser writes, and a page cannot change."""
        origins, sites = _values(scope, b"origin"), _values(scope, b"sec-fetch-site")
        if len(origins) > 1 or len(sites) > 1:
            return "Origin and Sec-Fetch-Site may occur once. Send the request again without them."
        for origin in origins:
            if not self._may_send(origin, scope):
                return (
                    f"A page of {origin!r} sent this. Open the page at "
                    f"{_own_origin(scope)}, or send the request from a terminal."
                )
        is_known = bool(origins)  # ports do not count for `same-site`, so the origin decides
        for site in sites:
            if site.lower() not in ("same-origin", "none", *(("same-site",) if is_known else ())):
                return (
                    f"A page of another site sent this (Sec-Fetch-Site: {site}). Enter the address "
                    "in the browser yourself, or send the request from a terminal."
                )
        return None

    def _may_send(self, origin: str, scope: Scope) -> bool:
        return origin.lower() in self._origins or origin.lower() == _own_origin(scope)

    def _wrong_type(self, scope: Scope) -> str | None:
        if scope["type"] == "websocket" or scope["method"] in _CHANGES_NOTHING:
            return None
        types = _values(scope, b"content-type")
        found = types[0].partition(";")[0].strip().lower() if len(types) == 1 else None
        takes_form = scope["path"] in self._form_paths
        if found == JSON or (takes_form and found == FORM):
            return None
        accepted = f"{FORM} or {JSON}" if takes_form else JSON
        return f"A {scope['method']} must have one Content-Type. Send Content-Type: {accepted}."


def loopback_origins(origins: Iterable[str]) -> frozenset[str]:
    """Return these origins in lower case.

    Raises:
        ValueError: one is not an origin (RFC 6454 §6.2), or not of this machine.

    """
    if isinstance(origins, str):
        raise ValueError(f'origins: is a string, not a tuple; write origins=("{origins}",)')
    found = frozenset(origin.lower() for origin in origins)
    for origin in found:
        scheme, _, authority = origin.partition("://")
        is_local = is_loopback_name(host_of_field(authority.encode()))
        if scheme not in ("http", "https") or not is_local:
            raise ValueError(
                f"origins: {origin!r} is no origin of this machine; "
                'write "http://127.0.0.1:7676", without a path'
            )
    return found


def _foreign_connection(scope: Scope) -> str | None:
    for end in ("client", "server"):
        address = scope.get(end)
        if not address or not is_loopback(address[0]):
            return (
                f"The {end}'s address is {address[0] if address else None!r}, which is not this "
                "machine. Connect to 127.0.0.1, on the machine itself."
            )
    return None


def _foreign_host(scope: Scope) -> str | None:
    hosts = _values(scope, b"host")
    if len(hosts) != 1:
        return "The request must have exactly one Host. Send Host: 127.0.0.1."
    if not is_loopback_name(host_of_field(hosts[0].encode("latin-1"))):
        return f"Host {hosts[0]!r} is not a name of this machine. Use 127.0.0.1 or localhost."
    return None


def _own_origin(scope: Scope) -> str:
    scheme = scope.get("scheme", "http")
    return f"{_HTTP.get(scheme, scheme)}://{_values(scope, b'host')[0]}".lower()


def _values(scope: Scope, name: bytes) -> list[str]:
    return [
        value.decode("latin-1").strip()
        for field, value in scope["headers"]
        if field.lower() == name
    ]


def _problem(why: str) -> Problem:
    return Problem(
        HTTPStatus.FORBIDDEN,
        "not-local",
        "Only this machine may send requests, and no page of another site",
        detail=why,
    )
