"""The edge and the origin as processes, and the edge's policies, stores and backends."""

import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "soak"
START_SECONDS = 30.0
COOL_DOWN = 5
"""Seconds during which the edge does not fetch keys again after a fetch."""


class SoakError(Exception):
    """The soak test cannot continue. The message says why."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def policy(edge: str, issuer: str) -> dict[str, Any]:
    """The demo's policy for this edge and this issuer, without rate limits."""
    document: dict[str, Any] = json.loads((ROOT / "policy.json").read_text("utf-8"))
    document["edge"]["issuer"] = edge
    document["edge"].pop("flood_limit", None)
    document["issuers"] = {
        "soak": {
            "issuer": issuer,
            "backend": "idp",
            "audiences": ["https://api.fastgate.example"],
            "key_life": {"cool_down": COOL_DOWN},
        }
    }
    for route in document["routes"]:
        route.pop("issuers", None)
    return document


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The same policy, in which the public list of items requires a token."""
    changed: dict[str, Any] = json.loads(json.dumps(document))
    next(r for r in changed["routes"] if r["id"] == "list_items")["access"] = "authenticated"
    return changed


def demanding(document: dict[str, Any]) -> dict[str, Any]:
    """The same policy, in which `/me` requires a scope that no caller has: the shadow policy."""
    changed: dict[str, Any] = json.loads(json.dumps(document))
    next(r for r in changed["routes"] if r["id"] == "read_me")["scopes"] = ["nobody:has"]
    return changed


class Process:
    """A process in the background; each line of its output goes to `on_line` or to a log file."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self._name = name
        self.lines_with_shadow = 0
        self.last_shadow = 0.0
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with (WORK / f"{self._name}.log").open("a", encoding="utf-8", buffering=1) as log:
            for line in self._process.stdout:
                if line.startswith("fastgate :: {"):
                    if json.loads(line.removeprefix("fastgate :: ")).get("shadow_policy"):
                        self.lines_with_shadow += 1
                        self.last_shadow = time.monotonic()
                else:
                    log.write(line)

    def wait_until_it_responds(self, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise SoakError(f"the {self._name} ended; see target/soak/{self._name}.log")
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise SoakError(f"the {self._name} does not respond; see target/soak/{self._name}.log")

    def memory(self) -> float:
        """Resident memory in MiB."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text("ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise SoakError(f"the {self._name} has ended")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Edge(Process):
    """The real guest on Viceroy, with a second guest through which its KV store can be written."""

    def __init__(self, port: int, origin: int, idp: int, live: dict[str, Any]) -> None:
        self._store = free_port()
        (WORK / "policy.json").write_text(json.dumps(live), "utf-8")
        manifest = WORK / "fastly.toml"
        manifest.write_text(
            f"""manifest_version = 3
name = "soak"
language = "rust"
[local_server.backends.origin]
url = "http://127.0.0.1:{origin}"
[local_server.backends.origin_us]
url = "http://127.0.0.1:{origin}"
[local_server.backends.idp]
url = "http://127.0.0.1:{idp}"
[[local_server.kv_stores.fastgate]]
key = "policy"
file = "{WORK / "policy.json"}"
[[local_server.secret_stores.fastgate]]
key = "signing-keys"
file = "{ROOT / "local" / "signing-keys.json"}"
[local_server.geolocation]
format = "json"
file = "{ROOT / "dev" / "places.json"}"
use_default_loopback = false
[local_server.acls]
blocked = "{ROOT / "dev" / "blocked.json"}"
""",
            "utf-8",
        )
        guests = "target/wasm32-wasip1/release"
        command = ["target/debug/fastgate-edge", "--config", str(manifest)]
        command += ["--wasm", f"{guests}/fastgate.wasm", "--compiled", "target/compiled"]
        command += ["--listen", f"127.0.0.1:{port}"]
        command += ["--store-wasm", f"{guests}/examples/store.wasm"]
        command += ["--store-listen", f"127.0.0.1:{self._store}"]
        super().__init__("edge", command, {})

    def put(self, key: str, value: dict[str, Any]) -> None:
        self._write("PUT", key, json.dumps(value).encode())

    def delete(self, key: str) -> None:
        self._write("DELETE", key, None)

    def _write(self, method: str, key: str, body: bytes | None) -> None:
        url = f"http://127.0.0.1:{self._store}/{key}"
        with urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=10):
            pass


def origin(port: int, edge: str) -> Process:
    command = [".venv/bin/python", "-m", "uvicorn", "demo.app:app", "--app-dir", "origin"]
    command += ["--port", str(port), "--log-level", "warning", "--no-access-log"]
    return Process("origin", command, {"FASTGATE_EDGE": edge, "FASTGATE_AUDIENCE": "demo-api"})
