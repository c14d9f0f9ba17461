"""Parse JSON that can be read in one way only.

In: bytes. Out: the one object that they are, or a `ValueError`. A token that two parsers read
differently is how a signature check is fooled, so whatever RFC 8259 leaves open is refused:
duplicate members, NaN, a byte order mark, lone surrogates, nesting that exhausts the parser. It
never guesses an encoding: UTF-8 only.
"""

import json
from typing import NoReturn

from pydantic_core import from_json, to_json  # FastAPI's own

_WHITE_SPACE = " \t\n\r"
"""RFC 8259 §2."""


def parse_object(raw: bytes) -> dict[str, object]:
    """Return the one JSON object that `raw` is.

    Raises:
        ValueError: it is not UTF-8, not JSON, not an object, or ambiguous (RFC 7515 §4, RFC 7519
            §4: member names must be unique).

    """
    parsed = _plainly_spelled(raw)
    if parsed is None:
        parsed = _parsed_strictly(raw)
    if not isinstance(parsed, dict):
        raise ValueError("not an object")
    return parsed


def _plainly_spelled(raw: bytes) -> object:
    """Return what `raw` says if it is spelled as the edge spells; None if it is not.

    An object that is written as these very bytes has no member more than they have, so they had
    none twice, and nothing else that could be read in two ways. It takes half of the time.
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
        raise ValueError("nested too deep") from error
    if end != len(text):
        raise ValueError("something stands behind it")
    return parsed


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _refuse_lone_surrogates(parsed: object) -> None:
    """Refuse what only an escape can bring in: half of a pair parses, but is no text."""
    json.dumps(parsed, ensure_ascii=False).encode("utf-8")  # UnicodeEncodeError is a ValueError


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")


# Made once: `json.loads` with these arguments makes one for each call.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique_members, parse_constant=_refuse_constant)
