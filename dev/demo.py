"""Fastgate on your machine: an identity provider, a FastAPI origin and the edge in front of it.

    python3 dev/demo.py demo     start the three, show what to try, run until Ctrl-C
    python3 dev/demo.py smoke    start the three, make those requests, judge the answers

`make demo` and `make smoke` build everything first. The ports are fixed, because fastly.toml and
policy.json name them. Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "target" / "demo"

HOST = "127.0.0.1"
IDP, ORIGIN, EDGE = 9080, 8000, 7676

START_SECONDS = 30.0  # for each service, to give its first answer
STOP_SECONDS = 3.0  # for all of them, between SIGTERM and SIGKILL
ANSWER_SECONDS = 10.0
POLL_SECONDS = 0.1
TAIL_LINES = 20

# How the edge server prints a line for Fastly's log endpoint `fastgate`.
REQUEST_LOG = "fastgate :: {"


class DemoError(Exception):
    """Something the person at the terminal has to know; the message is all they need."""


def url(port: int, path: str = "") -> str:
    return f"http://{HOST}:{port}{path}"


# --- Words on the terminal ----------------------------------------------------------------------


def paint(code: str, text: str) -> str:
    """Colour for people; plain text for pipes and logs."""
    return f"\x1b[{code}m{text}\x1b[0m" if sys.stdout.isatty() else text


def bold(text: str) -> str:
    return paint("1", text)


def dim(text: str) -> str:
    return paint("2", text)


def green(text: str) -> str:
    return paint("32", text)


def red(text: str) -> str:
    return paint("31", text)


# --- One request, one answer --------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> object:
        """The body as JSON; None if it is not, which no expectation accepts."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def send(
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Sends the path exactly as written: http.client, unlike most clients, leaves `%2e%2e` alone.

    Raises OSError or HTTPException when there is no answer.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


# --- The three services -------------------------------------------------------------------------


@dataclass(frozen=True)
class Service:
    name: str
    port: int
    command: Sequence[str]
    first_request: str  # a path that answers (any status below 500) once the service is up
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name.replace(' ', '-')}.log"


SERVICES = (
    Service(
        name="identity provider",
        port=IDP,
        command=("node", "dev/idp/provider.mjs", "--port", str(IDP), "--exit-with-stdin"),
        first_request="/.well-known/openid-configuration",
    ),
    Service(
        name="origin",
        port=ORIGIN,
        command=(
            *(".venv/bin/python", "-m", "uvicorn", "demo.app:app", "--app-dir", "origin"),
            *("--port", str(ORIGIN), "--no-server-header"),
        ),
        first_request="/",
        environment={"FASTGATE_EDGE": url(EDGE), "FASTGATE_AUDIENCE": "demo-api"},
    ),
    Service(
        name="edge",
        port=EDGE,
        command=(
            *("target/debug/examples/edge", "--config", "fastly.toml"),
            *("--wasm", "target/wasm32-wasip1/release/fastgate.wasm"),
            *("--listen", f"{HOST}:{EDGE}"),
        ),
        first_request="/.well-known/fastgate/jwks.json",
    ),
)


class Child:
    """A running service: its process group, and the thread that keeps its log."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.on_request: Callable[[str], None] | None = None  # gets each line of the request log
        try:
            self._process = subprocess.Popen(
                service.command,
                cwd=ROOT,
                env={**os.environ, **service.environment},
                stdin=subprocess.PIPE,  # never written; the provider leaves when it closes
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                process_group=0,  # Ctrl-C reaches only us, and we decide what ends when
            )
        except OSError as error:
            raise DemoError(f"cannot start the {service.name}: {error}") from error
        self._log_keeper = threading.Thread(target=self._keep_log, daemon=True)
        self._log_keeper.start()

    def _keep_log(self) -> None:
        assert self._process.stdout is not None
        with self.service.log.open("w", encoding="utf-8", buffering=1) as log:
            for line in self._process.stdout:
                if self.on_request and line.startswith(REQUEST_LOG):
                    self.on_request(line)
                else:
                    log.write(line)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        last = "nothing"
        while time.monotonic() < deadline:
            if self.ended:
                raise DemoError(self.obituary())
            try:
                last = str(send(self.service.port, "GET", self.service.first_request).status)
            except (OSError, http.client.HTTPException) as error:
                last = repr(error)
            if last.isdigit() and int(last) < 500:
                return
            time.sleep(POLL_SECONDS)
        raise DemoError(
            f"the {self.service.name} gave no good answer in {START_SECONDS:.0f} s"
            f" (last: {last}){self._tail()}"
        )

    def obituary(self) -> str:
        return f"the {self.service.name} ended, {self._how_it_ended()}{self._tail()}"

    def _how_it_ended(self) -> str:
        status = self._process.wait()
        return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"

    def _tail(self) -> str:
        if self.ended:
            self._log_keeper.join(timeout=1)  # so that its last words are in the file
        log = self.service.log
        text = log.read_text("utf-8", "replace") if log.exists() else ""
        lines = "".join(f"\n    {line}" for line in text.splitlines()[-TAIL_LINES:])
        return f"; the end of {log.relative_to(ROOT)}:{lines or ' (empty)'}"

    def signal_group(self, number: signal.Signals) -> None:
        # Once we have seen it end, its id may belong to somebody else.
        if not self.ended:
            os.killpg(self._process.pid, number)

    def wait(self, deadline: float) -> None:
        try:
            self._process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.signal_group(signal.SIGKILL)
            self._process.wait()


class Children:
    """All three services: answering inside the `with` block, gone after it."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        refuse_taken_ports()
        LOGS.mkdir(parents=True, exist_ok=True)
        try:
            for service in SERVICES:
                self._start(service)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self, service: Service) -> None:
        begun = time.monotonic()
        print(f"  {service.name:<18} {url(service.port)}  ", end="", flush=True)
        try:
            child = Child(service)
            self._children.append(child)
            child.wait_until_it_answers()
        except BaseException:
            print(red("✗"))
            raise
        print(green("✓"), dim(f"{time.monotonic() - begun:.1f} s"))

    def _stop(self) -> None:
        # A second, impatient Ctrl-C must not leave anything behind; this takes 3 s at most.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        for child in self._children:
            child.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            child.wait(deadline)

    def show_requests(self, show: Callable[[str], None]) -> None:
        for child in self._children:
            child.on_request = show

    def check_alive(self) -> None:
        """Raises DemoError, with the log's last lines, if one of the three has ended."""
        for child in self._children:
            if child.ended:
                raise DemoError(child.obituary())


def refuse_taken_ports() -> None:
    taken = [service for service in SERVICES if not is_free(service.port)]
    if taken:
        lines = (
            f"port {service.port}, which the {service.name} needs, is in use;"
            f" `lsof -i :{service.port}` shows by what"
            for service in taken
        )
        raise DemoError("\n".join(lines))


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the services do it: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


# --- What a caller brings -----------------------------------------------------------------------


@dataclass(frozen=True)
class TokenRequest:
    """A client-credentials request to the provider; the clients are in dev/idp/provider.mjs."""

    client: str
    scope: str = ""
    resource: str = ""

    def token(self) -> str:
        form = {"grant_type": "client_credentials", "scope": self.scope, "resource": self.resource}
        credentials = base64.b64encode(f"{self.client}:{self.client}-secret".encode()).decode()
        answer = send(
            IDP,
            "POST",
            "/token",
            {
                "Authorization": f"Basic {credentials}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            urlencode({name: value for name, value in form.items() if value}).encode(),
        )
        grant = answer.json()
        if not isinstance(grant, dict) or "access_token" not in grant:
            raise DemoError(f"no token for {self.client}: {answer.status} {answer.body!r}")
        return str(grant["access_token"])


OTHER_API = "https://other.fastgate.example"

TOKENS: Mapping[str, TokenRequest] = {
    "reader": TokenRequest("demo-reader", "orders:read"),
    "reader, ES256": TokenRequest("demo-es256", "orders:read"),
    "writer": TokenRequest("demo-writer", "orders:read orders:write"),
    "guest": TokenRequest("demo-guest"),
    "reader of other API": TokenRequest("demo-reader", "orders:read", OTHER_API),
}
GARBAGE = "garbage"


def forged_identity(subject: str) -> str:
    """A `Fastgate-Identity` as an attacker might write it: right in form, signed with zeros."""

    def part(members: Mapping[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")

    now = int(time.time())
    header = part({"alg": "ES256", "typ": "txntoken+jwt", "kid": "forged"})
    claims = part({"aud": "demo-api", "iat": now, "exp": now + 60, "txn": "0", "sub": subject})
    return f"{header}.{claims}.{'A' * 86}"


FORGED = {"Fastgate-Identity": forged_identity("admin")}

# --- `smoke`: the table of checks ---------------------------------------------------------------


@dataclass(frozen=True)
class Trait:
    """Something to be seen in an answer, besides its status."""

    name: str
    seen_in: Callable[[Answer], bool]


def header(name: str, value: str) -> Trait:
    return Trait(value, lambda answer: str(answer.headers.get(name, "")).startswith(value))


def bearer_error(code: str) -> Trait:
    wanted = f'error="{code}"'
    return Trait(code, lambda answer: wanted in str(answer.headers.get("WWW-Authenticate", "")))


def subject(expected: str) -> Trait:
    def seen_in(answer: Answer) -> bool:
        body = answer.json()
        return isinstance(body, dict) and body.get("subject") == expected

    return Trait(f"subject {expected}", seen_in)


def _challenges_without_error(answer: Answer) -> bool:
    challenge = str(answer.headers.get("WWW-Authenticate", ""))
    return challenge.startswith("Bearer") and "error=" not in challenge


def _holds_public_keys_only(answer: Answer) -> bool:
    match answer.json():
        case {"keys": [_, *_] as keys}:
            return all(isinstance(key, dict) and "kid" in key and "d" not in key for key in keys)
        case _:
            return False


PROBLEM = header("Content-Type", "application/problem+json")
# RFC 6750 §3.1: who brought no token made no mistake, and is told of none.
CHALLENGE = Trait("Bearer without error", _challenges_without_error)
INVALID_TOKEN = bearer_error("invalid_token")
INSUFFICIENT_SCOPE = bearer_error("insufficient_scope")
ALLOW = Trait("Allow", lambda answer: bool(answer.headers.get("Allow")))
PUBLIC_KEYS = Trait("public keys only", _holds_public_keys_only)


@dataclass(frozen=True)
class Check:
    request: str
    status: int
    traits: tuple[Trait, ...] = ()
    token: str = ""  # whose: a name in TOKENS, or GARBAGE
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    port: int = EDGE

    def label(self) -> str:
        notes = [self.token, *(f"forged {name}" for name in self.headers)]
        if self.port == ORIGIN:
            notes.append("straight to the origin")
        return " · ".join([self.request, *filter(None, notes)])

    def expected(self) -> str:
        return " · ".join([str(self.status), *(trait.name for trait in self.traits)])

    def run(self, tokens: Mapping[str, str]) -> Outcome:
        method, path = self.request.split(" ", 1)
        headers = dict(self.headers)
        if self.token:
            headers["Authorization"] = f"Bearer {tokens[self.token]}"
        if self.json is not None:
            headers["Content-Type"] = "application/json"
        body = None if self.json is None else json.dumps(self.json).encode()
        try:
            return self.judge(send(self.port, method, path, headers, body))
        except (OSError, http.client.HTTPException) as error:
            return Outcome(self, passed=False, got=repr(error))

    def judge(self, answer: Answer) -> Outcome:
        missing = [f"no {trait.name}" for trait in self.traits if not trait.seen_in(answer)]
        return Outcome(
            self,
            passed=answer.status == self.status and not missing,
            got=" · ".join([str(answer.status), *missing]),
        )


@dataclass(frozen=True)
class Outcome:
    check: Check
    passed: bool
    got: str


ORDER = {"item": "tea", "quantity": 2}

CHECKS = (
    # Public, and known callers of either algorithm
    Check("GET /", 200),
    Check("GET /me", 401, (CHALLENGE, PROBLEM)),
    Check("GET /me", 200, (subject("demo-reader"),), token="reader"),
    Check("GET /me", 200, (subject("demo-es256"),), token="reader, ES256"),
    # Scopes
    Check("GET /orders/7", 200, token="reader"),
    Check("GET /orders/7", 403, (INSUFFICIENT_SCOPE, PROBLEM), token="guest"),
    Check("POST /orders", 403, (INSUFFICIENT_SCOPE, PROBLEM), token="reader", json=ORDER),
    Check("POST /orders", 201, token="writer", json=ORDER),
    Check("GET /stream", 200, token="reader"),
    # Tokens that are not for us, or not tokens
    Check("GET /me", 401, (INVALID_TOKEN, PROBLEM), token="reader of other API"),
    Check("GET /me", 401, (INVALID_TOKEN, PROBLEM), token=GARBAGE),
    # Requests that match no route, or not clearly
    Check("GET /admin", 404, (PROBLEM,)),
    Check("DELETE /orders/7", 405, (ALLOW, PROBLEM)),
    Check("GET /orders/%2e%2e/me", 400, (PROBLEM,), token="reader"),
    # The header between edge and origin: public keys, and nobody else's word
    Check("GET /.well-known/fastgate/jwks.json", 200, (PUBLIC_KEYS,)),
    Check("GET /me", 200, (subject("demo-reader"),), token="reader", headers=FORGED),
    Check("GET /me", 401, headers=FORGED, port=ORIGIN),
    Check("GET /me", 401, port=ORIGIN),
)


def smoke(children: Children) -> int:
    tokens = {name: request.token() for name, request in TOKENS.items()}
    tokens[GARBAGE] = GARBAGE
    outcomes = [check.run(tokens) for check in CHECKS]
    print_table(outcomes)
    children.check_alive()
    failed = sum(not outcome.passed for outcome in outcomes)
    print(red(f"{failed} of {len(outcomes)} failed") if failed else green("all as expected"))
    if failed:
        print(f"logs: {LOGS.relative_to(ROOT)}/")
    return 1 if failed else 0


def print_table(outcomes: Sequence[Outcome]) -> None:
    rows = [("request", "expected", "got")]
    rows += [(outcome.check.label(), outcome.check.expected(), outcome.got) for outcome in outcomes]
    first, second, third = (max(len(row[column]) for row in rows) for column in range(3))
    lines = [f"{a:<{first}}  {b:<{second}}  {c:<{third}}" for a, b, c in rows]
    print(f"\n{bold(lines[0])}")
    for line, outcome in zip(lines[1:], outcomes, strict=True):
        print(line, "", green("✓") if outcome.passed else red("✗"))
    print()


# --- `demo`: lines to paste, and the edge's log -------------------------------------------------

TOKEN_COMMAND = (
    "curl -s -u demo-reader:demo-reader-secret"
    f" -d grant_type=client_credentials -d scope=orders:read {url(IDP, '/token')}"
    """ | python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'"""
)
WITH_TOKEN = '-H "Authorization: Bearer $TOKEN"'
PASTE = (
    ("anyone may", f"curl -i {url(EDGE, '/')}"),
    ("401: who is calling?", f"curl -i {url(EDGE, '/me')}"),
    ("a token, good for ten minutes", f"TOKEN=$({TOKEN_COMMAND})"),
    ("200: the origin knows the caller", f"curl -i {WITH_TOKEN} {url(EDGE, '/me')}"),
    ("200: the token has the scope orders:read", f"curl -i {WITH_TOKEN} {url(EDGE, '/orders/7')}"),
    (
        "403: it lacks orders:write",
        f"curl -i {WITH_TOKEN} -H 'Content-Type: application/json' -d '{json.dumps(ORDER)}' "
        + url(EDGE, "/orders"),
    ),
    (
        "200, still demo-reader: what a client claims to be never gets through",
        f"curl -i {WITH_TOKEN} -H 'Fastgate-Identity: admin' {url(EDGE, '/me')}",
    ),
)


def demo(children: Children) -> int:
    print("\nTry, in another terminal:")
    for comment, command in PASTE:
        print(f"\n{dim('# ' + comment)}\n{command}")
    print(f"\nEvery request shows below; other output is in {LOGS.relative_to(ROOT)}/.", end=" ")
    print(f"{bold('Ctrl-C')} ends all three.\n")
    children.show_requests(print_request)
    try:
        while True:
            children.check_alive()
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:  # the way a demo ends
        print()
        return 0


def print_request(line: str) -> None:
    """One request of the edge's log: `{"status":200,"route":"me"}` as `status=200 route=me`."""
    text = line.removeprefix(REQUEST_LOG[:-1])
    try:
        facts = json.loads(text)
    except ValueError:
        print(text.rstrip(), flush=True)  # cut short or broken, but still what the edge said
        return
    words = (f"{dim(name + '=')}{paint_fact(name, fact)}" for name, fact in facts.items())
    print(" ".join(words), flush=True)


def paint_fact(name: str, fact: object) -> str:
    text = fact if isinstance(fact, str) else json.dumps(fact)
    if name == "status" and isinstance(fact, int):
        return green(text) if fact < 400 else red(text)
    return text


# --- The command line ---------------------------------------------------------------------------

ACTIONS: Mapping[str, Callable[[Children], int]] = {"demo": demo, "smoke": smoke}

# A closed terminal (SIGHUP) is in the list because the children, in their own process groups,
# would outlive it.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=ACTIONS)
    action = ACTIONS[parser.parse_args().action]
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        with Children() as children:
            return action(children)
    except KeyboardInterrupt:
        return 130
    except DemoError as error:
        print(red(f"\n{error}"), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
