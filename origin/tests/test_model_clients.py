"""The official clients of OpenAI and Anthropic, unmodified, through the gate to an app with models.

The app is `demo.models`, started by `fastgate dev`: real clients, the real guest, real sockets.
Rows O2 and O7 of docs/attacks.md.
"""

import json
import math
import operator
import time
from collections.abc import Iterator

import anthropic
import httpx
import openai
import pytest
from anthropic.types import MessageParam
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from tests.dev_session import Session, copy_demo, serving

SAID: list[ChatCompletionMessageParam] = [{"role": "user", "content": "one two three four 🦀 six"}]
ASKED: list[MessageParam] = [{"role": "user", "content": "one two three four 🦀 six"}]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("models")
    copy_demo(folder, "models", "word_vectors")
    with serving(folder, "demo.models:app") as started:
        started.until_ready()
        yield started


@pytest.fixture(scope="module")
def openai_client(session: Session) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{session.edge}/v1", api_key=session.token()) as client:
        yield client


@pytest.fixture(scope="module")
def anthropic_client(session: Session) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=session.edge, api_key=session.token()) as client:
        yield client


def test_a_chat_is_completed_by_the_model_that_the_caller_names(
    openai_client: openai.OpenAI,
) -> None:
    completion = openai_client.chat.completions.create(model="small", messages=SAID, max_tokens=4)
    assert completion.model == "repeat-1"
    assert completion.choices[0].message.content == "one two three four"
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (6, 4)


def test_a_chat_is_streamed(openai_client: openai.OpenAI) -> None:
    with openai_client.chat.completions.create(
        model="small",
        messages=SAID,
        max_completion_tokens=100,
        stream=True,
        stream_options={"include_usage": True},
    ) as stream:
        chunks = [*stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "one two three four 🦀 six"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 12


def test_messages_are_answered_and_streamed(anthropic_client: anthropic.Anthropic) -> None:
    whole = anthropic_client.messages.create(model="small", max_tokens=5, messages=ASKED)
    assert (whole.model, whole.stop_reason, whole.usage.output_tokens) == (
        "repeat-1",
        "max_tokens",
        5,
    )
    with anthropic_client.messages.stream(model="small", max_tokens=9, messages=ASKED) as stream:
        assert stream.get_final_text() == "one two three four 🦀 six"
        assert stream.get_final_message().usage.output_tokens == 6


def dot(one: list[float], other: list[float]) -> float:
    return sum(map(operator.mul, one, other), 0.0)


def test_texts_are_embedded_in_the_form_that_the_client_asks_for(
    openai_client: openai.OpenAI,
) -> None:
    texts = ["The cat sleeps on the sofa.", "A kitten naps on a couch.", "Interest rates rise."]
    raw = openai_client.embeddings.with_raw_response.create(model="words", input=texts)
    assert json.loads(raw.http_request.content)["encoding_format"] == "base64"
    found = raw.parse()
    assert found.model == "glove-6b-50d"
    assert found.usage.prompt_tokens == found.usage.total_tokens == 7 + 7 + 4
    cat, kitten, rates = (each.embedding for each in found.data)
    assert len(cat) == 50
    assert math.hypot(*cat) == pytest.approx(1, abs=1e-6)
    assert dot(cat, kitten) > 0.85 > 0.75 > dot(cat, rates)
    for input_ in (texts[1], [texts[1]]):
        numbers = openai_client.embeddings.create(
            model="words", input=input_, encoding_format="float", dimensions=50
        )
        assert numbers.data[0].embedding == pytest.approx(kitten, abs=1e-6)


def test_what_the_edge_refuses_of_embeddings_and_what_the_app_refuses(
    openai_client: openai.OpenAI,
) -> None:
    create = openai_client.embeddings.create
    for model in ("small", "glove-6b-50d"):  # a model of chats, and the name that the app knows
        with pytest.raises(openai.PermissionDeniedError) as refused:
            create(model=model, input="a cat")
        assert refused.value.param == "model"
        assert f'the model "{model}" is not available to you' in str(refused.value)
    began = time.monotonic()
    with pytest.raises(
        openai.APIStatusError, match="the body is longer than the 16384 bytes"
    ) as too_long:
        create(model="words", input="a cat " * 3000)
    assert too_long.value.status_code == 413
    assert time.monotonic() - began < 2, "it is tried again"
    for member, value, more in (
        ("input", [464, 3797], {}),
        ("input", "qwrtzx", {}),
        ("input", "", {}),
        ("dimensions", "a cat", {"dimensions": 10}),
    ):
        with pytest.raises(openai.BadRequestError, match=member) as wrong:
            create(model="words", input=value, **more)  # type: ignore[arg-type]
        assert (wrong.value.param, wrong.value.code) == (member, "invalid_value")


def test_the_clients_understand_refusals(
    openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic
) -> None:
    chat = openai_client.chat.completions
    with pytest.raises(openai.PermissionDeniedError) as refused:
        chat.create(model="large", messages=SAID, max_tokens=4)
    assert refused.value.param == "model"
    assert 'the model "large" is not available to you' in str(refused.value)
    with pytest.raises(openai.PermissionDeniedError) as unknown:
        chat.create(model="others", messages=SAID, max_tokens=4)
    assert (unknown.value.code, unknown.value.type) == (refused.value.code, refused.value.type)
    with pytest.raises(openai.BadRequestError, match="may be at most 256"):
        chat.create(model="small", messages=SAID)
    with pytest.raises(openai.BadRequestError) as too_much:
        chat.create(model="small", messages=SAID, max_tokens=257)
    assert too_much.value.param == "max_tokens"
    with pytest.raises(anthropic.PermissionDeniedError) as by_anthropic:
        anthropic_client.messages.create(model="large", max_tokens=4, messages=ASKED)
    assert by_anthropic.value.type == "permission_error"


def test_a_caller_with_the_role_uses_the_larger_model_and_tools(session: Session) -> None:
    look_up: ChatCompletionToolParam = {"type": "function", "function": {"name": "look_up"}}
    token = session.token(roles=["pro"])
    with openai.OpenAI(base_url=f"{session.edge}/v1", api_key=token) as client:
        chat = client.chat.completions
        completion = chat.create(model="large", messages=SAID, max_tokens=4096, tools=[look_up])
        assert completion.model == "repeat-2"
        with pytest.raises(openai.PermissionDeniedError, match="tools are not available"):
            chat.create(model="small", messages=SAID, max_tokens=4, tools=[look_up])


def test_without_a_token_the_clients_say_that_the_key_is_wrong(session: Session) -> None:
    before = time.monotonic()
    with (
        openai.OpenAI(base_url=f"{session.edge}/v1", api_key="none") as client,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        client.chat.completions.create(model="small", messages=SAID, max_tokens=4)
    assert refused.value.code == "invalid_api_key"
    with (
        anthropic.Anthropic(base_url=session.edge, api_key="none") as other,
        pytest.raises(anthropic.AuthenticationError),
    ):
        other.messages.create(model="small", max_tokens=4, messages=ASKED)
    assert time.monotonic() - before < 5, "nothing is tried again"


def test_the_app_runs_only_the_body_that_the_edge_judged(session: Session) -> None:
    body = {"model": "small", "max_tokens": 4, "messages": SAID}
    url = f"http://127.0.0.1:{session.app_port}/v1/chat/completions"
    assert httpx.post(url, json=body).status_code == 401
    headers = {"authorization": f"Bearer {session.token()}"}
    twice = b'{"model":"small","model":"large","max_tokens":4,"messages":[]}'
    json_type = {"content-type": "application/json", **headers}
    answer = httpx.post(f"{session.edge}/v1/chat/completions", content=twice, headers=json_type)
    assert answer.status_code == 400
    assert 'the member \\"model\\" twice' in answer.text
