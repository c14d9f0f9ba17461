"""Terraform files as Python values: the blocks of a folder, and what their expressions refer to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

import hcl2


@dataclass
class Body:
    """The attributes and blocks between two braces."""

    attributes: dict[str, object] = field(default_factory=dict)
    blocks: list[tuple[str, "Body"]] = field(default_factory=list)
    iterators: dict[str, str] = field(default_factory=dict)
    """The labels of `dynamic` blocks, with the expression that each iterates over."""

    def named(self, name: str) -> list["Body"]:
        return [body for each, body in self.blocks if each == name]

    def expressions(self) -> Iterator[str]:
        yield from (text for value in self.attributes.values() for text in _expressions(value))
        yield from self.iterators.values()
        for _, body in self.blocks:
            yield from body.expressions()

    def all_iterators(self) -> dict[str, str]:
        found = dict(self.iterators)
        for _, body in self.blocks:
            found |= body.all_iterators()
        return found


@dataclass
class Configuration:
    """The blocks of all files of a folder, by their type and labels, such as `resource.a.b`."""

    blocks: dict[str, Body]

    def of_type(self, name: str) -> dict[str, Body]:
        """Return the blocks of a type by their remaining labels."""
        start = f"{name}."
        return {
            key[len(start) :]: body for key, body in self.blocks.items() if key.startswith(start)
        }

    def expressions(self) -> Iterator[str]:
        for body in self.blocks.values():
            yield from body.expressions()

    def iterators(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for body in self.blocks.values():
            found |= body.all_iterators()
        return found


LABELS = {"resource": 2, "data": 2, "variable": 1, "output": 1, "provider": 1}


def load(folder: Path) -> Configuration:
    """Parse the `.tf` files of a folder."""
    blocks: dict[str, Body] = {}
    for path in sorted(folder.glob("*.tf")):
        parsed = hcl2.loads(path.read_text())
        for kind in parsed.keys() - {"__comments__"}:
            for each in parsed[kind]:
                for labels, content in _labelled(each, LABELS.get(kind, 0)):
                    key = ".".join([kind, *labels])
                    if key in blocks:
                        raise ValueError(f"{key}: there are two")
                    blocks[key] = _body(content)
    return Configuration(blocks)


def values(path: Path) -> dict[str, object]:
    """Parse a file of values (`.tfvars`)."""
    return _body(hcl2.loads(path.read_text())).attributes


def literal(value: object) -> object:
    """Return a literal; None for an expression."""
    if not isinstance(value, str):
        return value
    if value.startswith('"') and "${" not in value:
        return value[1:-1]
    return None


def _labelled(
    content: dict[str, object], labels: int
) -> Iterator[tuple[list[str], dict[str, object]]]:
    if not labels:
        yield [], content
        return
    for name, inner in content.items():
        if isinstance(inner, dict):
            for names, block in _labelled(inner, labels - 1):
                yield [_plain(name), *names], block


def _body(content: dict[str, object]) -> Body:
    body = Body()
    for name, value in content.items():
        if name.startswith("__"):  # marks of the parser
            continue
        if not _are_blocks(value):
            body.attributes[_plain(name)] = value
        elif name == "dynamic":
            for each in value:
                for (label,), block in _labelled(each, 1):
                    body.iterators[label] = str(block["for_each"])
                    inner = block["content"]
                    assert _are_blocks(inner)
                    body.blocks += [(label, _body(every)) for every in inner]
        else:
            body.blocks += [(name, _body(each)) for each in value]
    return body


def _are_blocks(value: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(value, list) and any(
        isinstance(each, dict) and ("__is_block__" in each or _are_blocks([*each.values()]))
        for each in value
    )


def _expressions(value: object) -> Iterator[str]:
    """Yield the expressions in a value: `${…}` alone, or within quotes."""
    if isinstance(value, str):
        yield from re.findall(r"\$\{(.*)\}", value, re.DOTALL)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from _expressions(each)


def _plain(name: str) -> str:
    return name.strip('"')
