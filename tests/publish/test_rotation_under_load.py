"""`fastgate keys rotate` while requests arrive at two points of presence, the second of which follows each step later.

The edges are the real guest on Viceroy, the apps are real ones. The clock of the rotation is set forward; the apps renew
their keys twice a second instead of every five minutes, so that each wait passes in about a second.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastgate import Settings, at_edge, guard
from fastly_api.on_viceroy import Served, served
from fastly_api.running import Running, listener, serving
from fastly_api.state import Backend, Item
from programs import ROOT, edge, package
from rotating import PUBLISH, START, WITHDRAW, Rotating
from test_publish import free_address

ORIGINS = ("signed", "authenticated")
"""The apps: one verifies signatures, the other one MACs, with a key of its own."""
BETWEEN = 0.02
"""Seconds between two requests of a client."""


def app(audience: str, url: str, origin_key: str | None) -> FastAPI:
    """Return an app that reports the key of the signed header."""
    made = FastAPI(openapi_url=None)

    @made.get(f"/{audience}")
    @at_edge(access="public")
    async def read() -> str:
        return audience

    settings = Settings(
        edge=url,
        audience=audience,
        keys_fresh_for=0.5,
        unknown_key_cool_down=3600,
        ready_path="/ready",
        origin_key=json.loads(origin_key) if origin_key else None,
    )
    guard(made, settings)
    return made


def policy(url: str, public_key: object) -> bytes:
    """Return a policy with a public route for each app."""
    origins: dict[str, dict[str, object]] = {
        name: {"backend": name, "audience": name} for name in ORIGINS
    }
    origins["authenticated"]["key"] = public_key
    routes = [
        {"id": name, "path": f"/{name}", "methods": ["GET"], "access": "public", "origin": name}
        for name in ORIGINS
    ]
    whole = {
        "edge": {"issuer": url, "hosts": ["127.0.0.1"]},
        "origins": origins,
        "issuers": {
            "dev": {"issuer": "http://127.0.0.1:9", "backend": "signed", "audiences": ["shop"]}
        },
        "routes": routes,
    }
    return json.dumps(whole).encode()


@dataclass
class Load:
    """Clients that send requests one after another, and what went wrong."""

    host: str
    edges: tuple[str, ...]
    failures: list[str] = field(default_factory=list)
    answered: int = 0
    _end: threading.Event = field(default_factory=threading.Event)

    def _client(self, url: str, path: str) -> None:
        with httpx.Client(base_url=url, headers={"Host": self.host}, timeout=30) as client:
            while not self._end.wait(BETWEEN):
                try:
                    response = client.get(f"/{path}")
                except httpx.HTTPError as error:
                    self.failures.append(f"{url}/{path}: {error!r}")
                    continue
                if response.status_code == 200:
                    self.answered += 1
                else:
                    self.failures.append(f"{url}/{path}: {response.status_code} {response.text}")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Send requests meanwhile."""
        clients = [
            threading.Thread(target=self._client, args=(f"http://{at}", path))
            for at in self.edges
            for path in ORIGINS
        ]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            self._end.set()
            for client in clients:
                client.join()

    def pass_requests(self, number: int) -> None:
        """Wait until so many further requests were answered."""
        wanted, deadline = self.answered + number, time.monotonic() + 60
        while self.answered < wanted and not self.failures:
            assert time.monotonic() < deadline, "no responses"
            time.sleep(BETWEEN)
        assert self.failures == []


@dataclass
class Deployment:
    """Two edges of one service, its apps, and the requests."""

    shop: Rotating
    edges: tuple[Served, ...]
    ready: tuple[str, ...]
    load: Load

    def reach(self) -> None:
        """Let a step of the rotation reach one point of presence, and then the other."""
        for point in self.edges:
            point.follow()
            self.load.pass_requests(20)

    def known(self) -> list[set[str]]:
        """Return the keys that each app knows."""
        fields = [httpx.get(url).headers["fastgate-keys"] for url in self.ready]
        return [set(each.split(", ")) for each in fields]

    def wait_until_known(self) -> None:
        """Wait until each app has the next keys of the kinds that it uses."""
        record = [key for key in self.shop.record if key["state"] == "next"]
        every = {str(key["kid"]) for key in record}
        of_signatures = {str(key["kid"]) for key in record if key["crv"] == "Ed25519"}
        wanted, deadline = (of_signatures, every), time.monotonic() + 30
        while not all(keys <= known for keys, known in zip(wanted, self.known(), strict=True)):
            assert time.monotonic() < deadline, f"{wanted} are not in {self.known()}"
            time.sleep(BETWEEN)

    def rotate(self, *arguments: str, now: int) -> str:
        """Rotate; the apps confirm the next keys."""
        confirmed = [part for url in self.ready for part in ("--origin", url)]
        return self.shop.rotate(*arguments, *confirmed, now=now)


@pytest.fixture
def deployment(api: Running, tmp_path: Path) -> Iterator[Deployment]:
    """Run a service with keys, under load."""
    shop = Rotating(api, tmp_path)
    addresses = free_address(), free_address()
    shop.edge = f"http://{addresses[0]}"
    command = [sys.executable, "-m", "fastgate", "origin-key", "new"]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    public = {name: json.loads(made.stdout)[name] for name in ("kty", "crv", "x")}
    shop.store.items["policy"] = Item(value=policy(shop.edge, public), generation=1)
    shop.version.backends = [Backend(name=name, members={"address": name}) for name in ORIGINS]
    shop.version.package = package()
    with contextlib.ExitStack() as stack:
        backends = {}
        for name, key in zip(ORIGINS, (None, made.stdout), strict=True):
            web = uvicorn.Server(uvicorn.Config(app(name, shop.edge, key), log_level="warning"))
            backends[name] = stack.enter_context(serving(web, listener()))
        points = []
        for address in addresses:
            folder = tmp_path / address.rpartition(":")[2]
            folder.mkdir()
            at = served(
                api.state, shop.service, backends, folder, edge(), address, ROOT / "target/compiled"
            )
            points.append(stack.enter_context(at))
        load = Load(addresses[0], addresses)
        ready = tuple(f"{url}/ready" for url in backends.values())
        yield Deployment(shop, tuple(points), ready, load)


def test_no_request_fails_during_a_rotation(deployment: Deployment) -> None:
    shop, load = deployment.shop, deployment.load
    shop.rotate()
    for point in deployment.edges:
        point.follow()
    with load.running():
        load.pass_requests(40)
        first = shop.ids("signing")
        deployment.rotate("--max-age", "0", now=START)
        following = shop.ids("next")
        deployment.reach()
        deployment.wait_until_known()
        assert "wait until" in deployment.rotate(now=START + PUBLISH - 60)
        assert "the edge uses" in deployment.rotate(now=START + PUBLISH + 60)
        assert (shop.ids("signing"), shop.ids("retired")) == (following, first)
        deployment.reach()
        assert "withdrew" in deployment.rotate(now=START + PUBLISH + WITHDRAW + 180)
        deployment.reach()
        assert shop.named == following
    assert load.failures == []
