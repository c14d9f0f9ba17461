"""Send one HTTP request exactly as it is written, over a plain socket.

Input: a URL, and the method, target, fields and content to send. Output: the final `RawResponse`;
or an exception that says how far it got: no request was sent, the connection failed, or the
connection succeeded without a response. No fault of a request is corrected here, and an exchange
takes at most `TIMEOUT_SECONDS` after the connection.
"""

import errno
import re
import socket
import ssl
import time
from contextlib import ExitStack, suppress
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from fastgate.doctor.probe import Fields

TIMEOUT_SECONDS = 10.0
"""The limit for connecting to each address of a name, and then for the whole exchange."""
_LONGEST = 65_536
_LENGTH = re.compile(rb"[0-9]{1,18}")

_REFUSING = frozenset(
    {errno.ECONNREFUSED, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM}
)
"""The errors of a connection to a firewall, or to a port without a listener."""


class NotSent(OSError):
    """No request was sent: no such name, or this machine could not send. The message says why."""


class NotConnected(OSError):
    """The connection was refused or timed out, or the server demands a client certificate."""


class NoResponse(OSError):
    """The connection succeeded without an HTTP response. The message says why."""


class HandshakeRefused(NoResponse):
    """The connection succeeded, and a TLS alert of the server refused the handshake."""


class RawResponse(NamedTuple):
    """A response: its status, its head, and its body as far as it arrived."""

    status: int
    head: bytes
    body: bytes


def split_address(url: str) -> SplitResult:
    """Return the parts of an absolute URL. Raises `ValueError` with a correct example."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f'"{url}" is not an address: write https://HOST or http://HOST:PORT')
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f'"{url}": write a port from 1 to 65535')
    return parts


def host_of(url: str) -> str:
    """Return the `Host` of requests to this address, unless their fields have another one."""
    return split_address(url).netloc.rpartition("@")[2]


def exchange(
    url: str, method: str, target: str, fields: Fields, content: bytes | None = None
) -> RawResponse:
    """Send exactly this; return the final response, without interim ones (RFC 9110 §15.2).

    A response counts as soon as its head is complete. A truncated body is returned as far as it
    arrived.

    Raises:
        NotSent: this machine could not send the request.
        NotConnected: the connection failed.
        NoResponse: the connection succeeded, and no HTTP response arrived in time.

    """
    parts = split_address(url)
    tls = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if tls else 80)
    names = {name.lower() for name, _ in fields}
    sent = [("Host", host_of(url))] if "host" not in names else []
    sent += [] if "connection" in names else [("Connection", "close")]
    if content is not None:
        sent += [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    head = [f"{name}: {value}" for name, value in (*sent, *fields)]
    lines = [f"{method} {target} HTTP/1.1", *head, "", ""]
    request = "\r\n".join(lines).encode("latin-1") + (content or b"")
    with ExitStack() as open_sockets:
        stream = open_sockets.enter_context(_connected(host, port))
        deadline = time.monotonic() + TIMEOUT_SECONDS
        received, failure = b"", NoResponse("closed without a response")
        try:
            if tls:
                trust = ssl.create_default_context()
                stream = open_sockets.enter_context(trust.wrap_socket(stream, server_hostname=host))
            # A server may respond, or send an alert, before it has read the whole request.
            with suppress(ConnectionError, ssl.SSLEOFError):
                stream.sendall(request)
            while _final(received, method) is None and len(received) < _LONGEST:
                stream.settimeout(max(0.001, deadline - time.monotonic()))
                if not (chunk := stream.recv(_LONGEST)):
                    break
                received += chunk
        except ssl.SSLCertVerificationError as error:
            raise NotSent("SSLCertVerificationError") from error
        except ssl.SSLError as error:
            # RFC 8446 §6.2: this alert always means a missing client certificate.
            if not received and error.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
                raise NotConnected("a client certificate is required") from error
            kind = HandshakeRefused if "ALERT" in (error.reason or "") else NoResponse
            failure = kind(f"SSLError {error.reason}")
        except OSError as error:
            failure = NoResponse(type(error).__name__)
    response = _final(received, method, cut_off=True)
    if response is None:
        if received:
            is_http = received.startswith(b"HTTP/1.")
            failure = NoResponse("a truncated response" if is_http else "not an HTTP response")
        raise failure
    return response


def _connected(host: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((host, port), TIMEOUT_SECONDS, all_errors=True)
    except (socket.gaierror, UnicodeError) as error:
        raise NotSent("no such name") from error
    except ExceptionGroup as group:
        failures = [failure for failure in group.exceptions if isinstance(failure, OSError)]
    for failure in failures:
        if isinstance(failure, TimeoutError) or failure.errno in _REFUSING:
            raise NotConnected(type(failure).__name__) from failure
    # This machine has no network or no free descriptor. That proves nothing.
    raise NotSent(", ".join(str(failure) for failure in failures))


def _final(received: bytes, method: str, *, cut_off: bool = False) -> RawResponse | None:
    """Return the final response in the received bytes; None if it is incomplete.

    With `cut_off` nothing more will arrive, so a complete head is enough.
    """
    while True:
        head, end, rest = received.partition(b"\r\n\r\n")
        version, _, after = head.partition(b" ")
        digits = after[:3]
        if not end or not version.startswith(b"HTTP/1.") or not digits.isdigit():
            return None
        status = int(digits)
        if not 100 <= status < 200 or status == HTTPStatus.SWITCHING_PROTOCOLS:
            break
        received = rest
    fields = _fields(head)
    chunked = fields.get(b"transfer-encoding", b"").lower() == b"chunked"
    body = _unchunked(rest) if chunked else (rest, False)
    length = fields.get(b"content-length", b"")
    whole = (
        method == "HEAD"
        or status in (HTTPStatus.SWITCHING_PROTOCOLS, HTTPStatus.NO_CONTENT)
        or body[1]
        or (not chunked and _LENGTH.fullmatch(length) and len(rest) >= int(length))
    )
    return RawResponse(status, head, body[0]) if whole or cut_off else None


def _fields(head: bytes) -> dict[bytes, bytes]:
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in lines}


def _unchunked(body: bytes) -> tuple[bytes, bool]:
    """Return the received content of a chunked body (RFC 9112 §7.1); whether it is complete."""
    content = b""
    while True:
        line, end, rest = body.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return content, False
        if not end or size < 0 or len(rest) < size + 2:
            return content + (rest[:size] if end and size > 0 else b""), end != b"" and size == 0
        if size == 0:
            return content, True
        content += rest[:size]
        body = rest[size + 2 :]
