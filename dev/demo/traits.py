"""Expectations of a response besides its status, and of the line in the edge's log."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from edge_log import Line
from exchange import Response


@dataclass(frozen=True)
class Trait:
    """An expectation of a response."""

    name: str
    seen_in: Callable[[Response], bool]


@dataclass(frozen=True)
class LogTrait:
    """An expectation of the line that the edge logs."""

    name: str
    seen_in: Callable[[Line], bool]


def header(name: str, value: str) -> Trait:
    return Trait(f"{name}: {value}", lambda response: response.header(name).startswith(value))


def without(name: str) -> Trait:
    return Trait(f"without {name}", lambda response: name not in response.headers)


def challenge_error(code: str) -> Trait:
    wanted = f'error="{code}"'
    return Trait(code, lambda response: wanted in response.header("WWW-Authenticate"))


def member(name: str, value: object) -> Trait:
    """A member of the JSON object in the body."""

    def seen_in(response: Response) -> bool:
        body = response.json()
        return isinstance(body, dict) and name in body and body[name] == value

    return Trait(f"{name} {shown(value)}", seen_in)


def problem(slug: str) -> Trait:
    """The body is a problem document (RFC 9457) of this type."""
    kind = member("type", f"urn:fastgate:problem:{slug}")
    return Trait(slug, lambda response: PROBLEM.seen_in(response) and kind.seen_in(response))


def shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def logged(name: str, value: object) -> LogTrait:
    """A member of the log line: this value, or a list with it."""

    def seen_in(line: Line) -> bool:
        found = line.get(name)
        return found == value or (isinstance(found, list) and value in found)

    return LogTrait(f"log: {name} {shown(value)}", seen_in)


def _challenges_without_error(response: Response) -> bool:
    challenge = response.header("WWW-Authenticate")
    return challenge.startswith("Bearer") and "error=" not in challenge


def _holds_public_keys_only(response: Response) -> bool:
    match response.json():
        case {"keys": [_, *_] as keys}:
            return all(isinstance(key, dict) and "kid" in key and "d" not in key for key in keys)
        case _:
            return False


PROBLEM = Trait(
    "problem+json",
    lambda response: response.header("Content-Type").startswith("application/problem+json"),
)
# RFC 6750 §3.1: a request without a token gets no error code.
CHALLENGE = Trait("Bearer without error", _challenges_without_error)
ALLOW = Trait("Allow", lambda response: bool(response.header("Allow")))
RETRY_AFTER = Trait("Retry-After", lambda response: response.header("Retry-After").isdigit())
PUBLIC_KEYS = Trait("public keys only", _holds_public_keys_only)
