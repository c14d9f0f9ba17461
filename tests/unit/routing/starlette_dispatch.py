"""Tells which route Starlette would run. `differential.rs` starts this program.

In, a JSON object a line: `{"routes": [...]}` sets up a router, in that order; every other line is a
request with two spellings of its path. Out, a line a request: the decoded path, and the id of the
route that ran for each spelling.
"""

import asyncio
import json
import sys
from typing import Any
from urllib.parse import unquote

from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send


class Named:
    """An endpoint that says which one it is."""

    def __init__(self, route_id: str) -> None:
        self.route_id = route_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the id in place of a response."""
        scope["ran"].append(self.route_id)


def router_of(routes: list[dict[str, Any]]) -> Router:
    """Declare the routes as an application would."""
    return Router(
        [Route(r["path"], Named(r["id"]), methods=r["methods"]) for r in routes],
        redirect_slashes=False,
    )


async def dispatched(router: Router, method: str, raw_path: str) -> tuple[str, str]:
    """Decode as uvicorn does (`h11_impl.py`, `httptools_impl.py`) and let the router run."""
    path = unquote(raw_path.encode("ascii").decode("ascii"))
    ran: list[str] = []
    status = 0

    async def receive() -> Message:
        raise AssertionError("no route reads a body")

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)

    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": raw_path.encode("ascii"),
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "ran": ran,
    }
    await router(scope, receive, send)
    refused = {404: "not found", 405: "method not allowed"}
    return path, ran[0] if ran else refused[status]


async def main() -> None:
    """Answer every line of standard input."""
    router = Router()
    answers = []
    for line in sys.stdin.buffer:
        case = json.loads(line)
        if "routes" in case:
            router = router_of(case["routes"])
            continue
        path, raw = await dispatched(router, case["method"], case["raw"])
        same, canonical = path, raw
        if case["canonical"] != case["raw"]:
            same, canonical = await dispatched(router, case["method"], case["canonical"])
        assert path == same, f"two readings of one path: {case}"
        answers.append(json.dumps({"path": path, "raw": raw, "canonical": canonical}))
    sys.stdout.buffer.write("\n".join(answers).encode() + b"\n")


asyncio.run(main())
