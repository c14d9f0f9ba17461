"""The public test vectors, which the edge's tests read too."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fastgate import EdgeClaims, Refused
from fastgate.jwks import read_jwks
from fastgate.verify import RequestHead, verify
from tests.make_vectors import DIRECTORY

ACCEPTED, REFUSED = (
    json.loads((DIRECTORY / name).read_text()) for name in ("accepted.json", "refused.json")
)
CONTRACT = Path(__file__).parents[2] / "docs" / "identity-header.md"


def judged(document: dict[str, Any], vector: dict[str, Any]) -> EdgeClaims:
    request = vector["request"]
    return verify(
        vector["header"].encode(),
        read_jwks((DIRECTORY / "jwks.json").read_bytes()),
        RequestHead(request["method"], request["path"].encode(), request["query"].encode()),
        issuer=document["issuer"],
        audience=document["audience"],
        now=document["now"],
        leeway=document["leeway"],
    )


@pytest.mark.parametrize("vector", ACCEPTED["vectors"], ids=lambda vector: vector["name"])
def test_what_the_contract_allows_is_believed(vector: dict[str, Any]) -> None:
    claims = judged(ACCEPTED, vector)
    assert claims.transaction.path == vector["request"]["path"]
    assert claims.transaction.method == vector["request"]["method"]


@pytest.mark.parametrize("vector", REFUSED["vectors"], ids=lambda vector: vector["name"])
def test_what_the_contract_forbids_is_refused_for_its_own_cause(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        judged(REFUSED, vector)
    assert refused.value.code == vector["code"]


def test_every_cause_that_a_header_alone_can_have_has_its_vector() -> None:
    codes = {vector["code"] for vector in REFUSED["vectors"]}
    # These need a request or an app, not a header.
    elsewhere = {"header-missing", "header-repeated", "route-mismatch", "evidence-missing"}
    elsewhere |= {"not-local"}
    assert codes | elsewhere == {kind.code for kind in Refused.__subclasses__()}


def test_every_claim_of_the_contract_is_in_a_vector() -> None:
    documented = set(re.findall(r"`((?:[tr]ctx\.)?[a-z_]+)`[^|]*\|", CONTRACT.read_text()))
    seen: set[str] = set()
    for vector in ACCEPTED["vectors"]:
        seen |= _members(vector["header"])
    assert seen - {"shoe_size", "tctx", "rctx"} <= documented | {"exp"}
    assert {"tctx.query", "rctx.country", "scope", "txn"} <= seen & documented


def _members(header: str) -> set[str]:
    body = header.split(".")[1]
    payload: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    nested = {
        f"{name}.{inner}"
        for name, value in payload.items()
        if isinstance(value, dict)
        for inner in value
    }
    return set(payload) | nested
