"""Read path templates as the edge does: which are valid, which overlap, which is tried first.

Input: templates in FastAPI's syntax. Output: the order in which the edge tries them, the most
specific first. This is the Python version of `src/policy/pattern.rs` and
`src/policy/route/tree.rs`; a test compares both on the same generated routes. The module never
matches a request: the app's own router does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from string import digits, hexdigits

from fastgate.surrogates import with_half_a_pair

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACES = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?::([A-Za-z_][A-Za-z0-9_]*))?\}")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\?#]")
# From the widest to the narrowest, as `Convertor` in pattern.rs.
_CONVERTORS = ("str", "float", "int", "uuid")
_LITERAL, _PARAMETER, _REST = 2, 1, 0


@lru_cache(maxsize=4096)
def comparable(template: str) -> str:
    """Return a template without the names of its parameters, which do not distinguish routes.

    `/orders/{id}` and `/orders/{order_id:str}` become `/orders/{:str}`, and `/orders/{id:int}`
    becomes `/orders/{:int}`.
    """
    return _BRACES.sub(lambda found: f"{{:{found[2] or 'str'}}}", template)


def convertors(template: str) -> dict[str, str | None]:
    """Return the parameters of a template and their convertors; None for an omitted convertor."""
    return {found[1]: found[2] for found in _BRACES.finditer(template)}


def begins(template: str, prefix: str) -> bool:
    """Whether a template lies at or below a prefix; names of parameters do not matter."""
    return (comparable(template) + "/").startswith(comparable(prefix) + "/")


def takes_all_below(template: str, prefix: str) -> bool:
    """Whether a template certainly matches every path below a prefix; False if one is invalid."""
    if not template.endswith(":path}"):
        return False
    try:
        return Template.parse(template).covers(Template.parse(f"{prefix}/{{any_rest:path}}"))
    except TemplateRefused:
        return False


class TemplateRefused(ValueError):
    """The edge would refuse this template; the message says why, and `remedy` what to write."""

    def __init__(self, why: str, remedy: str = "write another path") -> None:
        super().__init__(why)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Segment:
    """The part between two slashes: text, one parameter with text around it, or the rest."""

    kind: int
    prefix: str = ""
    """The text before the parameter; for a literal, the whole text."""
    suffix: str = ""
    convertor: str = "str"

    @property
    def rank(self) -> tuple[int, int, int, int, str, str]:
        """The rank among segments at the same position; a greater one is more specific."""
        length = len(self.prefix) + len(self.suffix)
        convertor = _CONVERTORS.index(self.convertor)
        return (self.kind, length, len(self.prefix), convertor, self.prefix, self.suffix)


@dataclass(frozen=True, slots=True)
class Template:
    """A template that the edge accepts."""

    source: str
    segments: tuple[Segment, ...]

    @classmethod
    def parse(cls, source: str) -> "Template":
        """Read a template. Raises `TemplateRefused`."""
        if not source.startswith("/"):
            raise TemplateRefused('a path begins with "/"')
        if _FORBIDDEN.search(source):
            raise TemplateRefused('it contains a control character, a backslash, "?" or "#"')
        if with_half_a_pair(source) is not None:
            raise TemplateRefused("it contains half a surrogate pair", "write whole characters")
        if _ESCAPED.search(source):
            raise TemplateRefused(
                "it contains a percent-encoded byte, but the edge compares decoded paths",
                'write the characters themselves: "/café"',
            )
        *inner, last = source[1:].split("/")
        if "" in inner or not {".", ".."}.isdisjoint((*inner, last)):
            raise TemplateRefused(
                "it contains an empty or a dot segment, which no request can match"
            )
        names: list[str] = []
        segments = tuple(_segment(text, names) for text in (*inner, last))
        if len(set(names)) != len(names):
            raise TemplateRefused("two parameters have the same name")
        if sum(segment.kind == _REST for segment in segments) > 1:
            raise TemplateRefused("it contains more than one path parameter")
        return cls(source, segments)

    def goes_before(self, other: "Template") -> bool:
        """Whether the edge tries this template first on a path that both match."""
        for index, (one, two) in enumerate(zip(self.segments, other.segments, strict=False)):
            if one.kind == two.kind == _REST:
                # The edge tries the shortest rest first, so the longer tail goes first.
                lengths = len(self.segments) - index, len(other.segments) - index
                if lengths[0] != lengths[1]:
                    return lengths[0] > lengths[1]
            elif one.rank != two.rank:
                return one.rank > two.rank
        return False

    def matches_the_same(self, other: "Template") -> bool:
        """Whether both match exactly the same paths, ignoring names of parameters."""
        ours, theirs = (
            [segment.rank for segment in template.segments] for template in (self, other)
        )
        return ours == theirs

    def covers(self, other: "Template") -> bool:
        """Whether this template certainly matches every path that the other matches.

        False if that depends on how many segments a path parameter of the other takes.
        """
        for index, segment in enumerate(self.segments):
            if segment.kind == _REST and index + 1 == len(self.segments):
                return len(other.segments) > index
            theirs = other.segments[index : index + 1]
            if not theirs or not _segment_covers(segment, theirs[0]):
                return False
        return len(self.segments) == len(other.segments)

    def overlaps(self, other: "Template") -> bool:
        """Whether there is a path that both match."""
        return _paths_overlap(self.segments, other.segments)


def _segment(text: str, names: list[str]) -> Segment:
    prefix, brace, rest = text.partition("{")
    parameter, closing, suffix = rest.partition("}")
    if "{" in suffix:
        separated = text.replace("}{", "}/{")
        inner = re.sub(r"\}[^{}]+\{", "}/{", separated)
        raise TemplateRefused(
            "two parameters share a segment, so it is ambiguous where the first one ends",
            f'write "{inner}", or take one parameter and split it in the endpoint',
        )
    if "}" in prefix or "}" in suffix or bool(brace) != bool(closing):
        raise TemplateRefused("a parameter is written {name} or {name:convertor}")
    if not brace:
        return Segment(_LITERAL, text)
    name, colon, convertor = parameter.partition(":")
    if not _NAME.fullmatch(name):
        raise TemplateRefused("a parameter is written {name} or {name:convertor}")
    names.append(name)
    if convertor == "path":
        if prefix or suffix:
            raise TemplateRefused("a path parameter cannot share its segment with text")
        return Segment(_REST)
    if colon and convertor not in _CONVERTORS:
        raise TemplateRefused(
            f'there is no convertor "{convertor}"; write str, int, float, uuid or path'
        )
    return Segment(_PARAMETER, prefix, suffix, convertor or "str")


def _paths_overlap(one: tuple[Segment, ...], two: tuple[Segment, ...]) -> bool:
    if not one or not two:
        return not one and not two
    if one[0].kind != _REST and two[0].kind == _REST:
        one, two = two, one
    (first, *_), (second, *_) = one, two
    if first.kind != _REST:
        return _segments_overlap(first, second) and _paths_overlap(one[1:], two[1:])
    # A rest parameter takes the other's segment, and then ends or continues.
    if second.kind == _REST:
        tails = ((one[1:], two[1:]), (one, two[1:]), (one[1:], two))
        return any(_paths_overlap(*pair) for pair in tails)
    return _paths_overlap(one[1:], two[1:]) or _paths_overlap(one, two[1:])


# The strings that a segment matches, as steps of one character set each. None is any character.
_Chars = frozenset[str] | None
_ONCE, _MAYBE, _MANY = "once", "maybe", "many"
_Step = tuple[_Chars, str]
_DIGITS: _Step = (frozenset(digits), _MANY)
_UUID: tuple[_Step, ...] = tuple(
    step
    for index, length in enumerate((8, 4, 4, 4, 12))
    for step in (
        *(((frozenset("-"), _MAYBE),) if index else ()),
        *(((frozenset(hexdigits), _ONCE),) * length),
    )
)
_VALUES: dict[str, tuple[tuple[_Step, ...], ...]] = {
    "str": (((None, _MANY),),),
    "int": ((_DIGITS,),),
    "float": ((_DIGITS,), (_DIGITS, (frozenset("."), _ONCE), _DIGITS)),
    "uuid": (_UUID,),
}


def _segments_overlap(one: Segment, two: Segment) -> bool:
    if one.kind == two.kind == _LITERAL:
        return one.prefix == two.prefix
    return any(_strings_overlap(left, right) for left in _patterns(one) for right in _patterns(two))


def _segment_covers(one: Segment, two: Segment) -> bool:
    if _REST in (one.kind, two.kind):
        return False
    if two.kind == _LITERAL:
        return _segments_overlap(one, two)
    if one.kind == _LITERAL:
        return False
    around = two.prefix.startswith(one.prefix) and two.suffix.endswith(one.suffix)
    same = (one.prefix, one.suffix, one.convertor) == (two.prefix, two.suffix, two.convertor)
    return same or (around and one.convertor == "str")


def _patterns(segment: Segment) -> Iterator[tuple[_Step, ...]]:
    before, behind = (
        tuple((frozenset(char), _ONCE) for char in text)
        for text in (segment.prefix, segment.suffix)
    )
    if segment.kind == _LITERAL:
        yield before
        return
    for value in _VALUES[segment.convertor]:
        yield (*before, *value, *behind)


def _strings_overlap(one: tuple[_Step, ...], two: tuple[_Step, ...]) -> bool:
    """Whether some string matches both: follow the pairs of steps that one string can reach."""
    reached, waiting = set[tuple[int, int]](), [(0, 0)]
    while waiting:
        pair = waiting.pop()
        if pair in reached:
            continue
        reached.add(pair)
        if pair == (len(one), len(two)):
            return True
        ours, theirs = one[pair[0] : pair[0] + 1], two[pair[1] : pair[1] + 1]
        waiting += [(pair[0] + 1, pair[1]) for _, times in ours if times == _MAYBE]
        waiting += [(pair[0], pair[1] + 1) for _, times in theirs if times == _MAYBE]
        if ours and theirs and _share_a_character(ours[0][0], theirs[0][0]):
            waiting += [
                (left, right)
                for left in _after(pair[0], ours[0])
                for right in _after(pair[1], theirs[0])
            ]
    return False


def _share_a_character(one: _Chars, two: _Chars) -> bool:
    return one is None or two is None or not one.isdisjoint(two)


def _after(index: int, step: _Step) -> tuple[int, ...]:
    return (index, index + 1) if step[1] == _MANY else (index + 1,)
