"""Prove that an origin cannot be used past its edge: send it forged requests.

In: addresses of an origin and its edge. Out: a `Finding` for each request: what it proves, if it
proves anything. Only the guard's own refusal proves that the guard is there: its status and problem
type. A timeout, or the 401 of another program, proves nothing. The requests go out over plain
sockets: an HTTP client would correct what is wrong with them. No request changes anything, unless
the origin runs what it must refuse.
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
    Answer,
    HandshakeRefused,
    NoAnswer,
    NotAsked,
    NotConnected,
    exchange,
    split_address,
)
from fastgate.doctor.report import Finding, Verdict
from fastgate.request.sending import NONCE
from fastgate.settings import JWKS_PATH
from fastgate.strict_json import parse_object

_BY_ANOTHER = BY_SERVER | {401, 403, 429, 502, 503, 504}
"""Answers that no endpoint need have given. All others come from behind the guard."""
_REDIRECTING = frozenset({301, 302, 307, 308})
"""Answers of a proxy that sends clients to another scheme or host, or of an app."""
_OURS = "urn:fastgate:problem:"
_GUARD = f"{_OURS}not-from-the-edge"
_WITHOUT_KEYS = f"{_OURS}unavailable"
_BODILESS = "a problem document whose body is not sent"
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
    """Fire the whole matrix; return one finding for each request.

    Where the plain request at the beginning has no answer, the origin is asked nothing else: a
    matrix of timeouts would say no more.

    Args:
        origin: the origin's own URL, past the edge.
        target: what it would accept.
        edge: the edge's URL; it must let no forged header through.
        edge_path: a path that the edge lets everybody reach; by default that of the target.
        direct: further addresses at which the origin might be reached.
        expect_unreachable: `origin` must not be reachable from here (a firewall, client
            certificates): then one request is sent, and any program that accepts the connection is
            a fault.

    Raises:
        ValueError: an address is not an absolute URL with http or https.
        OSError: the edge does not answer.

    """
    addresses = [origin, *direct, *([] if edge is None else [edge])]
    for address in addresses:
        split_address(address)
    bare = Probe("no header")
    unreachable = Probe("no header, by a direct address")
    if expect_unreachable:
        found = [_examined_direct(unreachable, origin, target, "origin", answers=False)]
    else:
        found = [_examined(bare, origin, target)]
        if found[0].verdict is not Verdict.NO_ANSWER:
            found += [_examined(probe, origin, target) for probe in matrix(target)]
    found += [
        _examined_direct(unreachable, address, target, address, answers=True) for address in direct
    ]
    if edge is not None:
        found += _examined_edge(edge, edge_path or target.path)
    return found


def published_keys(edge: str) -> Mapping[str, object]:
    """Return the edge's JWK Set.

    Raises:
        ValueError: there is none at its place.
        OSError: no program accepts the connection.

    """
    parts = split_address(edge)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with closing(kind(parts.netloc, timeout=TIMEOUT_SECONDS)) as connection:
        connection.connect()
        # The timeout is one of each read; all of them together have no more.
        late = Timer(TIMEOUT_SECONDS, _cut_off, (connection,))
        late.start()
        try:
            connection.request("GET", parts.path.rstrip("/") + JWKS_PATH)
            answer = connection.getresponse()
            document = loads(answer.read()) if answer.status == HTTPStatus.OK else None
        finally:
            late.cancel()
    if not isinstance(document, dict):
        raise ValueError(f"{edge} publishes no keys (status {answer.status})")
    return document


def _cut_off(connection: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(SHUT_RDWR)


def _examined(probe: Probe, url: str, target: Target) -> Finding:
    try:
        answer = _sent(probe, url, target)
    except OSError as error:
        return _finding(probe, "origin", f"no answer ({error})", Verdict.NO_ANSWER)
    verdict, words = _judged(probe, answer)
    return _finding(probe, "origin", f"{answer.status} {words}", verdict)


def _examined_direct(
    probe: Probe, url: str, target: Target, where: str, *, answers: bool
) -> Finding:
    """Examine an address that need not be reachable, or, without `answers`, must not be.

    A program that accepts a connection is reachable, whatever it sends.
    """
    try:
        answer = _sent(probe, url, target)
    except NotAsked as error:
        # A name that does not exist may be a typing error, so this is no proof of anything.
        return _finding(probe, where, f"not asked ({error})", Verdict.NO_ANSWER)
    except NotConnected as error:
        return _finding(probe, where, f"unreachable ({error})", Verdict.UNREACHABLE)
    except HandshakeRefused as error:
        return _finding(probe, where, f"no handshake ({error})", Verdict.NO_ANSWER)
    except NoAnswer as error:
        if answers:
            return _finding(probe, where, f"connected, no answer ({error})", Verdict.NO_ANSWER)
        return _finding(probe, where, f"no answer ({error}), but REACHED", Verdict.LET_IN)
    if not answers:
        return _finding(probe, where, f"{answer.status}, but REACHED", Verdict.LET_IN)
    verdict, words = _judged(probe, answer)
    return _finding(probe, where, f"{answer.status} {words}", verdict)


def _judged(probe: Probe, answer: Answer) -> tuple[Verdict, str]:
    bodiless = probe.method == "HEAD"
    problem = _problem_in(answer, bodiless=bodiless)
    if answer.status == HTTPStatus.UNAUTHORIZED and problem in (_GUARD, _BODILESS):
        verdict, words = Verdict.BY_GUARD, "refused by the guard"
    elif answer.status == HTTPStatus.SERVICE_UNAVAILABLE and problem in (_WITHOUT_KEYS, _BODILESS):
        verdict, words = Verdict.UNPROVED, "by the guard, which has no keys to verify with"
    elif answer.status in probe.before:
        verdict, words = Verdict.BY_SERVER, "refused before the guard"
    elif answer.status in _REDIRECTING:
        verdict, words = Verdict.UNPROVED, "redirected, and NOT BY THE GUARD"
    elif answer.status in _BY_ANOTHER and not problem.startswith(_OURS):
        verdict, words = Verdict.UNPROVED, "refused, but NOT BY THE GUARD"
    else:
        verdict, words = Verdict.LET_IN, "LET IN"
    if probe.must_pass:
        if verdict is Verdict.LET_IN:
            return Verdict.PASSED, "let in, as it must be"
        return Verdict.UNPROVED, f"{words}; are audience, issuer, path and keys right?"
    return verdict, words


def _problem_in(answer: Answer, *, bodiless: bool) -> str:
    """Return the type of the problem document that an answer is; empty if it is none."""
    if not _PROBLEM.search(answer.head):
        return ""
    if bodiless:
        return _BODILESS
    try:
        found = parse_object(answer.body).get("type")
    except ValueError:
        return ""
    return found if isinstance(found, str) else ""


def _finding(probe: Probe, where: str, answer: str, verdict: Verdict) -> Finding:
    return Finding(probe.name, where, answer, verdict)


def _sent(probe: Probe, url: str, target: Target) -> Answer:
    content = probe.body
    if content is None:
        content = target.body if probe.method is None else None
    method = probe.method or target.method
    request_target = probe.request_target or target.path
    return exchange(url, method, request_target, probe.fields, content)


def _examined_edge(edge: str, path: str) -> list[Finding]:
    # The edge takes every forged header away, so it changes nothing. Where the edge itself answers,
    # no request got as far as the origin, and nothing is known of its header.
    bare, by_origin = _through(edge, path)
    found = []
    for name in (HEADER, HEADER.lower(), "Fastgate_Identity", "FASTGATE-IDENTITY"):
        status, forged_by_origin = _through(edge, path, (name, "forged"))
        refused = status == HTTPStatus.BAD_REQUEST != bare  # by the edge, before anything is sent
        answer = f"{status}, {bare} without"
        if not _is_success(bare) and not _is_success(status):
            verdict = Verdict.UNPROVED
            answer += ": nothing reached the origin; --edge-path names a path open to everybody"
        elif status != bare and not refused:
            verdict = Verdict.LET_IN
        elif not by_origin or not (forged_by_origin or refused):
            verdict = Verdict.UNPROVED
            answer += (
                ": not by the guard, but by the edge itself, a cache, or an origin with an older "
                "package; --edge-path names a path that the origin answers"
            )
        else:
            verdict = Verdict.UNCHANGED
        found.append(Finding(f"a forged {name}", "edge", answer, verdict))
    return found


def _through(edge: str, path: str, *fields: tuple[str, str]) -> tuple[int, bool]:
    """Return the status of an answer through the edge, and whether the guard took part in it."""
    nonce = token_urlsafe(24)
    answer = exchange(edge, "GET", path, ((NONCE, nonce), *fields))
    echoed = rb"(?im)^" + NONCE.encode() + rb":[ \t]*" + nonce.encode() + rb"[ \t]*\r?$"
    return answer.status, re.search(echoed, answer.head) is not None


def _is_success(status: int) -> bool:
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
