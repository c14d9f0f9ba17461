"""`demo.models` as one process for each backend of three regions, behind the local edge.

Where requests run is decided by the guest; tests/edge/backends tests its rules. Here the processes
are real, each refuses what was signed for another region, and the client is OpenAI's, unmodified.
Row O18 of docs/attacks.md.
"""

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from fastgate.dev.edge.installed import installed_programs
from fastgate.dev.edge.manifest import local_manifest
from fastgate.dev.edge.process import LOG, EdgeProcess
from fastgate.dev.provider.app import DevelopmentProvider
from tests.dev_session import environment, free_port, is_served, until

ORIGIN = Path(__file__).parents[1]
BACKENDS: dict[str, dict[str, Any]] = {
    "eu_1": {"region": "eu", "models": ["small", "words"]},
    "eu_2": {"region": "eu", "models": ["small", "words"]},
    "ch": {"region": "ch"},
    "us": {"region": "us", "models": ["small", "words"]},
}
PLACED = {
    "backends": BACKENDS,
    "regions": {
        "eu": {"jurisdiction": "eu_or_adequate", "fallback": "ch"},
        "ch": {"jurisdiction": "eu_or_adequate"},
        "us": {"fallback": "ch"},
    },
    "selection": {"region_by": [{"by": {"claim": "region"}, "regions": {"eu": "eu", "us": "us"}}]},
    "health": {"failures": 1, "pause": 60},
}


@dataclass
class Regions:
    """The running processes."""

    edge: str
    provider: DevelopmentProvider
    origins: dict[str, subprocess.Popen[bytes]]
    log: list[str] = field(default_factory=list)

    def client(self, region: str, subject: str = "dan", **more: int) -> openai.OpenAI:
        """Return a client whose caller is verified to be of a region."""
        caller = {"subject": subject, "roles": ["pro"], "claims": {"region": region}}
        url = f"{self.provider.issuers['dev'].url}/tokens"
        token = httpx.post(url, json=caller).raise_for_status().json()["access_token"]
        return openai.OpenAI(base_url=f"{self.edge}/v1", api_key=token, **more)  # type: ignore[arg-type]

    def stop(self, backend: str) -> None:
        """End the process of a backend."""
        self.origins[backend].terminate()
        self.origins[backend].wait(30)

    def chosen_for(self, subject: str) -> Counter[str]:
        """Return how often the edge has logged each backend for a caller."""
        lines = [json.loads(each.removeprefix(LOG)) for each in self.log if each.startswith(LOG)]
        return Counter(each["backend"] for each in lines if each.get("subject") == subject)


@contextlib.contextmanager
def served(ports: dict[str, int], edge: str) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Serve the app in a process for each backend, which knows its region and tells its name."""
    with contextlib.ExitStack() as stack:
        started = {}
        for name, port in ports.items():
            command = [sys.executable, "-m", "uvicorn", "demo.models:app", "--port", str(port)]
            started[name] = process = subprocess.Popen(  # noqa: S603
                [*command, "--header", f"served-by:{name}"],
                cwd=ORIGIN,
                env=environment(FASTGATE_EDGE=edge, FASTGATE_REGION=BACKENDS[name]["region"]),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        for port in ports.values():
            until(lambda port=port: is_served(port), "the app is not served")  # type: ignore[misc]
        yield started


@contextlib.contextmanager
def running(folder: Path, provider: DevelopmentProvider) -> Iterator[Regions]:
    """Compile the policy, and run the app and the edge."""
    programs, edge = installed_programs(), f"127.0.0.1:{free_port()}"
    issuer = provider.issuers["dev"]
    base = {
        "edge": {"issuer": f"http://{edge}", "hosts": ["127.0.0.1"]},
        "issuers": {
            "dev": {
                "issuer": issuer.url,
                "backend": "idp",
                "audiences": [issuer.settings.audience],
            }
        },
        "origins": {"models": {"audience": "models", **PLACED}},
    }
    (folder / "base.json").write_text(json.dumps(base), "utf-8")

    def output(*command: str) -> bytes:
        return subprocess.run(  # noqa: S603
            command, cwd=ORIGIN, env=environment(), stdout=subprocess.PIPE, check=True
        ).stdout

    policy, keys = folder / "policy.json", folder / "signing-keys.json"
    compiler = (sys.executable, "-m", "fastgate", "policy", "demo.models:app", "--base")
    policy.write_bytes(output(*compiler, str(folder / "base.json")))
    output(str(programs.tool), "check", str(policy))
    keys.write_bytes(output(str(programs.tool), "keys", "new"))

    ports = {name: free_port() for name in BACKENDS}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    manifest = folder / "fastly.toml"
    backends = {**urls, "idp": issuer.url.rpartition("/")[0]}
    manifest.write_text(local_manifest({}, backends, policy, keys), "utf-8")
    with served(ports, f"http://{edge}") as origins:
        found = Regions(f"http://{edge}", provider, origins)
        process = EdgeProcess(
            programs,
            manifest,
            folder=folder,
            listen=edge,
            page=edge,
            log=found.log.append,
        )
        try:
            process.start()
            yield found
        finally:
            process.stop()


@pytest.fixture(scope="module")
def regions(
    tmp_path_factory: pytest.TempPathFactory, provider: DevelopmentProvider
) -> Iterator[Regions]:
    """Run all processes, which no test ends."""
    with running(tmp_path_factory.mktemp("regions"), provider) as found:
        yield found


def chat(client: openai.OpenAI, said: str, model: str = "small") -> str:
    """Return which process answered."""
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": said}]
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=messages, max_tokens=5
    )
    assert raw.parse().choices[0].message.content == said
    return str(raw.headers["served-by"])


def embed(client: openai.OpenAI) -> str:
    """Return which process answered."""
    raw = client.embeddings.with_raw_response.create(model="words", input="a cat")
    assert len(raw.parse().data[0].embedding) == 50
    return str(raw.headers["served-by"])


def test_requests_run_in_the_region_of_the_caller_where_their_model_is(regions: Regions) -> None:
    with regions.client("eu") as eu, regions.client("us") as us:
        in_eu = Counter(chat(eu, f"conversation {number}") for number in range(12))
        assert {*in_eu} == {"eu_1", "eu_2"}
        assert {chat(us, f"conversation {number}") for number in range(4)} == {"us"}
        assert {embed(eu) for _ in range(4)} <= {"eu_1", "eu_2"}
        assert embed(us) == "us"
        # Only the process in Switzerland has this model.
        assert chat(eu, "a question", "large") == chat(us, "a question", "large") == "ch"
        # What a client writes decides nothing.
        said = eu.with_options(default_headers={"x-region": "us", "served-by": "us"})
        assert chat(said, "a question") in {"eu_1", "eu_2"}
    with regions.client("nowhere", max_retries=0) as other, pytest.raises(openai.APIStatusError):
        chat(other, "a question")


def test_a_conversation_stays_at_one_process(regions: Regions) -> None:
    firsts = dict[str, str]()
    with regions.client("eu") as dan, regions.client("eu", "bob") as bob:
        for number in range(8):
            began: list[ChatCompletionMessageParam] = [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": f"conversation {number}"},
            ]
            for client, turns in ((dan, 0), (dan, 1), (bob, 2), (dan, 3)):
                more: list[ChatCompletionMessageParam] = []
                for turn in range(turns):
                    more += [
                        {"role": "assistant", "content": f"answer {turn}"},
                        {"role": "user", "content": f"and {turn}?"},
                    ]
                raw = client.chat.completions.with_raw_response.create(
                    model="small", messages=[*began, *more], max_tokens=5
                )
                by = raw.headers["served-by"]
                assert by == firsts.setdefault(f"conversation {number}", by)
    assert {*firsts.values()} == {"eu_1", "eu_2"}


def test_a_failover_never_leaves_the_jurisdiction(
    tmp_path: Path, provider: DevelopmentProvider
) -> None:
    """The client tries again by itself what a process that has just ended could not answer."""

    def ask(client: openai.OpenAI) -> set[str]:
        return {chat(client, "a question"), embed(client), chat(client, "another one")}

    with (
        running(tmp_path, provider) as regions,
        regions.client("eu") as eu,
        regions.client("us", "uma") as us,
    ):
        first = chat(eu, "a question")
        (second,) = {"eu_1", "eu_2"} - {first}
        regions.stop(first)
        assert ask(eu) == {second}
        regions.stop(second)
        assert ask(eu) == {"ch"}
        assert ask(us) == {"us"}
        regions.stop("ch")
        for _ in range(4):
            with pytest.raises(openai.InternalServerError) as failed:
                chat(eu.with_options(max_retries=0), "a question")
            assert failed.value.status_code in {502, 503}
        assert ask(us) == {"us"}
        until(lambda: regions.chosen_for("uma")["us"] == 6, "the edge has not logged it", 5)
        assert {*regions.chosen_for("dan")} == {"eu_1", "eu_2", "ch"}
