"""Real servers on real sockets: a JWKS endpoint with adjustable faults, and uvicorn."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import uvicorn
from starlette.types import ASGIApp
from websockets.sync.client import ClientConnection, connect


class JwksServer:
    """A local HTTP server; `status`, `headers`, `body` are its response, `hits` counts requests."""

    def __init__(self) -> None:
        self.hits = 0
        self.paths: list[str] = []
        self.body = b""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.before_response: Callable[[], object] = lambda: None
        self.chunk_bytes = 65_536
        self.after_chunk: Callable[[], object] = lambda: None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.hits += 1
                server.paths.append(self.path)
                server.before_response()
                self.send_response(server.status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                if (nonce := self.headers.get("Doctor-Nonce")) and "well-known" not in self.path:
                    self.send_header("Doctor-Nonce", nonce)  # as an origin does
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    for start in range(0, len(server.body), server.chunk_bytes):
                        self.wfile.write(server.body[start : start + server.chunk_bytes])
                        server.after_chunk()

            def log_message(self, *_args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self.origin = f"http://127.0.0.1:{self._http.server_port}"
        self.url = f"{self.origin}/.well-known/fastgate/jwks.json"

    def publish(self, *jwks: Mapping[str, object]) -> None:
        """Respond with all keys of the given sets."""
        keys = [key for document in jwks for key in document["keys"]]  # type: ignore[attr-defined]
        self.status, self.headers = 200, {"Content-Type": "application/jwk-set+json"}
        self.body = json.dumps({"keys": keys}).encode()

    def close(self) -> None:
        """Stop listening: from now on, connections are refused."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@contextlib.contextmanager
def uvicorn_serving(
    app: ASGIApp,
    *,
    http: Literal["h11", "httptools"] = "h11",
    listener: socket.socket | None = None,
    **options: object,
) -> Iterator[tuple[str, int]]:
    """Run `app` under uvicorn on a free port of the loopback; yield its address.

    `listener` is another socket to listen on; `options` are more of uvicorn's.
    """
    listener = listener or socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=http,
        ws="websockets-sansio",
        log_config=None,
        **options,  # type: ignore[arg-type]
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline, "uvicorn did not start"
            time.sleep(0.005)
        yield listener.getsockname()
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def sent(
    address: tuple[str, int],
    method: str,
    target: str,
    headers: list[tuple[str, str]],
    body: bytes = b"",
) -> tuple[int, str]:
    """Send one request with exactly these headers; return status, and headers with body."""
    lines = [f"{method} {target} HTTP/1.1", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        response = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
    status_line, _, rest = response.partition("\r\n")
    return int(status_line.split(" ")[1]), rest


def exchange(address: tuple[str, int], target: str, headers: list[tuple[str, str]]) -> str:
    """Send one GET with exactly this target and these headers; return the whole response."""
    lines = [f"GET {target} HTTP/1.1", "Host: testserver", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()


def open_socket(address: tuple[str, int], path: str, **more: Any) -> ClientConnection:  # noqa: ANN401
    """Open a WebSocket with the `Host` that headers of tests are signed for."""
    opened = socket.create_connection(address)
    connection: ClientConnection = connect(f"ws://testserver{path}", sock=opened, **more)
    return connection
