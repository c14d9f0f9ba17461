"""Responses in place of an app whose process has ended.

Input: the socket of the app, and why there is none. Output: 503 for each connection, until the app
is started again. Without that, connections would wait in the socket for ever.
"""

import contextlib
import socketserver
import threading
from http import HTTPStatus
from socket import SHUT_WR, socket

from fastgate.problem import Problem

_SECONDS = 2.0
"""For the head of a request, and for the rest of it after the response."""
_MAX_LINES = 200


class EndedApp:
    """Responds on the socket of an app until `close`.

    Args:
        listening: the socket. It stays open.
        why: the detail of each response.

    """

    def __init__(self, listening: socket, why: str) -> None:
        problem = Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "app-ended", "The app has ended", detail=why
        )
        fields = (*problem.raw_headers(), (b"connection", b"close"))
        head = b"".join(b"%b: %b\r\n" % field for field in fields)
        start = f"HTTP/1.1 {problem.status} {problem.status.phrase}\r\n".encode()
        self._server = _Server(listening, start + head + b"\r\n" + problem.body())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True, name="fastgate ended app"
        )
        self._thread.start()

    def close(self) -> None:
        """Leave the socket to an app that is started next."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: socket, response: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Connection, bind_and_activate=False)
        self.socket.close()
        self.socket = listening.dup()
        self.socket.setblocking(False)
        self.response = response

    def handle_error(self, request: object, client_address: object) -> None:
        """Write nothing: a client may close its connection at any time."""


class _Connection(socketserver.StreamRequestHandler):
    timeout = _SECONDS
    server: _Server

    def handle(self) -> None:
        for _ in range(_MAX_LINES):
            if self.rfile.readline(65_536).strip() == b"":
                break
        self.wfile.write(self.server.response)
        self.connection.shutdown(SHUT_WR)
        # With bytes unread, a close would discard the response.
        with contextlib.suppress(OSError):
            while self.connection.recv(65_536):
                pass
