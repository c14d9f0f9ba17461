"""Compare claims with path parameters, as the edge does.

Input: the value that Starlette's convertor gives a parameter, and the JSON value of a claim.
Output: whether they are the same. This is the Python version of `Captures::is` in
`src/policy/pattern/captures.rs`; a test compares both.
"""

import math
import re
from uuid import UUID

_DIGITS = re.compile(r"[0-9]+")
# What Rust's `f64::from_str` reads; Python's `float` also reads spaces, `_` and other digits.
_FLOAT = re.compile(
    r"[+-]?(?:inf|infinity|nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)", re.IGNORECASE
)
# Starlette's pattern of the convertor `uuid`.
_UUID = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}")
_FIRST_INEXACT = 2.0**53
_FIRST_BEYOND_64_BITS = 2**64


def is_parameter(parameter: object, claim: object) -> bool:
    """Whether a claim equals a path parameter.

    Parameters of the convertors `int`, `float` and `uuid` are compared by value, however the claim
    spells it; for numbers the claim may be a JSON number. Any other is compared as text, byte for
    byte. A value of any other type is not equal.

    Args:
        parameter: the converted value: `int`, `float`, `UUID` or `str`.
        claim: the claim, or one member of it.

    """
    kind = type(parameter)
    if kind is str:
        # The edge's convertor reads no empty text, although `{rest:path}` matches it.
        return type(claim) is str and claim == parameter != ""
    if kind is int:
        return _canonical_int(claim) == str(parameter)
    if kind is float:
        return _number(claim) == parameter
    if kind is UUID:
        return _uuid(claim) == parameter
    return False


def _canonical_int(claim: object) -> str | None:
    """Return the digits of a whole number without leading zeros; None if it is not one."""
    if isinstance(claim, str):
        return claim.lstrip("0") or "0" if _DIGITS.fullmatch(claim) else None
    if type(claim) is int:
        return str(claim) if 0 <= claim < _FIRST_BEYOND_64_BITS else None
    if type(claim) is float and 0 <= claim < _FIRST_INEXACT and claim.is_integer():
        return None if math.copysign(1, claim) < 0 else str(int(claim))
    return None


def _number(claim: object) -> float | None:
    """Return a number without sign; None if the claim is not one."""
    is_text = isinstance(claim, str) and _FLOAT.fullmatch(claim)
    if not is_text and type(claim) not in (int, float):
        return None
    try:
        number = float(claim)  # type: ignore[arg-type]
    except OverflowError:
        return None
    return None if math.isnan(number) or math.copysign(1, number) < 0 else number


def _uuid(claim: object) -> UUID | None:
    if not isinstance(claim, str):
        return None
    text = claim.removeprefix("urn:uuid:")
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    return UUID(text) if _UUID.fullmatch(text) else None
