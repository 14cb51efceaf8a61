"""What lies below a folder is reached through no symlink, and nothing there hangs us."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataver.disk import safe_open
from dataver.disk.disk import Disk
from dataver.errors import HostileInputError, UnsafeFileError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_bytes(b"content")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    return folder


@pytest.fixture
def root_fd(root: Path) -> Iterator[int]:
    fd = safe_open.open_root(str(root))
    yield fd
    os.close(fd)


def _read(fd: int) -> bytes:
    with open(fd, "rb") as file:
        return file.read()


def test_a_plain_file_opens(root_fd: int) -> None:
    assert _read(safe_open.open_file(root_fd, b"a/b/file")) == b"content"


def test_a_name_that_is_not_utf8_opens(root: Path, root_fd: int) -> None:
    with open(os.fsencode(root) + b"/caf\xe9\n", "wb") as file:
        file.write(b"x")

    assert _read(safe_open.open_file(root_fd, b"caf\xe9\n")) == b"x"


def test_the_root_itself_opens_as_a_folder(root: Path, root_fd: int) -> None:
    fd = safe_open.open_folder(root_fd, b"")
    try:
        assert os.fstat(fd).st_ino == root.stat().st_ino
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    "path",
    [b"..", b"../outside/secret", b"a/../../outside/secret", b"/etc/passwd", b"a//b", b".", b"a/", b"a\0b"],
)
def test_a_path_that_is_not_plain_is_refused(root_fd: int, path: bytes) -> None:
    for opening in (safe_open.open_file, safe_open.open_folder):
        with pytest.raises(HostileInputError):
            opening(root_fd, path)
    with pytest.raises(HostileInputError):
        safe_open.make_folders(Disk(), root_fd, path)


def test_a_symlink_on_the_way_is_refused(root: Path, root_fd: int) -> None:
    (root / "out").symlink_to("../outside")

    with pytest.raises(HostileInputError):
        safe_open.open_file(root_fd, b"out/secret")
    with pytest.raises(HostileInputError):
        safe_open.open_folder(root_fd, b"out")


def test_a_symlink_at_the_end_is_refused(root: Path, root_fd: int) -> None:
    (root / "link").symlink_to("a/b/file")

    for is_checked in (False, True):
        with pytest.raises(HostileInputError):
            safe_open.open_file(root_fd, b"link", is_checked=is_checked)


@pytest.mark.parametrize("is_checked", [False, True])
def test_a_fifo_is_refused_and_never_hangs(root: Path, root_fd: int, is_checked: bool) -> None:
    os.mkfifo(root / "fifo")

    with pytest.raises(UnsafeFileError, match="is a FIFO"):
        safe_open.open_file(root_fd, b"fifo", is_checked=is_checked)


@pytest.mark.parametrize("is_checked", [False, True])
def test_a_socket_is_refused(
    root: Path, root_fd: int, is_checked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    server = socket.socket(socket.AF_UNIX)
    try:
        server.bind("socket")

        with pytest.raises(UnsafeFileError, match="socket"):
            safe_open.open_file(root_fd, b"socket", is_checked=is_checked)
    finally:
        server.close()


def test_a_folder_is_no_file(root_fd: int) -> None:
    for path in (b"a", b""):
        with pytest.raises(UnsafeFileError, match="is a folder"):
            safe_open.open_file(root_fd, path)


def test_a_missing_file_is_missing(root_fd: int) -> None:
    with pytest.raises(FileNotFoundError):
        safe_open.open_file(root_fd, b"a/none/file")


def test_a_file_on_the_way_is_refused(root_fd: int) -> None:
    with pytest.raises(HostileInputError):
        safe_open.open_folder(root_fd, b"a/b/file/c")


def test_folders_are_made_where_they_are_missing(root: Path, root_fd: int) -> None:
    safe_open.make_folders(Disk(), root_fd, b"a/new/caf\xe9")
    safe_open.make_folders(Disk(), root_fd, b"a/new/caf\xe9")

    assert os.path.isdir(os.fsencode(root) + b"/a/new/caf\xe9")


def test_no_folder_is_made_through_a_symlink(root: Path, root_fd: int) -> None:
    (root / "out").symlink_to("../outside")

    with pytest.raises(HostileInputError):
        safe_open.make_folders(Disk(), root_fd, b"out/new")

    assert os.listdir(root.parent / "outside") == ["secret"]


def test_no_descriptor_stays_open(root: Path, root_fd: int) -> None:
    (root / "link").symlink_to("a")
    before = len(os.listdir("/dev/fd"))

    for path in (b"a/b/none", b"link/b/file", b"a/b/file/x", b"a/b"):
        with pytest.raises((OSError, HostileInputError, UnsafeFileError)):
            safe_open.open_file(root_fd, path)
    safe_open.make_folders(Disk(), root_fd, b"p/q/r")

    assert len(os.listdir("/dev/fd")) == before
