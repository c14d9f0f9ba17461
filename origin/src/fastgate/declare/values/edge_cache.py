"""`EdgeCache`: which callers may share a stored response of an endpoint, and for how long.

Input: the values that an author writes, or the member `cache` of a route document. Output: the
member `cache` as the policy writes it, or an error with what to write instead. What the edge
refuses in a policy (`src/policy/cache.rs`) is refused here.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fastgate.audience import FACTS, meant_word
from fastgate.conditions import name_in_app
from fastgate.declare.static_access import plain
from fastgate.removed_fields import HOP_BY_HOP, PROOF, folded_name, is_reserved
from fastgate.surrogates import WHY_NONE, with_half_a_pair
from fastgate.vocabulary import Claim

CACHE = "cache"
"""The member of the route document."""
AUDIENCES = ("public", "tenant", "roles", "caller")
"""The audiences that are one word."""
LONGEST_TIME = 31_536_000
"""The longest time for which a response is stored, in seconds: a year."""
MOST_FIELDS = 8
"""The most request fields by which responses of one route may differ."""

_MEMBERS = ("audience", "ttl", "stale_while_revalidate", "stale_if_error", "vary", "shared")
_WINDOWS = ("stale_while_revalidate", "stale_if_error")
_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# The edge evaluates some of these for stored responses, removes some, and reads some itself: `fate`
# and `is_visible_to_rules` in src/headers/fate.rs.
_NEVER_VARY = frozenset(
    (
        *("authorization", "cache-control", "cookie", "if-match", "if-modified-since"),
        *("if-none-match", "if-range", "if-unmodified-since", "range", PROOF, *HOP_BY_HOP),
    )
)


@dataclass(frozen=True, slots=True)
class EdgeCache:
    """Let the edge store responses of an endpoint to GET and HEAD: `at_edge(cache=EdgeCache(…))`.

    Beside `inference=Inference(…)`, it stores embeddings, and completions that ask for no
    randomness: `temperature` 0 with a `seed`, no stream. The same body gets the same response.

    The edge still decides about every request first; only then does it send a stored response. The
    app learns nothing of the caller but what `audience` names, and no request field but those in
    `vary` and of the body: reading something else of the `Identity` raises `NotShared`, and other
    fields are missing. `Cache-Control` of a response can shorten the time or prevent storage.

    Raises:
        TypeError: a value has another type.
        ValueError: the edge would refuse a value.

    """

    audience: str | Sequence[str | Claim | Mapping[str, object]]
    """The callers that share a response: `"public"` for all, `"tenant"`, `"roles"` (the same
    roles), `"caller"` (one alone); or a list of what they have in common: these words but
    `"public"`, `"groups"`, and claims, each by its name or as `claim(["org", "id"])`. A name that
    resembles a word is refused: write `claim("role")` for the claim `role`."""
    ttl: int
    """For how many seconds a response is fresh: 1 to 31536000."""
    stale_while_revalidate: int = 0
    """For how many seconds after `ttl` a stale response is sent while a new one is requested."""
    stale_if_error: int = 0
    """For how many seconds after `ttl` a stale response is sent if the app fails."""
    vary: Sequence[str] = ()
    """The request fields by which responses may differ, at most 8. The app receives no others."""
    shared: bool = False
    """Whether all admitted callers may share one response: required for `audience="public"` on a
    route that is not public."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vary", _listed(self.vary))
        written = {name: getattr(self, name) for name in _MEMBERS}
        audience = written["audience"] = _written_audience(self.audience)
        for kind, what in _faults(written):
            raise kind(f"EdgeCache: {what}")
        if isinstance(audience, list):
            # Nothing that the caller of this constructor can change.
            object.__setattr__(self, "audience", tuple(map(_unchangeable, audience)))
        object.__setattr__(self, "vary", tuple(sorted({name.lower() for name in self.vary})))

    def __hash__(self) -> int:
        return hash((repr(self.audience), self.ttl, self.vary))

    def document(self) -> dict[str, object]:
        """Return the member `cache` of the policy, without members that have their default."""
        found: dict[str, object] = {"audience": _written_audience(self.audience), "ttl": self.ttl}
        found |= {name: seconds for name in _WINDOWS if (seconds := getattr(self, name))}
        found |= {"vary": [*self.vary]} if self.vary else {}
        return found | ({"shared": True} if self.shared else {})


def invalid_cache(value: object) -> Iterator[str]:
    """Yield one message for each fault of the member `cache`, as JSON. None stores nothing."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield f'{CACHE} is {value!r}; write {CACHE}=EdgeCache(audience="…", ttl=…)'
        return
    if unknown := sorted(map(str, value.keys() - {*_MEMBERS})):
        yield f"{CACHE} has {', '.join(unknown)}; its members are {', '.join(_MEMBERS)}"
    yield from (f"{CACHE}: {what}" for _, what in _faults(value))


def audience_of(cache: object) -> frozenset[str]:
    """Return what the callers of a member `cache` have in common, as `tctx.shared` names it.

    It is empty for the audience `"public"`. The member must be valid.
    """
    audience = cache.get("audience") if isinstance(cache, Mapping) else None
    if isinstance(audience, str):
        return frozenset() if audience == "public" else frozenset((audience,))
    return frozenset(map(_fact, audience)) if isinstance(audience, (list, tuple)) else frozenset()


def is_for_all_admitted(cache: object) -> bool:
    """Whether all callers that a route admits share one response, by an explicit `shared`."""
    return isinstance(cache, Mapping) and cache.get("shared") is True and not audience_of(cache)


def claim_fact(name: object) -> str:
    """Return the name of a claim in `tctx.shared`; a list leads into nested objects."""
    path = [str(each) for each in name] if isinstance(name, (list, tuple)) else [str(name)]
    return "claim:" + (path[0] if len(path) == 1 else name_in_app(path))


def same_cache(one: object, other: object) -> bool:
    """Whether two members `cache` mean the same: defaults, order and spelling mean nothing."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return (one or None) == (other or None)
    return _meaning(one) == _meaning(other)


def _meaning(cache: Mapping[str, object]) -> dict[str, object]:
    vary = cache.get("vary", ())
    names = vary if isinstance(vary, (list, tuple)) else (vary,)
    return {
        **dict.fromkeys(_WINDOWS, 0),
        "shared": False,
        **cache,
        "audience": (audience_of(cache), not cache.get("audience")),
        "vary": {str(name).lower() for name in names},
    }


def _fact(entry: object) -> str:
    if isinstance(entry, Mapping):
        return claim_fact(entry.get("claim"))
    return str(entry) if entry in FACTS else claim_fact(entry)


def _written_audience(audience: object) -> object:
    """Return an audience as the policy writes it."""
    listed = isinstance(audience, (list, tuple))
    return [*map(_as_written, audience)] if listed else plain(audience)  # type: ignore[call-overload]


def _as_written(entry: object) -> object:
    if not isinstance(entry, Claim):
        return plain(entry)
    path = entry.name
    return {"claim": path if isinstance(path, str) else [*path]}


def _unchangeable(entry: object) -> object:
    """Return a valid entry without lists and dicts."""
    if not isinstance(entry, Mapping):
        return entry
    name = entry["claim"]
    return Claim(name if isinstance(name, str) else tuple(name))


def _listed(names: object) -> object:
    return tuple(map(plain, names)) if isinstance(names, (list, tuple, set, frozenset)) else names


def _faults(members: Mapping[str, object]) -> Iterator[tuple[type[Exception], str]]:
    halves = {name: text for name in members if (text := with_half_a_pair(members[name]))}
    if halves:
        for name, text in halves.items():
            yield ValueError, f"{name} has {text!r}, {WHY_NONE}"
        return
    yield from _audience_faults(members.get("audience"))
    for name in ("ttl", *_WINDOWS):
        least, value = int(name == "ttl"), members.get(name, None if name == "ttl" else 0)
        # In Python a bool is an int.
        if type(value) is not int:
            yield TypeError, f"{name} is {value!r}; write a whole number of seconds: {name}=60"
        elif not least <= value <= LONGEST_TIME:
            yield ValueError, f"{name} is {value}; it must be {least} to {LONGEST_TIME} seconds"
    yield from _vary_faults(members.get("vary", ()))
    shared = members.get("shared", False)
    if not isinstance(shared, bool):
        yield TypeError, f"shared is {shared!r}; it must be True or False"
    elif shared and members.get("audience") != "public":
        yield ValueError, 'shared=True belongs to audience="public"; leave it out'


def _audience_faults(audience: object) -> Iterator[tuple[type[Exception], str]]:
    words = ", ".join(map(repr, AUDIENCES))
    if isinstance(audience, str):
        if audience in AUDIENCES:
            return
        if (word := meant_word(audience)) is not None:
            listed = f'"{word}"' if word in AUDIENCES else f'["{word}"]'
            remedy = f"write audience={listed}, or audience=[{_claim_named(audience)}]"
        else:
            remedy = f'write one of {words}, or a list: audience=["{audience}"]'
        same = "callers with the same value of it"
        yield ValueError, f"audience is {audience!r}; {remedy} for {same}"
        return
    if not isinstance(audience, (list, tuple)):
        yield TypeError, f"audience is {audience!r}; write one of {words}, or a list"
        return
    if not audience:
        yield ValueError, 'audience is an empty list; write audience="public" for all callers'
    for entry in audience:
        if entry == "public":
            yield (
                ValueError,
                'audience has "public" in a list; write audience="public", or leave it out',
            )
        elif isinstance(entry, str) and (word := meant_word(entry)) is not None:
            instead = 'audience="public", without a list' if word == "public" else f'"{word}"'
            yield (
                ValueError,
                f"audience has {entry!r}; write {instead}, or {_claim_named(entry)} if callers "
                "have the claim of this name in common",
            )
        elif not _is_entry(entry):
            yield (
                ValueError if isinstance(entry, str) else TypeError,
                f"audience has {entry!r}; write {', '.join(map(repr, FACTS))}, the name of a "
                'claim, or claim(["org", "id"]) for one in nested objects',
            )


def _claim_named(name: str) -> str:
    return f"claim({json.dumps(name, ensure_ascii=False)})"


def _is_entry(entry: object) -> bool:
    if isinstance(entry, Mapping):
        name = entry.get("claim")
        path: Iterable[object] = name if isinstance(name, (list, tuple)) and name else (name,)
        return entry.keys() == {"claim"} and all(isinstance(it, str) and it for it in path)
    return isinstance(entry, str) and bool(entry)


def _vary_faults(names: object) -> Iterator[tuple[type[Exception], str]]:
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        yield TypeError, f'vary is {names!r}; write a list of field names: vary=["accept-language"]'
        return
    if len(names) > MOST_FIELDS:
        yield ValueError, f"vary lists {len(names)} fields; list at most {MOST_FIELDS}"
    for name in names:
        if not _FIELD_NAME.fullmatch(name):
            yield ValueError, f"vary has {name!r}, which is not a field name (RFC 9110 §5.1)"
        elif _is_reserved(name.lower()):
            yield (
                ValueError,
                f"vary has {name!r}, by which no stored response may differ: remove it. What "
                "callers have in common belongs in audience",
            )


def _is_reserved(name: str) -> bool:
    return is_reserved(name) or folded_name(name) in _NEVER_VARY
