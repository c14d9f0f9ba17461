"""The reference of the Python package: `fastgate.__all__`, and its command line."""

import argparse
import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeGuard

import fastgate
from fastgate.__main__ import _parser
from fastgate.commands.tool import COMMANDS, LOCAL_EDGE
from markdown import first_sentence_ends, table

SECTION = re.compile(r"^(Args|Raises|Returns|Yields):$")


def exported_names() -> str:
    modules = _modules()
    return "\n\n".join(_name(name, modules[name]) for name in sorted(fastgate.__all__))


def _modules() -> dict[str, ModuleType]:
    """Return the module that each exported name is imported from."""
    tree = ast.parse(inspect.getsource(fastgate))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    return {
        alias.asname or alias.name: importlib.import_module(node.module or "")
        for node in imports
        for alias in node.names
        if (alias.asname or alias.name) in fastgate.__all__
    }


def _name(name: str, module: ModuleType) -> str:
    body = ast.parse(inspect.getsource(module)).body
    overloads = [node for node in body if _is_overload(node)]
    body = [node for node in body if node not in overloads]
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _class(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            named = [_signature(each) for each in overloads if each.name == name]
            signatures = "\n".join(named or [_signature(node)])
            return f"## `{name}`\n\n{_code(signatures)}\n\n{_prose(ast.get_docstring(node))}"
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and name in _targets(node):
            return f"## `{name}`\n\n{_code(ast.unparse(node))}\n\n{_prose(_text(after))}"
    return f"## `{name}`"  # imported into that module from elsewhere


def _is_overload(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in decorators)


def _class(node: ast.ClassDef) -> str:
    lines = [f"## `{node.name}`", _prose(ast.get_docstring(node))]
    rows = []
    for each, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(each, ast.AnnAssign) and not _targets(each)[0].startswith("_"):
            rows.append((f"`{_targets(each)[0]}`", _type(each), _default(each), _text(after)))
    if rows:
        lines.append(table(("member", "type", "default", "meaning"), rows))
    for each in node.body:
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and _is_public(each):
            docstring = ast.get_docstring(each) or ""
            lines.append(
                f"- `{_signature(each)}`: {' '.join(docstring.partition(chr(10) * 2)[0].split())}"
            )
    return "\n\n".join(line for line in lines if line)


def _type(node: ast.AnnAssign) -> str:
    annotation = node.annotation
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated":
        assert isinstance(annotation.slice, ast.Tuple)
        annotation = annotation.slice.elts[0]
    return f"`{ast.unparse(annotation)}`"


def _default(node: ast.AnnAssign) -> str:
    value = node.value
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        value = next((each.value for each in value.keywords if each.arg == "default"), None)
    return "" if value is None else f"`{ast.unparse(value)}`"


def _is_public(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return not node.name.startswith("_") and ast.get_docstring(node) is not None


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _text(node: ast.stmt | None) -> str:
    """Return the text of a statement that is a string, the docstring of the name before it."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return inspect.cleandoc(str(node.value.value))
    return ""


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    prefix = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    return f"{prefix}{node.name}({ast.unparse(node.args)}){returns}"


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _prose(docstring: str | None) -> str:
    """Return a docstring as Markdown: its sections become lists."""
    lines: list[str] = []
    within = False
    for line in (docstring or "").splitlines():
        if section := SECTION.match(line):
            within = True
            lines.append(f"{section[1]}:\n")
        elif within and re.match(r"    \S", line):
            name, colon, rest = line.strip().partition(": ")
            lines.append(f"- `{name}`: {rest}" if colon else f"- {line.strip()}")
        else:
            lines.append(f"  {line.strip()}" if within and line.strip() else line)
    return "\n".join(lines).strip()


def command_lines() -> str:
    return "\n\n".join(_commands("fastgate", _parser()))


def _commands(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield one section for each command, and for each action of a command that has several."""
    for group in _groups(parser):
        helps = {each.dest: each.help or "" for each in group._choices_actions}
        for word, each in group.choices.items():
            if word in COMMANDS or word == LOCAL_EDGE:
                continue  # a command of the program in Rust
            yield _command(f"{name} {word}", each, helps[word])
            yield from _commands(f"{name} {word}", each)


def _groups(parser: argparse.ArgumentParser) -> "list[argparse._SubParsersAction[Any]]":
    return [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]


def _command(name: str, parser: argparse.ArgumentParser, help_: str) -> str:
    left_out = (argparse._HelpAction, argparse._SubParsersAction)
    actions = [each for each in parser._actions if not isinstance(each, left_out)]
    rows = [_argument(each) for each in sorted(actions, key=lambda each: bool(each.option_strings))]
    about = first_sentence_ends(help_[:1].upper() + help_[1:])
    arguments = f"\n\n{table(('argument', 'default', 'meaning'), rows)}" if rows else ""
    return f"### `{name}`\n\n{about}{arguments}"


def _argument(action: argparse.Action) -> tuple[str, str, str]:
    value = "" if action.nargs == 0 else f"{action.metavar or action.dest.upper()}"
    name = " ".join((*action.option_strings, value)).strip()
    default = "" if action.default in (None, False, []) else f"`{action.default}`"
    meaning = (action.help or "")[:1].upper() + (action.help or "")[1:]
    return f"`{name}`", "required" if action.required else default, first_sentence_ends(meaning)
