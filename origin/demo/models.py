"""An app in front of models, with the APIs of OpenAI and Anthropic.

Input: requests that came through the edge, which has checked them. Output: what the clients of the
two APIs expect, whole or as streams. The language model is a stand-in: it repeats the last message,
word by word, and a token is a word. The model for embeddings is a small one that is used in
earnest (`demo.word_vectors`).

    fastgate dev demo.models:app --app-dir origin

One process for each region, each with its own `FASTGATE_REGION`, behind `FASTGATE_EDGE`:

    FASTGATE_REGION=eu uvicorn demo.models:app --app-dir origin --port 8001
"""

import json
import os
import sys
from array import array
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse

from demo import word_vectors
from fastgate import Inference, Model, Settings, at_edge, guard, role

app = FastAPI(title="Models", docs_url=None, redoc_url=None, openapi_url=None)

MODELS = {
    "small": Model(name_at_origin="repeat-1"),
    "large": Model(name_at_origin="repeat-2", require=role("pro"), max_tokens=4096, tools=True),
}
EMBEDDING_MODELS = {"words": Model(name_at_origin=word_vectors.NAME)}


@app.post("/v1/chat/completions", operation_id="chat")
@at_edge(
    access="authenticated", inference=Inference(MODELS, max_tokens=256, affinity="conversation")
)
async def chat(body: dict[str, Any]) -> Response:
    """Answer as OpenAI's chat completions do."""
    words, reason, usage = _said(body, "max_completion_tokens", "max_tokens")
    counts = {
        "prompt_tokens": usage[0],
        "completion_tokens": usage[1],
        "total_tokens": sum(usage),
    }
    common = {"id": "chat-1", "created": 0, "model": body["model"]}
    finish = "stop" if reason == "end" else "length"
    if not body.get("stream"):
        message = {"role": "assistant", "content": " ".join(words)}
        choices = [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}]
        return JSONResponse(
            {**common, "object": "chat.completion", "choices": choices, "usage": counts}
        )
    shows_usage = bool((body.get("stream_options") or {}).get("include_usage"))

    def chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, object]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
        return {
            **common,
            "object": "chat.completion.chunk",
            "choices": choices,
            **({"usage": None} if shows_usage else {}),
        }

    def chunks() -> Iterator[str]:
        yield json.dumps(chunk({"role": "assistant", "content": ""}))
        for number, word in enumerate(words):
            yield json.dumps(chunk({"content": f" {word}" if number else word}))
        yield json.dumps(chunk({}, finish))
        if shows_usage:
            last = {**common, "object": "chat.completion.chunk", "choices": [], "usage": counts}
            yield json.dumps(last)
        yield "[DONE]"

    return _events(f"data: {each}\n\n" for each in chunks())


@app.post("/v1/messages", operation_id="messages")
@at_edge(
    access="authenticated",
    inference=Inference(MODELS, api="anthropic-messages", max_tokens=256, affinity="conversation"),
)
async def messages(body: dict[str, Any]) -> Response:
    """Answer as Anthropic's messages do."""
    words, reason, usage = _said(body, "max_tokens")
    stop = "end_turn" if reason == "end" else "max_tokens"
    message: dict[str, object] = {
        "id": "message-1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "stop_sequence": None,
    }
    if not body.get("stream"):
        content = [{"type": "text", "text": " ".join(words)}]
        counts = {"input_tokens": usage[0], "output_tokens": usage[1]}
        return JSONResponse({**message, "content": content, "stop_reason": stop, "usage": counts})

    def events() -> Iterator[dict[str, object]]:
        begun = {"input_tokens": usage[0], "output_tokens": 0}
        yield {
            "type": "message_start",
            "message": {**message, "content": [], "stop_reason": None, "usage": begun},
        }
        yield {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        }
        for number, word in enumerate(words):
            delta = {"type": "text_delta", "text": f" {word}" if number else word}
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}
        yield {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": usage[1]},
        }
        yield {"type": "message_stop"}

    return _events(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events())


@app.post("/v1/embeddings", operation_id="embeddings")
@at_edge(
    access="authenticated",
    inference=Inference(EMBEDDING_MODELS, api="openai-embeddings", max_input_bytes=16_384),
)
def embeddings(body: dict[str, Any]) -> Response:
    """Answer as OpenAI's embeddings do."""
    given: Any = body.get("input")
    texts: list[Any] = given if isinstance(given, list) else [given]
    encoding = body.get("encoding_format") or "float"
    if not texts or not all(isinstance(text, str) for text in texts):
        return _refused("input", "Send a text, or a list of texts.")
    if body.get("dimensions") not in (None, word_vectors.DIMENSIONS):
        return _refused("dimensions", f"Leave it out: there are {word_vectors.DIMENSIONS}.")
    if encoding not in ("float", "base64"):
        return _refused("encoding_format", 'Send "float" or "base64".')
    try:
        found = [word_vectors.embedded(text) for text in texts]
    except word_vectors.NoKnownWord:
        return _refused("input", "Send texts in English: a word of each must be known.")
    except word_vectors.NotInstalled as error:
        missing = {"message": str(error), "type": "server_error", "code": "model_not_installed"}
        return JSONResponse({"error": missing}, 503, {"x-should-retry": "false"})
    tokens = sum(each.words for each in found)
    data = [
        {"object": "embedding", "index": index, "embedding": _encoded(each.vector, encoding)}
        for index, each in enumerate(found)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return JSONResponse({"object": "list", "data": data, "model": body["model"], "usage": usage})


def _encoded(vector: list[float], encoding: str) -> list[float] | str:
    if encoding == "float":
        return vector
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()


def _refused(member: str, message: str) -> Response:
    error = {"message": f"{member}: {message}", "type": "invalid_request_error", "param": member}
    return JSONResponse({"error": {**error, "code": "invalid_value"}}, 400)


def _said(body: dict[str, Any], *limits: str) -> tuple[list[str], str, tuple[int, int]]:
    """Return the words of the response, why it ends, and the tokens of input and output."""
    spoken = [_text(each.get("content")).split() for each in body.get("messages", [])]
    most = min((body[name] for name in limits if body.get(name) is not None), default=None)
    last = spoken[-1] if spoken else []
    words = [*islice(last, most)]
    reason = "end" if len(words) == len(last) else "limit"
    return words, reason, (sum(map(len, spoken)), len(words))


def _text(content: object) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content)
    return str(content or "")


def _events(events: Iterator[str]) -> StreamingResponse:
    async def sent() -> AsyncIterator[str]:
        for event in events:
            yield event

    return StreamingResponse(sent(), media_type="text/event-stream")


guard(
    app,
    Settings(
        edge=os.environ.get("FASTGATE_EDGE", "https://llm.example.com"),
        audience="models",
        region=os.environ.get("FASTGATE_REGION"),
    ),
)
