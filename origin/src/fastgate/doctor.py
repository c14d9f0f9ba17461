"""Prove that nothing gets round the edge: fire forged requests at a running origin.

In: addresses of an origin and its edge. Out: a `Finding` for each request: what it proves, if it
proves anything. Only the guard's own refusal proves that the guard is there: its status and problem
type. Silence, or somebody else's 401, proves nothing. The requests go out over plain sockets, so
that nobody on this side tidies up what is wrong with them. It asks for nothing that would change
anything, unless the origin runs what it must refuse.
"""

import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPSConnection
from json import loads
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from fastgate.findings import Finding, Verdict
from fastgate.forgeries import forgeries
from fastgate.forgery import BY_SERVER, HEADER, Believed, Fields, Forgery
from fastgate.settings import JWKS_PATH

TIMEOUT_SECONDS = 10.0
_BY_SOMEBODY = BY_SERVER | {401, 403, 429, 502, 503, 504}
"""Answers that no endpoint need have given. All others come from behind the guard."""
_NO_SUCH_PLACE = frozenset({404, 421})
_GUARD = re.compile(rb'"type"\s*:\s*"urn:fastgate:problem:not-from-the-edge"')
_WITHOUT_KEYS = re.compile(rb'"type"\s*:\s*"urn:fastgate:problem:unavailable"')
_PROBLEM = re.compile(rb"(?im)^content-type:[ \t]*application/problem\+json")


def examine(
    origin: str,
    believed: Believed,
    *,
    edge: str | None = None,
    direct: Iterable[str] = (),
    expect_unreachable: bool = False,
) -> list[Finding]:
    """Fire the whole matrix; return one finding for each request.

    Where the plain request at the beginning has no answer, the origin is asked nothing else: a
    matrix of timeouts would say no more.

    Args:
        origin: the origin's own URL, past the edge.
        believed: what it would believe.
        edge: the edge's URL; it must let no forged header through.
        direct: further addresses at which the origin might be reached.
        expect_unreachable: `origin` must not be reachable from here (a firewall, client
            certificates): then one request to it is all, and an answer is what is wrong.

    Raises:
        ValueError: an address is not an absolute URL with http or https.
        OSError: the edge does not answer.

    """
    addresses = [origin, *direct, *([] if edge is None else [edge])]
    for address in addresses:
        split_address(address)
    bare = Forgery("no header")
    unreachable = Forgery("no header, by a direct address")
    if expect_unreachable:
        found = [_examined_direct(unreachable, origin, believed, "origin", answers=False)]
    else:
        found = [_examined(bare, origin, believed)]
        if found[0].verdict is not Verdict.NO_ANSWER:
            found += [_examined(forgery, origin, believed) for forgery in forgeries(believed)]
    found += [
        _examined_direct(unreachable, address, believed, address, answers=True)
        for address in direct
    ]
    if edge is not None:
        found += _examined_edge(edge, believed.path)
    return found


def split_address(url: str) -> SplitResult:
    """Return the parts of an absolute URL. Raises `ValueError`, which says what to write."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'"{url}" is not an address: write https://HOST or http://HOST:PORT')
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f'"{url}": a port is a number from 1 to 65535')
    return parts


def published_keys(edge: str) -> Mapping[str, object]:
    """Return the edge's JWK Set.

    Raises:
        ValueError: there is none at its place.
        OSError: there is nobody.

    """
    parts = split_address(edge)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with closing(kind(parts.netloc, timeout=TIMEOUT_SECONDS)) as connection:
        connection.request("GET", parts.path.rstrip("/") + JWKS_PATH)
        answer = connection.getresponse()
        document = loads(answer.read()) if answer.status == HTTPStatus.OK else None
    if not isinstance(document, dict):
        raise ValueError(f"{edge} publishes no keys (status {answer.status})")
    return document


class _Answer(NamedTuple):
    """What came back: the status, and the beginning of the whole answer."""

    status: int
    head: bytes
    body: bytes

    def is_guards(self, problem: re.Pattern[bytes], *, bodiless: bool) -> bool:
        """Whether it is a problem document of this type; without a body, any problem document."""
        if not _PROBLEM.search(self.head):
            return False
        return bodiless or problem.search(self.body) is not None


def _examined(forgery: Forgery, url: str, believed: Believed) -> Finding:
    try:
        answer = _sent(forgery, url, believed)
    except (OSError, ValueError) as error:
        return _finding(forgery, "origin", f"no answer ({_cause(error)})", Verdict.NO_ANSWER)
    verdict, words = _judged(forgery, answer)
    return _finding(forgery, "origin", f"{answer.status} {words}", verdict)


def _examined_direct(
    forgery: Forgery, url: str, believed: Believed, where: str, *, answers: bool
) -> Finding:
    """Examine an address at which nobody need answer; if `answers` is not, nobody may."""
    try:
        answer = _sent(forgery, url, believed)
    except (socket.gaierror, ssl.SSLCertVerificationError, UnicodeError) as error:
        # A name that does not exist may be a typing error, so this is no proof of anything.
        return _finding(forgery, where, f"not asked ({_cause(error)})", Verdict.NO_ANSWER)
    except (OSError, ValueError) as error:
        return _finding(forgery, where, f"unreachable ({_cause(error)})", Verdict.UNREACHABLE)
    if not answers:
        return _finding(forgery, where, f"{answer.status}, but REACHED", Verdict.LET_IN)
    verdict, words = _judged(forgery, answer)
    return _finding(forgery, where, f"{answer.status} {words}", verdict)


def _judged(forgery: Forgery, answer: _Answer) -> tuple[Verdict, str]:
    bodiless = forgery.method == "HEAD"
    if answer.status == HTTPStatus.UNAUTHORIZED and answer.is_guards(_GUARD, bodiless=bodiless):
        verdict, words = Verdict.BY_GUARD, "refused by the guard"
    elif answer.status == HTTPStatus.SERVICE_UNAVAILABLE and answer.is_guards(
        _WITHOUT_KEYS, bodiless=bodiless
    ):
        verdict, words = Verdict.UNPROVED, "by the guard, which has no keys to verify with"
    elif answer.status in forgery.before:
        verdict, words = Verdict.BY_SERVER, "refused before the guard"
    elif answer.status in _BY_SOMEBODY and b"urn:fastgate:problem:" not in answer.body:
        verdict, words = Verdict.UNPROVED, "refused, but NOT BY THE GUARD"
    else:
        verdict, words = Verdict.LET_IN, "LET IN"
    if forgery.must_pass:
        if verdict is Verdict.LET_IN:
            return Verdict.PASSED, "let in, as it must be"
        return Verdict.UNPROVED, f"{words}; are audience, issuer, path and keys right?"
    return verdict, words


def _finding(forgery: Forgery, where: str, answer: str, verdict: Verdict) -> Finding:
    return Finding(forgery.name, where, answer, verdict)


def _cause(error: Exception) -> str:
    return "no such name" if isinstance(error, socket.gaierror) else type(error).__name__


def _sent(forgery: Forgery, url: str, believed: Believed) -> _Answer:
    content = forgery.body
    if content is None:
        content = believed.body if forgery.method is None else None
    method, target = forgery.method or believed.method, forgery.target or believed.path
    return _exchange(url, method, target, forgery.fields, content)


def _examined_edge(edge: str, path: str) -> list[Finding]:
    # The edge takes every forged header away, so it changes nothing.
    bare = _exchange(edge, "GET", path, ()).status
    found = []
    for name in (HEADER, HEADER.lower(), "Fastgate_Identity", "FASTGATE-IDENTITY"):
        status = _exchange(edge, "GET", path, ((name, "forged"),)).status
        answer = f"{status}, {bare} without"
        if bare in _NO_SUCH_PLACE or bare >= HTTPStatus.INTERNAL_SERVER_ERROR:
            verdict, answer = Verdict.UNPROVED, f"{answer}: this path leads nowhere at the edge"
        else:
            same = status in (bare, HTTPStatus.BAD_REQUEST)
            verdict = Verdict.UNCHANGED if same else Verdict.LET_IN
        found.append(Finding(f"a forged {name}", "edge", answer, verdict))
    return found


def _exchange(
    url: str, method: str, target: str, fields: Fields, content: bytes | None = None
) -> _Answer:
    """Send exactly this; return status and the beginning of the answer."""
    parts = split_address(url)
    tls = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if tls else 80)
    names = {name.lower() for name, _ in fields}
    sent = [("Host", parts.netloc.rpartition("@")[2])] if "host" not in names else []
    sent += [] if "connection" in names else [("Connection", "close")]
    if content is not None:
        sent += [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    head = [f"{name}: {value}" for name, value in (*sent, *fields)]
    lines = [f"{method} {target} HTTP/1.1", *head]
    with ExitStack() as open_sockets:
        stream = open_sockets.enter_context(socket.create_connection((host, port), TIMEOUT_SECONDS))
        if tls:
            trust = ssl.create_default_context()
            stream = open_sockets.enter_context(trust.wrap_socket(stream, server_hostname=host))
        stream.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + (content or b""))
        answer = b""
        while len(answer) < 65_536 and (chunk := stream.recv(65_536)):
            answer += chunk
            if answer.startswith(b"HTTP/1.1 101"):
                break
    status = answer.split(b" ", 2)[1:2]
    if not answer.startswith(b"HTTP/1.") or not status:
        raise ValueError("not an HTTP answer")
    fields_received, _, body = answer.partition(b"\r\n\r\n")
    return _Answer(int(status[0]), fields_received, body)
