"""The server of the page and the provider, in a thread of the process of `fastgate dev`.

Input: the two apps, and a socket. Output: a running server. Requests below `/__fastgate` go to the
page, all others to the provider.
"""

import threading
import time
from socket import socket

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from fastgate.dev.page.app import PATH
from fastgate.wrong_call import Failed

_DEADLINE = 10


class PageAndProvider:
    """An ASGI app that consists of both."""

    def __init__(self, page: ASGIApp, provider: ASGIApp) -> None:
        self._page, self._provider = page, provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            # The server makes a 403 of it. For another response uvicorn would log an error.
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        path = scope.get("path", "")
        chosen = self._page if f"{path}/".startswith(f"{PATH}/") else self._provider
        await chosen(scope, receive, send)


class SideServer:
    """A server in a thread."""

    def __init__(self, app: ASGIApp, listening: socket) -> None:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", proxy_headers=False
        )
        self._server, self._socket = uvicorn.Server(config), listening
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), daemon=True, name="fastgate page"
        )

    def start(self) -> None:
        """Start, and wait until it serves."""
        self._thread.start()
        until = time.monotonic() + _DEADLINE
        while not self._server.started:
            if time.monotonic() > until or not self._thread.is_alive():
                raise Failed("the page and the provider cannot be served")
            time.sleep(0.01)

    def stop(self) -> None:
        """End, without waiting for streams."""
        self._server.force_exit = self._server.should_exit = True
        self._thread.join(_DEADLINE)
