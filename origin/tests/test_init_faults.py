"""What `fastgate init` refuses: hosts, documents of a provider, and files that exist already."""

import json
import os
import stat
import time
from pathlib import Path

import pytest

from fastgate.init.hosts import LOCAL, RESERVED, check_hosts, elsewhere, is_below
from fastgate.init.issuer import Chosen
from fastgate.init.provider import discovered
from fastgate.init.writing import check_writable, write_new
from fastgate.wrong_call import Failed, WrongCall
from tests.init_projects import APP, Discovery, files_in, init
from tests.projects import fastgate_in

HOSTS = Path(__file__).parents[2] / "tests" / "data" / "hosts.json"
"""Names, and why they are not on the internet. The tool passes the same cases."""


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("127.0.0.1", "is an address"),
        ("192.0.2.7", "is an address"),
        ("1.2.3", "is an address"),
        ("127.1", "is an address"),
        ("api.0x7f", "is an address"),
        ("[::1]", "is an address"),
        ("2001:db8::1", "is an address"),
        ("x.localhost", "a private network has this name"),
        ("x.local", "a private network has this name"),
        ("db.internal", "a private network has this name"),
        ("localhost", "a private network has this name"),
        ("shop", "a private network has this name"),
        ("wiki.corp", "a private network has this name"),
        ("shop.test", "a reserved name"),
        ("", "write a host name in lower case"),
        ("a.example.com:8000", "write a host name|is an address"),
        ("a.example.com.", "write a host name"),
        ("a.example.com\n", "write a host name"),
    ],
)
def test_a_host_that_the_internet_does_not_have(host: str, message: str) -> None:
    with pytest.raises(WrongCall, match=f"(?s)--host .*(?:{message})"):
        check_hosts(host, "app.example.com")
    with pytest.raises(WrongCall, match=f"(?s)--origin-host .*(?:{message})"):
        check_hosts("api.example.com", host)


def test_each_name_is_where_the_cases_say() -> None:
    cases: dict[str, str | None] = json.loads(HOSTS.read_text())
    assert {host: elsewhere(host) for host in cases} == cases
    assert all(any(is_below(host, [end]) for host in cases) for end in (*LOCAL, *RESERVED))
    for host, where in cases.items():
        if where is None:
            check_hosts(host, "app.example.com")


@pytest.mark.parametrize("what", ["issuer", "jwks_uri"])
def test_what_a_provider_says_is_cut_off(openid: Discovery, what: str) -> None:
    openid.document[what] = "a" * 200_000
    with pytest.raises((Failed, WrongCall), match=f'its {what} is "aaa.*…') as refused:
        discovered(Chosen(openid.url))
    assert len(str(refused.value)) < 1000


def test_a_loop_is_refused(shop_folder: Path, openid: Discovery) -> None:
    check_hosts("xn--api-8la.example.com", "app.4ever.example1")
    ran = init(shop_folder, openid, "--origin-host", "api.example.com")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "the edge would send each request to itself" in ran.stderr
    assert files_in(shop_folder) == []


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "https://[x/jwks",
        "https://a.example.com:99999/jwks",
        "https://a.example.com:0/jwks",
        "https://a.example.com:x/jwks",
        'https://a".example.com/jwks',
        "https://a.example.com/a b",
        "https://\N{GRINNING FACE}.example.com/",
    ],
)
def test_keys_at_no_url(jwks_uri: str, shop_folder: Path, openid: Discovery) -> None:
    openid.document["jwks_uri"] = jwks_uri
    with pytest.raises(WrongCall, match="is no URL"):
        discovered(Chosen(openid.url))


def test_keys_at_no_url_are_an_error_of_the_call(shop_folder: Path, openid: Discovery) -> None:
    openid.document["jwks_uri"] = "https://[x/jwks"
    ran = init(shop_folder, openid)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "its jwks_uri is" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert files_in(shop_folder) == []


@pytest.mark.parametrize("issuer", ["https://a.example.com:0", "https://a.example.com:99999"])
def test_an_issuer_has_a_port_that_exists(issuer: str, shop_folder: Path) -> None:
    ran = init(shop_folder, None, "--issuer", issuer)
    assert ran.returncode == 2
    assert f"--issuer {issuer}: " in ran.stderr


@pytest.mark.parametrize("location", ["https://[x", "http://127.0.0.1:99999/"])
def test_a_redirect_to_no_url(location: str, openid: Discovery) -> None:
    openid.location = location
    with pytest.raises(Failed, match="which is no URL"):
        discovered(Chosen(openid.url))


def test_the_time_for_a_slow_provider_has_a_limit_in_all(openid: Discovery) -> None:
    openid.seconds_for_each_byte = 0.05
    begin = time.monotonic()
    with pytest.raises(Failed, match=r"takes longer than 0\.4 s"):
        discovered(Chosen(openid.url), timeout=0.4)
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("fastly.toml", b"", "is empty"),
        ("fastly.toml", b"# nothing\n", "has no table"),
        ("fastly.toml", b"name = ", "Invalid value"),
        ("fastly.toml", b"\xff", "invalid start byte"),
        ("policy.base.json", b"", "is empty"),
        ("policy.base.json", b"[]", "is not a JSON object"),
        ("policy.base.json", b"{}", "has no members"),
        ("policy.base.json", b"{", "Expecting"),
        ("policy.json", b" \n", "is empty"),
        ("policy.json", b"no", "Expecting value"),
        ("policy.schema.json", b"[]", "is not a JSON object"),
    ],
)
def test_a_file_that_nothing_could_work_with_is_not_kept(
    name: str, content: bytes, message: str, shop_folder: Path, openid: Discovery
) -> None:
    (shop_folder / "edge").mkdir()
    (shop_folder / "edge" / name).write_bytes(content)
    ran = init(shop_folder, openid)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"edge/{name}: " in ran.stderr
    assert message in ran.stderr
    assert "remove it and run `fastgate init` again" in ran.stderr
    assert files_in(shop_folder) == [f"edge/{name}"]


@pytest.mark.parametrize("name", ["policy.base.json", "fastly.toml"])
def test_a_byte_order_mark_is_named(name: str, shop_folder: Path) -> None:
    (shop_folder / "edge").mkdir()
    (shop_folder / "edge" / name).write_text('a = "b"\n', encoding="utf-8-sig")
    ran = init(shop_folder, None)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"edge/{name}: has a byte order mark: save it as UTF-8 without" in ran.stderr


def test_kept_files_that_do_not_fit_are_named(shop_folder: Path, openid: Discovery) -> None:
    assert init(shop_folder, openid).returncode == 0
    (shop_folder / ".github/workflows/fastgate.yml").write_text("name: mine\n")
    (shop_folder / "edge/.gitignore").write_text("")
    (shop_folder / "main.py").write_text(APP.replace("/items", "/things"))
    ran = fastgate_in(shop_folder, "init")
    assert ran.returncode == 0, ran.stderr
    assert "fastgate.yml does not compare this app with its policy" in ran.stdout
    assert "add the line /local/" in ran.stdout
    assert "edge/policy.json is not what the app says now" in ran.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'project = "x"\n', "project is not a table"),
        (b"tool = 1\n", "tool is not a table"),
        (b"[tool]\nfastapi = 3\n", "tool.fastapi is not a table"),
        (b"\xff", "invalid start byte"),
        (b"[", "correct the file"),
    ],
)
def test_a_wrong_pyproject_is_named(
    content: bytes, message: str, shop_folder: Path, openid: Discovery
) -> None:
    (shop_folder / "pyproject.toml").write_bytes(content)
    ran = init(shop_folder, openid)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"{shop_folder}/pyproject.toml: " in ran.stderr
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


def test_tables_of_others_and_a_name_that_is_none_do_not_matter(
    shop_folder: Path, openid: Discovery
) -> None:
    (shop_folder / "pyproject.toml").write_text("[project]\nname = 1\n[tool]\nfastgate = 3\n")
    ran = init(shop_folder, openid)
    assert ran.returncode == 0, ran.stderr
    assert 'name = "my-shop"' in (shop_folder / "edge/fastly.toml").read_text()


def test_a_text_that_cannot_be_encoded_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="nothing was written"):
        write_new({tmp_path / "a": "a", tmp_path / "b/c": "\udcff"})
    assert [*tmp_path.iterdir()] == []


def test_a_dry_run_finds_what_cannot_be_written(shop_folder: Path) -> None:
    with pytest.raises(Failed, match="cannot be written, since of"):
        check_writable([shop_folder / "main.py/new"])
    (shop_folder / "link").symlink_to(shop_folder / "elsewhere")
    with pytest.raises(Failed, match="link cannot be written"):
        check_writable([shop_folder / "link"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_dry_run_finds_a_folder_that_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(Failed, match="cannot be written"):
        check_writable([tmp_path / "new" / "file"])
