"""Parse only JSON that has a single interpretation.

Input: bytes. Output: the JSON object that they encode, or a `ValueError`. If two parsers read a
token differently, a signature check can be bypassed. Therefore everything that RFC 8259 leaves open
is refused: duplicate members, NaN, numbers that overflow, a byte order mark, lone surrogates, and
nesting deeper than the edge reads. The encoding is always UTF-8.
"""

import json
import math
from typing import NoReturn

from pydantic_core import from_json, to_json  # FastAPI's own

_WHITE_SPACE = " \t\n\r"
"""The white space of RFC 8259 §2."""

MAX_DEPTH = 127
"""The deepest nesting of arrays and objects: that of `serde_json`, which the edge parses with. RFC
8259 §9 lets a parser limit it."""


def parse_object(raw: bytes) -> dict[str, object]:
    """Return the JSON object that `raw` encodes.

    Raises:
        ValueError: `raw` is not UTF-8, not JSON, not an object, or ambiguous (RFC 7515 §4, RFC
            7519 §4: member names must be unique), or nested deeper than `MAX_DEPTH`, or has a
            number with a fraction or exponent that no float can hold.

    """
    parsed = _canonical(raw)
    if parsed is None:
        parsed = _parsed_strictly(raw)
    if not isinstance(parsed, dict):
        raise ValueError("not an object")
    # Most documents have fewer brackets than the limit, and counting them takes no time.
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_nested_too_deeply(parsed):
        raise ValueError("nested too deeply")
    return parsed


def _canonical(raw: bytes) -> object:
    """Return the parsed value if `raw` is spelled as the edge spells JSON; None if it is not.

    The parsed value serializes to the same bytes, so these bytes have no duplicate member and
    nothing else with two interpretations. This takes half the time of the strict parser.
    """
    try:
        parsed: object = from_json(raw, allow_inf_nan=False, cache_strings="keys")
        return parsed if to_json(parsed) == raw else None
    except ValueError:
        return None


def _parsed_strictly(raw: bytes) -> object:
    text = raw.decode("utf-8").strip(_WHITE_SPACE)
    try:
        parsed, end = _DECODER.raw_decode(text)
        if "\\u" in text:
            _refuse_lone_surrogates(parsed)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if end != len(text):
        raise ValueError("there is text after the object")
    return parsed


def _is_nested_too_deeply(parsed: object) -> bool:
    level = [parsed]
    for _ in range(MAX_DEPTH):
        containers = [value for value in level if isinstance(value, dict | list)]
        if not containers:
            return False
        level = [
            inner
            for value in containers
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    return any(isinstance(value, dict | list) for value in level)


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _refuse_lone_surrogates(parsed: object) -> None:
    """Refuse half of a surrogate pair: as an escape it parses, but it is not text."""
    json.dumps(parsed, ensure_ascii=False).encode("utf-8")  # UnicodeEncodeError is a ValueError


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number out of range")
    return number


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


# Created once: `json.loads` with these arguments would create one for each call.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_members, parse_constant=_refuse_constant, parse_float=_finite
)
