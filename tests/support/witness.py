"""The demo application behind a recorder: every request is recorded before the guard sees it.

Beside it, under /static/, a folder with this file. One JSON line a request on standard output. The
process leaves when its standard input closes, so that it does not outlive the tests.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from demo.app import app as demo_app
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

files = Mount("/static", StaticFiles(directory=Path(__file__).parent))
static_app = Starlette(routes=[files])


def _leave_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=_leave_with_parent, daemon=True).start()


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] in ("http", "websocket"):
        seen = {
            "method": scope.get("method", "GET"),  # what a WebSocket begins as
            "raw_path": scope["raw_path"].decode("latin-1"),
            "path": scope["path"],
            "query": scope["query_string"].decode("latin-1"),
            "headers": [
                [name.decode("latin-1"), value.decode("latin-1")]
                for name, value in scope["headers"]
            ],
        }
        print(json.dumps(seen), flush=True)
    if scope["type"] == "http" and scope["path"].startswith("/static/"):
        await static_app(scope, receive, send)
        return
    await demo_app(scope, receive, send)
