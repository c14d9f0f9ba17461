"""`Price`, and the values of `Inference` and `Model` that belong to budgets.

Input: the values that an author writes. Output: what is wrong with them, and what to write. What
the edge refuses in a policy (`src/policy/inference/budgets.rs`) is refused here, apart from what
depends on the section `budgets` of the policy: whether it has a budget of that name, and whether
that one counts money.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SETTLE = ("usage", "estimate")
"""What budgets count in the end."""
MOST_BYTES_PER_TOKEN = 16
"""The most bytes of input that may be counted as one token."""
_HIGHEST_PRICE = 1_000_000_000_000
_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_NAME_ONE = 'name a budget of the policy: budgets=["…"], or leave it out'


def is_budget_name(name: object) -> bool:
    """Whether the section `budgets` of a policy can have this name."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of a model, in millionths of a currency: `Price(input=150_000, output=600_000)`.

    That is 0.15 for a million tokens of input, and 0.60 for a million tokens of output.

    Raises:
        TypeError: a value is no whole number.
        ValueError: the edge would refuse a value.

    """

    input: int
    """The price of a million tokens of input, 0 to 1000000000000. Tokens that the provider's cache
    had or stored count at this price: if storing costs more, write that price."""
    output: int
    """The price of a million tokens of output, 0 to 1000000000000."""

    def __post_init__(self) -> None:
        for name in ("input", "output"):
            value = getattr(self, name)
            # In Python a bool is an int.
            if type(value) is not int:
                raise TypeError(
                    f"Price: {name} is {value!r}; write a whole number, in millionths of the "
                    f"currency for a million tokens: {name}=150_000 is 0.15"
                )
            if not 0 <= value <= _HIGHEST_PRICE:
                raise ValueError(f"Price: {name} is {value}; it must be 0 to {_HIGHEST_PRICE}")

    def document(self) -> dict[str, object]:
        """Return the price as the policy writes it."""
        return {"input": self.input, "output": self.output}


@dataclass(frozen=True, slots=True)
class Budgeted:
    """What decides whether the values that belong to budgets have a meaning together."""

    api: str
    budgets: tuple[str, ...]
    settle: str | None
    input_bytes_per_token: int | None
    says_tokens: bool
    """Whether requests say how many tokens they ask for."""
    max_tokens: Mapping[str, int | None]
    """The token limit of each model, its own or that of the endpoint."""
    prices: Mapping[str, Price]
    """The prices of the models that have one."""


def budget_faults(declared: Budgeted) -> Iterator[str]:
    """Yield what is wrong with values that belong to budgets, each of which is valid on its own."""
    if not declared.budgets:
        for name in ("settle", "input_bytes_per_token"):
            if getattr(declared, name) is not None:
                yield f"{name} has no effect without budgets; {_NAME_ONE}"
        for model in declared.prices:
            yield f'models["{model}"]: price has no effect without budgets; {_NAME_ONE}'
        return
    for name in dict.fromkeys(declared.budgets):
        if declared.budgets.count(name) > 1:
            yield (f"budgets has {name!r} twice; name it once: each request would be counted twice")
        if not is_budget_name(name):
            yield (
                f"budgets has {name!r}, which no policy can have; write a name from its section "
                "budgets: 1 to 64 of a-z, 0-9, - and _"
            )
    if declared.api == "json" and declared.settle != "estimate":
        yield (
            "budgets wait for the usage of responses, which is not known with api='json'; write "
            'settle="estimate"'
        )
    if declared.api == "openai-embeddings":  # they have no output
        for model, price in declared.prices.items():
            if price.output:
                yield (
                    f'models["{model}"]: price has output={price.output}, and embeddings have no '
                    "output; write output=0"
                )
        return
    if not declared.says_tokens:
        yield (
            "budgets need to know how many tokens a request asks for; write "
            'members={"model": "…", "max_tokens": "…"}, and max_tokens=…'
        )
        return
    for model, most in declared.max_tokens.items():
        if most is None:
            yield (
                f'budgets need a token limit for each model, and models["{model}"] has none: what '
                "it can cost could not be reserved; write max_tokens=… here or at the model"
            )
