"""Prove that nothing gets round the edge: fire forged requests at a running origin.

In: addresses of an origin and its edge. Out: a `Finding` for each forged request, let in or not.
The requests go out over plain sockets, so that nobody on this side tidies up what is wrong with
them. It asks for nothing that would change anything, unless the origin runs what it must refuse.
"""

import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit

from fastgate.forgeries import forgeries
from fastgate.forgery import HEADER, Believed, Fields, Forgery
from fastgate.settings import JWKS_PATH

TIMEOUT_SECONDS = 10.0
_REFUSED = frozenset({400, 401, 403, 414, 421, 426, 431, 501, 503})
"""What a door or the server before it answers. A 404, 405 or 307 comes from behind the door."""
_BEHIND = b"urn:fastgate:problem:"
_DOOR = (b"urn:fastgate:problem:not-from-the-edge", b"urn:fastgate:problem:unavailable")


@dataclass(frozen=True, slots=True)
class Finding:
    """How one request was answered."""

    forgery: str
    where: str
    """`origin`, `edge` or the direct address."""
    answer: str
    """The status, or why there was none."""
    ok: bool


def examine(
    origin: str, believed: Believed, *, edge: str | None = None, direct: Iterable[str] = ()
) -> list[Finding]:
    """Fire the whole matrix; return one finding for each request.

    Args:
        origin: the origin's own URL, past the edge.
        believed: what it would believe.
        edge: the edge's URL; it must let no forged header through.
        direct: further addresses at which the origin might be reached.

    """
    found = [_examined(forgery, origin, believed) for forgery in forgeries(believed)]
    bare = Forgery("no header, by a direct address")
    found += [_examined(bare, address, believed, where=address) for address in direct]
    if edge is not None:
        found += _examined_edge(edge, believed.path)
    return found


def published_keys(edge: str) -> Mapping[str, object]:
    """Return the edge's JWK Set.

    Raises:
        ValueError: there is none at its place.
        OSError: there is nobody.

    """
    parts = urlsplit(edge)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with closing(kind(parts.netloc, timeout=TIMEOUT_SECONDS)) as connection:
        connection.request("GET", parts.path.rstrip("/") + JWKS_PATH)
        answer = connection.getresponse()
        document = json.loads(answer.read()) if answer.status == HTTPStatus.OK else None
    if not isinstance(document, dict):
        raise ValueError(f"{edge} publishes no keys (status {answer.status})")
    return document


def as_table(found: Iterable[Finding]) -> str:
    """Return the findings for a terminal, one line each and a last one that sums up."""
    findings = list(found)
    width = max((len(finding.forgery) for finding in findings), default=0)
    lines = [
        f"{'ok  ' if finding.ok else 'HOLE'}  {finding.forgery:<{width}}  {finding.where}: "
        f"{finding.answer}"
        for finding in findings
    ]
    holes = sum(not finding.ok for finding in findings)
    return "\n".join([*lines, f"{len(findings)} requests, {holes} not answered as they must be"])


def as_json(found: Iterable[Finding]) -> str:
    """Return the findings for a machine."""
    findings = list(found)
    document = {
        "ok": all(finding.ok for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }
    return json.dumps(document, indent=2)


def as_line(began: float, found: Iterable[Finding], error: str | None = None) -> str:
    """Return one run for a log: a line of JSON with the time, the count and the holes alone."""
    findings = list(found)
    holes = [asdict(finding) for finding in findings if not finding.ok]
    at = datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds")
    run = {"at": at, "ok": error is None and not holes, "requests": len(findings), "holes": holes}
    return json.dumps({**run, "error": error} if error is not None else run)


def _examined(forgery: Forgery, url: str, believed: Believed, where: str = "origin") -> Finding:
    target = forgery.target or believed.path
    method = forgery.method or believed.method
    content = forgery.body
    if content is None:
        content = believed.body if forgery.method is None else None
    try:
        status, body = _exchange(url, method, target, forgery.fields, content)
    except (OSError, ValueError) as error:
        # Nobody there is as good an answer as a refusal, but for the control.
        name = type(error).__name__
        return Finding(forgery.name, where, f"no answer ({name})", not forgery.must_pass)
    refused = _is_refusal(status, body)
    answer = f"{status} {'refused' if refused else 'LET IN'}"
    return Finding(forgery.name, where, answer, refused != forgery.must_pass)


def _is_refusal(status: int, body: bytes) -> bool:
    if _BEHIND in body:
        # Only the door's problems: `insufficient-scope` is said by an endpoint that was reached.
        return any(problem in body for problem in _DOOR)
    return status in _REFUSED


def _examined_edge(edge: str, path: str) -> list[Finding]:
    # The edge takes every forged header away, so it changes nothing.
    bare, _ = _exchange(edge, "GET", path, ())
    found = []
    for name in (HEADER, HEADER.lower(), "Fastgate_Identity", "FASTGATE-IDENTITY"):
        status, _ = _exchange(edge, "GET", path, ((name, "forged"),))
        answer = f"{status}, {bare} without"
        found.append(Finding(f"a forged {name}", "edge", answer, status in (bare, 400)))
    return found


def _exchange(
    url: str, method: str, target: str, fields: Fields, content: bytes | None = None
) -> tuple[int, bytes]:
    """Send exactly this; return status and the beginning of the answer."""
    parts = urlsplit(url)
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
    return int(status[0]), answer
