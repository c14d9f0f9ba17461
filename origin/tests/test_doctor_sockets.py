"""The doctor against servers with odd responses, or none: neither is a proof."""

import contextlib
import json
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fastgate.__main__ import main
from fastgate.doctor import raw_http
from fastgate.doctor.examine import examine, published_keys
from fastgate.doctor.probe import Target
from fastgate.doctor.raw_http import NoResponse, exchange
from fastgate.doctor.report import Finding, Verdict, exit_code
from tests.edge import AUDIENCE, ISSUER, Edge
from tests.serving import JwksServer

Handler = Callable[[socket.socket], None]
Serve = Callable[[Handler], str]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"
TYPE = b'"type": "urn:fastgate:problem:not-from-the-edge"'


def refusal(body: bytes = b"{" + TYPE + b"}", status: bytes = b"401 Unauthorized") -> bytes:
    fields = b"Content-Type: application/problem+json\r\nContent-Length: %d" % len(body)
    return b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n\r\n" + body


def nothing(status: bytes) -> bytes:
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"


def read(connection: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request and (chunk := connection.recv(65_536)):
        request += chunk
    return request


def responding(response: bytes) -> Handler:
    """Send this response, and close."""

    def handle(connection: socket.socket) -> None:
        request = read(connection)
        head = response.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        connection.sendall(head if request.startswith(b"HEAD") else response)

    return handle


def staying(response: bytes) -> Handler:
    """Send this response, and keep the connection open as long as the client does."""

    def handle(connection: socket.socket) -> None:
        read(connection)
        connection.sendall(response)
        while connection.recv(65_536):
            pass

    return handle


def dripping(connection: socket.socket) -> None:
    """Respond byte by byte, without an end."""
    read(connection)
    pause = threading.Event()
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not pause.wait(0.05):
        connection.sendall(b"a")


def closing(connection: socket.socket) -> None:
    read(connection)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve each connection by a function; return the URL."""
    listeners: list[socket.socket] = []

    def start(handle: Handler) -> str:
        listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        listeners.append(listener)

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):  # the client has gone
                handle(connection)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture(autouse=True)
def _short_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_http, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr("fastgate.doctor.examine.TIMEOUT_SECONDS", 0.5)


@pytest.fixture
def target(edge: Edge) -> Target:
    return Target(ISSUER, AUDIENCE, "/me", "/me", edge.jwks, None)


REACHABLE: dict[str, tuple[str, Handler]] = {
    "TLS to a plain port": ("https", responding(OK)),
    "an open connection after the response": ("http", staying(OK)),
    "no response in time": ("http", staying(b"")),
    "a part of a response": ("http", staying(b"HTTP/1.1 20")),
    "a TLS alert": ("http", responding(b"\x15\x03\x01\x00\x02\x02\x46")),
    "a close without a response": ("http", closing),
    "a response byte by byte": ("http", dripping),
}


@pytest.mark.parametrize("which", REACHABLE)
def test_a_program_that_accepts_the_connection_is_reachable(
    serve: Serve, target: Target, which: str
) -> None:
    scheme, handle = REACHABLE[which]
    url = serve(handle).replace("http", scheme, 1)
    found = examine(url, target, expect_unreachable=True)
    assert [finding.verdict for finding in found] == [Verdict.LET_IN]
    assert "REACHED" in found[0].response
    assert exit_code(found) == 1


@pytest.mark.parametrize("which", REACHABLE)
def test_a_direct_address_that_is_reachable_is_no_proof(
    serve: Serve, target: Target, which: str
) -> None:
    scheme, handle = REACHABLE[which]
    url = serve(handle).replace("http", scheme, 1)
    found = examine(serve(responding(refusal())), target, direct=[url])
    assert exit_code(found) in (1, 2)
    assert found[-1].where == url
    assert not found[-1].ok


def test_a_machine_without_a_network_proves_nothing(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_arguments: object, **_options: object) -> socket.socket:
        raise ExceptionGroup("", [OSError(101, "Network is unreachable")])

    monkeypatch.setattr(socket, "create_connection", unreachable)
    found = examine("http://127.0.0.1:1", target, expect_unreachable=True)
    assert exit_code(found) == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one file with a certificate that localhost signed itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, made, both = folder / "key.pem", folder / "cert.pem", folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(made)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)  # noqa: S603
    both.write_text(key.read_text() + made.read_text())
    return both


@pytest.mark.parametrize(
    ("version", "verdict", "code"),
    [
        (ssl.TLSVersion.TLSv1_3, Verdict.UNREACHABLE, 0),
        # A handshake that is refused by a general alert may be refused for another reason.
        (ssl.TLSVersion.TLSv1_2, Verdict.NO_RESPONSE, 2),
    ],
)
def test_a_server_that_demands_a_client_certificate_is_not_reachable(
    serve: Serve,
    target: Target,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: ssl.TLSVersion,
    verdict: Verdict,
    code: int,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version

    def handle(connection: socket.socket) -> None:
        try:
            context.wrap_socket(connection.dup(), server_side=True)
        except ssl.SSLError:
            while connection.recv(65_536):  # until the client has read the alert
                pass

    url = serve(handle).replace("http://127.0.0.1", "https://localhost")
    found = examine(url, target, expect_unreachable=True)
    assert [finding.verdict for finding in found] == [verdict], found[0].response
    assert exit_code(found) == code


def examined_origin(serve: Serve, target: Target, response: bytes) -> Finding:
    return examine(serve(responding(response)), target)[0]


def test_an_interim_response_is_not_the_final_one(serve: Serve, target: Target) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    assert examined_origin(serve, target, hints + refusal()).verdict is Verdict.BY_GUARD
    assert examined_origin(serve, target, hints + OK).verdict is Verdict.LET_IN


@pytest.mark.parametrize("status", [b"301 Moved Permanently", b"308 Permanent Redirect"])
def test_a_redirect_proves_nothing(serve: Serve, target: Target, status: bytes) -> None:
    found = examine(serve(responding(nothing(status))), target)
    assert found[0].verdict is Verdict.UNPROVED
    assert exit_code(found) == 2


@pytest.mark.parametrize(
    "body",
    [
        b'{"type": "about:blank", "data": {' + TYPE + b"}}",
        b'{"secret": 1, "detail": [{' + TYPE + b"}]}",
        b'{"type": "about:blank", ' + TYPE + b"}",
        b'"{' + TYPE.replace(b'"', b'\\"') + b'}"',
        b"[{" + TYPE + b"}]",
        TYPE,
    ],
)
def test_only_the_type_of_the_document_itself_counts(
    serve: Serve, target: Target, body: bytes
) -> None:
    assert examined_origin(serve, target, refusal(body)).verdict is Verdict.UNPROVED


def test_a_refusal_in_chunks_is_read(serve: Serve, target: Target) -> None:
    body = b"{" + TYPE + b"}"
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (body[:half], body[half:]))
    fields = b"Content-Type: application/problem+json\r\nTransfer-Encoding: chunked\r\n\r\n"
    response = b"HTTP/1.1 401 Unauthorized\r\n" + fields + chunks + b"0\r\n\r\n"
    assert examined_origin(serve, target, response).verdict is Verdict.BY_GUARD


def test_a_truncated_body_is_returned_as_far_as_it_arrived(serve: Serve) -> None:
    cut_off = b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\nsecret"
    assert exchange(serve(staying(cut_off)), "GET", "/", ()).body == b"secret"
    with pytest.raises(NoResponse, match="truncated"):
        exchange(serve(dripping), "GET", "/", ())


# Through the edge.


@pytest.mark.parametrize(
    "status", [b"401 Unauthorized", b"301 Moved Permanently", b"403 Forbidden", b"404 Not Found"]
)
def test_an_edge_that_forwards_nothing_proves_nothing(
    serve: Serve, target: Target, status: bytes
) -> None:
    origin, edge = serve(responding(refusal())), serve(responding(nothing(status)))
    found = [each for each in examine(origin, target, edge=edge) if each.where == "edge"]
    assert {finding.verdict for finding in found} == {Verdict.UNPROVED}
    assert exit_code(examine(origin, target, edge=edge)) == 2
    assert "--edge-path" in found[0].response


def test_the_edge_is_examined_on_its_own_path(serve: Serve, edge: Edge) -> None:
    keys = json.dumps(edge.jwks).encode()
    paths: list[bytes] = []

    def open_to_every_caller(connection: socket.socket) -> None:
        request = read(connection)
        paths.append(request.split(b" ")[1])
        nonce = re.search(rb"(?i)doctor-nonce: \S+\r\n", request)
        from_origin = nonce[0] if nonce and paths[-1] == b"/items" else b""
        head = b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n" % (from_origin, len(keys))
        connection.sendall(nothing(b"401 Unauthorized") if paths[-1] == b"/me" else head + keys)

    origin, url = serve(responding(refusal())), serve(open_to_every_caller)
    named = ["--origin", origin, "--edge", url, "--audience", AUDIENCE, "--path", "/me"]
    assert main(["doctor", *named]) == 2
    assert main(["doctor", *named, "--edge-path", "/items"]) == 0
    assert paths.count(b"/items") == 5
    # A response of the edge itself proves nothing, regardless of its status.
    for path in ("/.well-known/fastgate/jwks.json", "/cached"):
        assert main(["doctor", *named, "--edge-path", path]) == 2


def test_a_forged_header_that_opens_the_edge_is_a_hole(serve: Serve, target: Target) -> None:
    def trusting(connection: socket.socket) -> None:
        forged = b"forged" in read(connection)
        connection.sendall(OK if forged else nothing(b"401 Unauthorized"))

    found = examine(serve(responding(refusal())), target, edge=serve(trusting))
    assert exit_code(found) == 1


def test_waiting_for_the_edges_keys_has_a_limit(
    serve: Serve, jwks_server: JwksServer, edge: Edge
) -> None:
    with pytest.raises((OSError, ValueError)):
        published_keys(serve(dripping))
    jwks_server.publish(edge.jwks)
    assert published_keys(jwks_server.origin) == edge.jwks
