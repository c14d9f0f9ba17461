"""The official clients of OpenAI and Anthropic, unmodified, against budgets of the gate.

The app has the endpoints of `demo.models` with budgets, and is started by `fastgate dev`: real
clients, the real guest, real sockets. Row O17 of docs/attacks.md.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import anthropic
import httpx
import openai
import pytest
from anthropic.types import MessageParam
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from tests.dev_session import Session, copy_demo, serving, until

APP = """
from typing import Any

from fastapi import FastAPI, Response

from demo import models
from fastgate import Inference, Model, Price, Settings, at_edge, guard

app = FastAPI(openapi_url=None)
SMALL = {"small": Model(name_at_origin="repeat-1", price=Price(input=2_000_000, output=3_000_000))}


def serve(name: str, *budgets: str, settle: str | None = None) -> None:
    declared = {"models": SMALL, "max_tokens": 100_000, "budgets": budgets, "settle": settle}

    @app.post(f"/{name}/v1/chat/completions", operation_id=f"{name}-chat")
    @at_edge(access="authenticated", inference=Inference(**declared))
    async def chat(body: dict[str, Any]) -> Response:
        return await models.chat(body)

    @app.post(f"/{name}/v1/messages", operation_id=f"{name}-messages")
    @at_edge(
        access="authenticated", inference=Inference(api="anthropic-messages", **declared)
    )
    async def messages(body: dict[str, Any]) -> Response:
        return await models.messages(body)


@app.post("/v1/embeddings")
@at_edge(
    access="authenticated",
    inference=Inference(
        {"words": Model(name_at_origin="glove-6b-50d", price=Price(input=1_000_000, output=0))},
        api="openai-embeddings",
        budgets=["few", "money"],
    ),
)
def embeddings(body: dict[str, Any]) -> Response:
    return models.embeddings(body)


serve("long", "long", "money")
serve("short", "short", "money", settle="estimate")
guard(app, Settings(edge="https://llm.example.com", audience="fastgate-dev"))
"""
WHOLE = 10_000
WINDOW = 4
FEW = 280
BASE = {
    "budgets": {
        "long": {"tokens": WHOLE, "window": 86_400, "by": ["subject"]},
        "short": {"tokens": 1000, "window": WINDOW, "by": ["subject"]},
        "few": {"tokens": FEW, "window": 86_400, "by": ["subject"]},
        "money": {"micros": 10**12, "window": 86_400, "by": ["subject"]},
    }
}
WORDS = "one two three four 🦀 six"
COST = 12
"""The tokens of the words, said and repeated."""
SAID: list[ChatCompletionMessageParam] = [{"role": "user", "content": WORDS}]
ASKED: list[MessageParam] = [{"role": "user", "content": WORDS}]
MORE = " ".join([WORDS] * 50)
SPENT = 50 * COST
MOST = WHOLE - SPENT + 100
"""With any input, more than is left then, and with a short one, less than the whole."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("budgets")
    copy_demo(folder, "models", "word_vectors")
    (folder / "main.py").write_text(APP, "utf-8")
    (folder / "edge").mkdir()
    (folder / "edge" / "policy.base.json").write_text(json.dumps(BASE), "utf-8")
    with serving(folder, "main:app") as started:
        started.until_ready()
        yield started


def openai_of(session: Session, subject: str, route: str) -> openai.OpenAI:
    """Return a client of OpenAI, as it is by default."""
    token = session.token(subject=subject)
    return openai.OpenAI(base_url=f"{session.edge}/{route}/v1", api_key=token)


def anthropic_of(session: Session, subject: str, route: str) -> anthropic.Anthropic:
    """Return a client of Anthropic, as it is by default."""
    return anthropic.Anthropic(
        base_url=f"{session.edge}/{route}", api_key=session.token(subject=subject)
    )


def verdicts(session: Session, subject: str, count: int) -> list[str]:
    """Return what the edge decided about the requests of a caller, when so many have arrived."""

    def found() -> list[str]:
        lines = session.output.splitlines()
        requests = [each.split("  ") for each in lines if re.match(r"\d{3}  POST  ", each)]
        return [each[3] for each in requests if each[4:5] == [subject]]

    until(lambda: len(found()) >= count, f"{found()} of {subject}", 5)
    return found()


def costs(session: Session, subject: str, count: int = 1) -> list[str]:
    """Return what the terminal says that the requests of a caller cost."""

    def found() -> list[str]:
        lines = session.output.splitlines()
        return [each for each in lines if each.startswith("cost ") and each.endswith(subject)]

    until(lambda: len(found()) >= count, f"{found()} of {subject}", 5)
    return found()


def left(fields: Mapping[str, str], budget: str) -> int:
    """Return what is left of a budget after a request has reserved its own part."""
    found = re.search(rf'"{budget}";r=(\d+);', fields["ratelimit"])
    assert found is not None, fields["ratelimit"]
    return int(found[1])


def streamed(client: openai.OpenAI, **more: Any) -> list[ChatCompletionChunk]:  # noqa: ANN401
    """Return the chunks of a stream."""
    with client.chat.completions.create(
        model="small", messages=SAID, max_tokens=500, stream=True, **more
    ) as stream:
        return [*stream]


def test_a_stream_costs_its_usage_which_a_client_sees_if_it_asks(session: Session) -> None:
    with openai_of(session, "sue", "long") as client:
        chunks = streamed(client)
        assert "".join(each.choices[0].delta.content or "" for each in chunks) == WORDS
        assert all(each.choices and each.usage is None for each in chunks)
        costs(session, "sue", 1)
        chunks = streamed(client, stream_options={"include_usage": True})
        assert [each.usage.total_tokens for each in chunks if each.usage] == [COST]
        assert chunks[-1].choices == []
        chunks = streamed(client, stream_options={"include_usage": False})
        assert all(each.choices and each.usage is None for each in chunks)
    paid = "cost  6 tokens of input and 6 tokens of output  30 micros  usage  small  sue"
    assert costs(session, "sue", 3) == [paid] * 3


def test_what_is_reserved_is_replaced_by_the_usage(session: Session) -> None:
    with openai_of(session, "rob", "long") as client:
        chat = client.chat.completions.with_raw_response
        first = chat.create(model="small", messages=SAID, max_tokens=500)
        reserved = WHOLE - left(first.headers, "long")
        assert reserved == len(first.http_request.content) + 500
        usage = first.parse().usage
        assert usage is not None
        assert usage.total_tokens == COST
        costs(session, "rob", 1)
        second = chat.create(model="small", messages=SAID, max_tokens=500)
        assert left(second.headers, "long") == WHOLE - COST - reserved


def test_a_client_of_openai_gives_up_at_once_if_the_budget_lasts_long(session: Session) -> None:
    with openai_of(session, "ann", "long") as client:
        assert client.max_retries > 0
        chat = client.chat.completions
        chat.create(model="small", messages=[{"role": "user", "content": MORE}], max_tokens=500)
        costs(session, "ann", 1)
        began = time.monotonic()
        with pytest.raises(openai.RateLimitError) as refused:
            chat.create(model="small", messages=SAID, max_tokens=MOST)
        assert time.monotonic() - began < 2
        assert (refused.value.code, refused.value.type) == ("insufficient_quota",) * 2
        assert f'budget "long" has {WHOLE - SPENT} of {WHOLE} tokens left' in str(refused.value)
        assert refused.value.response.headers["x-should-retry"] == "false"
        # What is refused reserves nothing, so less is still admitted.
        chat.create(model="small", messages=SAID, max_tokens=500)
        with pytest.raises(openai.RateLimitError, match="so it is never admitted"):
            chat.create(model="small", messages=SAID, max_tokens=20_000)
    assert verdicts(session, "ann", 4) == [
        *("forwarded", "budget-exceeded"),
        *("forwarded", "budget-too-small"),
    ]


def test_a_client_of_anthropic_gives_up_at_once_if_the_budget_lasts_long(session: Session) -> None:
    with anthropic_of(session, "bob", "long") as client:
        assert client.max_retries > 0
        more: list[MessageParam] = [{"role": "user", "content": MORE}]
        with client.messages.stream(model="small", max_tokens=500, messages=more) as stream:
            assert stream.get_final_text() == MORE
        paid = "cost  300 tokens of input and 300 tokens of output  1500 micros  usage  small  bob"
        assert costs(session, "bob", 1) == [paid]
        with pytest.raises(anthropic.RateLimitError) as refused:
            client.messages.create(model="small", max_tokens=MOST, messages=ASKED)
        assert refused.value.type == "rate_limit_error"
        assert f'budget "long" has {WHOLE - SPENT} of {WHOLE} tokens left' in str(refused.value)
        with pytest.raises(anthropic.RateLimitError, match="so it is never admitted"):
            client.messages.create(model="small", max_tokens=20_000, messages=ASKED)
    assert verdicts(session, "bob", 3) == ["forwarded", "budget-exceeded", "budget-too-small"]


@contextmanager
def of_openai(session: Session, subject: str) -> Iterator[Callable[[], str | None]]:
    with openai_of(session, subject, "short") as client:

        def create() -> str | None:
            made = client.chat.completions.create(model="small", messages=SAID, max_tokens=500)
            return made.choices[0].message.content

        yield create


@contextmanager
def of_anthropic(session: Session, subject: str) -> Iterator[Callable[[], str | None]]:
    with anthropic_of(session, subject, "short") as client:

        def create() -> str | None:
            made = client.messages.create(model="small", max_tokens=500, messages=ASKED)
            (block,) = made.content
            return block.text if block.type == "text" else None

        yield create


@pytest.mark.parametrize("client", [of_openai, of_anthropic])
def test_the_clients_wait_for_a_window_that_ends_soon(
    session: Session,
    client: Callable[[Session, str], AbstractContextManager[Callable[[], str | None]]],
) -> None:
    """With `settle="estimate"`, what was reserved stands, so the second request does not fit."""
    subject = client.__name__
    with client(session, subject) as create:
        assert create() == WORDS
        began = time.monotonic()
        assert create() == WORDS
        assert time.monotonic() - began < WINDOW + 10
    assert verdicts(session, subject, 3) == ["forwarded", "budget-exceeded", "forwarded"]
    assert " 500 tokens of output " in costs(session, subject)[0]


def test_the_page_gets_what_a_request_cost_after_the_request(session: Session) -> None:
    with openai_of(session, "eve", "long") as client:
        client.chat.completions.create(model="small", messages=SAID, max_tokens=500)
    seen: dict[str, dict[str, Any]] = {}
    with httpx.stream("GET", f"{session.edge}/__fastgate/events", timeout=20) as stream:
        for line in stream.iter_lines():
            event = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
            about = event.get("request") or event.get("settlement") or {}
            if about.get("subject") == "eve":
                seen[event["kind"]] = about
            if "settlement" in seen:
                break
    assert [*seen] == ["request", "settlement"]
    cost = seen["settlement"]
    assert cost["request_id"] == seen["request"]["request_id"]
    assert (cost["input_tokens"], cost["output_tokens"], cost["micros"]) == (6, 6, 30)


def test_embeddings_cost_the_words_that_they_read(session: Session) -> None:
    token = session.token(subject="gus")
    texts = ["a cat " * 10, "a kitten " * 10]
    with openai.OpenAI(base_url=f"{session.edge}/v1", api_key=token) as client:
        create = client.embeddings.with_raw_response.create
        for before in (0, 40):
            raw = create(model="words", input=texts)
            assert raw.parse().usage.total_tokens == 40
            reserved = len(raw.http_request.content)  # all of it is input
            assert left(raw.headers, "few") == FEW - before - reserved
            costs(session, "gus", 1 + before // 40)
        with pytest.raises(openai.RateLimitError) as refused:
            create(model="words", input=texts)
        assert refused.value.code == "insufficient_quota"
        assert f'budget "few" has {FEW - 80} of {FEW} tokens left' in str(refused.value)
    paid = "cost  40 tokens of input and 0 tokens of output  40 micros  usage  words  gus"
    assert costs(session, "gus", 2) == [paid] * 2
    assert verdicts(session, "gus", 3) == ["forwarded", "forwarded", "budget-exceeded"]


def test_a_budget_that_the_base_does_not_have_is_named(session: Session) -> None:
    session.edit(lambda text: text.replace('serve("long", "long"', 'serve("long", "lnog"'))
    until(lambda: session.state()["error"], "the fault is not noticed", 20)
    error = session.state()["error"]
    assert "names no budget" in error
    assert 'write a name from "budgets"' in error
    session.edit(lambda text: text.replace('serve("long", "lnog"', 'serve("long", "long"'))
    until(lambda: session.state()["error"] is None, "the correction is not noticed", 20)
