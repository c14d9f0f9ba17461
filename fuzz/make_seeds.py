"""Write the seeds in `fuzz/corpus`: small inputs that reach every branch the fuzzer should start from.

Inputs that the fuzzer has found, which are kept as regression tests, are named `found-*`. They stay unchanged.
"""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
CORPUS = ROOT / "fuzz" / "corpus"
NOW = 1_800_000_000

HEADER = '{"alg":"ES256","typ":"at+jwt","kid":"one"}'
CLAIMS = {"iss": "https://idp.test", "aud": "api", "sub": "ada", "iat": NOW - 60, "exp": NOW + 600}
PROOF = {"htm": "GET", "htu": "https://edge.test/me", "iat": NOW, "jti": "one", "ath": "ATH"}
ANSWER = {"active": True, "client_id": "shop", "scope": "orders:read", **CLAIMS}
KEYS = ROOT / "tests" / "data" / "keys"
CONTRACT = ROOT / "tests" / "data" / "contract"
PRIVATE = ("d", "p", "q", "dp", "dq", "qi")


def public(name: str) -> dict[str, object]:
    """Return the public half of a committed key."""
    jwk = json.loads((KEYS / f"{name}.json").read_text())
    return {member: value for member, value in jwk.items() if member not in PRIVATE}


def signed(*parts: object) -> list[str]:
    """Return a JWS signed with the right key, and one signed with another key."""
    text = "\n".join(part if isinstance(part, str) else json.dumps(part) for part in parts)
    return ["s" + text, "x" + text]


def lists() -> list[str]:
    """Return responses of MCP servers, each after the length of pieces."""
    tools = [{"name": "b"}, {"name": "a", "inputSchema": {"type": "object"}}, {"Name": "a"}, 1]
    resources = [{"uri": uri} for uri in ("a://1", "a://b", "A://b", "a://%62", "b://1")]
    templates = [{"uriTemplate": "a://{x}"}, {"uriTemplate": "a://{y}"}]

    def message(**result: object) -> str:
        return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result})

    documents = [
        message(tools=tools, nextCursor="", ttlMs=5, cacheScope="public"),
        message(resources=resources, ttlMs=5),
        message(resourceTemplates=templates, prompts=[{"name": "b"}]),
        message(Tools=tools),
        '{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}',
    ]
    notification = '{"jsonrpc":"2.0","method":"notifications/progress"}'
    events = [
        f": alive\n\nid: 1\ndata:\n\ndata: {notification}\n\nevent: message\ndata: {documents[0]}\n\n",
        f"\ufeffdata: {documents[1]}\r\n\r\ndata: {documents[2]}",
        'data: {"id":1,"result":\rdata: {"tools":[{"name":"b"}\rdata: ,{"name":"a"}]}}\r\r',
        f"data: {documents[3]}\n\n",
        "data: {\n\n",
    ]
    return ["\x07" + text for text in documents + events]


def responses() -> list[str]:
    """Return responses of models, each after the choice of API and form and the length of pieces.

    The choice is the number of the API, plus 8 for JSON, plus 16 if usage is hidden.
    """
    count = {"prompt_tokens": 19, "completion_tokens": 10}
    chunk = {"choices": [{"delta": {"content": 'a "usage":{'}}], "usage": None}
    chat = [json.dumps(chunk), json.dumps({"choices": [], "usage": count}), "[DONE]"]
    result = {"usage": {"input_tokens": 37, "output_tokens": 11}}
    first = {"usage": {"input_tokens": 25, "cache_read_input_tokens": 9, "output_tokens": 1}}
    events = [
        ("response.output_text.delta", {"delta": "Hi"}),
        ("response.completed", {"response": result}),
    ]
    messages = [
        ("message_start", {"message": first}),
        ("content_block_delta", {"delta": {"text": "Hi"}}),
        ("message_delta", {"usage": {"output_tokens": 15}}),
        ("message_stop", {}),
    ]

    def named(chosen: list[tuple[str, dict[str, object]]]) -> str:
        return "".join(
            f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n"
            for name, data in chosen
        )

    def text(choice: int, response: str) -> str:
        return chr(choice) + "\x07" + response

    stream = "".join(f"data: {data}\n\n" for data in chat)
    return [
        text(16, stream),
        text(16, "\ufeff: x\nid: 1\n" + stream.replace("\n", "\r\n")),
        text(16, stream.replace("\n", "\r").rstrip("\r")),
        text(0, stream),
        text(16, 'data: {"choices": [ ],\ndata\ndata:"usage":-1}\n\n'),
        text(1, named(events)),
        text(1, named(events).replace("event", "id")),
        text(3, named(messages)),
        text(3, named(messages).replace("\n", "\r\n").replace("event", "retry")),
        text(8, json.dumps({"a": [{"usage": 1}], "usage": count, "b": "}\\"})),
        text(8, '{"us\\u0061ge" : {"prompt_tokens":1,"completion_tokens":2}, "choices": [] } '),
        text(8, '{"usage":{},"usage":{}}'),
        text(9, json.dumps(result)),
        text(10, json.dumps({"data": [{"embedding": [0.5, -1e-3]}], "usage": count})),
        text(11, json.dumps(first)),
        text(12, '[{"usage":{}}]'),
    ]


def seeds() -> dict[str, list[str]]:
    """Return the seeds of every target."""
    keys = [public("alpha-rsa"), public("alpha-ec")]
    published = json.loads((CONTRACT / "jwks.json").read_text())["keys"]
    recorded_keys = [
        {**{member: key[member] for member in ("kid", "kty", "crv", "x")}, "state": state}
        for key, state in zip(published, ("signing", "signing", "next"), strict=False)
    ]
    private = json.loads((KEYS / "alpha-ec.json").read_text())
    proof_header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": "JWK"}
    client = {
        "address": "192.0.2.7",
        "country": "CH",
        "asn": 64500,
        "connection": "wifi",
        "anonymizers": [],
    }
    recorded = {
        "path": "/orders/7",
        "query": 3,
        "client": client,
        "scopes": ["a"],
        "client_id": "shop",
    }
    return {
        "json_body": [
            '{"model":"small","messages":[{"role":"user","content":"caf\\u00e9 \\ud83e\\udd80"}],"n":1.50e0}',
            ' { "a" : { } , "b":[1,-2,null,true,false,"\\n"] , "\\u0063":"d" } ',
            '{"a":1,"a":2}',
            '{"a":{"b":1,"\\u0062":2}}',
            '{"a":' + "[" * 64 + "]" * 64 + "}",
            '{"a":"\\ud800"}',
            "{}",
            "[]",
            '{"r": {"l": [ 1 , {"a":"]"} ,[2], "x"] }}',
        ],
        "usage": responses(),
        "mcp_list": lists(),
        "path": [
            "/",
            "/orders/7",
            "/%61dmin",
            "/caf%C3%A9/x",
            "/a/../b",
            "/a%2fb",
            "//a",
            "/[1]|b",
            "/%ff",
            "/a b",
            "/%",
        ],
        "request_head": [
            "GET /orders/7?x=1\nhost:edge.test\naccept:*/*\nauthorization:Bearer x",
            "PATCH https://edge.test/a/b?c\nhost:api.edge.test:8443\nconnection:close, x-a\nx-a:1\nx_b:2",
            "GET /files/a/raw\nhost:[::1]\ncookie:a=1\ncookie:b=2\nfastgate-identity:x\ntracestate:a=b",
            "GET /me\nhost:edge.test\nupgrade:websocket\nconnection:upgrade\nsec-websocket-version:13",
            "OPTIONS *\nhost:edge.test",
        ],
        "recorded": [
            json.dumps(recorded),
            "{}",
            '{"path":"/caf%C3%A9/x","query":0,"client":{"proxy":"x"}}',
        ],
        "token": [
            *signed(HEADER, CLAIMS),
            *signed(HEADER, {**CLAIMS, "aud": ["x", "api"], "nbf": NOW, "exp": NOW + 0.5}),
            *signed('{"alg":"none","crit":["b64"],"b64":false,"cty":"JWT"}', CLAIMS),
            *signed(
                HEADER, {**CLAIMS, "exp": NOW - 60, "nonce": "n", "_claim_names": {"scope": "x"}}
            ),
            "rAAAA.e30.AAAA",
        ],
        "proof": [
            *signed(proof_header, PROOF),
            *signed(proof_header, {**PROOF, "nonce": "x", "ath": "y"}),
            "rA.B.C",
        ],
        "introspection": [
            json.dumps(answer)
            for answer in (
                ANSWER,
                {"active": False},
                {**ANSWER, "exp": NOW + 5.5},
                {**ANSWER, "token_type": "DPoP", "cnf": {"jkt": "x"}},
                {**ANSWER, "token_use": "id", "username": "ada"},
                {"active": True, "client_id": "shop", "aud": ["api"], "exp": NOW + 60},
            )
        ],
        "key_record": [
            json.dumps({"version": 1, "keys": entries})
            for entries in (
                [recorded_keys[0]],
                recorded_keys,
                [recorded_keys[0], {**recorded_keys[2], "state": "retired", "since": NOW}],
                [recorded_keys[1]],
                [{**recorded_keys[0], "kid": "one"}],
                [],
            )
        ],
        "key_set": [
            json.dumps({"keys": chosen})
            for chosen in (
                keys,
                keys[:1],
                [
                    {**keys[1], "use": "enc"},
                    keys[0],
                    {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43},
                ],
                [keys[0], private],
                [keys[1], {**keys[1], "kid": "two", "alg": "ES384"}, keys[1]],
                [],
            )
        ],
        "policy": [
            (ROOT / "docs" / "policy-tour.json").read_text(),
            (ROOT / "policy.json").read_text(),
            (ROOT / "fuzz" / "targets" / "requests.json").read_text(),
        ],
    }


def main() -> None:
    """Write the seeds."""
    for target, texts in seeds().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("seed-*"):
            old.unlink()
        for number, text in enumerate(texts):
            (folder / f"seed-{number:02}").write_bytes(text.encode())


main()
