"""The examples in the documents work when they are copied, and every link has a target."""

import ast
import dataclasses
import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from starlette.testclient import TestClient

from fastgate import (
    Confirmation,
    Identity,
    LocalCaller,
    NotForwarded,
    Settings,
    guard,
    requires,
)
from fastgate.__main__ import _parser
from fastgate.compile.drift import drift
from fastgate.compile.policy import compile_routes
from fastgate.guard_settings import settings_of
from fastgate.testing import AsCaller

ROOT = Path(__file__).parents[2]
README, PACKAGE = ROOT / "README.md", ROOT / "origin" / "README.md"
GUIDES = ROOT / "docs" / "guides"
COSTS = ROOT / "docs" / "reference" / "costs.md"
PAGES = sorted((ROOT / "docs").glob("**/*.md"))
DOCUMENTS = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")), PACKAGE]
DOCUMENTS += sorted((ROOT / "examples").glob("**/*.md"))
DOCUMENTS += PAGES
TOOL = ROOT / "target" / "debug" / "fastgate-tool"  # `make origin-tests` builds it

needs_tool = pytest.mark.skipif(not TOOL.exists(), reason="the tool is not built here")


def block(page: Path, heading: str, language: str = "python") -> str:
    """Return the first block of code under a heading."""
    section = page.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, heading
    return found[1]


def first_block(page: Path) -> str:
    """Return the first JSON document on a page."""
    return page.read_text().partition("```json\n")[2].partition("```")[0]


@pytest.fixture
def app() -> FastAPI:
    names: dict[str, object] = {}
    exec(block(PACKAGE, "Guard an app"), names)  # noqa: S102
    app = names["app"]
    assert isinstance(app, FastAPI)
    return app


@pytest.mark.parametrize("page", [README, PACKAGE], ids=["README", "origin"])
def test_an_app_is_guarded_in_ten_lines(page: Path) -> None:
    lines = [line for line in block(page, "Guard an app").splitlines() if line.strip()]
    assert len(lines) <= 10


@pytest.mark.parametrize(
    ("heading", "routes"),
    [("Behind another gateway", ["/me"]), ("Both, while the traffic moves", [])],
)
def test_the_policy_of_an_app_that_migrates_can_be_compiled(
    heading: str, routes: list[str]
) -> None:
    names: dict[str, object] = {}
    exec(block(GUIDES / "migrate-from-another-gateway.md", heading), names)  # noqa: S102
    assert [each["path"] for each in compile_routes(names["app"])] == routes


def test_the_example_of_a_test_passes(app: FastAPI, as_caller: AsCaller) -> None:
    names: dict[str, object] = {"app": app}
    exec(block(GUIDES / "test-an-app.md", "Test"), names)  # noqa: S102
    example = names["test_ada_reads_her_order"]
    assert callable(example)
    example(as_caller)


def test_the_first_example_compiles() -> None:
    names: dict[str, object] = {}
    exec(block(README, "Guard an app"), names)  # noqa: S102
    compiled = compile_routes(names["app"])
    assert {route["access"] for route in compiled} == {"authenticated"}


def test_the_first_policy_is_that_of_the_first_app() -> None:
    names: dict[str, object] = {}
    exec(block(README, "Guard an app"), names)  # noqa: S102
    policy = json.loads(block(README, "A policy", "json"))
    assert drift(compile_routes(names["app"]), policy["routes"]) == []


def test_the_local_caller_of_the_guide_has_every_member_and_meets_the_requirements() -> None:
    names: dict[str, object] = {
        "time": time,
        "LocalCaller": LocalCaller,
        "Confirmation": Confirmation,
    }
    exec(block(GUIDES / "run-your-app-locally.md", "Local callers"), names)  # noqa: S102
    ada = names["ada"]
    assert isinstance(ada, LocalCaller)
    unset = LocalCaller("ada")
    members = {each.name for each in dataclasses.fields(LocalCaller)} - {"subject"}
    assert {name for name in members if getattr(ada, name) == getattr(unset, name)} == set()

    app = FastAPI(openapi_url=None)
    seen: list[Identity] = []
    requirement = requires(role="admin", acr=["urn:mfa"], max_age=300, bound=True)

    @app.get("/met")
    async def met(caller: Annotated[Identity, Depends(requirement)]) -> None:
        seen.append(caller)

    edge = "http://127.0.0.1:7676"
    guard(app, Settings(edge=edge, audience="orders", local_callers={"ada": ada, "bob": unset}))
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1)) as client:
        statuses = [
            client.get("/met", headers={"Fastgate-Local-Caller": name}).status_code
            for name in ("ada", "bob", "anonymous")
        ]
    assert statuses == [200, 401, 401]  # the token of bob is not bound
    (caller,) = seen
    assert ({*caller.roles}, {*caller.groups}) == ({"admin"}, {"accounting"})
    assert (caller.tenant, caller.claims) == ("acme", {"email": "ada@acme.example", "org_id": 7})
    assert (caller.session_id, caller.client_id) == ("s-1", "shop")
    with pytest.raises(NotForwarded):
        caller.claims["plan"]


def test_the_examples_of_declarations_compile_to_what_the_guide_says() -> None:
    text = (GUIDES / "declare-access.md").read_text()
    names: dict[str, object] = {}
    for code in re.findall(r"^```python\n(.*?)```", text, re.DOTALL | re.MULTILINE):
        exec(code, names)  # noqa: S102
    routes = {route["id"]: route for route in compile_routes(names["app"])}
    assert {name: route["access"] for name, route in routes.items()} == {
        "get-me": "authenticated",
        "get-orders--int": "authenticated",
        "get-products": "optional",
        "get-terms": "public",
        "get-orders-recent": "authenticated",
        "get-static--path": "public",
        "get-auth-login": "public",
        "get-partners-orders": "public",
        "get-admin": "authenticated",
        "get-tenants--str": "authenticated",
        "put-articles": "authenticated",
        "post-payments": "authenticated",
        "delete-orders--int": "authenticated",
    }
    assert routes["get-admin"]["require"] == {"role": "admin"}
    assert routes["get-tenants--str"]["forward"] == [{"claim": "tenant"}]
    assert routes["put-articles"]["scopes"] == ["articles:write"]
    assert routes["post-payments"]["authentication"] == {"acr": ["urn:mfa"], "max_age": 300}
    assert routes["get-orders--int"]["scopes"] == ["orders:read"]
    assert routes["get-orders-recent"]["limits"] == ["orders"]
    assert routes["delete-orders--int"]["require"] == {"rule": "staff"}


def test_the_example_of_a_mounted_app_is_one_route() -> None:
    text = (GUIDES / "mount-other-apps.md").read_text()
    names: dict[str, object] = {}
    for code in re.findall(r"^```python\n(.*?)```", text, re.DOTALL | re.MULTILINE):
        exec(code, names)  # noqa: S102
    (route,) = compile_routes(names["app"])
    assert (route["path"], route["methods"]) == ("/tools/{path:path}", ["GET", "POST"])


def test_the_example_of_stored_responses_compiles_to_what_the_guide_says() -> None:
    page, names = GUIDES / "cache-behind-a-login.md", dict[str, object]()
    (code,) = re.findall(r"^```python\n(.*?)```", page.read_text(), re.DOTALL | re.MULTILINE)
    exec(code, names)  # noqa: S102
    reading, changing = compile_routes(names["app"])
    assert reading == json.loads(first_block(page))
    assert (changing["methods"], "cache" in changing) == (["PUT"], False)


def test_the_example_of_regions_compiles_to_what_the_guide_says() -> None:
    text = (GUIDES / "several-backends.md").read_text()
    names: dict[str, object] = {}
    for code in re.findall(r"^```python\n(.*?)```", text, re.DOTALL | re.MULTILINE):
        exec(code, names)  # noqa: S102
    (route,) = compile_routes(names["app"])
    written = ", ".join(f'"{name}": {json.dumps(route[name])}' for name in ("regions", "timeout"))
    assert f"writes `{written}`" in text
    settings = settings_of(names["app"])
    assert settings is not None
    assert settings.region == "eu"


@pytest.mark.parametrize("local", ["", "yes"])
def test_the_example_of_local_development_can_be_built(
    local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL", local)
    names: dict[str, object] = {"app": FastAPI(), "os": os}
    example = block(GUIDES / "run-your-app-locally.md", "Develop without an edge")
    exec("from fastgate import *\n" + example, names)  # noqa: S102
    assert (names["local"] is None) == (local == "")


def test_every_example_in_python_is_python() -> None:
    for page in DOCUMENTS:
        if page.parent.name == "reference":
            continue  # signatures
        for code in re.findall(r"^```python\n(.*?)```", page.read_text(), re.DOTALL | re.MULTILINE):
            ast.parse(code)


def test_nothing_is_installed_by_an_unregistered_name() -> None:
    pages = [*DOCUMENTS, *ROOT.glob(".github/**/*.y*ml"), ROOT / "CHANGELOG.md"]
    for page in pages:
        found = re.search(
            r"(pip|pipx|uv|uvx|poetry)\b[^`\n|]*\b(install|add|run)\s+fastgate\b", page.read_text()
        )
        assert found is None, page


def test_every_command_line_of_the_doctor_is_one() -> None:
    lines = re.findall(r"fastgate (doctor [^`\n]+)", (GUIDES / "doctor.md").read_text())
    assert len(lines) == 2
    for line in lines:
        options = _parser().parse_args(shlex.split(line))
        assert (options.audience, options.path) == ("orders", "/me")


def test_the_continuous_integration_runs_all_that_make_test_runs() -> None:
    makefile = (ROOT / "Makefile").read_text()
    tested = re.search(r"^test: (.*?) ##", makefile, re.MULTILINE)
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    called = {
        name for line in re.findall(r"targets: ([a-z -]+) }", workflow) for name in line.split()
    }
    assert tested
    assert set(tested[1].split()) <= called
    assert all(f"\n{name}:" in makefile for name in called)


@needs_tool
@pytest.mark.parametrize(
    ("page", "policy"),
    [
        (README, lambda: block(README, "A policy", "json")),
        (GUIDES / "write-a-policy.md", lambda: first_block(GUIDES / "write-a-policy.md")),
    ],
    ids=["README", "write-a-policy"],
)
def test_the_policies_are_valid(page: Path, policy: Callable[[], str], tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(policy())
    ran = subprocess.run([TOOL, "check", file], capture_output=True, text=True, check=False)  # noqa: S603
    assert ran.stdout == f"{file}: valid\n", page


def test_the_policy_in_the_readme_has_ten_lines_or_so() -> None:
    assert len(block(README, "A policy", "json").splitlines()) <= 10


@needs_tool
def test_explain_prints_what_the_guide_shows() -> None:
    text = (GUIDES / "try-a-policy.md").read_text()
    (example,) = re.findall(
        r"^    \$ fastgate (explain .*?)(?=^\S)", text, re.DOTALL | re.MULTILINE
    )
    command, _, output = re.sub(r"\\\n *", "", example).partition("\n")
    ran = subprocess.run(  # noqa: S603
        [TOOL, *shlex.split(command)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert ran.stdout.split("\n") == [line[4:] for line in output.rstrip().split("\n")] + [""]


def test_the_reference_lists_every_name_in_the_stores() -> None:
    code = (ROOT / "src" / "store_keys.rs").read_text()
    named = set(re.findall(r'const (?:\w+_KEY|SIGNING_KEYS): &str = "([a-z.-]+)"', code))
    named |= {f"{prefix}/" for prefix in re.findall(r'format!\("([a-z]+)/\{[a-z_]*\}"', code)}
    assert {"policy", "switch", "signing-keys", "jwks/", "denied/"} <= named
    text = (ROOT / "docs" / "reference" / "storage.md").read_text()
    listed = set(re.findall(r"^\| `([a-z.-]+/?)(?:<[a-z ]+>)?`", text, re.MULTILINE))
    assert named <= listed


def test_the_steps_of_the_log_are_those_of_the_architecture_in_that_order() -> None:
    def steps(page: str, heading: str) -> list[str]:
        section = (ROOT / "docs" / page).read_text().partition(f"{heading}\n")[2]
        table = section.partition("\n#")[0]
        return re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)

    of_the_log = steps("reference/log-line.md", "### Steps")
    of_the_architecture = steps("concepts/architecture.md", "## The steps")
    assert len(of_the_log) >= 10
    assert of_the_architecture == of_the_log


@pytest.mark.parametrize(
    ("page", "template"), [(COSTS, "costs"), (README, "readme")], ids=["costs", "README"]
)
def test_the_costs_are_as_make_bench_writes_them(page: Path, template: str) -> None:
    text = (ROOT / "dev" / "bench" / f"{template}.template.md").read_text()
    places = re.sub(r"\\{\\{\w+\\}\\}", "(.+?)", re.escape(text))
    assert re.search(places, page.read_text(), re.DOTALL), "run `make bench`, do not edit by hand"


def test_the_readme_has_the_measured_costs() -> None:
    measured, shown = costs_in(COSTS), costs_in(README)
    assert len(shown) >= 5
    assert shown.items() <= measured.items()
    in_the_guest = re.search(
        r"takes ([\d,]+) µs\s.*?takes ([\d,]+) µs", README.read_text(), re.DOTALL
    )
    row = re.search(
        r"^\| RS256 2048 .*\| ([\d.]+) \| ([\d.]+) \|$", COSTS.read_text(), re.MULTILINE
    )
    assert in_the_guest
    assert row
    assert in_the_guest.groups() == tuple(f"{float(cell):,.0f}" for cell in row.groups())


def test_the_chart_has_the_measured_costs() -> None:
    texts = re.findall(r"<text x[^>]*>([^<]*)</text>", COSTS.with_suffix(".svg").read_text())
    assert dict(zip(texts[::2], texts[1::2], strict=True)) == costs_in(COSTS)


def costs_in(page: Path) -> dict[str, str]:
    """Return the cost of each kind of request, relative to a pass-through, as a page has it."""
    table = re.search(r"^\| request \|.*\n\|[- |:]*\n((?:\|.*\n)+)", page.read_text(), re.MULTILINE)
    assert table, page
    rows = re.findall(r"^\| (.*?) \|.*?(?<=\| )(\d+\.\d\d) \|", table[1], re.MULTILINE)
    return dict(rows)


def test_no_command_builds_the_tool_with_other_features() -> None:
    # `cargo run` without the features of the Makefile builds every dependency a second time.
    for page in (*DOCUMENTS, ROOT / "dev" / "demo" / "paste.py"):
        assert "cargo run" not in page.read_text(), page


def test_the_app_in_the_guide_of_the_guard_starts_and_compiles() -> None:
    names: dict[str, object] = {}
    exec(block(GUIDES / "guard-an-app.md", "A whole app"), names)  # noqa: S102
    app = names["app"]
    assert isinstance(app, FastAPI)
    routes = compile_routes(app)
    assert [(route["path"], route["access"]) for route in routes] == [
        ("/", "public"),
        ("/orders/{order_id:int}", "authenticated"),
    ]
    with TestClient(app) as client:  # strict: it starts only without faults
        assert client.get("/health").json() == {"status": "up"}
        assert client.get("/").status_code == 401


def test_actions_are_pinned_to_commits() -> None:
    for workflow in (ROOT / ".github" / "workflows").glob("*.yml"):
        used = re.findall(r"uses: (\S+)( # v\d+\.\d+\.\d+)?$", workflow.read_text(), re.MULTILINE)
        assert used
        for action, version in used:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), action
            assert version, action


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


def test_the_index_lists_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    text = index.read_text()
    listed = {(index.parent / link).resolve() for link in links(text)}
    assert {page for page in PAGES if page != index} - listed == set()


def test_every_page_begins_with_its_audience() -> None:
    for page in PAGES:
        title, empty, first = page.read_text().splitlines()[:3]
        assert title.startswith("# "), page
        assert not empty, page
        assert first.startswith("For "), page


def test_every_link_has_a_target() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in DOCUMENTS
        for link in links(page.read_text(), with_headings=True)
        if not leads_somewhere(page, link)
    ]
    assert not broken


def test_a_broken_link_is_noticed() -> None:
    assert leads_somewhere(README, "docs/README.md#guides")
    assert leads_somewhere(README, "LICENSE")
    for link in ("docs/nowhere.md", "docs/README.md#nothing", "#nothing"):
        assert not leads_somewhere(README, link), link


def links(text: str, *, with_headings: bool = False) -> list[str]:
    """Return the targets in this repository that a document links to."""
    outside_of_code = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"\]\(([^)\s]+)\)", outside_of_code)
    here = [link for link in found if not re.match(r"[a-z]+:", link)]
    return here if with_headings else [link.partition("#")[0] for link in here]


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether the file exists, and, if the link names a heading, whether the file has it."""
    name, _, heading = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return False
    if not heading:
        return True
    headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
    # As GitHub derives them.
    return heading in {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
