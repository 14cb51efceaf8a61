"""A folder as a bucket: one winner of any race, whole files only, and faults with their names."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path

import pytest

from dataver.disk.disk import Disk
from dataver.errors import AccessDeniedError, BucketNotFoundError, DataverError, DiskFullError
from dataver.store.folder import FolderBucket

KEY = "journal/0000000000000001"


class FailingDisk(Disk):
    """A disk on which one kind of call fails."""

    __slots__ = ("error", "where")

    def __init__(self, where: str, error: int) -> None:
        self.where, self.error = where, error

    def _fail(self, where: str) -> None:
        if where == self.where:
            raise OSError(self.error, os.strerror(self.error))

    def create(self, path: str | bytes, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        self._fail("create")
        return super().create(path, mode, dir_fd=dir_fd)

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
        self._fail("write")
        super().write(fd, data)

    def copy_range(self, source_fd: int, target_fd: int, size: int) -> int:
        self._fail("write")
        return super().copy_range(source_fd, target_fd, size)

    def sync(self, fd: int) -> None:
        self._fail("sync")
        super().sync(fd)

    def unlink(self, path: str | bytes, *, dir_fd: int | None = None) -> None:
        self._fail("unlink")
        super().unlink(path, dir_fd=dir_fd)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = tmp_path / "bucket"
    found.mkdir()
    return found


def _race(root: str, number: int, barrier, wins) -> None:  # type: ignore[no-untyped-def]
    bucket = FolderBucket(root, Disk())
    barrier.wait(30)
    for turn in range(20):
        if bucket.put_new(f"journal/{turn:016d}", b"%d" % number):
            with wins.get_lock():
                wins[turn] += 1


def test_of_16_processes_one_wins_each_number(root: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier, wins = context.Barrier(16), context.Array("i", 20)
    processes = [context.Process(target=_race, args=(str(root), n, barrier, wins)) for n in range(16)]

    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0] * 16
    assert [wins[n] for n in range(len(wins))] == [1] * 20


def test_a_root_that_is_gone_is_no_missing_key_and_is_never_made(tmp_path: Path) -> None:
    bucket = FolderBucket(str(tmp_path / "gone"), Disk())

    for call in (
        lambda: bucket.get(KEY),
        lambda: bucket.head(KEY),
        lambda: list(bucket.list("")),
        lambda: bucket.put(KEY, b""),
        lambda: bucket.put_new(KEY, b""),
    ):
        with pytest.raises(BucketNotFoundError):
            call()
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("where", ["create", "write", "sync"])
@pytest.mark.parametrize(
    ("error", "expected"), [(errno.ENOSPC, DiskFullError), (errno.EACCES, AccessDeniedError)]
)
def test_a_write_that_fails_leaves_nothing(
    root: Path, tmp_path: Path, where: str, error: int, expected: type[DataverError]
) -> None:
    bucket = FolderBucket(str(root), Disk())
    bucket.put("journal/other", b"")
    bucket.put("packs/aa/other", b"")
    source = tmp_path / "source"
    source.write_bytes(b"content")
    failing = FolderBucket(str(root), FailingDisk(where, error))

    for call in (
        lambda: failing.put(KEY, b"content"),
        lambda: failing.put_new(KEY, b"content"),
        lambda: failing.put_file("packs/aa/x", source),
    ):
        with pytest.raises(expected):
            call()

    left = sorted(path.name for path in root.rglob("*") if path.is_file())
    assert left == ["other", "other"]


def test_a_delete_without_permission_names_the_operation(root: Path) -> None:
    FolderBucket(str(root), Disk()).put(KEY, b"")

    with pytest.raises(AccessDeniedError):
        FolderBucket(str(root), FailingDisk("unlink", errno.EACCES)).delete([KEY])


def test_what_a_killed_writer_left_is_never_listed(root: Path) -> None:
    bucket = FolderBucket(str(root), Disk())
    bucket.put(KEY, b"")
    (root / "journal" / ".dataver-tmp-0123456789abcdef").write_bytes(b"half")

    assert [info.key for info in bucket.list("journal/")] == [KEY]


def test_symlinks_that_lead_in_circles_are_no_keys(root: Path) -> None:
    bucket = FolderBucket(str(root), Disk())
    bucket.put("packs/ab/one", b"one")
    (root / "packs/loop").symlink_to("loop")
    (root / "packs/up").symlink_to("..")
    (root / "packs/ab/gone").symlink_to("nowhere")
    (root / "round").symlink_to(".")

    found = [info.key for info in bucket.list("packs/")]

    assert found == ["packs/ab/one"]
    assert "round/round/packs/ab/one" not in [info.key for info in bucket.list("")]


def test_a_file_that_is_no_folder_is_no_bucket(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(BucketNotFoundError):
        FolderBucket(str(tmp_path / "file"), Disk()).get(KEY)


def test_modes_follow_the_umask_so_that_a_team_can_share_a_folder(root: Path) -> None:
    before = os.umask(0o002)
    try:
        bucket = FolderBucket(str(root), Disk())
        bucket.put(KEY, b"")
        bucket.put_new("segments/x", b"")
    finally:
        os.umask(before)

    assert (root / "segments").stat().st_mode & 0o777 == 0o775
    assert (root / KEY).stat().st_mode & 0o044 == 0o044
