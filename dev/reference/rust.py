"""The reference of the Rust side: `fastgate reference`, and the list of cache spaces."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from markdown import first_sentence_ends, table

Output = dict[str, Any]


def output_of(tool: Path) -> Output:
    ran = subprocess.run([tool, "reference"], check=True, capture_output=True)
    output: Output = json.loads(ran.stdout)
    return output


def problems(output: Output) -> str:
    rows = [(str(each["status"]), f"`{each['slug']}`", each["when"]) for each in output["problems"]]
    return table(("status", "slug", "when"), rows)


def log_line(output: Output) -> str:
    schema = output["log_line"]
    steps = schema["$defs"]["Step"]["oneOf"]
    values = [(f"`{each['const']}`", each.get("description", "")) for each in steps]
    return f"{_line(schema, '')}\n\n### Steps\n\n" + table(("step", "what it does"), values)


def cost_line(output: Output) -> str:
    return _line(output["cost_line"], " of what it cost")


def _line(schema: Output, suffix: str) -> str:
    """Return a table of the members of a line, and one for each kind of object within it.

    Args:
        schema: the schema of the line.
        suffix: what follows the name of a member in the heading of its table.

    """
    definitions = schema["$defs"]
    sections = [_object(schema, definitions)]
    objects = {name: each for name, each in definitions.items() if "properties" in each}
    named = {_member_of_type(schema, definitions, name): each for name, each in objects.items()}
    sections += [
        f"### `{name}`{suffix}\n\n{_object(named[name], definitions)}" for name in sorted(named)
    ]
    return "\n\n".join(sections)


def _member_of_type(schema: Output, definitions: Output, name: str) -> str:
    for owner, each in ({"": schema} | definitions).items():
        for member, value in each.get("properties", {}).items():
            if f'"#/$defs/{name}"' in json.dumps(value):
                prefix = f"{_member_of_type(schema, definitions, owner)}." if owner else ""
                return f"{prefix}{member}"
    return name


def _object(schema: Output, definitions: Output) -> str:
    required = schema.get("required", [])
    rows = []
    for name, member in schema["properties"].items():
        always = "always" if name in required else ""
        rows.append(
            (f"`{name}`", _type(member, definitions), always, member.get("description", ""))
        )
    return table(("member", "type", "", "meaning"), rows)


def _type(schema: Output, definitions: Output) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = definitions[name]
        return "object" if "properties" in target else _type(target, definitions)
    choices = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    if choices:
        return " or ".join(_type(each, definitions) for each in choices)
    if "oneOf" in schema or "enum" in schema or "const" in schema:
        return "text"
    kinds = schema.get("type", "anything")
    kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    if kinds == ["array"]:
        pair = [_type(each, definitions) for each in schema.get("prefixItems", [])]
        items = f"[{', '.join(pair)}]" if pair else _type(schema.get("items", {}), definitions)
        return f"list of {items}"
    return " or ".join({"string": "text"}.get(kind, kind) for kind in kinds)


def cache_spaces(sources: Path) -> str:
    """Return the table of what is kept in the POP's cache: `enum Space`, its comments and names."""
    (text,) = (
        text for text in map(Path.read_text, sources.rglob("*.rs")) if "enum Space {" in text
    )
    body = text.partition("enum Space {")[2].partition("\n}")[0]
    names = dict(re.findall(r'Self::(\w+) => "([a-z-]+)"', text))
    found = re.findall(r"((?:\s*///[^\n]*\n)+)\s*(\w+),", body)
    rows = [
        (f"`{names[name]}`", re.sub(r"\s*///\s?", " ", comment).strip()) for comment, name in found
    ]
    return table(("space", "holds"), rows)


def commands(output: Output) -> str:
    return "\n\n".join(_command(each, "fastgate") for each in output["commands"]["commands"])


def _command(command: Output, parent: str) -> str:
    name = f"{parent} {command['name']}"
    if command["commands"]:
        return "\n\n".join(_command(each, name) for each in command["commands"])
    lines = [f"### `{name}`", first_sentence_ends(command["about"] or "")]
    if command["arguments"]:
        lines.append(
            table(("argument", "default", "meaning"), map(_argument, command["arguments"]))
        )
    if command["after"]:
        lines.append(command["after"])
    return "\n\n".join(lines)


def _argument(argument: Output) -> tuple[str, str, str]:
    value = argument["value"] or ""
    if argument["long"] is None:
        name = value
    else:
        short = f"-{argument['short']}, " if argument["short"] else ""
        name = f"{short}--{argument['long']}" + (f" {value}" if value else "")
    default = f"`{argument['default']}`" if argument["default"] else ""
    return (
        f"`{name}`",
        "required" if argument["required"] else default,
        first_sentence_ends(argument["help"] or ""),
    )
