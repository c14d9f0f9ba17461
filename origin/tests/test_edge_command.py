"""`fastgate edge`: what it says about a manifest that it cannot use."""

from pathlib import Path

import pytest

from tests.projects import fastgate_in

SECRET = "of-nobody-else"


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (f'x = \n[a]\ndata = "{SECRET}"\n', "line 1: string values must be quoted"),
        (f'x = 1\ndata = "{SECRET}\n', "line 2: invalid basic string"),
        (f'manifest_version = "{SECRET}"\n', "line 1: a value of another kind"),
        (
            'manifest_version = 3\nname = "a"\n'
            '[[local_server.kv_stores.fastgate]]\nkey = "policy"\nfile = "no.json"\n',
            "relative paths in it begin at the current folder",
        ),
        (None, "No such file or directory"),
    ],
)
def test_a_manifest_with_a_fault_is_named_and_not_quoted(
    manifest: str | None, message: str, tmp_path: Path
) -> None:
    if manifest is not None:
        (tmp_path / "fastly.toml").write_text(manifest)
    ran = fastgate_in(tmp_path, "edge")
    assert ran.returncode == 1
    assert ran.stderr.startswith("fastgate edge: fastly.toml")
    assert message in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert SECRET not in ran.stderr
