"""`fastgate check --publish` against the stand-in for Fastly's API, and without it."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastly_api.app import Fault
from fastly_api.running import Running
from fastly_api.state import Acl, Backend, Link
from pushing import Pushing, policy

HINT = "(a hint, not a fault)"


@pytest.fixture
def shop(api: Running, tmp_path: Path) -> Pushing:
    """Return a published service, and a policy that it can serve."""
    service = Pushing(api, tmp_path)
    service.write(with_places())
    acl = Acl(name="office")
    api.state.acls[acl.id] = acl
    service.version.links.append(Link(name="office", resource_id=acl.id, resource_type="acl"))
    return service


def with_places(hosts: list[str] | None = None) -> str:
    """Return a policy that names an ACL."""
    document = json.loads(policy("/a", hosts=hosts or ["shop.example.com"]))
    document["places"] = {"inside": {"allow": [{"acl": ["office"]}]}}
    document["routes"][0]["from"] = ["inside"]
    return json.dumps(document)


def findings(output: str) -> tuple[set[str], set[str]]:
    """Return the places of the faults, and those of the hints other than about domains for documentation."""
    lines = output.splitlines()
    faults: set[str] = set()
    hints: set[str] = set()
    for at, what in itertools.pairwise(lines):
        if what.startswith("    ") and not what.startswith("    →") and "documentation" not in what:
            (hints if HINT in what else faults).add(at)
    return faults, hints


def unlink(name: str, kind: str) -> Callable[[Pushing], None]:
    """Return what removes a link."""

    def remove(shop: Pushing) -> None:
        links = shop.version.links
        links[:] = [each for each in links if (each.name, each.resource_type) != (name, kind)]

    return remove


def without_backend(name: str) -> Callable[[Pushing], None]:
    """Return what removes a backend."""

    def remove(shop: Pushing) -> None:
        shop.version.backends[:] = [each for each in shop.version.backends if each.name != name]

    return remove


def rename_link(shop: Pushing) -> None:
    """Link the KV store by another name."""
    shop.version.links[0].name = "shop"


def version(shop: Pushing) -> str:
    """Return how findings name the active version."""
    return f"service {shop.service.id}, version 1"


def test_a_service_that_has_everything(shop: Pushing) -> None:
    output = shop("check", "--publish")
    assert findings(output) == (set(), set())
    assert "live service" not in output
    path = f"/service/{shop.service.id}/version"
    asked = [each.target for each in shop.api.requests]
    parts = ["resource", "backend", "domain", "logging/https"]
    assert asked == [path, *(f"{path}/1/{part}" for part in parts)]
    assert all(each.method == "GET" for each in shop.api.requests)


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (unlink("fastgate", "kv-store"), None, "linked to no KV store"),
        (unlink("fastgate", "secret-store"), None, "linked to no Secret Store"),
        (rename_link, None, "fastly kv-store create --name fastgate"),
        (unlink("office", "acl"), "$.places.inside.allow[0].acl", 'the ACL "office"'),
        (without_backend("origin"), "$.origins.shop.backend", 'the backend "origin"'),
        (without_backend("idp"), "$.issuers.login.backend", 'the backend "idp"'),
    ],
)
def test_what_the_active_version_lacks_is_a_fault(
    shop: Pushing, change: Callable[[Pushing], None], place: str | None, words: str
) -> None:
    change(shop)
    for command in (["check", "--publish"], ["push", "--yes"]):
        ran = shop.attempt(*command)
        assert ran.returncode == 1
        assert words in ran.stdout + ran.stderr
        if command[0] == "check" or place:
            assert findings(ran.stdout)[0] == {place or version(shop)}
    assert shop.live is None


def test_a_store_that_only_has_the_name_of_an_acl_is_none(shop: Pushing) -> None:
    unlink("office", "acl")(shop)
    for kind in ("kv-store", "secret-store", "config"):
        shop.version.links.append(Link(name="office", resource_id="other", resource_type=kind))
    assert shop.attempt("check", "--publish").returncode == 1


def plain(shop: Pushing) -> None:
    """Let a backend not use TLS."""
    del shop.version.backends[0].members["use_ssl"]


def override(shop: Pushing) -> None:
    """Let the backends override `Host`. Only an app must know that."""
    for backend in shop.version.backends:
        backend.members["override_host"] = f"{backend.name}.example.com"


def other_domain(shop: Pushing) -> None:
    """Serve another domain."""
    shop.version.domains[:] = ["www.example.com"]


def no_log(shop: Pushing) -> None:
    """Log elsewhere only."""
    shop.version.logging[0].members["name"] = "other"


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (plain, "$.origins.shop.backend", "does not use TLS"),
        (override, "$.origins.shop.backend", 'Settings(backend_host="origin.example.com")'),
        (other_domain, "$.edge.hosts[0]", "fastly service domain create"),
        (no_log, None, 'no log endpoint named "fastgate"'),
        (no_log, None, "fastly service logging https create --name fastgate "),
    ],
)
def test_what_may_be_meant_so_is_a_hint(
    shop: Pushing, change: Callable[[Pushing], None], place: str | None, words: str
) -> None:
    change(shop)
    output = shop("check", "--publish")
    assert findings(output) == (set(), {place or version(shop)})
    assert words in output
    assert words in shop("push", "--yes")
    assert shop.live


def test_domains_and_log_endpoints_of_other_kinds_count(shop: Pushing) -> None:
    other_domain(shop)
    no_log(shop)
    shop.api.state.managed_domains = {"shop.example.com": shop.service.id}
    shop.version.other_logging = {"s3": ["fastgate"], "ftp": ["other"]}
    assert findings(shop("check", "--publish")) == (set(), set())
    assert shop.api.requests[-1].target.endswith("/logging/s3")
    shop.api.state.managed_domains = {"shop.example.com": "another service"}
    assert findings(shop("check", "--publish")) == (set(), {"$.edge.hosts[0]"})
    shop.version.domains[:] = ["*.example.com"]
    assert findings(shop("check", "--publish")) == (set(), set())


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.parametrize("part", ["domain", "logging/https", "managed"])
def test_what_only_hints_need_may_be_unreadable(shop: Pushing, part: str, status: int) -> None:
    path = f"/service/{shop.service.id}/version/1/{part}"
    if part == "managed":
        other_domain(shop)
        path = "/domain-management/"
    for command in (["check", "--publish"], ["push", "--yes"]):
        fault = Fault(status=status, times=1 if status < 500 else 2, method="GET", path=path)
        shop.api.fail(fault)
        output = shop(*command)
        assert fault.times == 0
        assert findings(output) == (set(), {version(shop)})
        assert f"Fastly answered {status}" in output
    assert shop.live


@pytest.mark.parametrize("part", ["", "/1/resource", "/1/backend"])
def test_what_faults_need_must_be_readable(shop: Pushing, part: str) -> None:
    path = f"/service/{shop.service.id}/version{part}"
    shop.api.fail(Fault(status=403, times=9, method="GET", path=path))
    for command in (["check", "--publish"], ["push", "--yes"]):
        ran = shop.attempt(*command)
        assert ran.returncode == 1
        assert f"service {shop.service.id}: Fastly answered 403" in ran.stderr
        assert "the token may not do this" in ran.stderr
        assert "valid" not in ran.stdout
    assert shop.live is None


@pytest.mark.parametrize(("token", "status"), [("revoked", "401"), ("purge-only", "403")])
def test_a_token_that_may_not_read(shop: Pushing, token: str, status: str) -> None:
    ran = shop.attempt("check", "--publish", token=token)
    assert (ran.returncode, f"Fastly answered {status}" in ran.stderr) == (1, True)


def test_a_token_that_only_reads_is_enough(shop: Pushing) -> None:
    ran = shop.attempt("check", "--publish", token="read-only")
    assert (ran.returncode, findings(ran.stdout)) == (0, (set(), set()))


def test_an_unknown_service_and_one_without_an_active_version(shop: Pushing) -> None:
    ran = shop.attempt("check", "--publish", FASTLY_SERVICE_ID="other")
    assert ran.returncode == 1
    assert "service other: Fastly answered 404" in ran.stderr
    shop.version.active = False
    ran = shop.attempt("check", "--publish")
    assert ran.returncode == 1
    assert "has no active version; `fastly compute publish` makes one" in ran.stderr


def test_faults_are_printed_although_the_service_cannot_be_read(shop: Pushing) -> None:
    shop.write(with_places(["127.1"]))
    ran = shop.attempt("check", "--publish", token="revoked")
    assert (ran.returncode, "401" in ran.stderr) == (1, True)
    assert findings(ran.stdout)[0] == {"$.edge.hosts[0]"}


def test_without_a_service_or_a_token_it_says_what_is_missing(shop: Pushing) -> None:
    no_token = shop("check", "--publish", FASTLY_API_TOKEN="")
    assert "hint: with an API token in FASTLY_API_TOKEN, the live service" in no_token
    assert findings(no_token) == (set(), set())
    manifest = shop.folder / "fastly.toml"
    for text, place in [(None, "does not exist"), ('name = "x"\n', "has no [setup.backends]")]:
        manifest.unlink(missing_ok=True)
        if text:
            manifest.write_text(text)
        output = shop("check", "--publish")
        assert "hint: with a service" in output
        assert findings(output) == (set(), {"fastly.toml"})
        assert place in output
    assert shop.api.requests == []
    output = shop("check", "--publish", FASTLY_SERVICE_ID=shop.service.id)
    assert findings(output) == (set(), set())
    assert shop.api.requests


def test_a_check_that_is_not_for_publishing_asks_nothing(shop: Pushing) -> None:
    shop("check")
    assert shop.api.requests == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "0x7f.1", "localhost", "db.internal"]
)
def test_backends_of_the_manifest_that_fastly_cannot_reach(shop: Pushing, address: str) -> None:
    manifest = shop.folder / "fastly.toml"
    text = manifest.read_text()
    manifest.write_text(
        text.replace("[setup.backends.idp]", f'[setup.backends.idp]\naddress = "{address}"')
    )
    shop.version.backends.append(Backend(name="more", members={"address": address}))
    for command in (["check", "--publish"], ["push", "--yes"]):
        ran = shop.attempt(*command)
        assert ran.returncode == 1
        assert findings(ran.stdout)[0] == {"fastly.toml: [setup.backends.idp]"}
        assert address in ran.stdout
    assert shop("check")
