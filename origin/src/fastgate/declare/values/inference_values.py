"""The types, ranges and words of the values of `Inference` and `Model`, each on its own.

Input: values by the name of their member. Output: what is wrong with one, and what to write.
"""

from collections.abc import Iterator, Mapping, Sequence

from fastgate.conditions import Condition
from fastgate.declare.values.inference_budgets import MOST_BYTES_PER_TOKEN, SETTLE, Price
from fastgate.surrogates import WHY_NONE, with_half_a_pair

APIS = ("openai-chat", "openai-responses", "openai-embeddings", "anthropic-messages", "json")
"""The forms of requests and responses."""
MEDIA = ("image", "audio", "file")
"""What an input may contain besides text."""
STATE = (
    *("store", "previous_response_id", "conversation", "background", "prompt"),
    *("files", "item_reference"),
)
"""References to state at the provider."""
_OF_RESPONSES = ("previous_response_id", "conversation", "background", "prompt")
NEVER_THERE = {"openai-chat": _OF_RESPONSES, "anthropic-messages": ("store", *_OF_RESPONSES)}
"""The references that requests of an API never have."""
AFFINITIES = ("conversation", "caller")
"""What requests of one backend have in common."""
MOST_INPUT_BYTES = 2 * 1024 * 1024
"""The longest body that can be admitted, in bytes."""

_MOST = 1_000_000_000
_LONGEST_NAME = 128

NAMES = (
    f"write the name of a model: 1 to {_LONGEST_NAME} visible ASCII characters without quotation "
    "marks and backslashes"
)
"""What to write as the name of a model."""


def value_faults(values: Mapping[str, object]) -> Iterator[tuple[type[Exception], str]]:
    """Yield what is wrong with the values that both may have, whatever the others are."""
    for name, value in values.items():
        if not isinstance(value, Condition) and (text := with_half_a_pair((name, value))):
            yield ValueError, f"{name} has {text!r}, {WHY_NONE}"
            return
    for name, most in (
        ("max_tokens", _MOST),
        ("max_choices", _MOST),
        ("max_input_bytes", MOST_INPUT_BYTES),
        ("input_bytes_per_token", MOST_BYTES_PER_TOKEN),
    ):
        value = values.get(name)
        # In Python a bool is an int.
        if value is not None and type(value) is not int:
            yield TypeError, f"{name} is {value!r}; write a whole number: {name}=100"
        elif value is not None and not 1 <= value <= most:
            yield ValueError, f"{name} is {value}; it must be 1 to {most}"
    for name in ("tools", "stream"):
        if not isinstance(value := values.get(name), (bool, type(None))):
            yield TypeError, f"{name} is {value!r}; it must be True or False"
    for name, words in (
        ("media", MEDIA),
        ("state", STATE),
        ("tool_types", None),
        ("extra_members", None),
        ("budgets", None),
    ):
        yield from _list_faults(name, values.get(name), words)
    if (settle := values.get("settle")) is not None and settle not in SETTLE:
        yield ValueError, f"settle is {settle!r}; write one of {', '.join(map(repr, SETTLE))}"
    if not isinstance(price := values.get("price"), (Price, type(None))):
        yield TypeError, f"price is {price!r}; write price=Price(input=150_000, output=600_000)"


def _list_faults(
    name: str, value: object, words: Sequence[str] | None
) -> Iterator[tuple[type[Exception], str]]:
    if value is None:
        return
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(
        isinstance(each, str) for each in value
    ):
        yield TypeError, f'{name} is {value!r}; write a list of texts: {name}=["…"]'
        return
    for each in value:
        if words is not None and each not in words:
            yield ValueError, f"{name} has {each!r}; write {', '.join(map(repr, words))}"


def is_model_name(name: object) -> bool:
    """Return whether the edge accepts this as the name of a model."""
    return (
        isinstance(name, str)
        and 1 <= len(name) <= _LONGEST_NAME
        and all("!" <= each <= "~" and each not in '"\\' for each in name)
    )


def are_members(members: object) -> bool:
    """Return whether these are the names of the model and perhaps of the tokens, told apart."""
    if not isinstance(members, Mapping) or not {"model"} <= members.keys() <= {
        "model",
        "max_tokens",
    }:
        return False
    named = [*members.values()]
    if not all(isinstance(each, str) and each for each in named):
        return False
    return len({folded(each) for each in named}) == len(named)


def folded(member: str) -> str:
    """Return what equal names have in common for parsers that ignore case or end a name at NUL."""
    return member.partition("\0")[0].casefold()


def extra_faults(extra_members: Sequence[str] | None, judged: Sequence[str]) -> Iterator[str]:
    """Yield each extra member that some parsers read as another one, or as one that is judged."""
    seen = dict[str, str]()
    for each in sorted(set(extra_members or ())):
        if (other := seen.setdefault(folded(each), each)) != each:
            yield (
                f"extra_members has {each!r}, which some parsers read as {other!r}; leave one of "
                "them out"
            )
        if each not in judged and (other := folded(each)) in judged:
            yield (
                f"extra_members has {each!r}, which some parsers read as {other!r}; leave it out, "
                "and let callers write another name"
            )
