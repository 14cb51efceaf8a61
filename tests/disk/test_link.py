"""Cached files put into the workspace by each link type."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from dataver import hashing
from dataver.disk.disk import Disk, StrOrBytes
from dataver.disk.link import LinkType, place_file

DATA = b"cached content" * 999
DIGEST = hashing.digest(hashing.BLAKE3, DATA)


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "object"
    path.write_bytes(DATA)
    path.chmod(0o444)
    return str(path)


class _NoLinks(Disk):
    """A file system that has neither reflinks nor links."""

    def __init__(self, number: int) -> None:
        self.number = number

    def clone(self, source_fd: int, target_fd: int) -> bool:
        return False

    def link(self, source: StrOrBytes, target: StrOrBytes, **fds: Any) -> None:
        raise OSError(self.number, "no")

    def symlink(self, content: StrOrBytes, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        raise OSError(self.number, "no")


@pytest.mark.parametrize("link", ["reflink", "copy", "hardlink", "symlink"])
def test_each_link_type_shows_the_content_and_its_digest(tmp_path: Path, source: str, link: LinkType) -> None:
    target = os.fsencode(tmp_path) + b"/t\xe9"

    placed = place_file(Disk(), source, target, (link,), algorithm=hashing.BLAKE3)

    assert placed.link in (link, "copy")
    assert (placed.digest, placed.size) == (DIGEST, len(DATA))
    with open(target, "rb") as file:
        assert file.read() == DATA


def test_without_an_algorithm_nothing_is_hashed(tmp_path: Path, source: str) -> None:
    placed = place_file(Disk(), source, str(tmp_path / "t"), ("copy",), algorithm=None)

    assert placed.digest is None
    assert (tmp_path / "t").read_bytes() == DATA


def test_a_copy_is_writable_though_the_object_is_not(tmp_path: Path, source: str) -> None:
    before = os.umask(0o022)
    try:
        place_file(Disk(), source, str(tmp_path / "t"), ("copy",), algorithm=None)
        place_file(Disk(), source, str(tmp_path / "x"), ("copy",), algorithm=None, executable=True)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "t").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o755


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_an_executable_is_copied_where_a_link_would_share_its_mode(
    tmp_path: Path, source: str, link: LinkType
) -> None:
    placed = place_file(Disk(), source, str(tmp_path / "t"), (link,), algorithm=None, executable=True)

    assert placed.link == "copy"
    assert stat.S_IMODE(os.stat(source).st_mode) == 0o444


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.EPERM])
def test_what_the_file_system_cannot_do_falls_back_to_a_copy(
    tmp_path: Path, source: str, number: int
) -> None:
    order: tuple[LinkType, ...] = ("reflink", "hardlink", "symlink")

    placed = place_file(_NoLinks(number), source, str(tmp_path / "t"), order, algorithm=hashing.BLAKE3)

    assert (placed.link, placed.digest) == ("copy", DIGEST)


@pytest.mark.parametrize("executable", [False, True])
def test_a_reflink_is_hashed_where_it_is_asked(tmp_path: Path, source: str, executable: bool) -> None:
    class Cloning(Disk):
        def clone(self, source_fd: int, target_fd: int) -> bool:
            os.pwrite(target_fd, os.pread(source_fd, len(DATA), 0), 0)
            return True

    target = str(tmp_path / "t")
    placed = place_file(
        Cloning(), source, target, ("reflink",), algorithm=hashing.BLAKE3, executable=executable
    )

    assert placed == ("reflink", DIGEST, len(DATA))
    assert os.access(target, os.X_OK) == executable


def test_a_failed_reflink_falls_to_the_next_type(tmp_path: Path, source: str) -> None:
    class NoClone(Disk):
        def clone(self, source_fd: int, target_fd: int) -> bool:
            return False

    placed = place_file(NoClone(), source, str(tmp_path / "t"), ("reflink", "hardlink"), algorithm=None)

    assert placed.link == "hardlink"
    assert os.path.samefile(source, tmp_path / "t")


def test_a_symlink_holds_an_absolute_path(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    place_file(Disk(), "object", str(tmp_path / "t"), ("symlink",), algorithm=None)

    assert os.readlink(tmp_path / "t") == source


def test_a_target_that_exists_is_not_touched(tmp_path: Path, source: str) -> None:
    (tmp_path / "t").write_bytes(b"mine")

    for link in ("reflink", "copy", "hardlink", "symlink"):
        with pytest.raises(FileExistsError):
            place_file(Disk(), source, str(tmp_path / "t"), (link,), algorithm=None)

    assert (tmp_path / "t").read_bytes() == b"mine"


def test_a_missing_object_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        place_file(Disk(), str(tmp_path / "gone"), str(tmp_path / "t"), ("copy",), algorithm=None)

    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, source: str) -> None:
    class Full(Disk):
        def clone(self, source_fd: int, target_fd: int) -> bool:
            return False

        def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
            raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        place_file(Full(), source, str(tmp_path / "t"), ("reflink",), algorithm=hashing.BLAKE3)

    assert os.listdir(tmp_path) == ["object"]


def test_below_a_folder_descriptor(tmp_path: Path, source: str) -> None:
    (tmp_path / "sub").mkdir()
    folder = os.open(tmp_path / "sub", os.O_RDONLY)
    try:
        for link in ("reflink", "copy", "hardlink", "symlink"):
            place_file(Disk(), source, link.encode(), (link,), algorithm=None, dir_fd=folder)
    finally:
        os.close(folder)

    assert {path.read_bytes() for path in (tmp_path / "sub").iterdir()} == {DATA}


def test_another_users_file_is_copied_where_ones_own_is_hard_linked(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(source).st_uid + 1)

    placed = place_file(Disk(), source, str(tmp_path / "t"), ("hardlink",), algorithm=hashing.BLAKE3)

    assert placed.link == "copy"
    assert os.stat(source).st_nlink == 1
