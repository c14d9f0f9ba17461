"""Send one request and return its response."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass

from layout import HOST

RESPONSE_SECONDS = 10.0


@dataclass(frozen=True)
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def header(self, name: str) -> str:
        """The value of a field; empty if it is absent, which no expectation accepts."""
        return str(self.headers.get(name, ""))

    def json(self) -> object:
        """The body as JSON; None if it is malformed, which no expectation accepts."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def send(
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    source: str = HOST,
) -> Response:
    """Sends the path exactly as written: http.client, unlike most clients, leaves `%2e%2e` alone.

    `source` is the client's own address. Raises OSError or HTTPException if there is no response.
    """
    connection = http.client.HTTPConnection(
        HOST, port, timeout=RESPONSE_SECONDS, source_address=(source, 0)
    )
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())
    finally:
        connection.close()
