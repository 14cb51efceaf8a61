"""`add`: what is on disk becomes a version, faithfully or refused by name, and never touches a file."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.errors import (
    DataverError,
    LocalIOError,
    MissingObjectError,
    NoSuchPathError,
    TrackedByGitError,
    UnsafeFileError,
    UnsupportedTargetError,
)
from dataver.model.tree import EMPTY_FOLDER, EXECUTABLE, SYMLINK
from tests.workspace.sandbox import LARGE, Sandbox, noise, picture


def test_files_modes_links_and_empty_folders_are_recorded(empty_box: Sandbox) -> None:
    empty_box.write({"data/run.sh": "#!/bin/sh\n", "data/deep/er/x": "x", "data/big": noise(1, LARGE)})
    (empty_box.top / "data/run.sh").chmod(0o755)
    (empty_box.top / "data/link").symlink_to("deep/er/x")
    (empty_box.top / "data/dangling").symlink_to("nowhere")
    (empty_box.top / "data/hollow").mkdir()

    result = empty_box.add("data")

    kinds = {path: entry.kind for path, entry in empty_box.entries().items()}
    assert result.failed == ()
    assert kinds == {
        "big": 0,
        "dangling": SYMLINK,
        "deep/er/x": 0,
        "hollow": EMPTY_FOLDER,
        "link": SYMLINK,
        "run.sh": EXECUTABLE,
    }


def test_a_name_that_is_not_utf8_comes_back_as_it_was(empty_box: Sandbox) -> None:
    (empty_box.top / "data").mkdir()
    with open(os.fsencode(empty_box.top) + b"/data/\xff\xfe.csv", "wb") as file:
        file.write(b"bytes")
    empty_box.record("data")
    shutil.rmtree(empty_box.top / "data")

    empty_box.checkout()

    assert picture(empty_box.top / "data") == {b"\xff\xfe.csv": ("file", b"bytes")}


def test_no_file_is_touched_by_adding_it(box: Sandbox) -> None:
    place = box.top / "data/big.bin"
    box.write({"data/big.bin": noise(9, LARGE)})
    before = os.stat(place)

    box.add("data")

    after = os.stat(place)
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns, after.st_nlink) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
        before.st_nlink,
    )


def test_what_is_never_stored_is_refused_by_name_and_the_rest_is_taken(
    empty_box: Sandbox, tmp_path: Path
) -> None:
    empty_box.write({"data/good": "good"})
    os.mkfifo(empty_box.top / "data/fifo")
    (empty_box.top / "data/outward").symlink_to("../../outside")
    (empty_box.top / "data/absolute").symlink_to("/etc/passwd")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(empty_box.top / "data", os.O_RDONLY)
        try:
            server.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)

        result = empty_box.add("data")

    assert {f.path for f in result.failed} == {
        b"data/absolute",
        b"data/fifo",
        b"data/outward",
        b"data/socket",
    }
    assert result.exit_status == 6
    assert set(empty_box.entries()) == {"good"}


def test_a_fifo_in_the_place_of_a_tracked_file_changes_nothing_of_the_tree(box: Sandbox) -> None:
    before = box.entries()
    (box.top / "data/test/3.csv").unlink()
    os.mkfifo(box.top / "data/test/3.csv")

    result = box.add("data")

    assert [f.path for f in result.failed] == [b"data/test/3.csv"]
    assert box.entries() == before


def test_a_path_inside_changes_only_its_own_entry(box: Sandbox) -> None:
    before = box.entries()
    box.write({"data/a.txt": "changed\n", "data/b.txt": "changed too\n", "data/new.txt": "new\n"})

    result = box.add("data/b.txt")

    after = box.entries()
    assert result.targets[0].modified == 1
    assert {path for path in after if after[path] != before.get(path)} == {"b.txt"}
    assert box.pointer().files == len(after)
    assert box.changes() == {"data/a.txt": "modified", "data/new.txt": "added"}


def test_a_deletion_inside_is_recorded_when_it_is_named(box: Sandbox) -> None:
    (box.top / "data/b.txt").unlink()
    (box.top / "data/a.txt").unlink()

    result = box.add("data/b.txt")

    assert result.targets[0].deleted == 1
    assert "b.txt" not in box.entries()
    assert box.changes() == {"data/a.txt": "deleted"}


def test_a_path_inside_that_is_nowhere_is_an_error(box: Sandbox) -> None:
    with pytest.raises(NoSuchPathError):
        box.add("data/never.txt")


def test_a_path_inside_that_is_ignored_is_an_error(box: Sandbox) -> None:
    box.write({"data/.dataverignore": "*.log\n", "data/x.log": "log"})

    with pytest.raises(UnsupportedTargetError, match="dataverignore"):
        box.add("data/x.log")


def test_a_partial_add_without_a_record_takes_nothing_on_disk_for_absent(box: Sandbox) -> None:
    box.record_file().unlink()
    box.index_file().unlink()
    box.write({"data/b.txt": "changed\n"})
    box.add("data/b.txt")

    (box.top / "data/a.txt").unlink()

    assert box.changes() == {"data/a.txt": "deleted"}


def test_a_file_becomes_a_folder_and_a_file_again(box: Sandbox) -> None:
    (box.top / "data/a.txt").unlink()
    box.write({"data/a.txt/inside": "inside"})
    box.add("data")
    first = set(box.entries())
    shutil.rmtree(box.top / "data/a.txt")
    box.write({"data/a.txt": "again"})
    box.add("data")

    assert "a.txt/inside" in first
    assert "a.txt" in box.entries()
    assert "a.txt/inside" not in box.entries()


def test_without_a_record_a_file_that_became_a_folder_leaves_no_clash(box: Sandbox) -> None:
    box.record_file().unlink()
    (box.top / "data/a.txt").unlink()
    box.write({"data/a.txt/inside": "inside"})

    result = box.add("data")

    assert result.failed == ()
    assert set(box.entries()) & {"a.txt", "a.txt/inside"} == {"a.txt/inside"}


def test_without_a_record_an_empty_folder_can_be_filled(box: Sandbox) -> None:
    (box.top / "data/hollow").mkdir()
    box.record("data")
    box.record_file().unlink()
    box.write({"data/hollow/x": "x"})

    box.add("data")

    assert set(box.entries()) & {"hollow", "hollow/x"} == {"hollow/x"}


def test_a_target_may_turn_from_folder_to_file(box: Sandbox) -> None:
    shutil.rmtree(box.top / "data")
    box.write({"data": "one file now"})

    result = box.add("data")

    assert result.targets[0].is_folder is False
    assert box.target().changes == ()


def test_everything_deleted_is_a_version_too(box: Sandbox) -> None:
    shutil.rmtree(box.top / "data")
    (box.top / "data").mkdir()

    box.add("data")

    assert box.entries() == {}
    assert box.changes() == {}


def test_nothing_new_leaves_the_pointer_as_it_is(box: Sandbox) -> None:
    before = box.read("data.dv")

    result = box.add("data")

    assert result.targets[0].is_unchanged
    assert box.read("data.dv") == before


def test_a_dry_run_writes_nothing(box: Sandbox) -> None:
    box.write({"data/new": noise(3, LARGE)})
    before = picture(box.top, without=[".git"]), box.loose(), box.packs(), box.record_file().read_bytes()

    result = box.add("data", dry_run=True)

    assert result.targets[0].added == 1
    assert (
        picture(box.top, without=[".git"]),
        box.loose(),
        box.packs(),
        box.record_file().read_bytes(),
    ) == before


def test_what_git_tracks_is_refused(empty_box: Sandbox) -> None:
    empty_box.write({"data/x": "x"})
    empty_box.git("add", "data/x")

    with pytest.raises(TrackedByGitError):
        empty_box.add("data")


@pytest.mark.parametrize("path", [".", ".git", "data.dv", "link"])
def test_what_is_no_target_is_refused(box: Sandbox, path: str) -> None:
    (box.top / "link").symlink_to("data")

    with pytest.raises(DataverError) as caught:
        box.add(str(box.top / path))

    assert caught.value.exit_status in (2, 6)


def test_a_folder_that_holds_a_pointer_is_refused(empty_box: Sandbox) -> None:
    empty_box.write({"data/sub/x": "x"})
    empty_box.add("data/sub")

    with pytest.raises(UnsafeFileError, match="never nested"):
        empty_box.add("data")


def test_content_that_the_cache_lost_is_stored_again(box: Sandbox) -> None:
    _let_the_index_settle(box)
    for path in [*box.packs("d"), *box.loose()]:
        path.unlink()

    box.add("data")

    shutil.rmtree(box.top / "data")
    assert box.checkout().failed == ()


def test_a_tree_that_the_cache_lost_is_made_again_of_a_whole_workspace(box: Sandbox) -> None:
    _let_the_index_settle(box)
    before = box.read("data.dv")
    box.drop_cache()

    result = box.add("data")

    assert result.failed == ()
    assert box.read("data.dv") == before
    shutil.rmtree(box.top / "data")
    assert box.checkout().failed == ()


def test_a_tree_that_the_cache_lost_is_not_guessed_where_files_are_absent(box: Sandbox) -> None:
    other = box.clone("other")
    other.checkout("data/train")
    other.drop_cache()
    other.write({"data/train/new": "new"})

    with pytest.raises(MissingObjectError):
        other.add("data")


def test_a_link_to_content_that_the_cache_lost_is_refused(box: Sandbox) -> None:
    box.checkout(link="symlink")
    _let_the_index_settle(box)
    for path in box.loose():
        path.unlink()

    result = box.add("data")

    assert [f.path for f in result.failed] == [b"data/big.bin"]
    assert box.entries()["big.bin"].size == LARGE


def test_a_weaker_hash_leaves_what_is_the_same_under_its_old_id(box: Sandbox) -> None:
    box.index_file().unlink()
    before = box.read("data.dv")

    result = box.add("data", algorithm="xxh128")

    assert result.targets[0].is_unchanged
    assert box.read("data.dv") == before


def test_a_pointer_that_was_deleted_comes_back_with_what_is_absent(box: Sandbox) -> None:
    other = box.clone("other")
    other.checkout("data/train")
    before = other.read("data.dv")
    (other.top / "data.dv").unlink()

    other.add("data")

    assert other.read("data.dv") == before


def test_a_pointer_that_is_spoilt_is_written_anew_with_what_is_absent(box: Sandbox) -> None:
    other = box.clone("other")
    other.checkout("data/train")
    before = other.read("data.dv")
    other.write({"data.dv": "<<<<<<< rubbish\n"})

    other.add("data")

    assert other.read("data.dv") == before


def test_a_clone_without_the_secret_keeps_the_leaves_that_did_not_change(box: Sandbox) -> None:
    other = box.clone("other")
    other.checkout()
    before = other.read("data.dv")

    unchanged = other.add("data")
    other.write({"data/new": "new"})
    changed = other.add("data")

    assert unchanged.targets[0].is_unchanged
    assert (changed.targets[0].added, changed.targets[0].modified) == (1, 0)
    assert other.read("data.dv") != before
    assert other.changes() == {}


def test_one_bad_target_does_not_stop_the_other(box: Sandbox) -> None:
    box.write({"other/x": "x"})
    box.record("other")
    box.write({"other/y": "y", "data.dv": box.read("data.dv").replace(b'tree = "', b'tree = "0')})
    box.record_file().unlink()

    result = box.add("other", "data")

    assert b"other" in {t.path for t in result.targets}


def _let_the_index_settle(box: Sandbox) -> None:
    """Look once more when the files are no longer so young that they are read each time."""
    time.sleep(0.03)
    box.status()


class _TornDisk(Disk):
    """A disk on which the cache's *bad*-th new file cannot be made."""

    def __init__(self, bad: int) -> None:
        self.left = bad

    def create(self, path: str | bytes, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        if b"/cache/tmp/" in os.fsencode(path):
            self.left -= 1
            if self.left == 0:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().create(path, mode, dir_fd=dir_fd)


@pytest.mark.parametrize("bad", [1, 2, 3])
def test_a_cache_that_fails_once_ends_the_add_instead_of_mixing_up_names(
    empty_box: Sandbox, bad: int
) -> None:
    empty_box.write({f"data/{n}": noise(n, 100 if n % 2 else LARGE) for n in range(6)})

    with pytest.raises(LocalIOError):
        empty_box.add(disk=_TornDisk(bad))

    assert not (empty_box.top / "data.dv").exists()
    empty_box.record("data")
    assert empty_box.changes(verify=True) == {}
