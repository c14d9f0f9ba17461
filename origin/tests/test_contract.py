"""The public test vectors, which the edge's tests read too."""

import base64
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from fastgate import EdgeClaims, Refused
from fastgate.content import matched
from fastgate.keys.jwks import read_jwks
from fastgate.keys.key_set import KeySet
from fastgate.keys.origin import read_origin_keys
from fastgate.verify import RequestHead, verify
from tests.make_vectors import DIRECTORY

pytestmark = pytest.mark.anyio


def read(name: str) -> Any:  # noqa: ANN401
    return json.loads((DIRECTORY / name).read_text())


ES256 = (read_jwks((DIRECTORY / "jwks.json").read_bytes()), "")
HS256 = (read_origin_keys(read("origin-keys-orders.json")), "-hs256")
SIGNATURES: list[tuple[KeySet, str]] = [ES256, HS256]
ACCEPTED, REFUSED = read("accepted.json"), read("refused.json")
CONTRACT = Path(__file__).parents[2] / "docs" / "concepts" / "identity-header.md"


def vectors(outcome: str) -> list[Any]:
    return [
        pytest.param(keys, document, vector, id=f"{vector['name']}{suffix}")
        for keys, suffix in SIGNATURES
        for document in [read(f"{outcome}{suffix}.json")]
        for vector in document["vectors"]
    ]


async def judged(keys: KeySet, document: dict[str, Any], vector: dict[str, Any]) -> EdgeClaims:
    request = vector["request"]
    claims = verify(
        vector["header"].encode(),
        keys,
        RequestHead(
            request["method"],
            request["path"].encode(),
            request["query"].encode(),
            websocket=request.get("websocket", False),
        ),
        issuer=document["issuer"],
        audience=document["audience"],
        now=document["now"],
        leeway=document["leeway"],
    )
    if (expected := claims.transaction.content_digest) is not None:
        body = request["body"].encode()

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        await matched({"type": "http", "headers": []}, receive, expected, limit=1000)
    return claims


@pytest.mark.parametrize(("keys", "document", "vector"), vectors("accepted"))
async def test_headers_that_the_contract_allows_are_accepted(
    keys: KeySet, document: dict[str, Any], vector: dict[str, Any]
) -> None:
    claims = await judged(keys, document, vector)
    assert claims.transaction.path == vector["request"]["path"]
    assert claims.transaction.method == vector["request"]["method"]
    assert (claims.transaction.content_digest is not None) == ("body" in vector["request"])


@pytest.mark.parametrize(("keys", "document", "vector"), vectors("refused"))
async def test_headers_that_the_contract_forbids_are_refused_for_their_own_cause(
    keys: KeySet, document: dict[str, Any], vector: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refused:
        await judged(keys, document, vector)
    assert refused.value.code == vector["code"]


@pytest.mark.parametrize("suffix", ["", "-hs256"])
async def test_headers_of_one_algorithm_are_refused_with_keys_of_the_other(suffix: str) -> None:
    document = read(f"accepted{suffix}.json")
    for vector in document["vectors"]:
        with pytest.raises(Refused) as refused:
            await judged((HS256 if not suffix else ES256)[0], document, vector)
        assert refused.value.code == "algorithm-refused"


@pytest.mark.parametrize("audience", ["orders", "billing"])
def test_origin_keys_are_derived_as_the_contract_says(audience: str) -> None:
    derived = read(f"origin-keys-{audience}.json")["keys"]
    for signing, origin in zip(read("signing-keys.json")["keys"], derived, strict=True):
        assert origin["kid"] == signing["kid"]
        # RFC 5869 §2, by hand: extract, then the first block of 32 bytes of expand.
        d, k = (base64.urlsafe_b64decode(f"{text}=") for text in (signing["d"], origin["k"]))
        extracted = hmac.digest(bytes(32), d, "sha256")
        info = b"Fastgate-Identity HS256 " + audience.encode()
        assert hmac.digest(extracted, info + b"\x01", "sha256") == k


def test_every_cause_that_a_header_alone_can_have_has_a_vector() -> None:
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
