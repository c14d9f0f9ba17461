"""Paths and ports: the repository, the logs, and the ports of fastly.toml and policy.json."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "target" / "demo"

HOST = "127.0.0.1"
IDP, ORIGIN, ORIGIN_US, EDGE = 9080, 8000, 8001, 7676


def url(port: int, path: str = "") -> str:
    return f"http://{HOST}:{port}{path}"


class DemoError(Exception):
    """An error for the person at the terminal. The message says everything they need."""
