"""Random inputs: the signed header and the policy compiler against Hypothesis.

The same examples in every run; `make fuzz-python` looks for new ones (`FASTGATE_FUZZ` is how many).
"""

import json
from typing import Any

from fastapi import FastAPI, Security
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse

from fastgate import EdgeClaims, Refused, fastgate
from fastgate.compile.policy import CannotCompile, compile_routes
from fastgate.keys.key_set import read_key_set
from fastgate.verify import RequestHead, verify
from tests.edge import AUDIENCE, HOST, ISSUER, Edge, payload
from tests.fuzzing import drawing

NOW = 1_800_000_000
HEAD = RequestHead("GET", b"/orders/7", b"", HOST.encode())
FUZZ = drawing(200)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
EDGE = Edge()
KEYS = read_key_set(json.dumps(EDGE.jwks).encode())


def judged(token: bytes) -> EdgeClaims | None:
    """Return the accepted claims. Only a refusal may be raised."""
    try:
        return verify(token, KEYS, HEAD, issuer=ISSUER, audience=AUDIENCE, now=NOW)
    except Refused:
        return None


@FUZZ
@given(st.binary(max_size=400) | st.text(alphabet="AZaz09-_.=", max_size=400).map(str.encode))
def test_nothing_is_accepted_without_a_signature_of_the_edge(token: bytes) -> None:
    assert judged(token) is None


@FUZZ
@given(st.data())
def test_a_header_with_one_changed_octet_is_refused(data: st.DataObject) -> None:
    token = bytearray(EDGE.mint(now=NOW))
    place = data.draw(st.integers(0, len(token) - 1))
    octet = data.draw(st.integers(0, 255).filter(lambda octet: octet != token[place]))
    token[place] = octet
    assert judged(bytes(token)) is None


@FUZZ
@given(st.sampled_from(sorted(payload())), JSON)
def test_a_claim_of_any_value_is_accepted_unchanged_or_refused(name: str, value: object) -> None:
    claims = {**payload(now=NOW), name: value}
    accepted = judged(EDGE.sign(claims))
    if accepted is not None:
        assert (claims["iss"], claims["aud"]) == (ISSUER, AUDIENCE)
        assert accepted.subject == claims.get("sub")
        assert accepted.transaction.method == "GET"


@FUZZ
@given(st.dictionaries(st.sampled_from(["alg", "typ", "ver", "kid", "crit", "b64", "x"]), JSON))
def test_a_jose_header_that_differs_from_the_contract_is_refused(members: dict[str, Any]) -> None:
    header = {**EDGE.jose_header(), **members}
    if judged(EDGE.sign(payload(now=NOW), header)) is not None:
        assert "crit" not in header
        assert (header["alg"], header["ver"], header["kid"]) == ("EdDSA", 2, EDGE.kid)


SEGMENTS = st.sampled_from(
    ["a", "{x}", "{y:int}", "{z:path}", "v{w}", "{u:uuid}.x", "", ".", "é", "a b", "%41"]
)
PATHS = st.lists(SEGMENTS | st.text(max_size=4), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@FUZZ
@given(st.lists(PATHS, min_size=1, max_size=4))
def test_an_app_with_any_paths_compiles_or_reports_faults(paths: list[str]) -> None:
    app = FastAPI(openapi_url=None, dependencies=[Security(fastgate)])
    for number, path in enumerate(paths):
        try:
            app.get(path, name=f"e{number}")(lambda: PlainTextResponse("x"))
        except (AssertionError, ValueError):  # FastAPI itself refuses the path
            continue
    try:
        routes = compile_routes(app)
    except CannotCompile as error:
        assert error.faults  # noqa: PT017 - it need not be raised
        return
    assert all(str(route["path"]).startswith("/") for route in routes)
    assert routes == compile_routes(app)
