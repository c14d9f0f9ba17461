"""JSON with nothing left to interpretation.

In: bytes. Out: the one object that they are, or a `ValueError`. A token that two parsers read
differently is how a signature check is fooled, so whatever RFC 8259 leaves open is refused:
duplicate members, NaN, a byte order mark, lone surrogates, nesting that exhausts the parser. It
never guesses an encoding: UTF-8 only.
"""

import json
from typing import NoReturn


def parse_object(raw: bytes) -> dict[str, object]:
    """Return the one JSON object that `raw` is.

    Raises:
        ValueError: it is not UTF-8, not JSON, not an object, or ambiguous (RFC 7515 §4, RFC 7519
            §4: member names must be unique).

    """
    try:
        parsed = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique_members,
            parse_constant=_refuse_constant,
        )
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(parsed, dict):
        raise ValueError("not an object")
    return parsed


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError("duplicate member")
        for text in (name, value):
            if isinstance(text, str):
                text.encode("utf-8")  # "\ud800" parses, but is no text: UnicodeEncodeError
        members[name] = value
    return members


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("not a JSON number")
