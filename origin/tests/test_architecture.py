"""The architecture: which module may import which, what production never imports, and limits."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

import fastgate
from fastgate import testing

PACKAGE = Path(fastgate.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
ORIGIN = Path(__file__).parents[1]

LAYERS = (
    *("errors", "wrong_call", "base64url", "edge_only", "problem", "strict_json", "surrogates"),
    "removed_fields",
    *("path_template", "path_values", "background", "this_machine"),
    *("audience", "requester", "claims", "forwarded", "identity", "local_rules"),
    *("mcp_message", "content"),
    *("conditions", "vocabulary", "requirement"),
    *("refusal_log", "responses"),
    *("keys", "verify"),
    *("declare", "body_check", "routes", "request"),
    *("gateways.gateway", "gateways.evidence"),
    *("dependencies", "requires", "settings", "gateways"),
    *(
        "compile.cache",
        "compile.mcp",
        "compile.callers",
        "compile.endpoints",
        "compile.ineffective",
        "compile",
    ),
    *("stage", "project_file", "toml_text"),
    *("local_edge", "fake_edge", "startup", "middleware", "guard", "guard_settings"),
    *("find_app", "json_documents"),
    *("", "doctor", "testing", "init", "dev", "commands", "__main__"),
)
"""From the lowest to the highest: a module imports its own layer and those before it."""
MAY_COMPILE = {"startup", "guard"}
"""The modules that read an app, once; the rest of production works without the compiler."""
MAY_SIGN = {"startup", "testing", "dev", "commands"}
"""The modules that import `fake_edge`; `startup` does so only for local callers."""
FILES_OF_A_PACKAGE = 15
LINES_OF_A_MODULE = 300
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


def module_of(source: Path) -> str:
    """Return the name of a module below `fastgate`; empty for the package itself."""
    parts = source.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(source): source for source in SOURCES}


def layer_of(module: str) -> str:
    while module and module not in LAYERS:
        module = module.rpartition(".")[0]
    return module


def names_imported(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a file imports anywhere: also within functions, and for types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported(source: Path) -> set[str]:
    """Return the modules of this package that a file imports."""
    found = set()
    for name in names_imported(ast.parse(source.read_text())):
        package, _, inner = name.partition(".")
        if package == "fastgate":
            while inner not in MODULES:
                inner = inner.rpartition(".")[0]
            found.add(inner)
    return found


IMPORTS = {module: imported(source) for module, source in MODULES.items()}


def cycles(imports: Mapping[str, Iterable[str]]) -> Iterator[list[str]]:
    """Yield a path back to its beginning for each import that closes one."""
    done: set[str] = set()

    def follow(module: str, path: list[str]) -> Iterator[list[str]]:
        if module in path:
            yield [*path[path.index(module) :], module]
        elif module not in done:
            for other in sorted(imports.get(module, ())):
                yield from follow(other, [*path, module])
            done.add(module)

    for module in sorted(imports):
        yield from follow(module, [])


def test_a_cycle_is_found() -> None:
    assert list(cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == [["a", "b", "c", "a"]]
    assert list(cycles({"a": {"a"}})) == [["a", "a"]]
    assert list(cycles({"a": {"b", "c"}, "b": {"c"}, "c": ()})) == []


def test_there_are_no_import_cycles() -> None:
    assert list(cycles(IMPORTS)) == []


def test_imports_within_functions_and_for_types_count() -> None:
    tree = ast.parse("if TYPE_CHECKING:\n import a\ndef f():\n from b import c")
    assert set(names_imported(tree)) == {"a", "b.c"}
    assert "fake_edge.local" in IMPORTS["startup"]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_its_own_layer_and_lower_ones(module: str) -> None:
    layer = layer_of(module)
    assert layer in LAYERS, f"{module} has no layer"
    allowed = set(LAYERS[: LAYERS.index(layer) + 1])
    above = {other for other in IMPORTS[module] if layer_of(other) not in allowed}
    assert not above, f"{module} imports what is above it"


def importers(package: str) -> set[str]:
    """Return the modules outside of a package that import from it."""
    return {
        module.partition(".")[0]
        for module, others in IMPORTS.items()
        if not module.startswith(package) and any(other.startswith(package) for other in others)
    }


def test_only_the_examination_of_an_app_compiles_it() -> None:
    tools = {
        "doctor",
        "testing",
        "fake_edge",
        "guard_settings",
        "init",
        "dev",
        "commands",
        "__main__",
    }
    assert importers("compile") - tools == MAY_COMPILE


def test_only_tests_tools_and_local_development_sign() -> None:
    assert importers("fake_edge") - {"doctor"} == MAY_SIGN
    assert importers("doctor") == {"testing", "commands"}
    assert importers("testing") == set()


def loaded_by(program: str) -> set[str]:
    probe = f"import sys, fastgate\nfrom fastapi import FastAPI\n{program}\nprint(*sys.modules)"
    command = [sys.executable, "-W", "ignore", "-c", probe]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return {name for name in ran.stdout.split() if name.startswith("fastgate")}


GUARDED = """
import asyncio
app = FastAPI()
settings = fastgate.Settings(edge='http://localhost', audience='a'{local})
fastgate.guard(app, settings)
messages = iter(({{'type': 'lifespan.startup'}}, {{'type': 'lifespan.shutdown'}}))
async def receive():
    return next(messages)
async def send(message):
    assert 'failed' not in message['type'], message
scope = {{'type': 'lifespan', 'app': app, 'state': {{}}}}
asyncio.run(app(scope, receive, send))
"""


def test_a_guarded_app_starts_in_production_without_code_that_signs() -> None:
    loaded = loaded_by(GUARDED.format(local=""))
    assert "fastgate.startup" in loaded
    tools = (
        *("fastgate.fake_edge", "fastgate.doctor", "fastgate.testing", "fastgate.dev"),
        "fastgate_pytest",
    )
    assert not {name for name in loaded if name.startswith(tools)}


def test_local_callers_bring_the_code_that_signs() -> None:
    local = ", local_caller=fastgate.LocalCaller('ada')"
    assert "fastgate.fake_edge.signing" in loaded_by(GUARDED.format(local=local))


def roots(source: Path) -> set[str]:
    return {name.partition(".")[0] for name in names_imported(ast.parse(source.read_text()))}


def test_only_the_key_source_and_the_set_up_use_http() -> None:
    using = [module for module, source in MODULES.items() if "httpx" in roots(source)]
    assert using == ["commands.token", "init.provider", "keys.source"]


def test_the_verifier_has_no_clock_no_network_and_no_framework() -> None:
    pure = ("verify", "claims", "requester", "forwarded", "strict_json", "errors", "identity")
    for module in (*pure, "keys.jwks", "keys.origin", "keys.key_set"):
        forbidden = {"time", "datetime", "httpx", "asyncio", "anyio", "starlette", "fastapi"}
        assert not roots(MODULES[module]) & forbidden, module
        assert not IMPORTS[module] & {"keys.source", "middleware"}, module


def test_every_module_states_its_input_and_its_output() -> None:
    for source in SOURCES:
        doc = ast.get_docstring(ast.parse(source.read_text())) or ""
        if source.name != "__init__.py":
            assert re.search(r"\bInput:\s.+\bOutput:\s", doc, re.DOTALL), source


def test_no_module_is_long() -> None:
    lines = {source: len(source.read_text().splitlines()) for source in SOURCES}
    assert not {source: count for source, count in lines.items() if count > LINES_OF_A_MODULE}


def test_a_subpackage_exports_nothing_and_has_few_modules() -> None:
    for source in SOURCES:
        if source.name == "__init__.py" and source.parent != PACKAGE:
            (docstring,) = ast.parse(source.read_text()).body
            assert isinstance(docstring, ast.Expr), source
            assert len(list(source.parent.glob("*.py"))) <= FILES_OF_A_PACKAGE, source


def test_the_public_names_are_those_of_all() -> None:
    """All other names are private: no document and no demo needs one."""
    modules = {name.partition(".")[0] for name in MODULES}
    named = {name for name in vars(fastgate) if not name.startswith("_")}
    assert named - modules <= set(fastgate.__all__)
    public = {f"fastgate.{name}" for name in fastgate.__all__}
    public |= {f"fastgate.testing.{name}" for name in testing.__all__}
    pages = [ORIGIN / "README.md", *(ORIGIN.parent / "docs").rglob("*.md")]
    blocks = [block for page in pages for block in PYTHON.findall(page.read_text())]
    sources = [source.read_text() for source in (ORIGIN / "demo").rglob("*.py")]
    used = {name for text in [*blocks, *sources] for name in imported_names(text)}
    assert used
    assert used <= public


def imported_names(text: str) -> set[str]:
    """Return the names that a text imports from this package; examples may be incomplete."""
    found = set()
    for package, names in re.findall(r"(?m)^ *from (fastgate[\w.]*) import ([\w, ]+)", text):
        found |= {f"{package}.{name.strip()}" for name in names.split(",")}
    return found
