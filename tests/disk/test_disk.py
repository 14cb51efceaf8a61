"""The system calls, as thin as they are, and what they do where the system cannot."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dataver.disk import syscalls
from dataver.disk.disk import Clock, Disk

DISK = Disk()


def test_create_refuses_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")

    with pytest.raises(FileExistsError):
        DISK.create(str(tmp_path / "a"))


def test_a_new_file_can_be_read_back_and_is_not_inherited(tmp_path: Path) -> None:
    fd = DISK.create(str(tmp_path / "a"), 0o640)
    try:
        DISK.write(fd, b"abc")

        assert os.pread(fd, 9, 0) == b"abc"
        assert not os.get_inheritable(fd)
    finally:
        os.close(fd)


def test_create_below_a_folder_descriptor(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        os.close(DISK.create(b"\xff", dir_fd=folder))
    finally:
        os.close(folder)

    assert os.listdir(os.fsencode(tmp_path)) == [b"\xff"]


def test_write_goes_on_after_a_short_write() -> None:
    read_fd, write_fd = os.pipe()
    data = os.urandom(1 << 20)
    pid = os.fork()
    if pid == 0:
        os.close(read_fd)
        DISK.write(write_fd, data)
        os._exit(0)
    os.close(write_fd)
    with open(read_fd, "rb") as pipe:
        found = pipe.read()

    assert os.waitpid(pid, 0)[1] == 0
    assert found == data


def test_rename_new_refuses_what_exists_and_keeps_both(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")

    with pytest.raises(FileExistsError):
        DISK.rename_new(str(tmp_path / "a"), str(tmp_path / "b"))

    assert (tmp_path / "a").read_bytes() == b"a"
    assert (tmp_path / "b").read_bytes() == b"b"


def test_rename_new_leaves_one_name(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")

    DISK.rename_new(str(tmp_path / "a"), str(tmp_path / "b"))

    assert os.listdir(tmp_path) == ["b"]
    assert (tmp_path / "b").stat().st_nlink == 1


def test_rename_without_replace_by_the_kernel_refuses_what_exists(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")

    with pytest.raises(FileExistsError):
        syscalls.rename_noreplace(str(tmp_path / "a"), str(tmp_path / "b"), None, None)

    syscalls.rename_noreplace(str(tmp_path / "a"), str(tmp_path / "c"), None, None)
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]


def test_rename_new_where_no_hard_links_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links on this file system")

    monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "a").write_bytes(b"a")

    DISK.rename_new(str(tmp_path / "a"), str(tmp_path / "b"))

    assert os.listdir(tmp_path) == ["b"]


def test_sync_calls_accept_files_and_folders(tmp_path: Path) -> None:
    fd = DISK.create(str(tmp_path / "a"))
    DISK.sync(fd)
    os.close(fd)

    DISK.sync_folder(str(tmp_path))
    DISK.sync_folder(os.fsencode(tmp_path))
    DISK.sync_filesystem(str(tmp_path))


def test_clone_says_no_where_the_file_system_cannot(tmp_path: Path) -> None:
    # A pipe can never share blocks, whatever the file system below tmp_path is.
    read_fd, write_fd = os.pipe()
    fd = DISK.create(str(tmp_path / "a"))
    try:
        assert DISK.clone(read_fd, fd) is False
    finally:
        for each in (read_fd, write_fd, fd):
            os.close(each)


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1])
def test_copy_range_copies_all_and_counts(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    source = os.open(tmp_path / "a", os.O_RDONLY)
    target = DISK.create(str(tmp_path / "b"))
    try:
        assert DISK.copy_range(source, target, size + 10) == size
    finally:
        os.close(source)
        os.close(target)

    assert (tmp_path / "b").read_bytes() == data


def test_copy_range_reads_what_the_kernel_cannot_copy(tmp_path: Path) -> None:
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"through a pipe")
    os.close(write_fd)
    target = DISK.create(str(tmp_path / "b"))
    try:
        assert DISK.copy_range(read_fd, target, 100) == 14
    finally:
        os.close(read_fd)
        os.close(target)

    assert (tmp_path / "b").read_bytes() == b"through a pipe"


def test_utime_sets_a_symlinks_own_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")

    DISK.utime(str(tmp_path / "link"), 5, 7)

    assert (tmp_path / "link").lstat().st_mtime_ns == 7
    assert (tmp_path / "file").stat().st_mtime_ns != 7


def test_the_clock_tells_the_time() -> None:
    clock = Clock()

    first = clock.monotonic()
    clock.sleep(0.001)

    assert clock.monotonic() >= first + 0.001
    assert abs(clock.now_ns() / 1e9 - clock.now_s()) < 5
