"""Serves what was published: the state of a service as a manifest for the local edge."""

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fastly_api.packages import program
from fastly_api.state import Service, State, Version

DEADLINE = 120
"""Seconds until the local edge must listen. The first start compiles the guest."""


def _text(value: str) -> str:
    return json.dumps(value)  # a basic string of TOML has the same escapes


def manifest(state: State, service: Service, backends: Mapping[str, str], folder: Path) -> Path:
    """Write the files of a service's active version into a folder, and a manifest that names them.

    `backends` has the address of a program on this machine for every backend of the version.
    """
    version = service.active
    if version is None:
        raise ValueError(f"{service.name} has no active version")
    missing = {each.name for each in version.backends} ^ backends.keys()
    if missing:
        raise ValueError(f"the backends differ: {', '.join(sorted(missing))}")
    lines = ["manifest_version = 3", f"name = {_text(service.name)}", 'language = "other"']
    for backend in version.backends:
        lines += [f"[local_server.backends.{_text(backend.name)}]"]
        lines += [f"url = {_text(backends[backend.name])}"]
        if host := backend.members.get("override_host"):
            lines += [f"override_host = {_text(host)}"]
    lines += [*_stores(state, version, folder)]
    file = folder / "fastly.toml"
    file.write_text("\n".join([*lines, ""]))
    return file


def _stores(state: State, version: Version, folder: Path) -> Iterator[str]:
    number = 0
    acls: list[str] = []
    for link in version.links:
        entries: list[tuple[str, bytes, str]] = []
        if link.resource_type == "kv-store":
            items = state.kv_stores[link.resource_id].items
            entries = [(key, item.value, item.metadata) for key, item in items.items()]
        elif link.resource_type == "secret-store":
            secrets = state.secret_stores[link.resource_id].secrets
            entries = [(name, secret.value, "") for name, secret in secrets.items()]
        else:
            file = folder / f"acl-{link.id}.json"
            listed = state.acls[link.resource_id].entries.items()
            file.write_text(json.dumps({"entries": [_entry(*each) for each in listed]}))
            acls.append(f"{_text(link.name)} = {_text(str(file))}")
            continue
        table = f"local_server.{link.resource_type.replace('-', '_')}s"
        if not entries:
            yield f"[{table}]"
            yield f"{_text(link.name)} = []"
        for key, value, metadata in entries:
            number += 1
            file = folder / f"value-{number}"
            file.touch(mode=0o600)
            file.write_bytes(value)
            yield f"[[{table}.{_text(link.name)}]]"
            yield f"key = {_text(key)}"
            yield f"file = {_text(str(file))}"
            if metadata:
                yield f"metadata = {_text(metadata)}"
    if acls:
        yield from ["[local_server.acls]", *acls]


def _entry(prefix: str, action: str) -> dict[str, str]:
    return {"op": "create", "prefix": prefix, "action": action}


@dataclass(frozen=True)
class Served:
    """A local edge with a published service."""

    log: Path
    follow: Callable[[], None]
    """Lets the next requests use the stores as they are now. Caches are empty then."""


@contextlib.contextmanager
def served(
    state: State,
    service: Service,
    backends: Mapping[str, str],
    folder: Path,
    edge: Path,
    listen: str,
    compiled: Path,
) -> Iterator[Served]:
    """Serve the package and the stores of a service on the local edge."""
    version = service.active
    assert version
    assert version.package
    guest = folder / "package.wasm"
    guest.write_bytes(program(version.package))
    config = manifest(state, service, backends, folder)
    log = folder / "edge.log"
    options = ["--config", config, "--wasm", guest, "--listen", listen, "--commands"]
    command = [str(part) for part in [edge, *options, "--compiled", compiled]]
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )

        def follow() -> None:
            assert child.stdin
            manifest(state, service, backends, folder)
            before = log.read_text().count("\nreloaded\n")
            child.stdin.write(b"reload\n")
            child.stdin.flush()
            _wait_until(lambda: log.read_text().count("\nreloaded\n") > before, child, log)

        try:
            _wait_until(lambda: _accepts(listen), child, log)
            yield Served(log, follow)
        finally:
            child.terminate()
            child.communicate()


def _accepts(listen: str) -> bool:
    host, _, port = listen.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port))):
        return True
    return False


def _wait_until(happened: Callable[[], bool], child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while not happened():
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the local edge does not listen or follow:\n{log.read_text()}")
        time.sleep(0.02)
