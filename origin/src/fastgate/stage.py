"""Values of a stage: `${NAME}` in a text of a policy stands for what differs between services.

Input: a stage file, the environment variables `FASTGATE_STAGE_<NAME>`, and a policy. Output: the
policy with the values; or `WrongCall`, which names every place without one. The rules are those of
`--stage` of `fastgate check` and `fastgate push`.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastgate.strict_json import parse_object
from fastgate.surrogates import with_half_a_pair
from fastgate.wrong_call import WrongCall

VARIABLES = "FASTGATE_STAGE_"
"""The environment variables with values: this, and the name."""

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_USE = re.compile(r"(\$?)\$\{(?:([A-Z][A-Z0-9_]*)\}|)")
"""A `${`: escaped by another `$`, or with a name, or a fault."""
_BEGIN = "${"


@dataclass(frozen=True, slots=True)
class Stage:
    """The values of a stage."""

    file: Path | None = None
    """The stage file, if there is one."""
    values: Mapping[str, object] = field(default_factory=dict)
    """Its members."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The environment."""

    def applied(self, document: object, at: str = "$") -> object:
        """Return a document with the values in the place of names.

        Args:
            document: a policy, or a part of it.
            at: the place of this part.

        Raises:
            WrongCall: a name has no value, a value fits no place, or a `${` is no name.

        """
        faults = list[str]()
        replaced = self._replaced(document, at, faults)
        if faults:
            raise WrongCall("\n".join(faults))
        return replaced

    def check_used(self, names: Iterable[str]) -> None:
        """Raise `WrongCall` for values of the file that are not among the names of a policy."""
        used = set(names)
        unused = [
            f"{self.file}: {name} is not used: the policy has no ${{{name}}}: correct the name, or "
            "remove the value"
            for name in self.values
            if name not in used
        ]
        if unused:
            raise WrongCall("\n".join(unused))

    def without_value(self, names: Iterable[str]) -> list[str]:
        """Return the names for which there is no value."""
        return [name for name in names if not self._has(name)]

    def _has(self, name: str) -> bool:
        if name in self.values:
            return True
        text = self.variables.get(VARIABLES + name, "")
        return bool(text) and not with_half_a_pair(text)  # what is not UTF-8 has half pairs

    def _value(self, name: str) -> object:
        return self.values[name] if name in self.values else self.variables[VARIABLES + name]

    def _replaced(self, value: object, at: str, faults: list[str]) -> object:
        match value:
            case dict():
                faults += [
                    f"{at}.{name} has {_BEGIN} in the name of a member, and only texts are "
                    "replaced: write the name itself"
                    for name in value
                    if _BEGIN in name
                ]
                return {
                    name: self._replaced(each, f"{at}.{name}", faults)
                    for name, each in value.items()
                }
            case list():
                return [
                    self._replaced(each, f"{at}[{index}]", faults)
                    for index, each in enumerate(value)
                ]
            case str():
                return self._of_text(value, at, faults)
        return value

    def _of_text(self, text: str, at: str, faults: list[str]) -> object:
        """Return what a text becomes: any value, if the text is exactly one name."""
        whole = _USE.fullmatch(text)
        if whole is not None and not whole[1] and whole[2]:
            return self._checked(whole[2], at, faults)

        def replacement(found: re.Match[str]) -> str:
            name = found[2]
            if found[1]:
                return found[0][1:]  # $${NAME} is the text ${NAME}
            if not name:
                faults.append(
                    f"{at} has {_BEGIN} without a name and }} behind it: write ${{NAME}} in "
                    f"capital letters, digits and _, or ${_BEGIN} for the text {_BEGIN}"
                )
                return ""
            new = self._checked(name, at, faults)
            if new is not None and not isinstance(new, str):
                faults.append(
                    f"{at} has ${{{name}}} inside a longer text, and its value is not a text: "
                    f'write a text as value, or write "${{{name}}}" alone'
                )
            return str(new)

        return _USE.sub(replacement, text)

    def _checked(self, name: str, at: str, faults: list[str]) -> object:
        """Return the value of a name; None if it has none, which is a fault."""
        if not self._has(name):
            faults.append(
                f'{at} needs a value for ${{{name}}}, and there is none: add "{name}" to the '
                f"stage file (--stage FILE), or set {VARIABLES}{name}"
            )
            return None
        value = self._value(name)
        source = f"{self.file}: {name}" if name in self.values else VARIABLES + name
        fault = None
        if value in (None, ""):
            fault = (
                f"{source} is empty, which is no value: write the value; where two stages differ "
                "by a part, write the whole text"
            )
        elif _has_marker(value):
            fault = (
                f"{source} has {_BEGIN} in it, or a $ at its end, and values are not replaced "
                "again: write the text itself"
            )
        if fault is not None and fault not in faults:
            faults.append(fault)
        return value


def _has_marker(value: object) -> bool:
    """Whether a text in a value has `${`, or can have it together with what follows."""
    match value:
        case str():
            return _BEGIN in value or value.endswith("$")
        case list():
            return any(map(_has_marker, value))
        case dict():
            return any(map(_has_marker, (*value, *value.values())))
    return False


def stage_of(file: Path | None) -> Stage:
    """Return the stage of a file, a JSON object, and of the environment.

    Raises:
        WrongCall: the file cannot be read, or a member can be no name.

    """
    if file is None:
        return Stage(variables=os.environ)
    try:
        values = parse_object(file.read_bytes())
    except (OSError, ValueError) as error:
        raise WrongCall(f"{file}: {error}") from error
    for name in values:
        if not _NAME.fullmatch(name):
            raise WrongCall(f'{file}: "{name}" is no name: write capital letters, digits and _')
    return Stage(file, values, os.environ)


def names_in(document: object) -> list[str]:
    """Return the names that texts of a document have, each once."""
    names = dict[str, None]()

    def read(text: str) -> str:
        names.update({found[2]: None for found in _USE.finditer(text) if found[2] and not found[1]})
        return text

    _mapped(document, read)
    return [*names]


def escaped(document: object) -> object:
    """Return a document in which no text has a name: the rules above leave it as it was."""
    return _mapped(document, lambda text: text.replace(_BEGIN, f"${_BEGIN}"))


def has_names(text: str) -> bool:
    """Whether a text stands for another one."""
    return bool(names_in(text))


def _mapped(value: object, change: Callable[[str], str]) -> object:
    match value:
        case dict():
            return {name: _mapped(each, change) for name, each in value.items()}
        case list():
            return [_mapped(each, change) for each in value]
        case str():
            return change(value)
    return value
