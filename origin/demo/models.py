"""An app in front of language models, with the APIs of OpenAI and Anthropic.

Input: requests that came through the edge, which has checked them. Output: what the clients of the
two APIs expect, whole or as streams. The model is deterministic and small: it repeats the last
message, word by word, and a token is a word.

    fastgate dev demo.models:app --app-dir origin
"""

import json
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse

from fastgate import Inference, Model, Settings, at_edge, guard, role

app = FastAPI(title="Models", docs_url=None, redoc_url=None, openapi_url=None)

MODELS = {
    "small": Model(name_at_origin="repeat-1"),
    "large": Model(name_at_origin="repeat-2", require=role("pro"), max_tokens=4096, tools=True),
}


@app.post("/v1/chat/completions", operation_id="chat")
@at_edge(access="authenticated", inference=Inference(MODELS, max_tokens=256))
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
    access="authenticated", inference=Inference(MODELS, api="anthropic-messages", max_tokens=256)
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


guard(app, Settings(edge="https://llm.example.com", audience="models"))
