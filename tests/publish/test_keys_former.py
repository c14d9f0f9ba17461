"""`fastgate keys rotate` for a service whose keys are in one secret."""

from pathlib import Path

import pytest
from fastly_api.app import Fault
from fastly_api.state import Item
from programs import program, run
from rotating import PREFIX, Rotating, published

shop = pytest.fixture(published)


def test_keys_of_one_secret_become_secrets_of_their_own(shop: Rotating, tmp_path: Path) -> None:
    private = run(program("FASTGATE_TOOL"), "keys", "new")
    shop.keep_former(private)
    before = shop.published
    ran = shop.rotate_attempt()
    assert (ran.returncode, "--from FILE" in ran.stderr) == (1, True)
    file = tmp_path / "keys.json"
    file.write_text(run(program("FASTGATE_TOOL"), "keys", "new"))
    other = shop.rotate_attempt("--from", file)
    assert (other.returncode, "publishes other keys" in other.stderr) == (1, True)
    assert shop.record == []
    file.write_text(private)
    assert "due: take over 2 keys" in shop.rotate("--from", file, "--dry-run")
    assert shop.named == set()
    path = f"/resources/stores/kv/{shop.store.id}/keys/edge-keys"
    shop.api.fail(Fault(status=503, times=2, method="PUT", path=path, applied=True))
    assert shop.rotate_attempt("--from", file).returncode == 1
    output = shop.rotate("--from", file)
    assert (shop.published, shop.ids("signing"), shop.named) == (before, before, before)
    assert "secret-store-entry delete" in output
    del shop.secrets.secrets["signing-keys"]
    shop.rotate("--from", file)
    file.write_text(run(program("FASTGATE_TOOL"), "keys", "new"))
    refused = shop.rotate_attempt("--from", file)
    assert (refused.returncode, "other keys" in refused.stderr) == (2, True)


def test_lost_former_keys_are_abandoned_only_on_demand(shop: Rotating) -> None:
    shop.keep_former(run(program("FASTGATE_TOOL"), "keys", "new"))
    assert shop.rotate_attempt().returncode == 1
    shop.rotate("--abandon-former-keys")
    assert shop.ids("signing") == shop.named


def test_a_dry_run_with_keys_of_a_file_that_were_taken_over_prints_the_next_step(
    shop: Rotating, tmp_path: Path
) -> None:
    private = run(program("FASTGATE_TOOL"), "keys", "new")
    shop.keep_former(private)
    file = tmp_path / "keys.json"
    file.write_text(private)
    shop.rotate("--from", file)
    record = shop.store.items["edge-keys"].value
    assert "due: nothing" in shop.rotate("--from", file, "--dry-run")
    assert "due: make 2 keys" in shop.rotate("--from", file, "--dry-run", "--max-age", "0")
    assert shop.store.items["edge-keys"].value == record


@pytest.mark.parametrize("same", [True, False])
def test_a_record_of_another_run_is_not_said_to_be_taken_over(
    shop: Rotating, tmp_path: Path, same: bool
) -> None:
    private = run(program("FASTGATE_TOOL"), "keys", "new")
    shop.keep_former(private)
    ours = shop.published
    ours_file, theirs_file = tmp_path / "ours.json", tmp_path / "theirs.json"
    ours_file.write_text(private)
    theirs = private if same else run(program("FASTGATE_TOOL"), "keys", "new")
    theirs_file.write_text(theirs)
    put = f"/resources/stores/kv/{shop.store.id}/keys/edge-keys"

    class Overtaken(Fault):
        """Another run writes the record just before this one does; no request fails."""

        def takes(self, method: str, target: str) -> bool:
            """Write it, once."""
            if super().takes(method, target):
                self.path = "/nowhere"
                shop.store.items["edge-keys"] = Item(value=other, generation=7)
            return False

    shop.keep_former(theirs)
    shop.rotate("--from", theirs_file)
    other = shop.store.items.pop("edge-keys").value
    theirs_ids = shop.named
    shop.keep_former(private)
    shop.api.fail(Overtaken(status=503, method="PUT", path=put))
    ran = shop.rotate_attempt("--from", ours_file)
    assert "took over" not in ran.stdout
    assert shop.ids("signing") == theirs_ids
    if same:
        assert ran.returncode == 0, ran.stderr
        assert "has the 2 keys of the file now" in ran.stdout
    else:
        assert ran.returncode == 1
        assert "were not taken over" in ran.stderr
        assert all(PREFIX + kid in ran.stderr for kid in ours)
        assert not any(PREFIX + kid in ran.stderr for kid in theirs_ids)
