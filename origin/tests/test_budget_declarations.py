"""`Inference(budgets=…)` and `Price`: what an author may write, and what the edge says of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from fastgate import Inference, Model, Price, role
from fastgate.compile.policy import compile_routes
from tests.test_check import FASTGATE, ROOT, check
from tests.test_inference_declarations import app_with

PRICE = Price(input=150_000, output=600_000)
BUDGETS = {
    "daily": {"tokens": 200_000, "window": 86_400, "by": ["subject"]},
    "team": {"micros": 50_000_000, "window": 86_400, "by": [{"claim": "team"}]},
}
JSON = {"api": "json", "members": {"model": "engine", "max_tokens": "length"}}
needs_tool = pytest.mark.skipif(not FASTGATE.exists(), reason="cargo build")


def checked(inference: dict[str, Any], tmp_path: Path) -> tuple[int, str]:
    """Return what `fastgate check` says of a policy with a route of this member."""
    base = json.loads((ROOT / "policy.base.json").read_text())
    (route,) = compile_routes(app_with(Inference({"small": None})), origin="demo")
    base |= {"budgets": BUDGETS, "routes": [{**route, "inference": inference}]}
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(base))
    return check(file)


def test_the_policy_has_what_was_written() -> None:
    declared = Inference(
        {"small": Model(price=PRICE), "large": Model(price=PRICE, require=role("pro"))},
        max_tokens=9,
        budgets=["team", "daily"],
        settle="estimate",
        input_bytes_per_token=4,
    )
    price = {"input": 150_000, "output": 600_000}
    assert declared.document() == {
        "api": "openai-chat",
        "models": {
            "small": {"price": price},
            "large": {"price": price, "require": {"role": "pro"}},
        },
        "max_tokens": 9,
        "budgets": ["team", "daily"],  # they are asked in this order
        "settle": "estimate",
        "input_bytes_per_token": 4,
    }
    (route,) = compile_routes(app_with(declared))
    assert route["inference"] == declared.document()
    json.dumps(route)
    assert Inference({"a": None}, budgets=[]).document() == Inference({"a": None}).document()
    assert Inference({"a": None}, max_tokens=9, budgets={"b", "a"}).document()["budgets"] == [  # type: ignore[arg-type]
        "a",
        "b",
    ]


@needs_tool
@pytest.mark.parametrize(
    "inference",
    [
        Inference({"a": None}, max_tokens=9, budgets=["daily"]),
        Inference({"a": Model(max_tokens=9)}, budgets=["daily"]),
        Inference(
            {"a": Model(max_tokens=9, price=Price(input=0, output=10**12))},
            budgets=["daily", "team"],
            settle="usage",
            input_bytes_per_token=16,
        ),
        Inference(
            {"a": Model(price=Price(input=150_000, output=0))},
            api="openai-embeddings",
            budgets=["team"],
        ),
        Inference({"a": None}, **JSON, max_tokens=9, budgets=["daily"], settle="estimate"),  # type: ignore[arg-type]
        Inference({"a": None}, api="anthropic-messages", max_tokens=9, budgets=["daily"]),
    ],
)
def test_the_edge_accepts_it(inference: Inference, tmp_path: Path) -> None:
    code, said = checked(inference.document(), tmp_path)
    assert code == 0, said


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"budgets": ["daily", "team", "daily"], "max_tokens": 9}, "budgets has 'daily' twice"),
    (
        {"budgets": ["daily"], "max_tokens": 9, "settle": "later"},
        "write one of 'usage', 'estimate'",
    ),
    ({"budgets": ["daily"]}, 'models["small"] has none'),
    (
        {"budgets": ["daily"], "models": {"a": Model(max_tokens=9), "b": role("pro")}},
        'models["b"] has none',
    ),
    ({"budgets": ["daily"], "api": "openai-responses"}, "write max_tokens=… here or at the model"),
    ({"budgets": ["daily"], "max_tokens": 9, **JSON}, 'write settle="estimate"'),
    ({"budgets": ["daily"], "max_tokens": 9, **JSON, "settle": "usage"}, 'write settle="estimate"'),
    ({"budgets": ["daily"], **JSON, "settle": "estimate"}, 'models["small"] has none'),
    (
        {
            "budgets": ["daily"],
            "api": "json",
            "members": {"model": "engine"},
            "settle": "estimate",
        },
        'write members={"model": "…", "max_tokens": "…"}, and max_tokens=…',
    ),
    *(
        ({"budgets": ["daily", name], "max_tokens": 9}, f"budgets has {name!r}, which no policy")
        for name in ("", "Daily", "a b", "…", "daily\n", "x" * 65)
    ),
    (
        {"budgets": ["team"], "api": "openai-embeddings", "models": {"a": Model(price=PRICE)}},
        'models["a"]: price has output=600000, and embeddings have no output; write output=0',
    ),
    ({"settle": "usage"}, "settle has no effect without budgets"),
    ({"settle": "estimate", "budgets": []}, "settle has no effect without budgets"),
    ({"input_bytes_per_token": 4}, "input_bytes_per_token has no effect without budgets"),
    (
        {"models": {"a": Model(price=PRICE)}},
        'models["a"]: price has no effect without budgets; name a budget of the policy',
    ),
    ({"budgets": ["daily"], "max_tokens": 9, "input_bytes_per_token": 0}, "it must be 1 to 16"),
    ({"budgets": ["daily"], "max_tokens": 9, "input_bytes_per_token": 17}, "it must be 1 to 16"),
]


@pytest.mark.parametrize(("values", "part"), REFUSED)
def test_what_the_edge_would_refuse_is_refused_at_once(values: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=r"^Inference: ") as raised:
        Inference(**{"models": {"small": None}, **values})
    assert part in str(raised.value)


@needs_tool
@pytest.mark.parametrize(("values", "part"), REFUSED)
def test_the_edge_refuses_the_same(values: dict[str, Any], part: str, tmp_path: Path) -> None:
    models = {
        name: model.document() if isinstance(model, Model) else {}
        for name, model in values.get("models", {"small": None}).items()
    }
    code, said = checked({"api": "openai-chat", **values, "models": models}, tmp_path)
    assert code == 1, (part, said)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"budgets": "daily"}, 'budgets=["…"]'),
        ({"budgets": [1]}, 'budgets=["…"]'),
        ({"budgets": ["daily"], "input_bytes_per_token": True}, "write a whole number"),
        ({"budgets": ["daily"], "input_bytes_per_token": 3.5}, "write a whole number"),
    ],
)
def test_values_of_another_type_are_refused(values: dict[str, Any], part: str) -> None:
    with pytest.raises(TypeError, match=r"^Inference: ") as raised:
        Inference({"small": None}, max_tokens=9, **values)
    assert part in str(raised.value)


@pytest.mark.parametrize("settle", ["", "Usage", [], {}, 1, True])
def test_settle_is_one_of_two_words(settle: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=r"^Inference: settle is "):
        Inference({"small": None}, max_tokens=9, budgets=["daily"], settle=settle)


@pytest.mark.parametrize("price", [{"input": 1, "output": 2}, 5, (1, 2)])
def test_a_price_says_which_tokens_it_is_for(price: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match=r"write price=Price\(input=150_000, output=600_000\)"):
        Model(price=price)


@pytest.mark.parametrize(
    ("value", "error", "part"),
    [
        (True, TypeError, "input is True; write a whole number, in millionths of the currency"),
        (0.15, TypeError, "input is 0.15; write a whole number"),
        ("1", TypeError, "input is '1'; write a whole number"),
        (-1, ValueError, "input is -1; it must be 0 to 1000000000000"),
        (10**12 + 1, ValueError, "it must be 0 to 1000000000000"),
    ],
)
def test_prices_are_whole_numbers(value: Any, error: type[Exception], part: str) -> None:  # noqa: ANN401
    with pytest.raises(error, match=r"^Price: ") as raised:
        Price(input=value, output=1)
    assert part in str(raised.value)
    with pytest.raises(error, match=r"^Price: output is "):
        Price(input=1, output=value)


@needs_tool
@pytest.mark.parametrize(
    ("inference", "at", "remedy"),
    [
        (
            Inference({"a": None}, max_tokens=9, budgets=["dialy"]),
            "budgets[0] names no budget",
            'write a name from "budgets"',
        ),
        (
            Inference({"a": None}, max_tokens=9, budgets=["team"]),
            "models.a.price is missing, and a budget of this route counts",
            'write "price": { "input": …, "output": … }',
        ),
        (
            Inference({"a": Model(price=PRICE)}, max_tokens=9, budgets=["daily"]),
            "models.a.price has no effect, since no budget of this route",
            'name a budget with "micros"',
        ),
    ],
)
def test_what_depends_on_the_budgets_of_the_policy_is_a_fault_of_the_compiled_policy(
    inference: Inference, at: str, remedy: str, tmp_path: Path
) -> None:
    code, said = checked(inference.document(), tmp_path)
    assert code == 1
    said = " ".join(said.split())
    assert f"$.routes[0].inference.{at}" in said.replace(' (route "post-v1-chat-completions")', "")
    assert remedy in said
