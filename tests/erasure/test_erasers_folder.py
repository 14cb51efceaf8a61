"""Erasing in a folder: temp files of broken uploads, hard links, folders that refuse, snapshots."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dataver.disk.atomic import TEMP_PREFIX
from dataver.disk.disk import Disk, StrOrBytes
from dataver.erasure import mounts
from dataver.erasure.eraser import erase_keys
from dataver.erasure.posix import FolderEraser
from dataver.errors import AccessDeniedError, LocalIOError, PermissionDeniedError
from dataver.store.folder import FolderBucket

KEY, ALIKE = "packs/ab/abc", "packs/ab/abcd"
CONTENT = b"marker" * 100
TEMP = f"{TEMP_PREFIX}0123456789abcdef"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder in which two keys lie."""
    (tmp_path / "remote" / "packs" / "ab").mkdir(parents=True)
    (tmp_path / "remote" / KEY).write_bytes(CONTENT)
    (tmp_path / "remote" / ALIKE).write_bytes(b"another")
    return tmp_path / "remote"


@pytest.fixture
def eraser(root: Path) -> FolderEraser:
    return FolderEraser(str(root), Disk())


def _files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


class Crash(BaseException):
    """The end of the process."""


class CrashingDisk(Disk):
    """A disk under which the process ends at one call."""

    def __init__(self, call: str) -> None:
        self.call = call

    def rename(self, source, target, *, source_dir_fd=None, target_dir_fd=None) -> None:  # type: ignore[no-untyped-def]
        if self.call == "rename":
            raise Crash
        super().rename(source, target, source_dir_fd=source_dir_fd, target_dir_fd=target_dir_fd)

    def rename_new(self, source, target, *, source_dir_fd=None, target_dir_fd=None) -> None:  # type: ignore[no-untyped-def]
        if self.call == "unlink":
            os.link(source, target)
            raise Crash
        super().rename_new(source, target, source_dir_fd=source_dir_fd, target_dir_fd=target_dir_fd)

    def unlink(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        """Do nothing: a process that has ended cleans nothing up."""


@pytest.mark.parametrize("how", ["put", "put_file", "put_new"])
def test_what_a_killed_upload_left_goes_with_its_key(
    root: Path, eraser: FolderEraser, how: str, tmp_path: Path
) -> None:
    bucket = FolderBucket(str(root), CrashingDisk("unlink" if how == "put_new" else "rename"))
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    with pytest.raises(Crash):
        if how == "put_new":
            (root / KEY).unlink()
            bucket.put_new(KEY, CONTENT)
        elif how == "put_file":
            bucket.put_file(KEY, source)
        else:
            bucket.put(KEY, CONTENT)
    assert sum(TEMP_PREFIX in name for name in _files(root)) == 1

    failures = erase_keys(eraser, [KEY], lambda: None)

    assert failures == []
    assert _files(root) == [ALIKE]


def test_the_beginning_of_a_file_goes_with_it(root: Path, eraser: FolderEraser) -> None:
    (root / "packs" / "ab" / TEMP).write_bytes(CONTENT[:7])

    failures = erase_keys(eraser, [KEY], lambda: None)

    assert failures == []
    assert _files(root) == [ALIKE]


def test_a_temp_file_of_nobody_is_an_upload_under_its_own_name(root: Path, eraser: FolderEraser) -> None:
    for folder in ("packs/ab", "journal", "."):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / TEMP).write_bytes(b"of an upload that never came to its end")

    found = list(eraser.uploads(""))
    failures = eraser.erase(found)

    assert sorted(upload.key for upload in found) == sorted([TEMP, f"journal/{TEMP}", f"packs/ab/{TEMP}"])
    assert failures == []
    assert _files(root) == [KEY, ALIKE]


def test_an_empty_temp_file_stands_for_nothing(root: Path, eraser: FolderEraser) -> None:
    (root / "packs" / "ab" / TEMP).touch()

    assert [upload.key for upload in eraser.uploads("packs/")] == [f"packs/ab/{TEMP}"]


def test_hard_links_from_elsewhere_are_noted(root: Path, eraser: FolderEraser, tmp_path: Path) -> None:
    os.link(root / KEY, tmp_path / "backup")

    notes = eraser.examine().notes

    assert [note for note in notes if "hard links" in note] == [
        f"1 files have hard links elsewhere, which keep their bytes: {KEY}"
    ]


def test_a_second_name_within_the_folder_is_none_elsewhere(root: Path, eraser: FolderEraser) -> None:
    os.link(root / KEY, root / "packs" / "ab" / TEMP)

    assert not any("hard links" in note for note in eraser.examine().notes)


def test_a_symbolic_link_in_the_place_of_a_key_is_unverifiable(root: Path, eraser: FolderEraser) -> None:
    (root / "packs" / "ab" / "link").symlink_to("/dev/null")

    obstacles = eraser.examine().obstacles

    assert [(o.code, "packs/ab/link" in o.message) for o in obstacles] == [("unverifiable", True)]


def test_a_folder_that_a_link_names_is_followed_and_a_circle_of_links_ends(
    root: Path, eraser: FolderEraser, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1").write_bytes(CONTENT)
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    (root / "segments").symlink_to(tmp_path / "elsewhere")

    failures = erase_keys(eraser, ["segments/1"], lambda: None)

    assert failures == []
    assert sorted(one.key for one in eraser.versions("")) == [KEY, ALIKE]
    assert not (tmp_path / "elsewhere" / "1").exists()


class ReadOnlyDisk(Disk):
    """A disk that refuses as a file system does that is mounted read-only."""

    def create(self, path: StrOrBytes, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        raise PermissionError(13, "Permission denied")

    def unlink(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        raise PermissionError(13, "Permission denied")


def test_a_folder_that_may_not_be_changed_is_an_obstacle(root: Path) -> None:
    facts = FolderEraser(str(root), ReadOnlyDisk()).examine()

    assert [(o.code, str(root) in o.message) for o in facts.obstacles] == [("access-denied", True)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_a_folder_below_that_may_not_be_listed_is_never_empty(root: Path, eraser: FolderEraser) -> None:
    (root / "packs" / "ab").chmod(0)
    try:
        with pytest.raises(AccessDeniedError):
            list(eraser.versions(""))
        codes = {o.code for o in eraser.examine().obstacles}
    finally:
        (root / "packs" / "ab").chmod(0o755)

    assert codes == {"access-denied"}


def test_a_file_that_may_not_be_deleted_is_a_failure(root: Path) -> None:
    failures = erase_keys(FolderEraser(str(root), ReadOnlyDisk()), [KEY], lambda: None)

    assert [failure.code for failure in failures] == [AccessDeniedError.code]
    assert _files(root) == [KEY, ALIKE]


class LosingDisk(Disk):
    """A disk that cannot make the names in a folder durable."""

    def sync_folder(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        raise OSError(5, "Input/output error")


def test_a_deletion_that_a_crash_could_undo_is_a_failure(root: Path) -> None:
    eraser = FolderEraser(str(root), LosingDisk())

    failures = eraser.erase([one for one in eraser.versions("") if one.key == KEY])

    assert [failure.code for failure in failures] == [LocalIOError.code]
    assert PermissionDeniedError.code not in {failure.code for failure in failures}


# -- snapshots ------------------------------------------------------------------------------------

TABLE = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:31 /@data /data rw,noatime shared:2 master:1 - btrfs /dev/sdb1 rw,space_cache
41 22 0:40 / /net\\040share rw - nfs4 server:/export rw
42 40 8:3 / /data/plain rw - xfs /dev/sdc1 rw
"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/home/x", ("ext4", "/")),
        ("/data", ("btrfs", "/data")),
        ("/data/remote", ("btrfs", "/data")),
        ("/database", ("ext4", "/")),
        ("/data/plain/remote", ("xfs", "/data/plain")),
        ("/net share/remote", ("nfs4", "/net share")),
    ],
)
def test_the_file_system_of_a_folder_is_the_nearest_mount_above(path: str, found: tuple[str, str]) -> None:
    assert mounts.mount_of(TABLE, path) == found


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("22 1 8:1 / / rw - btrfs /dev/sda1 rw", "snapshots of the file system (btrfs at /) are not reached"),
        ("22 1 8:1 / / rw - nfs4 host:/x rw", "lies elsewhere; snapshots there are not reached"),
        ("22 1 8:1 / / rw - ext4 /dev/sda1 rw", ""),
    ],
)
def test_snapshots_that_may_be_there_are_noted(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "table").write_text(line + "\n")

    notes = mounts.notes_of(str(tmp_path), str(tmp_path / "table"))

    assert [words in note for note in notes] == [True] * bool(words)


def test_without_a_table_of_mounts_that_is_noted(tmp_path: Path) -> None:
    assert "not known" in mounts.notes_of(str(tmp_path), str(tmp_path / "none"))[0]
