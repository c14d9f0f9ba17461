"""`fastgate init` finds something else than a file or a folder where it writes or keeps one."""

import os
from pathlib import Path, PurePosixPath

import pytest

from fastgate.init.places import check_place
from fastgate.init.workflow import Deployed
from fastgate.wrong_call import WrongCall
from tests.init_projects import Discovery, init
from tests.projects import fastgate_in

KEPT = [".github/workflows/fastgate.yml", "edge/.gitignore", "edge/policy.json"]
FOLDERS = ["edge", ".github", ".github/workflows"]


def paths_in(folder: Path) -> list[Path]:
    """Return everything in a folder but what Python writes there."""
    return sorted(each for each in folder.rglob("*") if "__pycache__" not in each.parts)


def refusal_of(shop: Path, provider: Discovery, *more: str) -> str:
    """Return why `init` refuses what is in a folder, after which nothing there is new."""
    before = paths_in(shop)
    ran = init(shop, provider, *more)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert paths_in(shop) == before
    return ran.stderr


@pytest.mark.parametrize("name", KEPT)
def test_a_folder_or_a_pipe_in_the_place_of_a_file_is_named(
    name: str, shop_folder: Path, openid: Discovery
) -> None:
    (shop_folder / name).mkdir(parents=True)
    found = refusal_of(shop_folder, openid)
    assert f"{name}: is a folder, and `fastgate init` writes a file with this name" in found
    (shop_folder / name).rmdir()
    os.mkfifo(shop_folder / name)
    assert f"{name}: is no regular file, and " in refusal_of(shop_folder, openid)


@pytest.mark.parametrize("name", KEPT)
def test_a_link_to_nothing_in_the_place_of_a_file_is_named(
    name: str, shop_folder: Path, openid: Discovery
) -> None:
    (shop_folder / name).parent.mkdir(parents=True)
    (shop_folder / name).symlink_to("../shared")
    found = refusal_of(shop_folder, openid, "--dry-run")
    assert f"{name}: is a link to ../shared, which does not exist: write that file" in found


@pytest.mark.parametrize("name", FOLDERS)
def test_a_file_in_the_place_of_a_folder_is_named(
    name: str, shop_folder: Path, openid: Discovery
) -> None:
    (shop_folder / name).parent.mkdir(exist_ok=True)
    (shop_folder / name).write_text("")
    found = refusal_of(shop_folder, openid)
    assert f"{name}: is a file, and `fastgate init` writes a folder with this name" in found
    (shop_folder / name).unlink()
    (shop_folder / name).symlink_to("elsewhere")
    with pytest.raises(WrongCall, match=f"{name}: is a link to nothing, and "):
        check_place(shop_folder / name / "file", shop_folder)


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("")
    (tmp_path / "linked").symlink_to("real")
    (tmp_path / "real/again").symlink_to("file")
    for name in ("linked/file", "linked/again", "linked/new", "new/new"):
        check_place(tmp_path / name, tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(WrongCall, match="loop: is a link to loop, which does not exist"):
        check_place(tmp_path / "loop", tmp_path)


def test_the_workflow_of_a_similar_folder_has_a_place_of_its_own(tmp_path: Path) -> None:
    def deployed(folder: str) -> Deployed:
        return Deployed(
            PurePosixPath(folder), None, is_factory=False, install="", stage=None, variables=[]
        )

    other, own = deployed("a b"), deployed("a-b")
    (tmp_path / own.path).parent.mkdir(parents=True)
    (tmp_path / other.path).write_text('working-directory: "a b"\n')
    place = tmp_path / own.beside(tmp_path).path
    assert place.name.startswith("fastgate-a-b-")
    place.mkdir()
    with pytest.raises(WrongCall, match=r"fastgate-a-b-.*\.yml: is a folder"):
        own.beside(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    file.chmod(0)
    with pytest.raises(WrongCall, match="make it readable"):
        check_place(file, tmp_path)


def test_a_path_at_which_no_guest_can_be_is_named(tmp_path: Path) -> None:
    ran = fastgate_in(tmp_path, "guest", str(tmp_path))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"{tmp_path} cannot be written: " in ran.stderr
    assert "Traceback" not in ran.stderr
