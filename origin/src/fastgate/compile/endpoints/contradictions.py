"""Find requirements on callers that no route can have at once.

Input: the requirements of dependencies, and the members of the route without them. Output: what
contradicts each other, with what to write instead.
"""

from collections.abc import Iterator, Mapping

from fastgate.compile.callers import regions as places
from fastgate.compile.callers.requirements import Callers, Members, text_of


def contradictions(callers: Callers, members: Members) -> Iterator[tuple[str, str]]:
    """Yield what no route can require at once, with what to write instead.

    Args:
        callers: the requirements of the dependencies.
        members: the members of the route without them.

    """
    lists = (callers | Callers.of_members(members)).acr
    if callers.acr and not all({*min(lists, key=len)} <= {*each} for each in lists):
        shown = " and ".join(text_of(each) for each in lists)
        yield (
            f"requires several lists of acr: {shown}; a client is told only one (RFC 9470 §3)",
            "write the accepted values in one requires(acr=[…]), and leave acr out elsewhere",
        )
    if callers.regions is not None and (fault := places.contradiction(callers.regions, members)):
        yield fault
    names = dict[str, str]()
    forward = callers.added_to(members).get("forward", ())
    for entry in forward if callers.conditions and isinstance(forward, (list, tuple)) else ():
        if isinstance(entry, Mapping) and "claim" in entry:
            claim = entry["claim"]
            name = str(entry.get("as", claim))
            path = text_of([claim] if isinstance(claim, str) else claim)
            if names.setdefault(name, path) != path:
                yield (
                    f'forwards two claims as "{name}": {names[name]} and {path}',
                    "give the one in forward another name: as=…",
                )
