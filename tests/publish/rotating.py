"""A published service whose keys are rotated, with a stand-in for its edge and for an app."""

import contextlib
import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from fastly_api.running import Running, listener, serving
from fastly_api.state import Secret
from pushing import Pushing
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn import Config, Server

START = 1_800_000_000
"""The time at which the tests begin."""
PUBLISH = 4030
"""How long the next keys are published until they are used, in seconds."""
WITHDRAW = 490
"""How long a key is published after its last use."""
PREFIX = "signing-key."


class Rotating(Pushing):
    """A service with both stores, an edge that publishes its keys, and an app that knows some."""

    def __init__(self, api: Running, folder: Path) -> None:
        super().__init__(api, folder)
        self.edge = ""
        self.edge_status = 200
        self.known: list[str] | None = []
        self.fast_by = 0
        """How many seconds the clock of the tool is ahead of that of the API."""
        self._seen: set[bytes] = set()

    def rotate_attempt(
        self, *arguments: str | Path, now: int = START, token: str = "of-a-test"
    ) -> subprocess.CompletedProcess[str]:
        """Rotate, which may fail."""
        options = ["--edge", self.edge, "--now", str(now), *arguments]
        return self.attempt("keys", "rotate", *options, token=token)

    def rotate(self, *arguments: str | Path, now: int = START) -> str:
        """Rotate, as far as it is due; return the output. It never has a private key."""
        ran = self.rotate_attempt(*arguments, now=now)
        assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def attempt(
        self, *arguments: str | Path, token: str = "of-a-test", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, which may fail. It prints no private key."""
        self._remember()
        given = dict(itertools.pairwise(arguments)).get("--now")
        right = int(str(given)) - self.fast_by if given else time.time() - self.fast_by
        self.api.state.ahead = right - time.time()
        ran = super().attempt(*arguments, token=token, **variables)
        self._remember()
        for private in self._seen:
            assert private.decode() not in ran.stdout + ran.stderr
        return ran

    def _remember(self) -> None:
        for secret in self.secrets.secrets.values():
            value = json.loads(secret.value)
            self._seen |= {each["d"].encode() for each in value.get("keys", [value])}

    @property
    def record(self) -> list[dict[str, object]]:
        """The keys of the record."""
        item = self.store.items.get("edge-keys")
        keys: list[dict[str, object]] = json.loads(item.value)["keys"] if item else []
        return keys

    def ids(self, state: str) -> set[str]:
        """Return the keys in a state."""
        return {str(key["kid"]) for key in self.record if key["state"] == state}

    @property
    def named(self) -> set[str]:
        """The keys that have a secret of their own."""
        names = self.secrets.secrets
        return {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)}

    @property
    def published(self) -> set[str]:
        """The keys that the edge publishes."""
        if self.record:
            return {str(key["kid"]) for key in self.record} & self.named
        former = self.secrets.secrets.get("signing-keys")
        return {each["kid"] for each in json.loads(former.value)["keys"]} if former else set()

    def keep_former(self, private: str) -> None:
        """Store keys in one secret, as before there was a record."""
        self.secrets.secrets["signing-keys"] = Secret(value=private.encode(), digest="")

    async def _keys(self, _request: Request) -> Response:
        keys = [{"kty": "OKP", "kid": kid} for kid in sorted(self.published)]
        return JSONResponse({"keys": keys}, self.edge_status)

    async def _ready(self, _request: Request) -> Response:
        headers = {} if self.known is None else {"fastgate-keys": ", ".join(self.known)}
        return Response(status_code=204, headers=headers)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Run the stand-in for edge and app."""
        routes = [
            Route("/.well-known/fastgate/jwks.json", self._keys),
            Route("/ready", self._ready),
        ]
        app = Starlette(routes=routes)
        server = Server(Config(app, log_level="warning", lifespan="off"))
        with serving(server, listener()) as url:
            self.edge = url
            yield


def published(api: Running, tmp_path: Path) -> Iterator[Rotating]:
    """Return a published service without keys, as a fixture."""
    service = Rotating(api, tmp_path)
    with service.serving():
        yield service
