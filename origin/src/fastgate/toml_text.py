"""Write TOML: the standard library only reads it.

Input: tables of text, numbers, truth values, dates and times, lists and tables. Output: a document.
"""

import json
import re
from collections.abc import Mapping
from datetime import date, time

_BARE = re.compile(r"[A-Za-z0-9_-]+")
"""A key that needs no quotes."""


def toml_document(table: Mapping[str, object]) -> str:
    """Return the document of a table. Values are in one line; strings are as in JSON."""
    return "".join(f"{_key(name)} = {_value(value)}\n" for name, value in table.items())


def toml_string(text: str) -> str:
    """Return a text as a string of TOML."""
    # A basic string has the escapes of JSON; DEL must be escaped as well.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def table_name(name: str) -> str:
    """Return the name of a table, or of another key: in quotes unless it is bare."""
    return name if _BARE.fullmatch(name) else toml_string(name)


def _value(value: object) -> str:
    match value:
        case Mapping():
            members = (f"{_key(str(name))} = {_value(each)}" for name, each in value.items())
            return f"{{ {', '.join(members)} }}" if value else "{}"
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return toml_string(value)
        case date() | time():  # a datetime is a date
            return value.isoformat()
    raise TypeError(f"TOML has no {type(value).__name__}")


def _key(name: str) -> str:
    return toml_string(name)
