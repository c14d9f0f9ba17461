"""`fastgate init` writes a service for an app, or says what is missing and writes nothing."""

import json
import tomllib
from pathlib import Path

import fastgate_edge
import pytest

from fastgate.commands.init_files import check_new
from fastgate.init.documents import PROVIDER_BACKEND, Project, base_policy, manifest
from fastgate.init.issuer import Chosen, chosen_issuer
from fastgate.init.provider import MAX_LENGTH, Provider, discovered
from fastgate.init.writing import write_new
from fastgate.wrong_call import Failed, WrongCall
from tests.init_projects import APP, FILES, Discovery, files_in, init
from tests.projects import fastgate_in

UNDECIDED = '@app.get("/news")\nasync def news(): ...\n'
GUARDED = """\
from fastapi import FastAPI
from fastgate import Caller, Settings, guard
app = FastAPI(openapi_url=None)
@app.get("/me")
async def me(caller: Caller): ...
guard(app, Settings(edge="https://gate.example.com", audience="orders"))
"""
ENTRA = "https://login.microsoftonline.com"
TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
COGNITO = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a"
GOOGLE_KEYS = "https://www.googleapis.com/oauth2/v3/certs"


def test_an_existing_app_gets_everything(shop_folder: Path, openid: Discovery) -> None:
    ran = init(shop_folder, openid)
    assert ran.returncode == 0, ran.stderr
    assert files_in(shop_folder) == FILES
    assert "wrote edge/policy.json" in ran.stdout
    assert "The app has no guard yet" in ran.stdout
    policy = json.loads((shop_folder / "edge/policy.json").read_text())
    assert policy == {
        "$schema": "./policy.schema.json",
        "edge": {"issuer": "https://api.example.com", "hosts": ["api.example.com"]},
        "origins": {"app": {"audience": "my-shop", "backend": "app"}},
        "issuers": {
            "provider": {"issuer": openid.url, "backend": "idp", "audiences": ["https://api"]}
        },
        "routes": [
            {
                "id": "get-items",
                "path": "/items",
                "methods": ["GET"],
                "access": "authenticated",
                "scopes": ["items"],
                "forward_token": True,
            }
        ],
    }
    checked = fastgate_in(
        shop_folder, "check", "edge/policy.json", "--manifest", "edge/fastly.toml"
    )
    assert checked.returncode == 0, checked.stdout
    assert fastgate_in(shop_folder, "drift", "edge/policy.json").returncode == 0


def test_the_log_of_the_app_has_no_line_of_init(shop_folder: Path, openid: Discovery) -> None:
    (shop_folder / "main.py").write_text(f"import logging\nlogging.basicConfig(level=20)\n{APP}")
    ran = init(shop_folder, openid)
    assert ran.returncode == 0
    assert "httpx" not in ran.stderr
    assert "HTTP Request" not in ran.stderr


def test_the_manifest_has_nothing_of_the_demo(shop_folder: Path, openid: Discovery) -> None:
    assert init(shop_folder, openid).returncode == 0
    manifest = tomllib.loads((shop_folder / "edge/fastly.toml").read_text())
    assert (manifest["manifest_version"], manifest["language"]) == (3, "other")
    assert manifest["name"] == "my-shop"
    backends = manifest["setup"]["backends"]
    assert (backends["app"]["address"], backends["app"]["port"]) == ("app.example.com", 443)
    assert backends["idp"]["address"] == "127.0.0.1"
    assert manifest["setup"]["kv_stores"]["fastgate"].keys() == {"description"}
    assert manifest["setup"]["secret_stores"]["fastgate"].keys() == {"description"}
    assert manifest["local_server"].keys() == {"backends", "kv_stores", "secret_stores"}
    assert "/local/" in (shop_folder / "edge/.gitignore").read_text().splitlines()


def test_the_build_script_copies_the_guest(tmp_path: Path) -> None:
    assert fastgate_in(tmp_path, "guest", "bin/main.wasm").returncode == 0
    copied = (tmp_path / "bin/main.wasm").read_bytes()
    assert copied == fastgate_edge.guest().read_bytes()


def test_the_workflow_is_at_the_root_and_names_the_app(tmp_path: Path, openid: Discovery) -> None:
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "backend"
    folder.mkdir()
    (folder / "web.py").write_text(APP)
    (folder / "requirements.txt").write_text("fastapi\n")
    ran = init(folder, openid, "web.py:app")
    assert ran.returncode == 0, ran.stderr
    workflow = (tmp_path / ".github/workflows/fastgate-backend.yml").read_text()
    assert 'working-directory: "backend"' in workflow
    assert "- run: fastgate drift web.py:app edge/policy.json\n" in workflow
    assert "- run: pip install -r requirements.txt\n" in workflow
    assert "${{ secrets.FASTLY_API_TOKEN }}" in workflow


def test_the_guard_of_the_app_says_its_audience_and_its_edge(
    shop_folder: Path, openid: Discovery
) -> None:
    (shop_folder / "main.py").write_text(GUARDED)
    options = ["--audience", "a", "--origin-host", "app.example.com"]
    ran = fastgate_in(shop_folder, "init", "--issuer", openid.url, *options)
    assert ran.returncode == 0, ran.stderr
    base = json.loads((shop_folder / "edge/policy.base.json").read_text())
    assert base["origins"]["app"]["audience"] == "orders"
    assert base["edge"]["hosts"] == ["gate.example.com"]
    assert 'Settings(backend_host="app.example.com")' in ran.stdout


def test_the_project_has_a_name_in_pyproject(shop_folder: Path, openid: Discovery) -> None:
    (shop_folder / "pyproject.toml").write_text('[project]\nname = "Big_Shop"\n')
    assert init(shop_folder, openid).returncode == 0
    base = json.loads((shop_folder / "edge/policy.base.json").read_text())
    assert base["origins"]["app"]["audience"] == "big-shop"


def test_what_is_undecided_is_listed_and_a_second_run_compiles(
    shop_folder: Path, openid: Discovery
) -> None:
    (shop_folder / "main.py").write_text(APP + UNDECIDED)
    ran = init(shop_folder, openid)
    assert ran.returncode == 1
    assert f"news (/news, {shop_folder}/main.py:" in ran.stdout
    assert "take `caller: Caller`" in ran.stdout
    assert files_in(shop_folder) == [each for each in FILES if each != "edge/policy.json"]
    kept = {each: (shop_folder / each).read_bytes() for each in files_in(shop_folder)}
    decided = UNDECIDED.replace("\n", "\n@at_edge(access='public')\n", 1)
    (shop_folder / "main.py").write_text(APP + "from fastgate import at_edge\n" + decided)
    again = fastgate_in(shop_folder, "init")
    assert again.returncode == 0, again.stderr
    assert files_in(shop_folder) == FILES
    assert "kept edge/policy.base.json: it exists\n" in again.stdout
    assert {each: (shop_folder / each).read_bytes() for each in kept} == kept


def test_nothing_is_overwritten(shop_folder: Path, openid: Discovery) -> None:
    for each in FILES:
        (shop_folder / each).parent.mkdir(parents=True, exist_ok=True)
    (shop_folder / "edge/fastly.toml").write_text(
        "mine = 1\n[setup.backends.app]\n[setup.backends.idp]\n"
    )
    (shop_folder / FILES[0]).write_text("mine\n")
    ran = init(shop_folder, openid)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (shop_folder / "edge/fastly.toml").read_text().startswith("mine")
    assert (shop_folder / FILES[0]).read_text() == "mine\n"
    assert files_in(shop_folder) == FILES


def test_a_manifest_without_the_backends_is_a_fault(shop_folder: Path, openid: Discovery) -> None:
    (shop_folder / "edge").mkdir()
    (shop_folder / "edge/fastly.toml").write_text("[setup.backends.other]\n")
    ran = init(shop_folder, openid)
    assert ran.returncode == 1
    assert "[setup.backends.app]" in ran.stderr
    assert files_in(shop_folder) == ["edge/fastly.toml"]


def test_routes_of_an_existing_base_are_kept(shop_folder: Path, openid: Discovery) -> None:
    assert init(shop_folder, openid).returncode == 0
    base = shop_folder / "edge/policy.base.json"
    document = json.loads(base.read_text())
    own = {"id": "up", "path": "/up", "methods": ["GET"], "access": "public"}
    base.write_text(json.dumps({**document, "routes": [{**own, "respond": {"status": 204}}]}))
    (shop_folder / "edge/policy.json").unlink()
    assert fastgate_in(shop_folder, "init").returncode == 0
    routes = json.loads((shop_folder / "edge/policy.json").read_text())["routes"]
    assert [each["id"] for each in routes] == ["up", "get-items"]


def test_a_dry_run_shows_everything_and_writes_nothing(
    shop_folder: Path, openid: Discovery
) -> None:
    ran = init(shop_folder, openid, "--dry-run")
    assert ran.returncode == 0
    assert files_in(shop_folder) == []
    assert not (shop_folder / "edge").exists()
    for each in FILES:
        assert f"would write {each}:" in ran.stdout
    assert '    language = "other"\n' in ran.stdout
    assert '"id": "get-items"' in ran.stdout


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        (None, 2, "there is no app in"),
        ("from fastapi import FastAPI\na = FastAPI()\nb = FastAPI()\n", 2, "has several apps"),
        ("1 / 0\n", 1, "ZeroDivisionError: division by zero"),
        ("from fastapi import FastAPI\napp = FastAPI(openapi_url=None)\n", 1, "serves nothing"),
    ],
)
def test_without_a_usable_app_nothing_is_written(
    source: str | None, code: int, message: str, tmp_path: Path, openid: Discovery
) -> None:
    if source is not None:
        (tmp_path / "main.py").write_text(source)
    ran = init(tmp_path, openid)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert message in ran.stderr
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--audience TEXT"),
        (["--issuer", "https://a.example.com", "--preset", "auht0"], "the presets are auth0, "),
        (["--preset", "okta"], "--issuer URL"),
        (["--issuer", "https://a.example.com", "--auth0", "b.example.com"], "several providers"),
        (["--issuer", "http://a.example.com"], "tokens of an issuer without TLS can be forged"),
        (["--issuer", "a.example.com"], "write a URL, https://…"),
        (["--issuer", "https://a.example.com/?x=1"], "no user, query or fragment"),
        (["--issuer", "https://[a"], "--issuer https://[a: "),
        (["--auth0", "shop"], "such as example.eu.auth0.com"),
        (["--auth0", ""], "such as example.eu.auth0.com"),
        (["--okta", "a.okta.com/b?c"], "--okta a.okta.com/b?c: an issuer has a host and a path"),
        (["--entra", "a/b"], "the id of your tenant"),
    ],
)
def test_a_wrong_call_says_what_to_write(
    arguments: list[str], message: str, shop_folder: Path
) -> None:
    ran = fastgate_in(shop_folder, "init", *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr
    assert files_in(shop_folder) == []


@pytest.mark.parametrize("host", ["https://api.example.com", "API.example.com", "a..b", "-a.b"])
def test_a_host_is_a_name(host: str, shop_folder: Path, openid: Discovery) -> None:
    ran = init(shop_folder, openid, f"--host={host}")
    assert ran.returncode == 2
    assert f"--host {host}: write a host name" in ran.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"document": {"issuer": "https://other.example.com"}}, "byte for byte"),
        ({"document": {}}, "its issuer is null"),
        ({"body": b"<html>"}, "is not JSON"),
        ({"body": b"[]"}, "is not a JSON object"),
        ({"body": b"[" * 100_000}, "is not JSON"),
        ({"body": b'{"issuer": "a", "issuer": "b"}'}, "duplicate member"),
        ({"body": b'{"issuer": "a", "x": NaN}'}, "not a JSON number"),
        ({"body": b'{"a":' + b"[" * 200 + b"]" * 200 + b"}"}, "nested too deeply"),
        ({"body": b"\xff"}, "can't decode byte"),
        ({"body": b" " * (MAX_LENGTH + 1)}, "this is no discovery document"),
        ({"status": 404}, "has the status 404"),
        ({"location": "http://localhost:1/x"}, "redirects to http://localhost:1, another host"),
        ({"location": "/loop"}, "redirects more than 3 times"),
    ],
)
def test_a_wrong_discovery_document_is_refused(
    changes: dict[str, object], message: str, shop_folder: Path, openid: Discovery
) -> None:
    for name, value in changes.items():
        setattr(openid, name, value)
    ran = init(shop_folder, openid)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert message in ran.stderr
    assert files_in(shop_folder) == []


@pytest.mark.parametrize(
    "jwks_uri", [None, 1, "", "/jwks", "http://keys.example.com/jwks", "https://u@a.example.com/"]
)
def test_keys_are_fetched_by_https_only(jwks_uri: object, openid: Discovery) -> None:
    openid.document["jwks_uri"] = jwks_uri
    with pytest.raises(Failed, match="its jwks_uri is "):
        discovered(Chosen(openid.url))


def test_keys_on_another_host_need_a_preset(openid: Discovery) -> None:
    openid.document["jwks_uri"] = "https://keys.example.com/jwks"
    with pytest.raises(Failed, match=r"another host, keys\.example\.com"):
        discovered(Chosen(openid.url))
    found = discovered(Chosen(openid.url, "google"))
    assert (found.address, found.port, found.origin) == (
        "keys.example.com",
        443,
        "https://keys.example.com",
    )


def test_a_provider_that_is_not_there_is_named(shop_folder: Path, openid: Discovery) -> None:
    gone = "http://127.0.0.1:9/tenant"
    ran = init(shop_folder, None, "--issuer", gone)
    assert ran.returncode == 1
    assert f"{gone}/.well-known/openid-configuration cannot be read" in ran.stderr


def test_redirects_of_the_same_host_are_followed(openid: Discovery) -> None:
    openid.location = "/moved?to=here"
    assert discovered(Chosen(openid.url)).issuer == openid.url
    assert openid.paths == ["/tenant/.well-known/openid-configuration", "/moved?to=here"]


@pytest.mark.parametrize(
    ("preset", "issuer", "jwks_uri"),
    [
        (None, "https://id.example.com", "https://id.example.com/jwks"),
        ("auth0", "https://a.auth0.com/", "https://a.auth0.com/jwks"),
        ("okta", "https://a.okta.com/oauth2/default", "https://a.okta.com/jwks"),
        ("entra", f"{ENTRA}/{TENANT}/v2.0", f"{ENTRA}/{TENANT}/discovery/v2.0/keys"),
        ("cognito", COGNITO, f"{COGNITO}/.well-known/jwks.json"),
        ("keycloak", "https://a.example.com/realms/a", "https://a.example.com/certs"),
        ("hydra", "https://a.example.com/", "https://a.example.com/jwks.json"),
        ("google", "https://accounts.google.com", GOOGLE_KEYS),
    ],
)
def test_each_preset_gets_a_valid_policy(preset: str | None, issuer: str, jwks_uri: str) -> None:
    found = Provider(issuer, preset, jwks_uri)
    project = Project("a", "api.example.com", "https://api", found)
    check_new(base_policy(project), manifest("a", "app.example.com", {PROVIDER_BACKEND: found}))


def test_a_policy_with_faults_is_not_written(shop_folder: Path, openid: Discovery) -> None:
    ran = init(shop_folder, openid, "--preset", "google")  # its keys are on a host of Google's
    assert ran.returncode == 1
    assert "the policy has faults, so nothing was written" in ran.stderr
    assert files_in(shop_folder) == []


@pytest.mark.parametrize(
    ("option", "value", "issuer"),
    [
        ("auth0", "Shop.eu.auth0.com", "https://shop.eu.auth0.com/"),
        ("auth0", "https://shop.eu.auth0.com/", "https://shop.eu.auth0.com/"),
        ("okta", "shop.okta.com", "https://shop.okta.com/oauth2/default"),
        ("okta", "shop.okta.com/oauth2/aus1", "https://shop.okta.com/oauth2/aus1"),
        ("okta", "SHOP.okta.com.", "https://shop.okta.com/oauth2/default"),
        ("entra", "aaaabbbb-0000", "https://login.microsoftonline.com/aaaabbbb-0000/v2.0"),
        ("entra", "AAAABBBB-0000", "https://login.microsoftonline.com/aaaabbbb-0000/v2.0"),
    ],
)
def test_a_preset_knows_the_issuer_of_an_account(option: str, value: str, issuer: str) -> None:
    options = dict.fromkeys(("issuer", "preset", "auth0", "okta", "entra")) | {option: value}
    assert chosen_issuer(**options, presets=["auth0"]) == Chosen(issuer, option)


def test_no_provider_is_chosen_without_options() -> None:
    options = dict.fromkeys(("issuer", "preset", "auth0", "okta", "entra"))
    assert chosen_issuer(**options, presets=[]) is None
    with pytest.raises(WrongCall, match='there is no preset "x"'):
        chosen_issuer(**options | {"preset": "x"}, presets=[])


def test_an_audience_that_is_not_utf_8_is_named(shop_folder: Path) -> None:
    ran = init(shop_folder, None, "--issuer", "http://127.0.0.1:9", "--audience", "a\udcff")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert r"--audience a\udcff: is not UTF-8" in ran.stderr
    assert files_in(shop_folder) == []


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    (tmp_path / "blocked").write_text("a file where a folder should be")
    files = {tmp_path / "new/a": "a", tmp_path / "new/deep/b": "b", tmp_path / "blocked/c": "c"}
    with pytest.raises(Failed, match="nothing was written"):
        write_new(files)
    assert [each.name for each in tmp_path.iterdir()] == ["blocked"]
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Failed, match="File exists"):
        write_new({tmp_path / "link": "x"})
    assert not (tmp_path / "elsewhere").exists()
