"""`Inference` and `Model`: which requests to language and embedding models an endpoint accepts.

Input: the values that an author writes. Output: the member `inference` of a route document, or an
error with what to write instead. What the edge refuses in a policy (`src/policy/inference.rs`) is
refused here, apart from conditions and extra members that are like one of the API's, which the
edge checks; and so is what would have no effect.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from fastgate.conditions import Condition
from fastgate.declare.values.inference_budgets import Budgeted, Price, budget_faults
from fastgate.declare.values.inference_values import (
    AFFINITIES,
    APIS,
    NAMES,
    NEVER_THERE,
    are_members,
    extra_faults,
    is_model_name,
    value_faults,
)

INFERENCE = "inference"
"""The member of the route document."""
Requirement: TypeAlias = Condition | Mapping[str, object]
"""A condition: `role("pro")`, or as the policy writes it, `{"role": "pro"}`."""

_UNJUDGED = ("openai-embeddings", "json")
"""The APIs of whose requests the edge judges only the model and the tokens."""
_JUDGED = (
    *("model", "messages", "input", "tools", "stream", "n", "store"),
    *("max_tokens", "max_completion_tokens", "max_output_tokens"),
)
"""Members of the APIs that the edge judges."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model of `Inference(models={"large": Model(…)})`. What is left out is as in `Inference`.

    Raises:
        TypeError: a value has another type.
        ValueError: the edge would refuse a value.

    """

    name_at_origin: str | None = None
    """The name that the app receives in place of the one that callers use."""
    require: Requirement | None = None
    """A condition that callers of this model must meet, in addition to the endpoint's rules."""
    max_tokens: int | None = None
    """The most tokens that a request may ask for."""
    max_choices: int | None = None
    """The most responses to one request."""
    tools: bool | None = None
    """Whether requests may offer tools to the model."""
    media: Sequence[str] | None = None
    """What the input may contain besides text: `"image"`, `"audio"`, `"file"`."""
    price: Price | None = None
    """The price of its tokens, for budgets of money."""

    def __post_init__(self) -> None:
        _raise_first("Model", _faults(self))

    def document(self) -> dict[str, object]:
        """Return the model as the policy writes it."""
        return _document(self)


@dataclass(frozen=True, slots=True)
class Inference:
    """Accept only requests to models that the caller may use: `at_edge(inference=Inference(…))`.

    The edge reads the body once, refuses what could be read in two ways, and checks it before the
    app is asked. It changes at most the name of the model, and with budgets `include_usage` of a
    stream. The app receives exactly the bytes that the edge signs.

    Raises:
        TypeError: a value has another type.
        ValueError: the edge would refuse a value, or it would have no effect.

    """

    models: Mapping[str, Model | Requirement | None]
    """The models by the name that callers use, at least one: a `Model`, a condition on its callers,
    or None if every caller of the endpoint may use it. A request for another one gets 403."""
    api: str = "openai-chat"
    """The form of the requests: `"openai-chat"`, `"openai-responses"`, `"openai-embeddings"`,
    `"anthropic-messages"`, or `"json"` with `members`."""
    members: Mapping[str, str] | None = None
    """The members of the body for `api="json"`: `{"model": "engine", "max_tokens": "length"}`;
    `"max_tokens"` may be left out."""
    max_tokens: int | None = None
    """The most tokens that a request may ask for, 1 to 1000000000. A request that does not say how
    many gets 400. None is no limit."""
    max_choices: int | None = None
    """The most responses to one request (`n`). None is 1."""
    max_input_bytes: int | None = None
    """The length of the longest body, at most 2097152. None is 262144."""
    tools: bool = False
    """Whether requests may offer tools to the model."""
    tool_types: Sequence[str] = ()
    """Further types of tools than functions, such as `"web_search"`. Needs `tools`."""
    media: Sequence[str] = ()
    """What the input may contain besides text: `"image"`, `"audio"`, `"file"`."""
    stream: bool = True
    """Whether responses may be streams."""
    affinity: str | None = None
    """What requests of one backend have in common, where the origin has several: `"conversation"`
    (its beginning, or `prompt_cache_key`) or `"caller"`. None is as `hash_by` of the origin."""
    state: Sequence[str] = ()
    """References to state at the provider that requests may have: `"store"`,
    `"previous_response_id"`, `"conversation"`, `"background"`, `"prompt"`, `"files"`,
    `"item_reference"`. All callers of the provider's key share that state."""
    extra_members: Sequence[str] = ()
    """Members of the body that the API does not have."""
    budgets: Sequence[str] = ()
    """The budgets that requests are counted against, by their names in the section `budgets` of the
    policy. Every model then needs a token limit, except for embeddings."""
    settle: str | None = None
    """What budgets count in the end: `"usage"`, what the response says that it cost, or
    `"estimate"`, for which the edge does not read the response; `api="json"` needs that. None is
    `"usage"`."""
    input_bytes_per_token: int | None = None
    """How many bytes of the body are estimated to be one token, 1 to 16. None is 1, with which the
    estimate is an upper bound for text."""

    def __post_init__(self) -> None:
        _raise_first("Inference", _faults(self))

    def document(self) -> dict[str, object]:
        """Return the member `inference` of the policy, without members that have their default."""
        found = _document(self)
        found["models"] = {name: _model_document(model) for name, model in self.models.items()}
        if self.stream:
            del found["stream"]
        return found


def invalid_inference(value: object) -> Iterator[str]:
    """Yield one message if the member `inference`, as JSON, cannot be one. The edge checks it."""
    if not isinstance(value, Mapping) or not isinstance(value.get("models"), Mapping):
        yield f'{INFERENCE} is {value!r}; write {INFERENCE}=Inference(models={{"…": Model(…)}})'


def _model_document(model: Model | Requirement | None) -> dict[str, object]:
    if model is None:
        return {}
    if isinstance(model, Model):
        return model.document()
    return {"require": _plain(model)}


def _plain(value: object) -> object:
    return value.document() if isinstance(value, (Condition, Price)) else value


def _document(declared: Model | Inference) -> dict[str, object]:
    """Return the members that have a value."""
    found = dict[str, object]()
    for name in declared.__slots__:
        value = getattr(declared, name)
        if value is None or (isinstance(declared, Inference) and not value):
            continue
        if name == "budgets" and isinstance(value, (list, tuple)):
            found[name] = [*value]  # they are asked in this order
        elif isinstance(value, (list, tuple, set, frozenset)):
            found[name] = sorted(value)
        else:
            found[name] = _plain(value)
    if isinstance(declared, Inference) and declared.stream is False:
        found["stream"] = False
    return found


def _raise_first(kind: str, faults: Iterator[tuple[type[Exception], str]]) -> None:
    for error, what in faults:
        raise error(f"{kind}: {what}")


def _faults(declared: Model | Inference) -> Iterator[tuple[type[Exception], str]]:
    yield from value_faults({name: getattr(declared, name) for name in declared.__slots__})
    if isinstance(declared, Model):
        yield from _model_faults(declared)
    else:
        yield from _inference_faults(declared)


def _model_faults(model: Model) -> Iterator[tuple[type[Exception], str]]:
    require: object = model.require
    if model.name_at_origin is not None and not is_model_name(model.name_at_origin):
        yield ValueError, f"name_at_origin is {model.name_at_origin!r}; {NAMES}"
    if not isinstance(require, (Condition, Mapping, type(None))):
        yield TypeError, f'require is {require!r}; write a condition: require=role("…")'


def _inference_faults(inference: Inference) -> Iterator[tuple[type[Exception], str]]:
    if inference.api not in APIS:
        yield ValueError, f"api is {inference.api!r}; write one of {', '.join(map(repr, APIS))}"
    if inference.affinity is not None and inference.affinity not in AFFINITIES:
        write = " or ".join(map(repr, AFFINITIES))
        yield ValueError, f"affinity is {inference.affinity!r}; write {write}, or leave it out"
    models: object = inference.models
    if not isinstance(models, Mapping) or not models:
        yield TypeError, f'models is {models!r}; name at least one: models={{"small": None}}'
        return
    for name, model in models.items():
        if not is_model_name(name):
            yield ValueError, f"models has {name!r}; {NAMES}"
        if not isinstance(model, (Model, Condition, Mapping, type(None))):
            yield (
                TypeError,
                f'models["{name}"] is {model!r}; write Model(…), a condition such as '
                'role("pro"), or None if every caller of the endpoint may use it',
            )
    if (inference.api == "json") != (inference.members is not None):
        yield ValueError, 'members belongs to api="json": members={"model": "engine"}'
    elif inference.members is not None and not are_members(inference.members):
        yield (
            ValueError,
            f'members is {inference.members!r}; write {{"model": "engine"}}, and "max_tokens" with '
            "a name that differs by more than case if the body has such a member",
        )
    yield from ((ValueError, what) for what in _without_effect(inference))
    yield from ((ValueError, what) for what in budget_faults(_budgeted(inference)))
    yield from ((ValueError, what) for what in extra_faults(inference.extra_members, _JUDGED))


def _budgeted(inference: Inference) -> Budgeted:
    models = {
        name: model if isinstance(model, Model) else Model()
        for name, model in inference.models.items()
    }
    members = inference.members
    return Budgeted(
        inference.api,
        (*inference.budgets,),
        inference.settle,
        inference.input_bytes_per_token,
        says_tokens=members is None or "max_tokens" in members,
        max_tokens={
            name: inference.max_tokens if model.max_tokens is None else model.max_tokens
            for name, model in models.items()
        },
        prices={name: price for name, model in models.items() if (price := model.price)},
    )


def _without_effect(inference: Inference) -> Iterator[str]:
    """Yield each value that judges or limits nothing, of the endpoint and of its models."""
    api = inference.api
    models = {
        f'models["{name}"]: ': model
        for name, model in inference.models.items()
        if isinstance(model, Model)
    }
    if api in _UNJUDGED:
        declared = {
            "stream": inference.stream is False,
            "tools": inference.tools,
            "tool_types": inference.tool_types,
            "media": inference.media,
            "state": inference.state,
            "affinity": inference.affinity == "conversation",
            "extra_members": api == "json" and inference.extra_members,
        }
        for at, model in models.items():
            declared |= {f"{at}tools": model.tools is not None}
            declared |= {f"{at}media": model.media is not None}
        for name, is_declared in declared.items():
            if is_declared:
                yield f"{name} judges nothing with api={api!r}; leave it out"
    for each in inference.state or ():
        if each in NEVER_THERE.get(api, ()):
            yield f"state has {each!r}, which requests with api={api!r} never have; leave it out"
    has_no_tokens = inference.members is not None and "max_tokens" not in inference.members
    limited: dict[str, Inference | Model] = {"": inference, **models}
    for at, limits in limited.items():
        if limits.max_tokens is not None and api == "openai-embeddings":
            yield f"{at}max_tokens limits nothing with api={api!r}; leave it out"
        if limits.max_tokens is not None and has_no_tokens:
            yield (
                f"{at}max_tokens limits nothing with these members; write "
                'members={"model": "…", "max_tokens": "…"}, or leave it out'
            )
        if limits.max_choices is not None and limits.max_choices > 1 and api != "openai-chat":
            yield f"{at}max_choices is always 1 with api={api!r}; leave it out"
    offers = [
        model.tools if isinstance(model, Model) and model.tools is not None else inference.tools
        for model in inference.models.values()
    ]
    if inference.tool_types and not any(offers):
        yield "tool_types has no effect without tools; write tools=True here or at a model"
