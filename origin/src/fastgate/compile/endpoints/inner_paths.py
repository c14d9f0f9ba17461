"""Attach declarations for paths within an endpoint to that endpoint.

Input: the endpoints of one app in their order, and what the app declares for paths. Output: the
same endpoints. One that takes everything below a path has the declarations for paths within it, and
a fallback for the rest of an app is marked as such.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from fastgate.compile.endpoints.endpoint import Endpoint, Kind
from fastgate.compile.endpoints.inheritance import Inheritance
from fastgate.path_template import begins, comparable, takes_all_below


def with_inner_paths(
    inheritance: Inheritance, prefix: str, served: Iterator[Endpoint]
) -> Iterator[Endpoint]:
    """Add to an endpoint the app's declarations for paths within it that are not endpoints."""
    parts = {prefix + part: members for part, members in inheritance.parts.items()}
    mounted: list[str] = []  # by earlier mounts
    for each in served:
        if each.kind is Kind.APP and _is_fallback(each, prefix, parts):
            each = replace(each, is_fallback=True)
        inner = {
            part: members
            for part, members in parts.items()
            if takes_all_below(each.template, part) and not begins(each.template, part)
        }
        if each.kind is Kind.MOUNT:
            mounted.append(each.template)
        elif inner and not (each.is_fallback or _is_fallback(each, prefix, parts)):
            for part in [
                part for part in inner if any(takes_all_below(it, part) for it in mounted)
            ]:
                del inner[part]
            each = replace(each, parts={**each.parts, **inner})
        if each.kind is Kind.APP and each.route is None:
            mounted.append(each.template)  # a frontend; more specific ones come first
        yield each


def _is_fallback(each: Endpoint, prefix: str, parts: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether an endpoint declares its own callers and takes everything without another route.

    This is a function, or an app at the root of its app, such as a single-page app next to an API.
    """
    rest = comparable(f"{prefix}/{{path:path}}")
    if each.kind is Kind.APP and comparable(each.template) != rest:
        return False
    exact = (members for part, members in parts.items() if comparable(part) == rest)
    names = {*each.declared, *(name for members in exact for name in members)}
    return each.callers.known or each.callers.anybody or not names.isdisjoint(("access", "scopes"))
