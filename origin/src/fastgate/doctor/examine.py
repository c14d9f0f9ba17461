"""Prove that an origin cannot be used without its edge: send it forged requests.

Input: the addresses of an origin and its edge. Output: a `Finding` for each request, which says
what it proves, if anything. Only the guard's own refusal, its status and problem type, proves that
the guard is there. A timeout, or the 401 of another program, proves nothing. The requests use plain
sockets, because an HTTP client would correct their faults. No request changes anything, unless the
origin runs a request that it must refuse.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPSConnection
from json import loads
from secrets import token_urlsafe
from socket import SHUT_RDWR
from threading import Timer

from fastgate.doctor.matrix import matrix
from fastgate.doctor.probe import BY_SERVER, HEADER, Probe, Target
from fastgate.doctor.raw_http import (
    TIMEOUT_SECONDS,
    HandshakeRefused,
    NoResponse,
    NotConnected,
    NotSent,
    RawResponse,
    exchange,
    host_of,
    split_address,
)
from fastgate.doctor.report import Finding, Verdict
from fastgate.request.sending import NONCE
from fastgate.settings import JWKS_PATH
from fastgate.strict_json import parse_object

_BY_ANOTHER = BY_SERVER | {401, 403, 429, 502, 503, 504}
"""Statuses that need not come from an endpoint. All others come from behind the guard."""
_REDIRECTING = frozenset({301, 302, 307, 308})
"""Statuses of a proxy that sends clients to another scheme or host, or of an app."""
_PROBLEM_PREFIX = "urn:fastgate:problem:"
_NOT_FROM_THE_EDGE = f"{_PROBLEM_PREFIX}not-from-the-edge"
_WITHOUT_KEYS = f"{_PROBLEM_PREFIX}unavailable"
_WITHOUT_BODY = "a problem document without its body"
_PROBLEM = re.compile(rb"(?im)^content-type:[ \t]*application/problem\+json")


def examine(
    origin: str,
    target: Target,
    *,
    edge: str | None = None,
    edge_path: str | None = None,
    direct: Iterable[str] = (),
    expect_unreachable: bool = False,
) -> list[Finding]:
    """Send the whole matrix; return one finding for each request.

    If the first request gets no response, no further request is sent to the origin: a matrix of
    timeouts would prove no more.

    Args:
        origin: the URL of the origin itself, not of the edge.
        target: the requests that it would accept.
        edge: the URL of the edge, which must not forward a forged header.
        edge_path: a path that the edge opens to every caller; by default that of the target.
        direct: further addresses at which the origin may be reachable.
        expect_unreachable: `origin` must not be reachable from here (a firewall, client
            certificates). One request is sent, and any accepted connection is a fault.

    Raises:
        ValueError: an address is not an absolute URL with http or https.
        OSError: the edge does not respond.

    """
    addresses = [origin, *direct, *([] if edge is None else [edge])]
    for address in addresses:
        split_address(address)
    host = target.backend_host or host_of(origin)
    bare = Probe("no header")
    unreachable = Probe("no header, by a direct address")
    if expect_unreachable:
        found = [_examined_direct(unreachable, origin, target, "origin", may_respond=False)]
    else:
        found = [_examined(bare, origin, target)]
        if found[0].verdict is not Verdict.NO_RESPONSE:
            found += [_examined(probe, origin, target) for probe in matrix(target, host)]
    found += [
        _examined_direct(unreachable, address, target, address, may_respond=True)
        for address in direct
    ]
    if edge is not None:
        found += _examined_edge(edge, edge_path or target.path)
    return found


def published_keys(edge: str) -> Mapping[str, object]:
    """Return the edge's JWK Set.

    Raises:
        ValueError: the edge publishes none at the standard path.
        OSError: the connection fails.

    """
    parts = split_address(edge)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with closing(kind(parts.netloc, timeout=TIMEOUT_SECONDS)) as connection:
        connection.connect()
        # The timeout limits each read. The timer limits all of them together.
        timer = Timer(TIMEOUT_SECONDS, _cut_off, (connection,))
        timer.start()
        try:
            connection.request("GET", parts.path.rstrip("/") + JWKS_PATH)
            response = connection.getresponse()
            document = loads(response.read()) if response.status == HTTPStatus.OK else None
        finally:
            timer.cancel()
    if not isinstance(document, dict):
        raise ValueError(f"{edge} publishes no keys (status {response.status}); check --edge")
    return document


def _cut_off(connection: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(SHUT_RDWR)


def _examined(probe: Probe, url: str, target: Target) -> Finding:
    try:
        response = _sent(probe, url, target)
    except OSError as error:
        return _finding(probe, "origin", f"no response ({error})", Verdict.NO_RESPONSE)
    verdict, text = _judged(probe, response)
    return _finding(probe, "origin", f"{response.status} {text}", verdict)


def _examined_direct(
    probe: Probe, url: str, target: Target, where: str, *, may_respond: bool
) -> Finding:
    """Examine an address that need not be reachable, or, without `may_respond`, must not be.

    A program that accepts a connection is reachable, regardless of its response.
    """
    try:
        response = _sent(probe, url, target)
    except NotSent as error:
        # An unknown name may be a typing error, so this proves nothing.
        return _finding(probe, where, f"not sent ({error})", Verdict.NO_RESPONSE)
    except NotConnected as error:
        return _finding(probe, where, f"unreachable ({error})", Verdict.UNREACHABLE)
    except HandshakeRefused as error:
        return _finding(probe, where, f"no handshake ({error})", Verdict.NO_RESPONSE)
    except NoResponse as error:
        if may_respond:
            return _finding(probe, where, f"connected, no response ({error})", Verdict.NO_RESPONSE)
        return _finding(probe, where, f"no response ({error}), but REACHED", Verdict.LET_IN)
    if not may_respond:
        return _finding(probe, where, f"{response.status}, but REACHED", Verdict.LET_IN)
    verdict, text = _judged(probe, response)
    return _finding(probe, where, f"{response.status} {text}", verdict)


def _judged(probe: Probe, response: RawResponse) -> tuple[Verdict, str]:
    without_body = probe.method == "HEAD"
    problem = _problem_in(response, without_body=without_body)
    status = response.status
    if status == HTTPStatus.UNAUTHORIZED and problem in (_NOT_FROM_THE_EDGE, _WITHOUT_BODY):
        verdict, text = Verdict.BY_GUARD, "refused by the guard"
    elif status == HTTPStatus.SERVICE_UNAVAILABLE and problem in (_WITHOUT_KEYS, _WITHOUT_BODY):
        verdict, text = Verdict.UNPROVED, "refused by the guard, which has no keys to verify with"
    elif status in probe.before:
        verdict, text = Verdict.BY_SERVER, "refused before the guard"
    elif status in _REDIRECTING:
        verdict, text = Verdict.UNPROVED, "redirected, and NOT BY THE GUARD"
    elif status in _BY_ANOTHER and not problem.startswith(_PROBLEM_PREFIX):
        verdict, text = Verdict.UNPROVED, "refused, but NOT BY THE GUARD"
    else:
        verdict, text = Verdict.LET_IN, "LET IN"
    if probe.must_pass:
        if verdict is Verdict.LET_IN:
            return Verdict.PASSED, "let in, as expected"
        return Verdict.UNPROVED, f"{text}; check audience, issuer, path, host and keys"
    return verdict, text


def _problem_in(response: RawResponse, *, without_body: bool) -> str:
    """Return the problem type of a response; empty if it is not a problem document."""
    if not _PROBLEM.search(response.head):
        return ""
    if without_body:
        return _WITHOUT_BODY
    try:
        found = parse_object(response.body).get("type")
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""


def _finding(probe: Probe, where: str, response: str, verdict: Verdict) -> Finding:
    return Finding(probe.name, where, response, verdict)


def _sent(probe: Probe, url: str, target: Target) -> RawResponse:
    content = probe.body
    if content is None:
        content = target.body if probe.method is None else None
    method = probe.method or target.method
    request_target = probe.request_target or target.path
    fields = probe.fields
    if target.backend_host is not None and all(name.lower() != "host" for name, _ in fields):
        fields = (("Host", target.backend_host), *fields)
    return exchange(url, method, request_target, fields, content)


def _examined_edge(edge: str, path: str) -> list[Finding]:
    # The edge removes every forged header, so the header must not change the response. If the edge
    # itself responds, no request has reached the origin, and the test proves nothing.
    bare, by_origin = _through(edge, path)
    found = []
    for name in (HEADER, HEADER.lower(), "Fastgate_Identity", "FASTGATE-IDENTITY"):
        status, forged_by_origin = _through(edge, path, (name, "forged"))
        refused = status == HTTPStatus.BAD_REQUEST != bare  # by the edge, which forwards nothing
        response = f"{status}, {bare} without"
        if not _is_success(bare) and not _is_success(status):
            verdict = Verdict.UNPROVED
            response += ": nothing reached the origin; write --edge-path with a public path"
        elif status != bare and not refused:
            verdict = Verdict.LET_IN
        elif not by_origin or not (forged_by_origin or refused):
            verdict = Verdict.UNPROVED
            response += (
                ": not from the guard, but from the edge itself, a cache, or an origin with an "
                "older package; write --edge-path with a path without cache to which the origin "
                "responds"
            )
        else:
            verdict = Verdict.UNCHANGED
        found.append(Finding(f"a forged {name}", "edge", response, verdict))
    return found


def _through(edge: str, path: str, *fields: tuple[str, str]) -> tuple[int, bool]:
    """Return the status of a response through the edge, and whether the guard took part."""
    nonce = token_urlsafe(24)
    response = exchange(edge, "GET", path, ((NONCE, nonce), *fields))
    echoed = rb"(?im)^" + NONCE.encode() + rb":[ \t]*" + nonce.encode() + rb"[ \t]*\r?$"
    return response.status, re.search(echoed, response.head) is not None


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
