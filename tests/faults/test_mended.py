"""Defects that the sweeps found, each with a test of its own."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dataver.disk.disk import Buffer, Disk
from dataver.errors import DiskFullError
from dataver.store.packfile import PackWriter
from dataver.transfer.unpack import _write
from tests.e2e.project import SMALL, Project

_LEFT = ".dataver-tmp-0123456789abcdef"


class FullDisk(Disk):
    """A disk that takes no byte, and gives no file back."""

    def __init__(self, *, may_unlink: bool = True) -> None:
        self._may_unlink = may_unlink

    def write(self, fd: int, data: Buffer) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def unlink(self, path: str | bytes, *, dir_fd: int | None = None) -> None:
        if not self._may_unlink:
            raise OSError(errno.EIO, "Input/output error")
        super().unlink(path, dir_fd=dir_fd)


def test_a_blob_that_finds_no_room_on_its_way_in_leaves_no_temp_file(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError):
        _write(FullDisk(), str(tmp_path / "temp"), b"data", 0o444)

    assert list(tmp_path.iterdir()) == []


def test_a_pack_that_can_neither_be_written_nor_removed_says_why_it_was_not_written(tmp_path: Path) -> None:
    writer = PackWriter(FullDisk(may_unlink=False), str(tmp_path / "temp"))

    with pytest.raises(DiskFullError):
        writer.close()


def test_an_add_takes_away_what_a_killed_one_left_beside_the_pointer(project: Project) -> None:
    project.write(SMALL)
    project.write({_LEFT: "left by a kill, long ago", f"{_LEFT}-young": "perhaps in use"})
    os.utime(project.root / _LEFT, (1_000_000_000, 1_000_000_000))

    project.run("add", "data")

    assert not (project.root / _LEFT).exists()
    assert (project.root / f"{_LEFT}-young").exists()


def test_a_file_that_could_not_be_deleted_is_deleted_by_the_next_checkout(unprivileged: Project) -> None:
    project = unprivileged
    project.write({**SMALL, "data/old/gone.txt": "gone\n"})
    project.record("data", tag="v1")
    (project.root / "data/old/gone.txt").unlink()
    (project.root / "data/old").rmdir()
    project.record("data", tag="v2")
    project.git("switch", "-q", "--detach", "v1")
    project.run("checkout")
    project.git("switch", "-q", "main")
    (project.root / "data/old").chmod(0o555)
    refused = project.run("checkout", expect=7)
    (project.root / "data/old").chmod(0o755)

    project.run("checkout")

    assert refused.code == "permission"
    assert not (project.root / "data/old").exists()
    assert project.changes() == {}


def test_a_folder_that_cannot_be_made_costs_no_file_of_another(unprivileged: Project) -> None:
    project = unprivileged
    project.write({**SMALL, "data/train/mine.txt": "not added\n"})
    (project.root / "data/train/mine.txt").rename(project.root / "mine.txt")
    project.record("data", tag="v1")
    project.write({"data/new/3.csv": "3,three\n", "data/train/1.csv": "1,second\n"})
    project.record("data", tag="v2")
    project.git("switch", "-q", "--detach", "v1")
    project.run("checkout")
    project.git("switch", "-q", "main")
    (project.root / "mine.txt").rename(project.root / "data/train/mine.txt")
    (project.root / "data").chmod(0o555)

    project.run("checkout", expect=7)

    (project.root / "data").chmod(0o755)
    assert project.read("data/train/mine.txt") == "not added\n"
    assert project.read("data/train/2.csv") == "2,two\n"
    assert project.read("data/train/1.csv") in ("1,one\n", "1,second\n")
