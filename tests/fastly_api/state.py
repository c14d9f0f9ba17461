"""All that the stand-in keeps. It can be written as JSON, with values in base64."""

import base64
import secrets
import string
import time
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer

FIRST_GENERATION = 1 << 63
"""Generations are unsigned 64-bit numbers; these do not fit into a signed or floating-point one."""


def _octets(value: object) -> object:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


Octets = Annotated[
    bytes,
    BeforeValidator(_octets),
    PlainSerializer(lambda value: base64.b64encode(value).decode(), when_used="json"),
]


def new_id() -> str:
    """Return an id as Fastly makes them: 22 letters and digits."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(22))


def now(ahead: float = 0) -> str:
    """Return the time, in UTC, by a clock that is so many seconds ahead of this machine's."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ahead))


class Backend(BaseModel):
    """A host that a version of a service may connect to; all members as the client sent them."""

    name: str
    members: dict[str, str]


class Link(BaseModel):
    """A resource that a version can open by a name."""

    id: str = Field(default_factory=new_id)
    name: str
    resource_id: str
    resource_type: str


class Package(BaseModel):
    """The program of a version."""

    content: Octets
    name: str
    language: str
    hashsum: str
    files_hash: str


class Version(BaseModel):
    """One version of a service. An activated one is locked for ever."""

    number: int
    active: bool = False
    locked: bool = False
    comment: str = ""
    domains: list[str] = []
    backends: list[Backend] = []
    links: list[Link] = []
    logging: list[Backend] = []
    other_logging: dict[str, list[str]] = {}
    """Names of log endpoints that are no HTTPS servers, by kind. No request creates them."""
    package: Package | None = None


class Service(BaseModel):
    """A service and its versions."""

    id: str = Field(default_factory=new_id)
    name: str
    type: str
    comment: str = ""
    created_at: str = Field(default_factory=now)
    versions: list[Version] = Field(default_factory=lambda: [Version(number=1)])

    @property
    def active(self) -> Version | None:
        """The version that serves requests."""
        return next((version for version in self.versions if version.active), None)


class Item(BaseModel):
    """An item of a KV store."""

    value: Octets
    metadata: str = ""
    generation: int
    time_to_live_sec: int | None = None


class KvStore(BaseModel):
    """A KV store."""

    id: str = Field(default_factory=new_id)
    name: str
    created_at: str = Field(default_factory=now)
    items: dict[str, Item] = {}


class Secret(BaseModel):
    """A secret. The API never returns its value; its digest is opaque."""

    value: Octets
    digest: str
    created_at: str = Field(default_factory=now)


class SecretStore(BaseModel):
    """A secret store."""

    id: str = Field(default_factory=new_id)
    name: str
    created_at: str = Field(default_factory=now)
    secrets: dict[str, Secret] = {}


class Acl(BaseModel):
    """An ACL: prefixes, each with `ALLOW` or `BLOCK`."""

    id: str = Field(default_factory=new_id)
    name: str
    entries: dict[str, str] = {}


class Purge(BaseModel):
    """A purge that was asked for: of one surrogate key, or of everything (`key` is none)."""

    service_id: str
    key: str | None
    soft: bool


class State(BaseModel):
    """Everything, by id."""

    services: dict[str, Service] = {}
    kv_stores: dict[str, KvStore] = {}
    secret_stores: dict[str, SecretStore] = {}
    acls: dict[str, Acl] = {}
    managed_domains: dict[str, str] = {}
    """Domains without a version, each with the id of its service. No request creates them."""
    purges: list[Purge] = []
    generation: int = FIRST_GENERATION
    ahead: float = 0
    """How many seconds the clock of the API is ahead of this machine's."""

    def next_generation(self) -> int:
        """Return a marker that no item has."""
        self.generation += 1 + secrets.randbelow(1000)
        return self.generation

    def service(self, name: str) -> Service:
        """Return the service of this name."""
        return next(each for each in self.services.values() if each.name == name)

    def kv_store(self, name: str) -> KvStore:
        """Return the KV store of this name."""
        return next(each for each in self.kv_stores.values() if each.name == name)

    def secret_store(self, name: str) -> SecretStore:
        """Return the secret store of this name."""
        return next(each for each in self.secret_stores.values() if each.name == name)


def read(file: Path) -> State:
    """Return the state that `write` wrote, or an empty one if there is no file."""
    return State.model_validate_json(file.read_bytes()) if file.exists() else State()


def write(state: State, file: Path) -> None:
    """Write the state, including the secrets, to a file that only its owner can read."""
    new = file.with_name(f"{file.name}.new")
    new.touch(mode=0o600)
    new.write_text(state.model_dump_json(indent=1))
    new.replace(file)
