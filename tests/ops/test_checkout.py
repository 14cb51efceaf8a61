"""`checkout`: brings the workspace to a version, and loses nothing that cannot be had again."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from dataver.disk.disk import Disk, StrOrBytes
from dataver.errors import DataverError
from dataver.model.tree import EMPTY_FOLDER
from dataver.ops.checkout import checkout
from tests.workspace.sandbox import LARGE, Sandbox, noise, picture


@pytest.fixture
def two(box: Sandbox) -> Sandbox:
    """Return the sandbox at v2, which differs from v1 in every way."""
    box.write({"data/a.txt": "alpha two\n", "data/new/deep.txt": "new\n", "data/big.bin": noise(2, LARGE)})
    (box.top / "data/b.txt").unlink()
    (box.top / "data/train/1.csv").chmod(0o755)
    (box.top / "data/link").symlink_to("a.txt")
    shutil.rmtree(box.top / "data/test")
    box.write({"data/test": "a file now\n"})
    box.record("data", tag="v2")
    return box


def _at(box: Sandbox, rev: str) -> None:
    box.git("switch", "-q", "--detach", rev)


def test_each_version_comes_back_as_it_was(two: Sandbox) -> None:
    second = picture(two.top / "data")
    _at(two, "v1")
    failed = two.checkout().failed
    first = picture(two.top / "data")
    _at(two, "v2")
    two.checkout()

    assert failed == ()
    assert first[b"test"] == ("folder", b"")
    assert first[b"b.txt"] == ("file", b"beta\n")
    assert picture(two.top / "data") == second


def test_only_what_differs_is_written(two: Sandbox) -> None:
    place = two.top / "data/train/2.csv"
    before = place.stat()
    _at(two, "v1")

    result = two.checkout()

    assert place.stat() == before
    assert result.targets[0].written == 5


def test_unsaved_changes_refuse_the_whole_target(two: Sandbox) -> None:
    two.write({"data/a.txt": "precious\n"})
    _at(two, "v1")
    before = picture(two.top, without=[".git"])

    result = two.checkout()

    assert [f.code for f in result.failed] == ["would-overwrite"]
    assert result.exit_status == 6
    assert picture(two.top, without=[".git"]) == before


def test_an_unsaved_file_that_the_version_does_not_have_refuses_too(two: Sandbox) -> None:
    two.write({"data/new/deep.txt": "precious\n"})
    _at(two, "v1")

    assert [f.code for f in two.checkout().failed] == ["would-overwrite"]
    assert two.read("data/new/deep.txt") == b"precious\n"


class _Meanwhile(Disk):
    """A disk on which somebody saves a file while its successor is being written beside it."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def create(self, path: StrOrBytes, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None:
            self._place.write_text("precious\n")
        return super().create(path, mode, dir_fd=dir_fd)


def test_a_file_that_is_saved_while_checkout_is_at_work_stays_and_is_named(two: Sandbox) -> None:
    _at(two, "v1")
    with two.repo(disk=_Meanwhile(two.top / "data/a.txt")) as repo:
        result = checkout(repo, None, ())

    assert [(f.path, f.code) for f in result.failed] == [(b"data/a.txt", "changed-while-read")]
    assert two.read("data/a.txt") == b"precious\n"


def test_force_puts_the_old_file_into_the_trash(two: Sandbox) -> None:
    two.write({"data/a.txt": "precious\n", "data/new/deep.txt": "dear\n"})
    _at(two, "v1")

    result = two.checkout(force=True)

    kept = {p.read_bytes() for p in (two.local / "trash").rglob("*") if p.is_file()}
    assert result.failed == ()
    assert kept == {b"precious\n", b"dear\n"}
    assert two.changes() == {}


def test_an_untracked_file_in_the_place_of_a_tracked_one_is_not_overwritten(box: Sandbox) -> None:
    other = box.clone("other")
    other.write({"data/a.txt": "mine\n"})

    result = other.checkout()

    assert [f.code for f in result.failed] == ["would-overwrite"]
    assert picture(other.top / "data") == {b"a.txt": ("file", b"mine\n")}


def test_an_untracked_file_of_the_same_content_is_taken_as_it_is(box: Sandbox) -> None:
    other = box.clone("other")
    other.write({"data/a.txt": "alpha\n"})

    result = other.checkout()

    assert result.failed == ()
    assert other.changes() == {}


def test_untracked_and_ignored_files_stay(box: Sandbox) -> None:
    box.write({"data/.dataverignore": "*.log\n", "data/new/x": "x"})
    box.record("data", tag="v2")
    box.write({"data/new/mine": "mine", "data/new/run.log": "log"})
    _at(box, "v1")

    result = box.checkout()

    assert result.failed == ()
    assert sorted(os.listdir(box.top / "data/new")) == ["mine", "run.log"]


def test_an_untracked_file_where_a_folder_has_to_be_stays_and_is_named(box: Sandbox) -> None:
    box.write({"data/place/x": "x"})
    box.record("data", tag="v2")
    _at(box, "v1")
    box.checkout()
    box.write({"data/place": "mine"})
    _at(box, "v2")

    result = box.checkout()

    assert [f.path for f in result.failed] == [b"data/place/x"]
    assert box.read("data/place") == b"mine"


def test_a_fifo_in_the_way_stays_and_the_others_are_written(two: Sandbox) -> None:
    (two.top / "data/a.txt").unlink()
    os.mkfifo(two.top / "data/a.txt")
    _at(two, "v1")

    result = two.checkout(force=True)

    assert [f.path for f in result.failed] == [b"data/a.txt"]
    assert picture(two.top / "data")[b"a.txt"] == ("special", b"")
    assert two.read("data/b.txt") == b"beta\n"


def test_an_ignored_tracked_file_is_brought_back(box: Sandbox) -> None:
    box.write({"data/.dataverignore": "a.txt\n"})
    box.record("data")
    box.write({"data/a.txt": "changed"})

    result = box.checkout(force=True)

    assert result.failed == ()
    assert box.read("data/a.txt") == b"alpha\n"


def test_a_missing_object_is_listed_and_the_others_arrive(box: Sandbox) -> None:
    box.loose()[0].unlink()
    shutil.rmtree(box.top / "data")

    result = box.checkout()

    assert [(f.path, f.code) for f in result.failed] == [(b"data/big.bin", "missing-object")]
    assert result.exit_status == 3
    assert (box.target().state, box.target().absent, box.target().changes) == ("partial", 1, ())


def test_a_missing_object_leaves_the_older_file_in_its_place(two: Sandbox) -> None:
    _at(two, "v1")
    lost = next(p for p in two.loose() if p.read_bytes() == noise(1, LARGE))
    lost.unlink()

    result = two.checkout()

    assert [f.path for f in result.failed] == [b"data/big.bin"]
    assert two.read("data/big.bin") == noise(2, LARGE)


def test_a_corrupt_loose_object_is_set_aside_and_never_delivered(box: Sandbox) -> None:
    loose = box.loose()[0]
    loose.chmod(0o644)
    loose.write_bytes(b"x" * LARGE)
    shutil.rmtree(box.top / "data")

    result = box.checkout()

    assert [(f.path, f.code) for f in result.failed] == [(b"data/big.bin", "corrupt-object")]
    assert not (box.top / "data/big.bin").exists()
    assert len(list((box.cache / "quarantine").iterdir())) == 1


def test_a_corrupt_object_in_a_pack_costs_only_itself(box: Sandbox) -> None:
    pack = box.packs()[0]
    data = bytearray(pack.read_bytes())
    data[data.find(b"alpha")] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    shutil.rmtree(box.top / "data")

    first, second = box.checkout(), box.checkout()

    assert [(f.path, f.code) for f in first.failed] == [(b"data/a.txt", "corrupt-object")]
    assert [(f.path, f.code) for f in second.failed] == [(b"data/a.txt", "missing-object")]
    assert box.read("data/b.txt") == b"beta\n"


def test_relinking_keeps_what_was_changed(box: Sandbox) -> None:
    box.write({"data/a.txt": "mine\n"})

    result = box.checkout(relink=True)

    assert [f.code for f in result.failed] == ["would-overwrite"]
    assert box.read("data/a.txt") == b"mine\n"


@pytest.mark.parametrize("link", ["copy", "reflink", "hardlink", "symlink"])
def test_every_link_type_gives_a_clean_workspace_of_the_same_bytes(box: Sandbox, link: str) -> None:
    (box.top / "data/big.bin").chmod(0o755)
    box.write({"data/big2.bin": noise(4, LARGE)})
    box.record("data")
    time.sleep(0.03)

    result = box.checkout(link=link)

    big = box.top / "data/big2.bin"
    assert result.failed == ()
    assert box.read("data/big2.bin") == noise(4, LARGE)
    assert big.is_symlink() == (link == "symlink")
    assert (big.stat().st_nlink > 1) == (link == "hardlink")
    # A link would share its mode with every other use of the object.
    assert not (box.top / "data/big.bin").is_symlink()
    assert (box.top / "data/big.bin").stat().st_nlink == 1
    assert box.changes() == {}
    assert box.add("data").targets[0].is_unchanged


def test_paths_narrow_what_was_never_checked_out(box: Sandbox) -> None:
    other = box.clone("other")

    other.checkout("data/train", "data/*.txt")

    target = other.target()
    assert {p for p in picture(other.top / "data") if b"." in p} == {
        b"a.txt",
        b"b.txt",
        b"train/1.csv",
        b"train/2.csv",
    }
    assert (target.state, target.absent, target.sparse) == ("partial", 2, ("*.txt", "train"))


def test_paths_do_not_narrow_a_full_checkout(box: Sandbox) -> None:
    (box.top / "data/a.txt").unlink()

    box.checkout("data/a.txt")

    assert box.target().sparse == ()
    assert box.changes() == {}


def test_add_keeps_what_is_absent_from_a_sparse_checkout(box: Sandbox) -> None:
    other = box.clone("other")
    other.checkout("data/train")
    other.write({"data/train/9.csv": "9"})
    (other.top / "data/train/1.csv").unlink()

    other.add("data")

    assert set(other.entries()) == {"a.txt", "b.txt", "big.bin", "test/3.csv", "train/2.csv", "train/9.csv"}
    assert other.pointer().files == 6
    assert other.changes() == {}


def test_a_new_file_with_glob_characters_widens_the_sparse_set_by_itself_only(box: Sandbox) -> None:
    box.write({"data/x1": "tracked"})
    box.record("data")
    other = box.clone("other")
    other.checkout("data/train")
    other.write({"data/x[123]": "new"})

    other.add("data")
    other.add("data")

    assert {"x1", "x[123]"} <= set(other.entries())


def test_a_file_in_the_place_of_an_absent_folder_takes_it(box: Sandbox) -> None:
    other = box.clone("other")
    other.checkout("data/train")
    other.write({"data/test": "a file"})

    other.add("data")

    assert set(other.entries()) & {"test", "test/3.csv"} == {"test"}


def test_empty_folders_come_with_the_sparse_set_only(box: Sandbox) -> None:
    (box.top / "data/train/hollow").mkdir()
    (box.top / "data/void").mkdir()
    box.record("data")
    other = box.clone("other")

    other.checkout("data/train")

    assert sorted(os.listdir(other.top / "data")) == ["train"]
    assert (other.top / "data/train/hollow").is_dir()
    assert other.add("data").targets[0].is_unchanged
    assert other.entries()["void"].kind == EMPTY_FOLDER


def test_widening_brings_everything(box: Sandbox) -> None:
    other = box.clone("other")
    other.checkout("data/train")

    other.checkout(whole=True)

    assert picture(other.top / "data") == picture(box.top / "data")
    assert other.target().sparse == ()


def test_a_sparse_checkout_follows_a_switch(two: Sandbox) -> None:
    other = two.clone("other")
    other.checkout("data/train")
    _at(other, "v1")

    other.checkout()

    assert set(picture(other.top / "data")) == {b"train", b"train/1.csv", b"train/2.csv"}
    assert other.changes() == {}


@pytest.mark.parametrize("path", ["data/never", "data/*.never", "data/[z-a]", "never"])
def test_a_path_that_means_nothing_is_an_error_and_narrows_nothing(box: Sandbox, path: str) -> None:
    other = box.clone("other")

    try:
        status = other.checkout(path).exit_status
    except DataverError as error:
        status = error.exit_status

    assert status == 2
    assert not other.record_file().exists()


def test_a_revision_beside_the_present_one(two: Sandbox, tmp_path: Path) -> None:
    before = picture(two.top / "data")

    result = two.checkout(rev="v1", to=tmp_path / "old")

    assert result.failed == ()
    assert (tmp_path / "old/data/a.txt").read_text() == "alpha\n"
    assert picture(two.top / "data") == before


def test_an_older_version_by_name_changes_no_pointer(two: Sandbox) -> None:
    pointer = two.read("data.dv")

    two.checkout(rev="v1")

    assert two.read("data.dv") == pointer
    assert two.read("data/a.txt") == b"alpha\n"
    assert two.target().at == "v1"


def test_a_dry_run_names_what_would_change_and_touches_nothing(two: Sandbox) -> None:
    _at(two, "v1")
    before = picture(two.top, without=[".git"])

    result = two.checkout(dry_run=True)

    assert {c.path: c.kind for c in result.planned}[b"data/b.txt"] == "added"
    assert {c.path: c.kind for c in result.planned}[b"data/link"] == "deleted"
    assert picture(two.top, without=[".git"]) == before


def test_a_link_on_the_way_to_a_target_leads_nowhere(empty_box: Sandbox) -> None:
    empty_box.write({"sub/data/x": "x"})
    empty_box.record("sub/data", tag="v1")
    empty_box.git("rm", "-q", "-r", "sub")
    shutil.rmtree(empty_box.top / "sub", ignore_errors=True)
    outside = empty_box.top.parent / "outside"
    outside.mkdir()
    (empty_box.top / "sub").symlink_to(outside)
    empty_box.git("add", "sub")
    empty_box.commit()

    result = empty_box.checkout(rev="v1")

    assert result.exit_status == 6
    assert list(outside.iterdir()) == []


def test_a_link_inside_the_target_leads_nowhere(box: Sandbox) -> None:
    outside = box.top.parent / "outside"
    outside.mkdir()
    shutil.rmtree(box.top / "data/train")
    (box.top / "data/train").symlink_to(outside)

    result = box.checkout(force=True)

    assert result.failed
    assert list(outside.iterdir()) == []


def test_a_target_changes_from_folder_to_file_and_back(box: Sandbox) -> None:
    first = picture(box.top / "data")
    shutil.rmtree(box.top / "data")
    box.write({"data": "one file\n"})
    box.record("data", tag="v2")
    _at(box, "v1")
    back = box.checkout().failed
    found = picture(box.top / "data")
    _at(box, "v2")

    forth = box.checkout().failed

    assert (back, forth) == ((), ())
    assert found == first
    assert box.read("data") == b"one file\n"


def test_a_folder_with_untracked_files_does_not_turn_into_a_file(box: Sandbox) -> None:
    shutil.rmtree(box.top / "data")
    box.write({"data": "one file\n"})
    box.record("data", tag="v2")
    _at(box, "v1")
    box.checkout()
    box.write({"data/mine": "mine"})
    before = picture(box.top / "data")
    _at(box, "v2")

    result = box.checkout(force=True)

    assert [f.code for f in result.failed] == ["local-io"]
    assert picture(box.top / "data") == before


def test_a_pointer_moved_by_git_takes_its_data_along(box: Sandbox) -> None:
    before = picture(box.top / "data")
    inode = (box.top / "data/big.bin").stat().st_ino
    box.git("mv", "data.dv", "moved.dv")

    box.checkout()

    assert picture(box.top / "moved") == before
    assert (box.top / "moved/big.bin").stat().st_ino == inode
    assert not (box.top / "data").exists()
    assert "/moved\n" in (box.top / ".gitignore").read_text()


def test_without_the_old_tree_nothing_of_the_user_s_is_lost(two: Sandbox) -> None:
    _at(two, "v1")
    for path in two.packs("s"):
        path.unlink()
    shutil.copytree(two.cache, two.cache.parent / "copy")
    before = picture(two.top / "data")

    result = two.checkout()

    assert result.exit_status == 3
    assert picture(two.top / "data") == before


def test_a_whole_folder_removed_comes_back(box: Sandbox) -> None:
    before = picture(box.top / "data")
    shutil.rmtree(box.top / "data")

    told = set(box.changes().values())
    box.checkout()

    assert told == {"deleted"}
    assert picture(box.top / "data") == before


def test_a_change_just_before_a_checkout_still_shows_after_it(box: Sandbox) -> None:
    box.write({"data/a.txt": "alphb\n"})
    box.checkout("data/b.txt")
    box.write({"data/a.txt": "alphc\n"})

    assert box.changes() == {"data/a.txt": "modified"}


def test_a_file_gives_way_to_an_empty_folder(box: Sandbox) -> None:
    (box.top / "data/big.bin").unlink()
    (box.top / "data/big.bin").mkdir()
    box.record("data", tag="v2")
    second = picture(box.top / "data")
    _at(box, "v1")
    box.checkout()
    _at(box, "v2")

    result = box.checkout()

    assert result.failed == ()
    assert picture(box.top / "data") == second
    assert box.changes() == {}


def test_an_emptied_folder_is_filled_again(box: Sandbox) -> None:
    (box.top / "data/test/3.csv").unlink()

    result = box.checkout()

    assert result.failed == ()
    assert box.changes() == {}


def test_a_file_in_a_folder_that_should_be_empty_shows_with_and_without_the_index(box: Sandbox) -> None:
    (box.top / "data/hollow").mkdir()
    box.record("data")
    box.write({"data/hollow/mine": "mine"})
    box.checkout()
    told = box.changes()
    box.index_file().unlink()

    assert told == box.changes() == {"data/hollow": "deleted", "data/hollow/mine": "added"}
