"""The rules of the house that imports can show."""

import ast
from pathlib import Path

import fastgate

SOURCES = sorted(Path(fastgate.__file__).parent.rglob("*.py"))


def imports(source: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
            if node.module == "fastgate":
                found.update(f"fastgate.{alias.name}" for alias in node.names)
            else:
                found.add(node.module)
    return found


def test_only_the_verifier_imports_jwt() -> None:
    assert [source.name for source in SOURCES if "jwt" in imports(source)] == ["verify.py"]


def test_only_the_key_source_speaks_http() -> None:
    assert [source.name for source in SOURCES if "httpx" in imports(source)] == ["source.py"]


def test_the_verifier_has_no_clock_no_network_and_no_framework() -> None:
    below = {"verify.py", "claims.py", "strict_json.py", "errors.py", "jwks.py", "identity.py"}
    for source in SOURCES:
        if source.name in below:
            assert not imports(source) & {"time", "datetime", "httpx", "asyncio", "starlette"}
            assert not imports(source) & {"fastapi", "fastgate.keys.source", "fastgate.middleware"}


def test_every_module_says_what_comes_in_and_what_goes_out() -> None:
    for source in SOURCES:
        doc = ast.get_docstring(ast.parse(source.read_text())) or ""
        assert source.name == "__init__.py" or ("In:" in doc and "Out:" in doc), source.name
