"""The services: their names, addresses and commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layout import EDGE, HOST, IDP, LOGS, ORIGIN, ORIGIN_US, url


@dataclass(frozen=True)
class Service:
    name: str
    port: int
    command: Sequence[str]
    first_request: str  # a path with a status below 500 once the service runs
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name.replace(', ', '-').replace(' ', '-')}.log"


def application(name: str, port: int, region: str) -> Service:
    """The FastAPI application in one region."""
    return Service(
        name=name,
        port=port,
        command=(
            *(".venv/bin/python", "-m", "uvicorn", "demo.app:app", "--app-dir", "origin"),
            *("--port", str(port), "--no-server-header"),
        ),
        first_request="/",
        environment={
            "FASTGATE_EDGE": url(EDGE),
            "FASTGATE_AUDIENCE": "demo-api",
            "FASTGATE_REGION": region,
        },
    )


SERVICES = (
    Service(
        name="identity provider",
        port=IDP,
        command=("node", "dev/idp/provider.mjs", "--port", str(IDP), "--exit-with-stdin"),
        first_request="/.well-known/openid-configuration",
    ),
    application("origin", ORIGIN, "eu"),
    application("origin, us", ORIGIN_US, "us"),
    Service(
        name="edge",
        port=EDGE,
        command=(
            *("target/debug/fastgate-edge", "--config", "fastly.toml"),
            *("--wasm", "target/wasm32-wasip1/release/fastgate.wasm"),
            *("--compiled", "target/compiled"),
            *("--listen", f"{HOST}:{EDGE}"),
        ),
        first_request="/.well-known/fastgate/jwks.json",
    ),
)
