"""The verbs on a file system that lacks what network disks lack: links, clones, locks, synced folders."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from dataver.disk import syscalls
from dataver.disk.disk import Disk
from dataver.errors import LocksUnsupportedError
from dataver.ops.add import add
from dataver.ops.checkout import checkout
from dataver.ops.fetch import fetch
from dataver.ops.push import push
from dataver.ops.remotes import remote_add
from dataver.progress import SILENT, Task
from tests.workspace.sandbox import SMALL, Sandbox, new_sandbox, picture


def _refuse(number: int) -> Any:
    def call(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what such a disk does not have, and leave open files behind as NFS does."""
    fsync, unlink = os.fsync, os.unlink

    def fsync_files_only(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(fd)

    def silly_unlink(path: Any, *, dir_fd: int | None = None) -> None:
        name = os.fsdecode(path)
        if "/packs/" in name:
            os.rename(path, f"{os.path.dirname(name)}/.nfs{os.urandom(12).hex()}")
        else:
            unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "link", _refuse(errno.EOPNOTSUPP))
    monkeypatch.setattr(os, "copy_file_range", _refuse(errno.EXDEV))
    monkeypatch.setattr(os, "fsync", fsync_files_only)
    monkeypatch.setattr(os, "unlink", silly_unlink)
    monkeypatch.setattr(syscalls, "rename_noreplace", _refuse(errno.EINVAL))
    monkeypatch.setattr(fcntl, "ioctl", _refuse(errno.EOPNOTSUPP))
    monkeypatch.setattr(fcntl, "flock", _refuse(errno.ENOLCK))
    monkeypatch.setattr(fcntl, "lockf", _refuse(errno.ENOLCK))


class Notes:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def task(self, label: str, *, total: int = 0, size: int = 0) -> Task:
        return SILENT.task(label, total=total, size=size)

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.usefixtures("network")
def test_data_goes_round_on_such_a_disk(tmp_path: Path) -> None:
    box = new_sandbox(tmp_path / "work", SMALL)
    with box.repo() as repo:
        remote_add(repo, "origin", str(tmp_path / "store"))
        push(repo)
    box.commit()
    box.git("clone", "-q", str(box.top), str(tmp_path / "other"))
    other = Sandbox(tmp_path / "other")

    with other.repo() as repo:
        assert fetch(repo).failed == ()
        assert checkout(repo).failed == ()

    assert picture(other.top / "data") == picture(box.top / "data")


@pytest.mark.usefixtures("network")
def test_small_packs_are_folded_on_such_a_disk(tmp_path: Path) -> None:
    box = new_sandbox(tmp_path / "work", SMALL)
    for number in range(26):
        box.write({"data/a.txt": f"{number}\n"})
        assert box.add().failed == ()

    assert len(box.packs("d")) < 26
    assert box.changes() == {}


@pytest.mark.usefixtures("network")
def test_links_fall_back_to_copies_on_such_a_disk(tmp_path: Path) -> None:
    box = new_sandbox(tmp_path / "work", SMALL)

    assert box.checkout(link="hardlink").failed == ()

    assert (box.top / "data/big.bin").stat().st_nlink == 1


@pytest.mark.usefixtures("network")
def test_without_locks_the_work_goes_on_and_says_so(tmp_path: Path) -> None:
    box = new_sandbox(tmp_path / "work", SMALL)
    notes = Notes()

    with box.repo() as repo:
        add(repo, ["data"], progress=notes)

    assert any("no locks on the disk of" in said for said in notes.said)


@pytest.mark.usefixtures("network")
def test_without_locks_nothing_is_held_exclusively(tmp_path: Path) -> None:
    box = new_sandbox(tmp_path / "work", SMALL)

    with box.repo() as repo, pytest.raises(LocksUnsupportedError) as caught, repo.cache_lock(shared=False):
        pass

    assert caught.value.exit_status == 7
    assert "cache.dir" in caught.value.hint


@pytest.mark.usefixtures("network")
def test_a_name_that_is_taken_is_not_replaced_on_such_a_disk(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)

    with pytest.raises(FileExistsError):
        Disk().rename_new(str(tmp_path / "a"), str(tmp_path / "b"))

    assert (tmp_path / "b").read_text() == "b"
