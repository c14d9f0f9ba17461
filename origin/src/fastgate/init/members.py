"""Members of the files that exist already: a policy with names of a stage, and a manifest.

Input: a document. Output: texts at a path, or the backends that a policy names.
"""

import re
from collections.abc import Mapping

from fastgate.init.documents import APP
from fastgate.stage import has_names

_PORT = re.compile(r":[0-9]+\Z")


def backends_in(base: Mapping[str, object]) -> list[str]:
    """Return the names of the backends on which the app runs; none if they are not known."""
    names = [] if base else [APP]  # that of a new base policy
    names += texts_at(base, "origins", "*", "backend")
    for several in at(base, "origins", "*", "backends"):
        names += [*several] if isinstance(several, dict) else texts_at(several)
    return [] if any(map(has_names, names)) else names


def plain(host: str) -> str:
    """Return a host in the one spelling of its name, without a port."""
    return host if has_names(host) else _PORT.sub("", host.lower()).removesuffix(".")


def texts_at(document: object, *path: str) -> list[str]:
    """Return the texts among what a document has at a path."""
    return [each for each in at(document, *path) if isinstance(each, str)]


def at(document: object, *path: str) -> list[object]:
    """Return what a document has at a path, in which `*` is every member of an object or a list.

    A text with a name stands for everything below it as well.
    """
    found = [document]
    for name in path:
        found = [below for each in found for below in _below(each, name)]
    return found


def _below(value: object, name: str) -> list[object]:
    match value:
        case str():
            return [value] if has_names(value) else []
        case dict() if name == "*":
            return [*value.values()]
        case dict():
            return [value[name]] if name in value else []
        case list() if name == "*":
            return value
    return []
