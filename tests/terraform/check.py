"""What `terraform validate` would say about the example, by the excerpt of the schema in schema.json."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from configuration import Body, Configuration, literal
from packaging.specifiers import SpecifierSet

SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_name("schema.json").read_text())
META_ARGUMENTS = {"count", "for_each", "depends_on", "provider"}
TYPES: dict[str, type] = {"string": str, "number": int, "bool": bool, "set": list}

RESOURCE = re.compile(
    r"(?<![.\w])(?P<data>data\.)?(?P<address>fastly_\w+\.\w+)(?:\[[^]]*\])?(?:\.(?P<attribute>\w+))?"
)
NAMED = re.compile(r"(?<![.\w])(?P<kind>var|local)\.(?P<name>\w+)")
ITERATOR = re.compile(r"(?<![.\w])(?P<label>\w+)\.(?:key|value)\b(?:\.(?P<member>\w+))?")


def faults(configuration: Configuration) -> list[str]:
    """Return what is wrong, each with the place."""
    found = [*_provider(configuration), *_references(configuration), *_variables(configuration)]
    for kind in ("resource", "data"):
        for address, body in configuration.of_type(kind).items():
            schema = SCHEMA[kind].get(address.partition(".")[0])
            place = f"{kind}.{address}"
            if schema is None:
                found.append(f"{place}: not in schema.json; look it up: {SCHEMA['source']}")
            else:
                page = SCHEMA["source"] + schema["page"]
                found += _body(place, body, schema, page, META_ARGUMENTS)
    return found


def _body(
    place: str, body: Body, schema: dict[str, Any], page: str, also: set[str]
) -> Iterator[str]:
    required, read_only = schema.get("required", {}), schema.get("read_only", {})
    known = required | schema.get("optional", {})
    for name in required.keys() - body.attributes.keys():
        yield f"{place}: {name} is missing"
    for name, value in body.attributes.items():
        if name in read_only:
            yield f"{place}.{name}: the provider sets it"
        elif name in known:
            given, expected = literal(value), TYPES[known[name]]
            if given is not None and type(given) is not expected:
                yield f"{place}.{name}: {given!r} is no {known[name]}"
        elif name not in also:
            yield f"{place}.{name}: not in schema.json; look it up: {page}"
    blocks = schema.get("blocks", {})
    for name, inner in body.blocks:
        if name in blocks:
            yield from _body(f"{place}.{name}", inner, blocks[name], page, set())
        else:
            yield f"{place}.{name}: not in schema.json; look it up: {page}"
    for name, each in blocks.items():
        if "max" in each and len(body.named(name)) > each["max"]:
            yield f"{place}.{name}: more than {each['max']}"


def _provider(configuration: Configuration) -> Iterator[str]:
    (required,) = configuration.blocks["terraform"].named("required_providers")
    provider = required.attributes.get("fastly")
    if not isinstance(provider, dict) or literal(provider.get("source")) != SCHEMA["provider"]:
        yield f"required_providers: fastly is not {SCHEMA['provider']}"
        return
    versions = str(literal(provider.get("version")))
    if SCHEMA["version"] not in SpecifierSet(versions.replace("~>", "~=")):
        yield f"required_providers: {versions} excludes {SCHEMA['version']}, the version of schema.json"


def _references(configuration: Configuration) -> Iterator[str]:
    iterators = configuration.iterators()
    for text in configuration.expressions():
        code = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)  # no expression of the example is in quotes
        for match in RESOURCE.finditer(code):
            kind = "data" if match["data"] else "resource"
            if f"{kind}.{match['address']}" not in configuration.blocks:
                yield f"{match[0]}: there is no such {kind}"
                continue
            schema = SCHEMA[kind].get(match["address"].partition(".")[0], {})
            members = {
                name
                for part in ("required", "optional", "read_only", "blocks")
                for name in schema.get(part, {})
            }
            if match["attribute"] and match["attribute"] not in members:
                yield f"{match[0]}: there is no such attribute"
        for match in NAMED.finditer(code):
            if not _exists(configuration, match["kind"], match["name"]):
                yield f"{match[0]}: it is not declared"
        for match in ITERATOR.finditer(code):
            if match["label"] not in iterators:
                yield f"{match[0]}: there is no block `dynamic` of that name"
            elif match["member"] and match["member"] not in _members(
                configuration, iterators[match["label"]]
            ):
                yield f"{match[0]}: the variable has no such member"


def _exists(configuration: Configuration, kind: str, name: str) -> bool:
    if kind == "var":
        return f"variable.{name}" in configuration.blocks
    return name in configuration.blocks["locals"].attributes


def _members(configuration: Configuration, expression: str) -> set[str]:
    """Return the members of the objects in a variable, by its type."""
    (name,) = [match["name"] for match in NAMED.finditer(expression)]
    declared = configuration.blocks[f"variable.{name}"].attributes["type"]
    return set(re.findall(r"(\w+) = ", str(declared)))


def _variables(configuration: Configuration) -> Iterator[str]:
    elsewhere = Configuration(
        {key: body for key, body in configuration.blocks.items() if not key.startswith("variable.")}
    )
    used = {match["name"] for text in elsewhere.expressions() for match in NAMED.finditer(text)}
    for name in configuration.of_type("variable").keys() - used:
        yield f"variable.{name}: it is not used"
