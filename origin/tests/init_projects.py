"""Run `fastgate init` for a small app, with a provider on loopback."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess

from tests.projects import fastgate_in

APP = """\
from typing import Annotated
from fastapi import Depends, FastAPI, Security
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
app = FastAPI(openapi_url=None)
scheme = OAuth2PasswordBearer(tokenUrl="token")
async def current_user(scopes: SecurityScopes, token: Annotated[str, Depends(scheme)]): ...
@app.get("/items")
async def items(user: Annotated[str, Security(current_user, scopes=["items"])]): ...
"""
FILES = [
    ".github/workflows/fastgate.yml",
    "edge/.gitignore",
    "edge/fastly.toml",
    "edge/policy.base.json",
    "edge/policy.json",
    "edge/policy.schema.json",
]


@dataclass
class Discovery:
    """A provider on loopback, whose answers a test may change."""

    url: str = ""
    document: dict[str, object] = field(default_factory=dict)
    body: bytes | None = None
    status: int = 200
    location: str | None = None
    seconds_for_each_byte: float = 0.0
    paths: list[str] = field(default_factory=list)


@contextlib.contextmanager
def discovery() -> Iterator[Discovery]:
    """Serve a provider."""
    found = Discovery()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.paths.append(self.path)
            if found.seconds_for_each_byte:
                with contextlib.suppress(OSError):
                    for each in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100:
                        self.wfile.write(bytes([each]))
                        time.sleep(found.seconds_for_each_byte)
                return
            redirects = found.location is not None and "?" not in self.path
            body = json.dumps(found.document).encode() if found.body is None else found.body
            self.send_response(302 if redirects else found.status)
            if redirects:
                self.send_header("Location", str(found.location))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/tenant"
    found.document = {"issuer": found.url, "jwks_uri": f"{found.url}/jwks"}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def shop_in(folder: Path) -> Path:
    """Return the folder of an app in a repository."""
    shop = folder / "My Shop"
    (shop / ".git").mkdir(parents=True)
    (shop / "main.py").write_text(APP)
    return shop


def init(folder: Path, provider: Discovery | None, *more: str) -> CompletedProcess[str]:
    """Run `fastgate init` there."""
    issuer = [] if provider is None else ["--issuer", provider.url]
    hosts = ["--host", "api.example.com", "--origin-host", "app.example.com"]
    return fastgate_in(folder, "init", *issuer, "--audience", "https://api", *hosts, *more)


def files_in(folder: Path) -> list[str]:
    """Return the files in a folder, without the app."""
    every = (each for each in folder.rglob("*") if each.is_file())
    names = (each.relative_to(folder).as_posix() for each in every)
    return sorted(each for each in names if not each.startswith("main") and "__" not in each)
