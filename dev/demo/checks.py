"""A check: a request, the expected response, and the outcome."""

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from callers import TOKENS, proof
from edge_log import EdgeLog
from exchange import Response, send
from layout import EDGE, HOST, ORIGIN, url
from traits import LogTrait, Trait

LONGEST_REQUEST = 36  # the longest request that is shown whole


@dataclass(frozen=True)
class Check:
    request: str
    status: int
    traits: tuple[Trait, ...] = ()
    logged: tuple[LogTrait, ...] = ()
    token: str = ""  # a name in TOKENS, or GARBAGE
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    body: tuple[str, bytes] | None = None  # media type and content, if the body is not `json`
    source: str = HOST  # the client's address
    times: int = 1  # how often the same bytes are sent; the last response is checked
    port: int = EDGE
    note: str = ""

    def label(self) -> str:
        notes = [self.token, self.note]
        if self.source != HOST:
            notes.append(f"from {self.source}")
        if self.port == ORIGIN:
            notes.append("straight to the origin")
        if self.times > 1:
            notes.append(f"{self.times} times")
        return " · ".join([shortened(self.request), *filter(None, notes)])

    def expected(self) -> str:
        traits = [trait.name for trait in self.traits] + [trait.name for trait in self.logged]
        return " · ".join([str(self.status), *traits])

    def run(self, tokens: Mapping[str, str], log: EdgeLog) -> "Outcome":
        method, path = self.request.split(" ", 1)
        headers = {**self._credentials(method, path, tokens), **self.headers}
        content_type, body = self._body()
        if content_type:
            headers["Content-Type"] = content_type
        try:
            for _ in range(self.times):
                response = send(self.port, method, path, headers, body, self.source)
        except (OSError, http.client.HTTPException) as error:
            return Outcome(self, passed=False, got=repr(error))
        return self.judge(response, log)

    def _credentials(self, method: str, path: str, tokens: Mapping[str, str]) -> Mapping[str, str]:
        if not self.token:
            return {}
        token = tokens[self.token]
        if self.token not in TOKENS or not TOKENS[self.token].bound:
            return {"Authorization": f"Bearer {token}"}
        made = proof(method, url(self.port, path), token)
        return {"Authorization": f"DPoP {token}", "DPoP": made}

    def _body(self) -> tuple[str, bytes | None]:
        if self.body is not None:
            return self.body
        if self.json is not None:
            return "application/json", json.dumps(self.json).encode()
        return "", None

    def judge(self, response: Response, log: EdgeLog) -> "Outcome":
        missing = [trait.name for trait in self.traits if not trait.seen_in(response)]
        if self.logged:
            line = log.line(response.header("X-Request-ID"))
            missing += [trait.name for trait in self.logged if not trait.seen_in(line)]
        return Outcome(
            self,
            passed=response.status == self.status and not missing,
            got=" · ".join([str(response.status), *(f"no {name}" for name in missing)]),
        )


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST_REQUEST else f"{text[: LONGEST_REQUEST - 1]}…"


@dataclass(frozen=True)
class Outcome:
    check: Check
    passed: bool
    got: str


@dataclass(frozen=True)
class Chapter:
    title: str
    checks: Sequence[Check]
