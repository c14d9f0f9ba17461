"""The reference of policy.json, from the descriptions in its JSON Schema."""

import json
from collections import deque
from pathlib import Path
from typing import Any

from markdown import anchor, table

Schema = dict[str, Any]


def policy_reference(schema_file: Path) -> str:
    schema = json.loads(schema_file.read_text())
    definitions = {f"#/$defs/{name}": each for name, each in schema["$defs"].items()}
    places = _places(schema, definitions)
    sections = [_section("The document", schema, places)]
    sections += [_section(f"`{path}`", definitions[ref], places) for ref, path in places.items()]
    return "\n\n".join(sections)


def _places(schema: Schema, definitions: dict[str, Schema]) -> dict[str, str]:
    """Return where each definition is first used, in the order of the document."""
    found: dict[str, str] = {}
    waiting = deque(_references(schema, ""))
    while waiting:
        ref, path = waiting.popleft()
        if ref not in found:
            found[ref] = f"{path} (value)" if path in found.values() else path
            waiting.extend(_references(definitions[ref], path))
    return dict(sorted(found.items(), key=lambda item: _order(item[1], schema)))


def _order(path: str, schema: Schema) -> tuple[int, str]:
    first = path.partition(".")[0].removesuffix("[]")
    return (list(schema["properties"]).index(first), path)


def _references(schema: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(schema, list):
        return [found for each in schema for found in _references(each, path)]
    if not isinstance(schema, dict):
        return []
    found = [(schema["$ref"], path)] if "$ref" in schema else []
    for name, member in schema.get("properties", {}).items():
        found += _references(member, f"{path}.{name}" if path else name)
    if "additionalProperties" in schema:
        found += _references(schema["additionalProperties"], f"{path}.<name>")
    if "items" in schema:
        found += _references(schema["items"], f"{path}[]")
    for kind in ("anyOf", "oneOf", "prefixItems"):
        found += _references(schema.get(kind, []), path)
    return found


def _section(heading: str, schema: Schema, places: dict[str, str]) -> str:
    lines = [f"## {heading}", schema.get("description", "")]
    choices = schema.get("oneOf") or schema.get("anyOf") or []
    if "properties" in schema:
        lines.append(_members(schema, places))
    elif choices:
        rows = [(_choice(each, places), each.get("description", "")) for each in _single(choices)]
        lines.append(table(("one of", "meaning"), rows))
    return "\n\n".join(line for line in lines if line)


def _single(choices: list[Schema]) -> list[Schema]:
    """Return one entry for each value: a schema may list several under one `enum`."""
    return [
        single
        for each in choices
        for single in ([{"const": value} for value in each["enum"]] if "enum" in each else [each])
    ]


def _choice(schema: Schema, places: dict[str, str]) -> str:
    if "const" in schema:
        return f"`{json.dumps(schema['const'], ensure_ascii=False)}`"
    members = schema.get("properties")
    if members:
        return ", ".join(f"`{name}`: {_type(each, places)}" for name, each in members.items())
    return _type(schema, places)


def _members(schema: Schema, places: dict[str, str]) -> str:
    required = schema.get("required", [])
    rows = []
    for name, member in schema["properties"].items():
        default = "required" if name in required else _default(member)
        rows.append((f"`{name}`", _type(member, places), default, member.get("description", "")))
    return table(("member", "type", "default", "meaning"), rows)


def _default(member: Schema) -> str:
    default = member.get("default")
    return "" if default in (None, [], {}, "") else f"`{json.dumps(default, ensure_ascii=False)}`"


def _type(schema: Any, places: dict[str, str]) -> str:
    if not isinstance(schema, dict):
        return "anything"
    if "$ref" in schema:
        path = places[schema["$ref"]]
        return f"[`{path}`](#{anchor(path)})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    choices: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or []
    choices = [each for each in choices if not _is_null(each)]
    if choices:
        return " or ".join(_type(each, places) for each in choices)
    kinds = schema.get("type", "anything")
    kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    return " or ".join(_kind(kind, schema, places) for kind in kinds)


def _is_null(schema: Schema) -> bool:
    return schema.get("type") == "null"


def _kind(kind: str, schema: Schema, places: dict[str, str]) -> str:
    if kind == "array":
        return f"list of {_type(schema.get('items', {}), places)}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'], places)}"
    if kind == "integer" and "maximum" in schema:
        return f"integer, {schema.get('minimum', 0)} to {schema['maximum']}"
    return {"string": "text"}.get(kind, kind)
