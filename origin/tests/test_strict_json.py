"""Both parsers of JSON return the same values, and refuse the same documents."""

import json
from random import Random

import pytest

from fastgate import strict_json

TEXTS = [
    "",
    "a",
    "é",
    "🦊",
    '"',
    "\\",
    "/",
    "\n",
    "\x01",
    "\x7f",
    "\u2028",
    "a:b",
    "null",
    "\ud800",
]
ESCAPES = ["", "\\u00e9", "\\ud83e\\udd8a", "\\ud800", "\\/", "\\u0041", "\\x", "\t"]
NUMBERS = ["0", "-0", "1", "1.0", "1e3", "1E400", "NaN", "Infinity", "01", "9" * 30, "0.1", "1.10"]


def written(random: Random, depth: int = 0) -> str:
    """Return a document that is JSON, or almost."""
    space = random.choice(["", "", "", " ", "\n", "\f", "\ufeff"])
    kind = random.randrange(6 if depth < 4 else 4)
    if kind == 0:
        return space + random.choice(NUMBERS)
    if kind == 1:
        return space + json.dumps(random.choice(TEXTS), ensure_ascii=random.random() < 0.3)
    if kind == 2:
        return f'{space}"{random.choice(ESCAPES)}"'
    if kind == 3:
        return space + random.choice(["true", "false", "null", "nul", ""])
    if kind == 4:
        return (
            f"[{','.join(written(random, depth + 1) for _ in range(random.randrange(3)))}{space}]"
        )
    names = [random.choice(["a", "b", "c", "\\u0061", "é"]) for _ in range(random.randrange(4))]
    return "{" + ",".join(f'"{name}":{written(random, depth + 1)}' for name in names) + space + "}"


def read(raw: bytes) -> object:
    try:
        return strict_json.parse_object(raw)
    except ValueError:
        return ValueError


def test_an_escaped_name_does_not_change_how_the_same_name_is_read_later() -> None:
    assert read(b'{"\\u0151": 1}') == read('{"\u0151": 1}'.encode()) == {"\u0151": 1}
    assert read('{"\u0151":1}'.encode()) == {"\u0151": 1}  # as the edge spells it


def test_both_parsers_return_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(20261125)  # noqa: S311
    raws = [f'{{"x":{written(random)}}}'.encode("utf-8", "surrogatepass") for _ in range(20_000)]
    quick = [read(raw) for raw in raws]
    plain = sum(strict_json._canonical(raw) is not None for raw in raws)
    monkeypatch.setattr(strict_json, "_canonical", lambda _raw: None)
    for raw, found in zip(raws, quick, strict=True):
        strict = read(raw)
        # In Python 1, 1.0 and True are equal; in JSON they differ.
        assert (repr(found), type(found)) == (repr(strict), type(strict)), raw
    assert 1000 < plain < 19_000
    assert 1000 < quick.count(ValueError) < 19_000


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b" ", b"[]", b"1", b'"x"', b"null", b"{", b"{}{}", b"{} x", b"\xef\xbb\xbf{}"),
        *(b'{"a":1,"a":1}', b'{"a":{"b":1,"b":1}}', b'{"a":1,"\\u0061":1}', b'{"a":NaN}'),
        *(b'{"a":"\\ud800"}', b'{"\\ud800":1}', b'{"a":"\xff"}', b'{"a":01}', b"{'a':1}"),
        *(b'{"a":1e400}', b'{"a":-1e400}', b'{ "a": [1E+999] }'),
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_document_that_is_not_one_unambiguous_object_is_refused(raw: bytes) -> None:
    assert read(raw) is ValueError


@pytest.mark.parametrize("space", ["", " "], ids=["fast", "strict"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_the_edge_and_this_parser_have_the_same_limit_of_depth(
    space: str, opening: str, closing: str
) -> None:
    def nested(depth: int) -> bytes:
        inner = depth - 1  # the object around it is the first level
        return f'{{{space}"a":{opening * inner}1{closing * inner}}}'.encode()

    assert read(nested(127)) is not ValueError
    for depth in (128, 129, 190, 500):
        assert read(nested(depth)) is ValueError, depth


def test_many_containers_side_by_side_are_not_deep() -> None:
    raw = b'{"a":[' + b",".join([b"[{}]"] * 1000) + b"]}"
    assert read(raw) == {"a": [[{}]] * 1000}


def test_white_space_does_not_matter() -> None:
    assert read(b' \t\r\n{ "a" : [ 1 ] } \n') == {"a": [1]}
