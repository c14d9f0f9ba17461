"""`fastgate keys rotate` for a service whose keys are in one secret."""

from pathlib import Path

import pytest
from fastly_api.app import Fault
from fastly_api.state import Item
from programs import program, run
from rotating import PREFIX, Rotating


def test_keys_of_one_secret_become_secrets_of_their_own(rotating: Rotating, tmp_path: Path) -> None:
    private = run(program("FASTGATE_TOOL"), "keys", "new")
    rotating.keep_former(private)
    before = rotating.published
    ran = rotating.rotate_attempt()
    assert (ran.returncode, "--from FILE" in ran.stderr) == (1, True)
    file = tmp_path / "keys.json"
    file.write_text(run(program("FASTGATE_TOOL"), "keys", "new"))
    other = rotating.rotate_attempt("--from", file)
    assert (other.returncode, "publishes other keys" in other.stderr) == (1, True)
    assert rotating.record == []
    file.write_text(private)
    assert "due: take over 2 keys" in rotating.rotate("--from", file, "--dry-run")
    assert rotating.named == set()
    path = f"/resources/stores/kv/{rotating.store.id}/keys/edge-keys"
    rotating.api.fail(Fault(status=503, times=2, method="PUT", path=path, applied=True))
    assert rotating.rotate_attempt("--from", file).returncode == 1
    output = rotating.rotate("--from", file)
    assert (rotating.published, rotating.ids("signing"), rotating.named) == (before, before, before)
    assert "secret-store-entry delete" in output
    del rotating.secrets.secrets["signing-keys"]
    rotating.rotate("--from", file)
    file.write_text(run(program("FASTGATE_TOOL"), "keys", "new"))
    refused = rotating.rotate_attempt("--from", file)
    assert (refused.returncode, "other keys" in refused.stderr) == (2, True)


def test_lost_former_keys_are_abandoned_only_on_demand(rotating: Rotating) -> None:
    rotating.keep_former(run(program("FASTGATE_TOOL"), "keys", "new"))
    assert rotating.rotate_attempt().returncode == 1
    rotating.rotate("--abandon-former-keys")
    assert rotating.ids("signing") == rotating.named


def test_a_dry_run_with_keys_of_a_file_that_were_taken_over_prints_the_next_step(
    rotating: Rotating, tmp_path: Path
) -> None:
    private = run(program("FASTGATE_TOOL"), "keys", "new")
    rotating.keep_former(private)
    file = tmp_path / "keys.json"
    file.write_text(private)
    rotating.rotate("--from", file)
    record = rotating.store.items["edge-keys"].value
    assert "due: nothing" in rotating.rotate("--from", file, "--dry-run")
    assert "due: make 2 keys" in rotating.rotate("--from", file, "--dry-run", "--max-age", "0")
    assert rotating.store.items["edge-keys"].value == record


@pytest.mark.parametrize("same", [True, False])
def test_a_record_of_another_run_is_not_said_to_be_taken_over(
    rotating: Rotating, tmp_path: Path, same: bool
) -> None:
    private = run(program("FASTGATE_TOOL"), "keys", "new")
    rotating.keep_former(private)
    ours = rotating.published
    ours_file, theirs_file = tmp_path / "ours.json", tmp_path / "theirs.json"
    ours_file.write_text(private)
    theirs = private if same else run(program("FASTGATE_TOOL"), "keys", "new")
    theirs_file.write_text(theirs)
    put = f"/resources/stores/kv/{rotating.store.id}/keys/edge-keys"

    class Overtaken(Fault):
        """Another run writes the record just before this one does; no request fails."""

        def takes(self, method: str, target: str) -> bool:
            """Write it, once."""
            if super().takes(method, target):
                self.path = "/nowhere"
                rotating.store.items["edge-keys"] = Item(value=other, generation=7)
            return False

    rotating.keep_former(theirs)
    rotating.rotate("--from", theirs_file)
    other = rotating.store.items.pop("edge-keys").value
    theirs_ids = rotating.named
    rotating.keep_former(private)
    rotating.api.fail(Overtaken(status=503, method="PUT", path=put))
    ran = rotating.rotate_attempt("--from", ours_file)
    assert "took over" not in ran.stdout
    assert rotating.ids("signing") == theirs_ids
    if same:
        assert ran.returncode == 0, ran.stderr
        assert "has the 2 keys of the file now" in ran.stdout
    else:
        assert ran.returncode == 1
        assert "were not taken over" in ran.stderr
        assert all(PREFIX + kid in ran.stderr for kid in ours)
        assert not any(PREFIX + kid in ran.stderr for kid in theirs_ids)
