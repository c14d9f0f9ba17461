"""Find path parameters that a rule compares as text, and the app as another value.

In: an endpoint with its template, its rules and the types by which it reads path parameters. Out:
each parameter that stands under a `not` and could be spelled in another way to pass it. Rules that
the policy names (`{"rule": …}`) are followed where they are given, as by `policy --base`; where an
app compiles by itself they are not known.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fastgate.compile.endpoints.listing import Endpoint
from fastgate.compile.endpoints.route_ids import members_of
from fastgate.path_template import convertors

_CONVERTED = ("int", "float", "uuid")
_BY_PATH = ("equals_path", "contains_path")


class Misread(NamedTuple):
    """A parameter of which the edge would compare one spelling, and what to write instead."""

    what: str
    remedy: str


def misread_parameters(endpoint: Endpoint, rules: Mapping[str, object]) -> Iterator[Misread]:
    """Yield each path parameter that a condition of this endpoint compares as text under `not`.

    Args:
        endpoint: with its conditions.
        rules: the conditions that the policy has under `rules`, by their names.

    """
    written = convertors(endpoint.template)
    compared = dict[str, None]()
    for condition in _conditions(endpoint):
        compared |= dict.fromkeys(_negated(condition, rules, negated=False, seen=set()))
    for name in compared:
        convertor = written.get(name)
        read_as = endpoint.path_types.get(name, ())
        told = next((kind for kind in _CONVERTED if kind in read_as), None)
        if name not in written or convertor in _CONVERTED or (convertor and told is None):
            continue
        plain = f"{{{name}:{convertor}}}" if convertor else f"{{{name}}}"
        what = f'compares the path parameter {name} as text under "not", where '
        if told is not None:
            what += f"the endpoint reads it as {told}: another spelling of the same value passes"
            remedy = f'write "{{{name}:{told}}}" in place of "{plain}" in its path'
        elif set(read_as) == {"str"}:
            what += "the path does not say that the text is taken as it is"
            remedy = f'write "{{{name}:str}}" in place of "{plain}" in its path'
        else:
            what += "the edge cannot tell how the app reads it: another spelling may pass"
            remedy = (
                f'write "{{{name}:int}}", "{{{name}:uuid}}" or "{{{name}:float}}" in its path; '
                f'"{{{name}:str}}" if the text is taken as it is'
            )
        yield Misread(what, remedy)


def _conditions(endpoint: Endpoint) -> Iterator[object]:
    members = members_of(endpoint)
    asked = [members, members.get("shadow")]
    if isinstance(of_issuers := members.get("issuers"), Mapping):
        asked += of_issuers.values()
    for each in asked:
        if isinstance(each, Mapping):
            yield each.get("require")


def _negated(
    condition: object, rules: Mapping[str, object], *, negated: bool, seen: set[tuple[str, bool]]
) -> Iterator[str]:
    """Yield the path parameters that tests compare under an odd number of `not`.

    `seen` has the rules that were followed: one may name itself, which the edge refuses.
    """
    if not isinstance(condition, Mapping):
        return
    yield from _negated(condition.get("not"), rules, negated=not negated, seen=seen)
    for member in ("all", "any"):
        if isinstance(parts := condition.get(member), (list, tuple)):
            for part in parts:
                yield from _negated(part, rules, negated=negated, seen=seen)
    name = condition.get("rule")
    if isinstance(name, str) and (name, negated) not in seen:
        seen.add((name, negated))
        yield from _negated(rules.get(name), rules, negated=negated, seen=seen)
    test = condition.get("claim")
    if negated and isinstance(test, Mapping):
        yield from (str(test[member]) for member in _BY_PATH if member in test)
