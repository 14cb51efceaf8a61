"""Defects that the sweeps found, each with a test of its own."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dataver.disk.atomic import make_folders
from dataver.disk.disk import Buffer, Disk
from dataver.errors import DiskFullError, LocalIOError, PermissionDeniedError
from dataver.ops.add import add
from dataver.repo import Repo
from dataver.store.packfile import PackWriter
from dataver.transfer.unpack import _write
from tests.e2e.project import SMALL, Project, blob


class UnsyncedFolders(Disk):
    """A disk that may not make names durable."""

    def sync_folder(self, path: str | bytes, *, dir_fd: int | None = None) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")


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


def test_a_folder_whose_name_cannot_be_made_durable_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(PermissionDeniedError, match="trash"):
        make_folders(UnsyncedFolders(), str(tmp_path / "trash"))


def test_a_pack_that_can_neither_be_written_nor_removed_says_why_it_was_not_written(tmp_path: Path) -> None:
    writer = PackWriter(FullDisk(may_unlink=False), str(tmp_path / "temp"))

    with pytest.raises(DiskFullError):
        writer.close()


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


@pytest.mark.parametrize(("number", "code"), [(errno.EIO, "local-io"), (errno.EACCES, "permission")])
def test_an_only_file_that_the_disk_does_not_give_is_no_unsafe_file(
    project: Project, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    class FailingReads(Disk):
        def copy_range(self, source_fd: int, target_fd: int, size: int) -> int:
            raise OSError(number, os.strerror(number))

    project.write({"data/huge.bin": blob(1, (8 << 20) + 1)})
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", project.env["GIT_CONFIG_GLOBAL"])
    repo = Repo.open(project.root)
    repo.disk = FailingReads()

    with pytest.raises(LocalIOError, match=r"huge\.bin") as raised:
        add(repo, [project.root / "data"])

    assert raised.value.code == code
