"""The stand-in refuses what the real API refuses, and loses nothing when it is told to fail."""

import base64
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastly_api.app import Fault
from fastly_api.running import Running, running
from fastly_api.state import FIRST_GENERATION
from nacl.public import PublicKey, SealedBox
from nacl.signing import VerifyKey
from programs import ROOT

KEYS = "/resources/stores/kv/{}/keys/{}"


@pytest.fixture
def client(api: Running) -> Iterator[httpx.Client]:
    """Return a client whose token may do everything."""
    with httpx.Client(base_url=api.url, headers={"Fastly-Key": "all"}) as opened:
        yield opened


@pytest.fixture
def store(client: httpx.Client) -> str:
    """Return the id of a new KV store."""
    return str(client.post("/resources/stores/kv", json={"name": "s"}).json()["id"])


def test_tokens(api: Running) -> None:
    for token, read, write, purge in [
        ("", 401, 401, 401),
        ("revoked", 401, 401, 401),
        ("read-only", 200, 403, 403),
        ("purge-only", 403, 403, 404),
        ("all", 200, 201, 404),
    ]:
        with httpx.Client(base_url=api.url, headers={"Fastly-Key": token}) as each:
            statuses = (
                each.get("/resources/stores/kv").status_code,
                each.post("/resources/stores/kv", json={"name": token}).status_code,
                each.post("/service/none/purge_all").status_code,
            )
        assert statuses == (read, write, purge), token
    assert [each.name for each in api.state.kv_stores.values()] == ["all"]


def test_a_generation_is_compared_and_does_not_fit_into_63_bits(
    api: Running, client: httpx.Client, store: str
) -> None:
    address = KEYS.format(store, "policy")
    assert client.put(address, params={"add": "true"}, content=b"1").status_code == 200
    lost = client.put(address, params={"add": "true"}, content=b"2")
    assert (lost.status_code, lost.content) == (412, b"")
    generation = client.get(address).headers["generation"]
    assert int(generation) > FIRST_GENERATION
    guarded = {"if-generation-match": generation}
    assert client.put(address, content=b"2", headers=guarded).status_code == 200
    for method in ("PUT", "DELETE"):
        again = client.request(method, address, content=b"3", headers=guarded)
        assert (again.status_code, again.content) == (412, b"")
    assert client.get(address).content == b"2"
    absent = client.put(KEYS.format(store, "new"), content=b"", headers=guarded)
    assert absent.status_code == 412
    rounded = {"if-generation-match": str(float(generation))}
    assert client.put(address, content=b"3", headers=rounded).status_code == 400
    assert api.requests[-1].fields == rounded


@pytest.mark.parametrize(
    ("key", "status"),
    [
        ("k" * 1024, 200),
        ("k" * 1025, 400),
        ("policy%40r1", 200),
        ("a%2Fb", 200),
        ("a/b", 400),
        ("a%3Bb", 400),
        ("a%3Fb", 400),
        (".well-known%2Facme-challenge%2Fx", 400),
        ("%FF", 400),
    ],
)
def test_keys(client: httpx.Client, store: str, key: str, status: int) -> None:
    assert client.put(KEYS.format(store, key), content=b"x").status_code == status


def test_values_metadata_and_lives_have_limits(client: httpx.Client, store: str) -> None:
    address = KEYS.format(store, "k")
    assert client.put(address, content=bytes(25_000_001)).status_code == 413
    assert client.put(address, headers={"metadata": "m" * 2001}).status_code == 400
    assert client.put(address, headers={"metadata": "m" * 2000}).status_code == 200
    assert client.get(address).headers["metadata"] == "m" * 2000
    assert client.put(address, headers={"time_to_live_sec": "0"}).status_code == 400
    both = client.put(address, params={"add": "true", "append": "true"})
    assert both.status_code == 400
    assert client.put(address, params={"append": "true"}, content=b"b").status_code == 200
    assert client.put(address, params={"prepend": "true"}, content=b"a").status_code == 200
    assert client.get(address).content == b"ab"


def test_lists_have_pages(client: httpx.Client, store: str) -> None:
    for key in ("policy@1", "policy@2", "policy@3", "switch"):
        client.put(KEYS.format(store, key), content=b"x")
    query = {"prefix": "policy@", "limit": "2"}
    address = f"/resources/stores/kv/{store}/keys"
    first = client.get(address, params=query).json()
    assert first["data"] == ["policy@1", "policy@2"]
    second = client.get(address, params=query | {"cursor": first["meta"]["next_cursor"]}).json()
    assert (second["data"], "next_cursor" in second["meta"]) == (["policy@3"], False)
    assert client.delete(f"/resources/stores/kv/{store}").status_code == 409


def test_what_does_not_exist(client: httpx.Client, store: str) -> None:
    for method, address in [
        ("GET", KEYS.format(store, "none")),
        ("DELETE", KEYS.format(store, "none")),
        ("GET", KEYS.format("none", "policy")),
        ("GET", "/resources/stores/secret/none/secrets"),
        ("GET", "/resources/acls/none"),
        ("GET", "/service/none"),
        ("PUT", "/service/none/version/1/activate"),
        ("GET", "/elsewhere"),
    ]:
        answer = client.request(method, address)
        assert answer.status_code == 404, address
        assert answer.json().keys() & {"msg", "title"}
    forced = client.delete(KEYS.format(store, "none"), params={"force": "true"})
    assert forced.status_code == 204


def test_a_batch_says_which_lines_it_refuses(client: httpx.Client, store: str) -> None:
    lines = [{"key": "a", "value": "eA=="}, {"key": "b;", "value": "eA=="}, {"key": "c"}]
    content = "\n".join(json.dumps(line) for line in lines)
    kind = {"Content-Type": "application/x-ndjson"}
    address = f"/resources/stores/kv/{store}/batch"
    answer = client.put(address, content=content, headers=kind)
    assert answer.status_code == 400
    assert [each["index"] for each in answer.json()["errors"]] == [1, 2]
    assert client.get(KEYS.format(store, "a")).content == b"x"


def test_secrets_arrive_in_sealed_boxes_and_never_leave(api: Running, client: httpx.Client) -> None:
    store = client.post("/resources/stores/secret", json={"name": "s"}).json()["id"]
    address = f"/resources/stores/secret/{store}/secrets"
    signing = client.get("/resources/stores/secret/signing-key").json()["signing_key"]
    key = client.post("/resources/stores/secret/client-key").json()
    public = base64.b64decode(key["public_key"])
    VerifyKey(base64.b64decode(signing)).verify(public, base64.b64decode(key["signature"]))

    def body(value: bytes) -> dict[str, str]:
        box = SealedBox(PublicKey(public)).encrypt(value)
        sent = {"name": "k", "secret": base64.b64encode(box).decode()}
        return {**sent, "client_key": key["public_key"]}

    assert client.patch(address, json=body(b"x")).status_code == 404
    first = client.post(address, json=body(b"hidden")).json()
    assert client.post(address, json=body(b"hidden")).status_code == 409
    second = client.put(address, json=body(b"hidden")).json()
    assert (second["recreated"], first["digest"] == second["digest"]) == (True, False)
    assert client.put(address, json=body(bytes(65_537))).status_code == 400
    assert client.put(address, json={**body(b"x"), "client_key": "AAAA"}).status_code == 400
    assert client.get(f"{address}/k").json().keys() == {"name", "digest", "created_at"}
    for number in range(10):
        client.put(address, json={**body(b"x"), "name": f"many-{number}"})
    first_page = client.get(address).json()
    cursor = {"cursor": first_page["meta"]["next_cursor"]}
    rest = client.get(address, params=cursor).json()
    assert (len(first_page["data"]), [each["name"] for each in rest["data"]]) == (10, ["many-9"])
    assert client.get(address, params={"cursor": "?"}).status_code == 400
    shown = httpx.get(f"{api.url}/__state").json()["secret_stores"][store]["secrets"]["k"]
    assert base64.b64decode(shown["value"]) == b"hidden"
    assert "hidden" not in httpx.get(f"{api.url}/__requests").text


def archive(files: dict[str, bytes]) -> bytes:
    """Return a gzipped archive of these files."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w:gz") as written:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            written.addfile(entry, io.BytesIO(content))
    return output.getvalue()


WASM = b"\0asm\1\0\0\0"
MANIFEST = b'name = "p"\nlanguage = "other"\n'


def test_versions_packages_and_activation(api: Running, client: httpx.Client) -> None:
    created = client.post("/service", data={"name": "s", "type": "wasm"}).json()
    service = f"/service/{created['id']}"
    first = f"{service}/version/1"
    assert client.post("/service", data={"name": "s", "type": "wasm"}).status_code == 409
    assert client.put(f"{first}/activate").status_code == 400
    client.post(f"{first}/domain", data={"name": "s.edgecompute.app"})
    assert client.put(f"{first}/activate").status_code == 400
    whole = {"p/fastly.toml": MANIFEST, "p/bin/main.wasm": WASM}
    refusals = [
        b"no archive",
        archive({"p/fastly.toml": MANIFEST}),
        archive({**whole, "p/bin/main.wasm": b"text"}),
        archive({**whole, "p/fastly.toml": b"= no TOML"}),
        archive({**whole, "other/file": b""}),
        archive({**whole, "p/../../file": b""}),
    ]
    for content in refusals:
        answer = client.put(f"{first}/package", files={"package": content})
        assert answer.status_code == 400
    assert client.put(f"{first}/package", files={"package": archive(whole)}).status_code == 200
    assert client.put(f"{first}/activate").json()["active"] is True
    backend = {"name": "b", "address": "b.example", "port": "443"}
    locked = client.post(f"{first}/backend", data=backend)
    assert (locked.status_code, locked.json()["detail"]) == (422, "Version is locked")
    assert client.put(f"{first}/clone").json()["number"] == 2
    second = f"{service}/version/2"
    assert client.post(f"{second}/backend", data=backend).status_code == 200
    assert client.post(f"{second}/backend", data=backend).status_code == 409
    assert client.post(f"{second}/backend", data={**backend, "n": "x"}).status_code == 400
    link = {"name": "fastgate", "resource_id": "none"}
    assert client.post(f"{second}/resource", data=link).status_code == 404
    assert client.put(f"{second}/activate").status_code == 200
    assert client.put(f"{first}/activate").status_code == 200  # an older version again
    assert [each.active for each in api.state.service("s").versions] == [True, False]
    assert client.delete(service).status_code == 400


def test_requests_fail_when_told_with_and_without_effect(
    api: Running, client: httpx.Client, store: str
) -> None:
    address = KEYS.format(store, "k")
    api.fail(Fault(status=503, times=2, method="PUT", path="/resources/stores/kv"))
    assert client.get(address).status_code == 404
    assert [client.put(address, content=b"1").status_code for _ in range(3)] == [503, 503, 200]
    fault = {"status": 500, "method": "PUT", "applied": True}
    httpx.post(f"{api.url}/__fail", json=fault)
    assert client.put(address, content=b"2").status_code == 500
    assert client.get(address).content == b"2"


def test_the_program_keeps_its_state_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    command = [sys.executable, "-m", "fastly_api", "--port", "0", "--state", str(file)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        url = child.stdout.readline().strip()
        token = {"Fastly-Key": "all"}
        created = httpx.post(f"{url}/resources/stores/kv", json={"name": "s"}, headers=token)
        httpx.put(f"{url}{KEYS.format(created.json()['id'], 'k')}", content=b"\xff", headers=token)
        child.terminate()
    assert file.stat().st_mode & 0o077 == 0
    with running(file) as again:
        assert again.state.kv_store("s").items["k"].value == b"\xff"
