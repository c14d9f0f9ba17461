"""A published service without Fastly's own tool, and `fastgate` that pushes to it."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

from fastly_api.running import Running
from fastly_api.state import Backend, KvStore, Link, SecretStore, Service
from programs import program

POLICY: dict[str, object] = {
    "edge": {"issuer": "https://shop.example.com", "hosts": ["shop.example.com"]},
    "origins": {"shop": {"backend": "origin", "audience": "shop"}},
    "issuers": {
        "login": {"issuer": "https://idp.example.com", "backend": "idp", "audiences": ["shop"]}
    },
    "routes": [],
}


def policy(*routes: str, **edge: object) -> str:
    """Return a policy with a public text at each path."""
    listed = [
        {
            "id": path.strip("/").replace("/", "_") or "root",
            "path": path,
            "methods": ["GET", "HEAD"],
            "access": "public",
            "respond": {"body": f"this is {path}"},
        }
        for path in routes
    ]
    base: dict[str, object] = {"issuer": "https://shop.example.com", "hosts": ["shop.example.com"]}
    return json.dumps({**POLICY, "edge": base | edge, "routes": listed})


def revision(text: str) -> str:
    """Return the revision of a policy."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Pushing:
    """A service that has all that a policy needs, a folder with its manifest, and the tool."""

    def __init__(self, api: Running, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self.store = KvStore(name="shop-kv")
        self.service = Service(name="shop", type="wasm")
        self.version = self.service.versions[0]
        self.version.active = self.version.locked = True
        self.version.domains.append("shop.example.com")
        self.version.logging.append(Backend(name="fastgate", members={"name": "fastgate"}))
        for name, host in [("origin", "origin.example.com"), ("idp", "idp.example.com")]:
            self.version.backends.append(
                Backend(name=name, members={"address": host, "use_ssl": "1"})
            )
        self.secrets = SecretStore(name="shop-secrets")
        for store, kind in [(self.store.id, "kv-store"), (self.secrets.id, "secret-store")]:
            self.version.links.append(Link(name="fastgate", resource_id=store, resource_type=kind))
        api.state.secret_stores[self.secrets.id] = self.secrets
        api.state.kv_stores[self.store.id] = self.store
        api.state.services[self.service.id] = self.service
        lines = [f'service_id = "{self.service.id}"', "[setup.backends.origin]"]
        lines += ["[setup.backends.idp]", ""]
        (folder / "fastly.toml").write_text("\n".join(lines))

    longest = 60.0
    """Seconds until a command is killed."""

    def write(self, text: str) -> None:
        """Write the policy file."""
        (self.folder / "policy.json").write_text(text)

    def attempt(
        self, *arguments: str | Path, token: str = "of-a-test", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, which may fail. It never prints the token."""
        environment = {**os.environ, **self.api.environment(token), **variables}
        ran = subprocess.run(
            [program("FASTGATE_TOOL"), *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.longest,
            check=False,
        )
        assert "Fastly-Key" not in ran.stdout + ran.stderr
        assert token not in ran.stdout + ran.stderr
        return ran

    def __call__(self, *arguments: str | Path, **variables: str) -> str:
        """Run a command that succeeds; return its output."""
        ran = self.attempt(*arguments, **variables)
        assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def push(self, text: str, *arguments: str | Path) -> str:
        """Push a policy."""
        self.write(text)
        return self("push", "--yes", *arguments)

    @property
    def live(self) -> str | None:
        """The live policy."""
        item = self.store.items.get("policy")
        return item.value.decode() if item else None

    @property
    def history(self) -> set[str]:
        """The policies in the history."""
        items = self.store.items.items()
        return {item.value.decode() for key, item in items if key.startswith("policy@")}
