"""Python reads templates as the edge does."""

import itertools
import random
import re

import pytest
from starlette.routing import compile_path

from fastgate.path_template import Template, TemplateRefused

UUID = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("orders", "begins with"),
        ("/a//b", "empty or a dot"),
        ("/a/../b", "empty or a dot"),
        ("/{", "written"),
        ("/a}", "written"),
        ("/{1a}", "written"),
        ("/{}", "written"),
        ("/{a}-{b}", "two parameters"),
        ("/x{a:path}", "share its segment"),
        ("/{a:path}/{b:path}", "more than one"),
        ("/{a}/{a}", "the same name"),
        ("/{a:regex}", "no convertor"),
        ("/a?b", "contains a control"),
        ("/caf%C3%A9", "percent-encoded"),
        ("/{a}%2f", "percent-encoded"),
    ],
)
def test_templates_that_the_edge_refuses_are_refused(source: str, why: str) -> None:
    with pytest.raises(TemplateRefused, match=why):
        Template.parse(source)


def test_the_more_specific_template_comes_first() -> None:
    ordered = [
        *("/{p:path}", "/{a}/{p:path}", "/{a}", "/{a:float}", "/{a:int}", "/{a:uuid}"),
        *("/{a}.csv", "/v{a}.csv", "/me"),
    ]
    for less, more in itertools.combinations(map(Template.parse, ordered), 2):
        if less.overlaps(more):
            assert more.goes_before(less), (less.source, more.source)
            assert not less.goes_before(more), (less.source, more.source)


def test_the_longer_of_two_tails_after_a_rest_comes_first() -> None:
    longer, shorter = Template.parse("/{p:path}/{x}/a"), Template.parse("/{p:path}/a")
    assert longer.goes_before(shorter)
    assert not shorter.goes_before(longer)


@pytest.mark.parametrize(
    ("one", "two", "overlap"),
    [
        ("/me", "/{who}", True),
        ("/me", "/{who:int}", False),
        ("/7", "/{who:int}", True),
        ("/a/{x}", "/{y}/b", True),
        ("/a/{x}", "/b/{x}", False),
        ("/{x}", "/{x}/", False),
        ("/{x:int}", "/{x:float}", True),
        ("/{x:int}", "/{x:uuid}", True),  # 32 digits are both
        ("/{x:int}", "/{x:int}.csv", False),
        ("/{x:float}", "/{x:int}.5", True),
        ("/{x}.csv", "/v{x}", True),
        ("/a{x}", "/b{x}", False),
        ("/{x:uuid}", "/0{x:int}", True),
        ("/{x:uuid}", f"/{UUID}", True),
        ("/{p:path}", "/", True),
        ("/a/{p:path}", "/a", False),
        ("/a/{p:path}", "/a/", True),
        ("/{p:path}/b", "/a/{q:path}", True),
        ("/{p:path}/b", "/b", False),
        ("/{p:path}/b", "/a/c", False),
        ("/{p:path}/b/c", "/{q:path}/c", True),
        ("/{p:path}/b", "/{q:path}/c", False),
    ],
)
def test_overlap_means_that_one_path_matches_both(one: str, two: str, overlap: bool) -> None:
    left, right = Template.parse(one), Template.parse(two)
    assert left.overlaps(right) is right.overlaps(left) is overlap


@pytest.mark.parametrize(
    ("one", "two", "covered"),
    [
        ("/api/{p:path}", "/api/me", True),
        ("/api/{p:path}", "/api/", True),
        ("/api/{p:path}", "/api/{q:path}", True),
        ("/api/{p:path}", "/api", False),
        ("/api/{p:path}", "/{q:path}", False),
        ("/api/{p:path}", "/{tenant}/orders", False),
        ("/{tenant}/{p:path}", "/{other}/orders", True),
        ("/{tenant}/{p:path}", "/a/orders/{order:int}", True),
        ("/{tenant}/{p:path}", "/v{other:int}/orders", True),
        ("/{tenant:int}/{p:path}", "/{other}/orders", False),
        ("/{tenant:int}/{p:path}", "/7/orders", True),
        ("/{tenant:int}/{p:path}", "/a/orders", False),
        ("/v{tenant}/{p:path}", "/{other}/orders", False),
        ("/{tenant}/{p:path}", "/{q:path}/orders", False),
        ("/{p:path}", "/", True),
        ("/me", "/me", True),
        ("/{who}", "/me", True),
        ("/{who}", "/me/", False),
    ],
)
def test_a_template_covers_templates_that_are_certainly_below_it(
    one: str, two: str, covered: bool
) -> None:
    assert Template.parse(one).covers(Template.parse(two)) is covered


def test_templates_that_match_one_path_in_starlette_overlap() -> None:
    dice = random.Random(5)  # noqa: S311
    segments = ["a", "7", "{}", "{:int}", "{:float}", "{:uuid}", "{}.csv", "v{}", "v{:int}", ""]
    values = ["a", "7", "1.5", "v7", "v7.csv", "x.csv", UUID, UUID.replace("-", ""), "0" * 32, "v"]

    def generated() -> str:
        parts = dice.choices(segments[:-1], k=dice.randint(1, 3))
        if dice.random() < 0.3:
            parts[dice.randrange(len(parts))] = "{:path}"
        names = [re.sub(r"{(:?)", rf"{{p{i}\1", part) for i, part in enumerate(parts)]
        return "/" + "/".join(names) + dice.choice(["", "", "/"])

    both = 0
    for _ in range(3000):
        one, two = generated(), generated()
        patterns = [compile_path(source)[0] for source in (one, two)]
        left, right = Template.parse(one), Template.parse(two)
        overlap, covers = left.overlaps(right), left.covers(right)
        for _ in range(10):
            path = "/" + "/".join(dice.choices(values, k=dice.randint(1, 4)))
            first, second = (bool(pattern.match(path)) for pattern in patterns)
            if first and second:
                both += 1
                assert overlap, (one, two, path)
            assert first or not (second and covers), (one, two, path)
    assert both > 300, "the generator produces paths that match"
