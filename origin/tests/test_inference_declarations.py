"""`Inference` and `Model`: what an author may write, and the policy that the edge then reads."""

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

from fastgate import Inference, Model, at_edge, role
from fastgate.compile.policy import compile_routes
from tests.test_check import ROOT, check

FULL = Inference(
    models={
        "small": None,
        "large": role("pro"),
        "wide": {"scope": "llm"},
        "own": Model(
            name_at_origin="vendor/own-2026",
            require=role("pro"),
            max_tokens=9000,
            max_choices=4,
            tools=True,
            media=["image", "file"],
        ),
        "narrow": Model(tools=False, media=[]),
    },
    max_tokens=1000,
    max_choices=2,
    max_input_bytes=1000,
    tools=True,
    tool_types=["web_search"],
    media=["image"],
    stream=False,
    affinity="conversation",
    state=["store"],
    extra_members=["top_k"],
)
DOCUMENT = {
    "api": "openai-chat",
    "models": {
        "small": {},
        "large": {"require": {"role": "pro"}},
        "wide": {"require": {"scope": "llm"}},
        "own": {
            "name_at_origin": "vendor/own-2026",
            "require": {"role": "pro"},
            "max_tokens": 9000,
            "max_choices": 4,
            "tools": True,
            "media": ["file", "image"],
        },
        "narrow": {"tools": False, "media": []},
    },
    "max_tokens": 1000,
    "max_choices": 2,
    "max_input_bytes": 1000,
    "tools": True,
    "tool_types": ["web_search"],
    "media": ["image"],
    "stream": False,
    "affinity": "conversation",
    "state": ["store"],
    "extra_members": ["top_k"],
}


def app_with(inference: Inference) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.post("/v1/chat/completions")
    @at_edge(access="authenticated", inference=inference)
    def chat() -> None: ...

    return app


def checked(inference: Inference, tmp_path: Path) -> tuple[int, str]:
    """Return what `fastgate check` says of a policy with this route."""
    base = json.loads((ROOT / "policy.base.json").read_text())
    base["routes"] = compile_routes(app_with(inference), origin="demo")
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(base))
    return check(file)


def test_the_policy_has_what_was_written() -> None:
    assert FULL.document() == DOCUMENT
    assert Inference({"small": None}).document() == {"api": "openai-chat", "models": {"small": {}}}
    (route,) = compile_routes(app_with(FULL))
    assert route["inference"] == DOCUMENT


@pytest.mark.parametrize(
    "inference",
    [
        FULL,
        Inference({"small": None}),
        Inference({"a": None}, api="json", members={"model": "engine", "max_tokens": "length"}),
        Inference({"a": None}, api="json", members={"model": "engine"}),
        Inference({"a": None}, api="openai-embeddings"),
        Inference({"a": Model(max_choices=1)}, api="openai-embeddings", extra_members=["top"]),
        Inference(
            {"a": Model(max_tokens=9)},
            api="json",
            members={"model": "engine", "max_tokens": "length"},
            max_tokens=5,
        ),
        Inference({"a": None, "b": Model(tools=True)}, tool_types=["web_search"]),
        Inference({"a": None}, extra_members=["models", "input"]),
        Inference({"a": None}, api="anthropic-messages", max_tokens=5),
        Inference({"a": None}, api="openai-embeddings", affinity="caller"),
        Inference({"a": None}, api="openai-responses", state=["store", "item_reference"]),
    ],
)
def test_the_edge_accepts_it(inference: Inference, tmp_path: Path) -> None:
    code, said = checked(inference, tmp_path)
    assert code == 0, said


@pytest.mark.parametrize(
    ("values", "error", "part"),
    [
        ({"models": {}}, TypeError, "name at least one"),
        ({"models": ["small"]}, TypeError, "name at least one"),
        ({"models": {"a b": None}}, ValueError, "write the name of a model"),
        ({"models": {"": None}}, ValueError, "write the name of a model"),
        ({"models": {"a": "pro"}}, TypeError, 'models["a"] is'),
        ({"api": "openai"}, ValueError, "write one of 'openai-chat'"),
        ({"max_tokens": 0}, ValueError, "it must be 1 to"),
        ({"max_tokens": True}, TypeError, "write a whole number"),
        ({"max_tokens": 1.5}, TypeError, "write a whole number"),
        ({"max_input_bytes": 2_097_153}, ValueError, "1 to 2097152"),
        ({"tools": "yes"}, TypeError, "True or False"),
        ({"stream": None, "tools": 1}, TypeError, "True or False"),
        ({"media": "image"}, TypeError, "a list of texts"),
        ({"media": ["video"]}, ValueError, "'image', 'audio', 'file'"),
        ({"affinity": "session"}, ValueError, "write 'conversation' or 'caller', or leave it out"),
        ({"affinity": True}, ValueError, "write 'conversation' or 'caller', or leave it out"),
        (
            {"state": ["prompt"]},
            ValueError,
            "'prompt', which requests with api='openai-chat'",
        ),
        ({"api": "anthropic-messages", "state": ["store"]}, ValueError, "state has 'store'"),
        ({"extra_members": ["a", "A"]}, ValueError, "extra_members has 'a', which some parsers"),
        ({"state": ["stores"]}, ValueError, "'previous_response_id'"),
        ({"api": "json"}, ValueError, 'belongs to api="json"'),
        ({"members": {"model": "m"}}, ValueError, 'belongs to api="json"'),
        ({"api": "json", "members": {"model": "m", "max_tokens": "m"}}, ValueError, "members is"),
        ({"api": "json", "members": {"max_tokens": "m"}}, ValueError, "members is"),
        ({"api": "openai-embeddings", "max_tokens": 5}, ValueError, "limits nothing"),
        ({"api": "anthropic-messages", "max_choices": 2}, ValueError, "always 1"),
        ({"extra_members": ["\ud800"]}, ValueError, "extra_members has"),
    ],
)
def test_what_the_edge_would_refuse_is_refused_at_once(
    values: dict[str, Any], error: type[Exception], part: str
) -> None:
    with pytest.raises(error, match="Inference: ") as raised:
        Inference(**{"models": {"small": None}, **values})
    assert part in str(raised.value)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"name_at_origin": ""}, ValueError),
        ({"require": "pro"}, TypeError),
        ({"max_choices": 0}, ValueError),
        ({"media": ["video"]}, ValueError),
        ({"tools": "no"}, TypeError),
    ],
)
def test_models_are_checked_as_well(values: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="Model: "):
        Model(**values)


JSON = {"api": "json", "members": {"model": "engine", "max_tokens": "length"}}
EMBEDDINGS = {"api": "openai-embeddings"}
UNJUDGED: list[dict[str, Any]] = [
    {"stream": False},
    {"tools": True},
    {"tool_types": ["web_search"]},
    {"media": ["image"]},
    {"state": ["store"]},
    {"affinity": "conversation"},
]


@pytest.mark.parametrize("api", [JSON, EMBEDDINGS], ids=["json", "embeddings"])
@pytest.mark.parametrize("values", UNJUDGED, ids=lambda values: next(iter(values)))
def test_what_judges_nothing_is_refused(api: dict[str, Any], values: dict[str, Any]) -> None:
    (name,) = values
    said = f"^Inference: {name} judges nothing with api='{api['api']}'; leave it out$"
    with pytest.raises(ValueError, match=said):
        Inference({"a": None}, **api, **values)


@pytest.mark.parametrize("api", [JSON, EMBEDDINGS], ids=["json", "embeddings"])
@pytest.mark.parametrize(
    "model", [{"tools": True}, {"tools": False}, {"media": ["image"]}, {"media": []}]
)
def test_what_judges_nothing_is_refused_of_a_model(
    api: dict[str, Any], model: dict[str, Any]
) -> None:
    (name,) = model
    with pytest.raises(ValueError, match=rf'models\["b"\]: {name} judges nothing with api='):
        Inference({"a": None, "b": Model(**model)}, **api)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({**JSON, "extra_members": ["x"]}, "extra_members judges nothing with api='json'"),
        ({"tool_types": ["web_search"]}, "write tools=True here or at a model"),
        (
            {"tool_types": ["x"], "tools": True, "models": {"a": Model(tools=False)}},
            "write tools=True here or at a model",
        ),
    ],
)
def test_what_has_no_effect_is_refused(values: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=r"^Inference: ") as raised:
        Inference(**{"models": {"small": None}, **values})
    assert part in str(raised.value)


@pytest.mark.parametrize(
    ("api", "limit", "part"),
    [
        (EMBEDDINGS, {"max_tokens": 5}, "max_tokens limits nothing with api='openai-embeddings'"),
        (
            {"api": "json", "members": {"model": "engine"}},
            {"max_tokens": 5},
            "max_tokens limits nothing with these members; write members=",
        ),
        (JSON, {"max_choices": 2}, "max_choices is always 1 with api='json'"),
        (EMBEDDINGS, {"max_choices": 2}, "max_choices is always 1"),
        ({"api": "openai-responses"}, {"max_choices": 2}, "max_choices is always 1"),
        ({"api": "anthropic-messages"}, {"max_choices": 2}, "max_choices is always 1"),
    ],
)
def test_limits_of_endpoints_and_models_that_the_api_does_not_have(
    api: dict[str, Any], limit: dict[str, Any], part: str
) -> None:
    with pytest.raises(ValueError, match=r"^Inference: ") as raised:
        Inference({"a": None}, **api, **limit)
    assert f"Inference: {part}" in str(raised.value)
    with pytest.raises(ValueError, match=r"^Inference: ") as raised:
        Inference({"a": Model(**limit)}, **api)
    assert f'Inference: models["a"]: {part}' in str(raised.value)


@pytest.mark.parametrize("other", ["Engine", "ENGINE", "engine", "engine\0", "Engine\0x"])
def test_members_differ_by_more_than_case(other: str) -> None:
    with pytest.raises(ValueError, match="differs by more than case"):
        Inference({"a": None}, api="json", members={"model": "engine", "max_tokens": other})


@pytest.mark.parametrize(
    ("name", "read_as"),
    [
        ("Model", "model"),
        ("MAX_TOKENS", "max_tokens"),
        ("max_to\u212aens", "max_tokens"),
        ("Max_Completion_Tokens", "max_completion_tokens"),
        ("Max_Output_Tokens", "max_output_tokens"),
        ("Messages", "messages"),
        ("INPUT", "input"),
        ("Tools", "tools"),
        ("Stream", "stream"),
        ("N", "n"),
        ("\u017ftore", "store"),
        ("model\0x", "model"),
    ],
)
def test_extra_members_are_not_like_a_member_that_is_judged(name: str, read_as: str) -> None:
    with pytest.raises(ValueError, match=f"some parsers read as '{read_as}'; leave it out"):
        Inference({"a": None}, extra_members=["top_k", name])


def test_it_is_declared_on_one_endpoint() -> None:
    with pytest.raises(ValueError, match="declare inference on each endpoint"):
        at_edge(inference=FULL)(APIRouter())
    with pytest.raises(ValueError, match=r"write inference=Inference\("):
        at_edge(inference={"models": ["small"]})
