"""Find path parameters that a rule compares and the path lacks, or compares as text by mistake.

Input: an endpoint with its template, its rules and the types of its path parameters. Output: each
compared parameter that the path does not have, and each under a `not` that another spelling of the
same value would pass. Rules that the policy names (`{"rule": …}`) are followed if they are given,
as by `policy --base`; an app that compiles without a policy does not know them.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fastgate.compile.endpoints.endpoint import Endpoint
from fastgate.compile.endpoints.route_ids import members_of
from fastgate.path_template import convertors

_CONVERTED = ("int", "float", "uuid")
_BY_PATH = ("equals_path", "contains_path")


class PathComparisonFault(NamedTuple):
    """A parameter whose spelling decides a comparison, and what to write instead."""

    what: str
    remedy: str


def path_comparison_faults(
    endpoint: Endpoint, rules: Mapping[str, object]
) -> Iterator[PathComparisonFault]:
    """Yield each path parameter that a condition of this endpoint cannot compare.

    Args:
        endpoint: the endpoint, with its conditions.
        rules: the conditions under `rules` of the policy, by their names.

    """
    written = convertors(endpoint.template)
    found = dict[tuple[str, bool], None]()
    for condition in _conditions(endpoint):
        found |= dict.fromkeys(_compared(condition, rules, negated=False, seen=set()))
    for name in dict.fromkeys(name for name, _ in found if name not in written):
        known = ", ".join(written) or "none"
        yield PathComparisonFault(
            f'compares a claim with the path parameter "{name}", which its path does not have',
            f"name a parameter of the path ({known}), or add this one to the path",
        )
    for name in dict.fromkeys(name for name, is_negated in found if is_negated):
        convertor = written.get(name)
        read_as = endpoint.path_types.get(name, ())
        type_name = next((kind for kind in _CONVERTED if kind in read_as), None)
        plain_text = convertor not in (None, "path") and type_name is None
        if name not in written or convertor in _CONVERTED or plain_text:
            continue
        plain = f"{{{name}:{convertor}}}" if convertor else f"{{{name}}}"
        what = f'compares the path parameter {name} as text under "not", but '
        if type_name is not None:
            what += (
                f"the endpoint reads it as {type_name}: another spelling of the same value passes"
            )
            remedy = f'write "{{{name}:{type_name}}}" in place of "{plain}" in its path'
        elif convertor:
            what += "the rest of a path has several spellings"
            remedy = f'write "{{{name}:str}}" if it is one segment, or compare it without "not"'
        elif set(read_as) == {"str"}:
            what += "its template does not declare that it is a plain string"
            remedy = f'write "{{{name}:str}}" in place of "{plain}" in its path'
        else:
            what += "the edge does not know its type: another spelling may pass"
            remedy = (
                f'write "{{{name}:int}}", "{{{name}:uuid}}" or "{{{name}:float}}" in its path; '
                f'"{{{name}:str}}" if it is a plain string'
            )
        yield PathComparisonFault(what, remedy)


def _conditions(endpoint: Endpoint) -> Iterator[object]:
    members = members_of(endpoint)
    sources = [members, members.get("shadow")]
    if isinstance(of_issuers := members.get("issuers"), Mapping):
        sources += of_issuers.values()
    for each in sources:
        if isinstance(each, Mapping):
            yield each.get("require")


def _compared(
    condition: object, rules: Mapping[str, object], *, negated: bool, seen: set[tuple[str, bool]]
) -> Iterator[tuple[str, bool]]:
    """Yield the path parameters that tests compare, and whether under an odd number of `not`.

    `seen` holds the rules that were followed; a rule may refer to itself, which the edge refuses.
    """
    if not isinstance(condition, Mapping):
        return
    yield from _compared(condition.get("not"), rules, negated=not negated, seen=seen)
    for member in ("all", "any"):
        if isinstance(parts := condition.get(member), (list, tuple)):
            for part in parts:
                yield from _compared(part, rules, negated=negated, seen=seen)
    name = condition.get("rule")
    if isinstance(name, str) and (name, negated) not in seen:
        seen.add((name, negated))
        yield from _compared(rules.get(name), rules, negated=negated, seen=seen)
    test = condition.get("claim")
    if isinstance(test, Mapping):
        yield from ((str(test[member]), negated) for member in _BY_PATH if member in test)
