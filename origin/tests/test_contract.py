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
from fastgate.keys.jwks import read_exchange_key
from fastgate.keys.key_set import KeySet, read_key_set
from fastgate.keys.origin import OriginKeys, mac_key, mac_kid, private_key, read_origin_keys
from fastgate.verify import RequestHead, verify

pytestmark = pytest.mark.anyio

DIRECTORY = Path(__file__).parents[2] / "tests" / "data" / "contract"
CONTRACT = Path(__file__).parents[2] / "docs" / "concepts" / "identity-header.md"


def read(name: str) -> Any:  # noqa: ANN401
    return json.loads((DIRECTORY / name).read_text())


JWKS = (DIRECTORY / "jwks.json").read_bytes()
ACCEPTED, REFUSED = read("accepted.json"), read("refused.json")
OWN = OriginKeys(read_origin_keys(read("origin-key.json")), ACCEPTED["audience"])
KEYS = read_key_set(JWKS, OWN)


def vectors(document: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(document, vector, id=vector["name"].replace(" ", "-"))
        for vector in document["vectors"]
    ]


async def judged(
    document: dict[str, Any], vector: dict[str, Any], keys: KeySet = KEYS
) -> EdgeClaims:
    request = vector["request"]
    claims = verify(
        vector["header"].encode(),
        keys,
        RequestHead(
            request["method"],
            request["path"].encode(),
            request["query"].encode(),
            request["host"].encode(),
            websocket=request.get("websocket", False),
        ),
        issuer=document["issuer"],
        audience=document["audience"],
        now=document["now"],
        leeway=document["leeway"],
    )
    if claims.transaction.content_digest is not None:
        body = request["body"].encode()

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        await matched({"type": "http", "headers": []}, receive, claims.transaction, limit=1000)
    return claims


@pytest.mark.parametrize(("document", "vector"), vectors(ACCEPTED))
async def test_headers_that_the_contract_allows_are_accepted(
    document: dict[str, Any], vector: dict[str, Any]
) -> None:
    claims = await judged(document, vector)
    judgement, request = claims.transaction, vector["request"]
    assert (judgement.path, judgement.method) == (request["path"], request["method"])
    assert judgement.host == request["host"]
    assert (judgement.content_digest is not None) == ("body" in request)


@pytest.mark.parametrize(("document", "vector"), vectors(ACCEPTED))
async def test_what_the_edge_says_of_the_caller_arrives_unchanged(
    document: dict[str, Any], vector: dict[str, Any]
) -> None:
    requester = (await judged(document, vector)).requester
    body = vector["header"].split(".")[1]
    signed = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["rctx"]
    confirmation, groups = requester.confirmation, requester.groups
    read = {
        "iss": requester.issuer,
        "client_id": requester.client_id,
        "token_exp": requester.token_expires_at,
        "cnf": confirmation
        and {"jkt": confirmation.jkt, "x5t#S256": confirmation.x5t_s256, "osc": None},
        "roles": sorted(requester.roles) or None,
        "groups": None if groups is None else sorted(groups),
        "tenant": requester.tenant,
        "claims": dict(requester.claims) or None,
        "auth_time": requester.authenticated_at,
        "acr": requester.acr,
        "sid": requester.session_id,
        "region": requester.region,
        "country": requester.country,
        "subdivision": requester.subdivision,
        "continent": requester.continent,
        "asn": requester.asn,
        "connection": requester.connection,
        "proxy": requester.proxy,
        "shoe_size": None,
    }
    for name, value in read.items():
        expected = signed.get(name)
        if name == "cnf" and expected:
            expected = {"jkt": None, "x5t#S256": None, **expected, "osc": None}
        if name == "roles" and expected:
            expected = sorted(expected)
        # As text, because in Python 1 is True and 1.0.
        assert json.dumps(value, sort_keys=True) == json.dumps(expected, sort_keys=True), name
    assert signed.keys() <= read.keys()


@pytest.mark.parametrize(("document", "vector"), vectors(REFUSED))
async def test_headers_that_the_contract_forbids_are_refused_for_their_own_cause(
    document: dict[str, Any], vector: dict[str, Any]
) -> None:
    with pytest.raises(Refused) as refused:
        await judged(document, vector)
    assert refused.value.code == vector["code"]


async def test_an_origin_without_a_key_accepts_the_signatures_and_no_mac() -> None:
    keys = read_key_set(JWKS)
    by_mac = 0
    for vector in ACCEPTED["vectors"]:
        head = vector["header"].split(".")[0]
        if json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == "EdDSA":
            await judged(ACCEPTED, vector, keys)
            continue
        by_mac += 1
        with pytest.raises(Refused) as refused:
            await judged(ACCEPTED, vector, keys)
        assert refused.value.code == "key-unknown"
    assert 0 < by_mac < len(ACCEPTED["vectors"])


@pytest.mark.parametrize("vector", read("mac-keys.json")["keys"], ids=lambda each: each["kid"][:8])
def test_mac_keys_are_derived_as_the_contract_says(vector: dict[str, Any]) -> None:
    edge, own = read_exchange_key(vector["edge"]), private_key(vector["origin"])
    secret = own.shared_with(edge)
    assert secret.hex() == vector["shared_secret"]
    assert mac_kid(edge, own.public) == vector["kid"]
    key = mac_key(secret, edge, own.public, vector["audience"])
    expected = hmac.digest(bytes.fromhex(vector["key"]), b"signed", "sha256")
    assert key.mac(b"signed") == expected


def test_every_cause_that_a_header_alone_can_have_has_a_vector() -> None:
    codes = {vector["code"] for vector in REFUSED["vectors"]}
    # These need a request or an app, not a header.
    elsewhere = {"header-missing", "header-repeated", "route-mismatch", "evidence-missing"}
    elsewhere |= {"not-local", "edge-not-configured", "rule-not-enforced", "region-mismatch"}
    # These are about the assertions of other gateways.
    elsewhere |= {"assertion-repeated", "signer-mismatch"}
    assert codes | elsewhere == {kind.code for kind in Refused.__subclasses__()}


def test_every_claim_of_the_contract_is_in_a_vector() -> None:
    documented = set(re.findall(r"`((?:[tr]ctx\.)?[a-z_]+)`[^|]*\|", CONTRACT.read_text()))
    seen: set[str] = set()
    for vector in ACCEPTED["vectors"]:
        seen |= _members(vector["header"])
    assert seen - {"shoe_size", "rctx.shoe_size", "tctx", "rctx"} <= documented | {"exp"}
    assert {"tctx.query", "tctx.host", "scope", "req_wl", "txn"} <= seen & documented
    of_the_requester = {name for name in documented if name.startswith("rctx.")}
    assert of_the_requester <= seen


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
