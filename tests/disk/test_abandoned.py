"""Temp files that nobody is at are removed; those of a process that lives never are."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataver.disk import atomic
from dataver.disk.abandoned import AGE_S, busy, is_temp_name, remove_abandoned
from dataver.disk.disk import Clock, Disk

_NAME = b".dataver-tmp-0123456789abcdef"


class _Later(Clock):
    """A clock that is two hours ahead."""

    def now_s(self) -> float:
        return super().now_s() + 2 * AGE_S


@pytest.fixture
def folder_fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def _make(folder: Path, name: bytes = _NAME) -> Path:
    path = folder / os.fsdecode(name)
    path.write_bytes(b"half")
    return path


def _remove(fd: int, clock: Clock | None = None) -> int:
    return remove_abandoned(Disk(), clock or Clock(), fd, [_NAME])


@pytest.mark.parametrize(
    "name", [atomic.temp_base(), os.path.basename(atomic.temp_name(b"/x"))], ids=["of a folder", "of a path"]
)
def test_every_name_of_a_temp_file_is_known_as_one(name: bytes) -> None:
    assert is_temp_name(name)


@pytest.mark.parametrize("name", [b".dataver-tmp-", b".dataver-tmp-mine", _NAME + b".txt", b"a" + _NAME])
def test_a_name_that_only_looks_like_a_temp_file_is_none(name: bytes) -> None:
    assert not is_temp_name(name)


def test_a_temp_file_that_nobody_is_at_is_removed(tmp_path: Path, folder_fd: int) -> None:
    left = _make(tmp_path)

    removed = _remove(folder_fd)

    assert (removed, left.exists()) == (1, False)


def test_a_temp_file_stays_while_somebody_works_in_the_folder(tmp_path: Path, folder_fd: int) -> None:
    left = _make(tmp_path)

    with busy(str(tmp_path)):
        removed = _remove(folder_fd)

    assert (removed, left.exists()) == (0, True)


def test_a_process_that_is_killed_is_at_its_temp_file_no_more(tmp_path: Path, folder_fd: int) -> None:
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        with busy(str(tmp_path)):
            os.write(told, b"!")
            time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    left = _make(tmp_path)
    before = _remove(folder_fd)
    os.kill(pid, 9)
    os.waitpid(pid, 0)

    after = _remove(folder_fd)

    assert (before, after, left.exists()) == (0, 1, False)
    os.close(ready)
    os.close(told)


def test_a_pointer_is_written_as_by_somebody_who_works_in_the_folder(tmp_path: Path, folder_fd: int) -> None:
    class Sweeping(Disk):
        """A disk on which others sweep just before a temp file gets its name."""

        def rename(
            self,
            source: str | bytes,
            target: str | bytes,
            *,
            source_dir_fd: int | None = None,
            target_dir_fd: int | None = None,
        ) -> None:
            names = [n for n in os.listdir(os.fsencode(tmp_path)) if is_temp_name(n)]
            assert names
            remove_abandoned(Disk(), Clock(), folder_fd, names)
            super().rename(source, target, source_dir_fd=source_dir_fd, target_dir_fd=target_dir_fd)

    atomic.replace(Sweeping(), str(tmp_path / "data.dv"), b"pointer")

    assert (tmp_path / "data.dv").read_bytes() == b"pointer"


def test_a_new_folder_goes_with_the_files_in_it(tmp_path: Path, folder_fd: int) -> None:
    folder = tmp_path / os.fsdecode(_NAME)
    folder.mkdir()
    (folder / "a").write_bytes(b"a")
    (folder / "b").symlink_to("a")

    _remove(folder_fd)

    assert not folder.exists()


def test_a_folder_that_holds_another_is_none_of_ours(tmp_path: Path, folder_fd: int) -> None:
    folder = tmp_path / os.fsdecode(_NAME)
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(b"a")

    _remove(folder_fd)

    assert (folder / "a").exists()


def test_a_symlink_is_removed_and_not_followed(tmp_path: Path, folder_fd: int) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_bytes(b"kept")
    (tmp_path / os.fsdecode(_NAME)).symlink_to("mine")

    _remove(folder_fd)

    assert os.listdir(tmp_path) == ["mine"]
    assert (tmp_path / "mine/file").exists()


def test_where_nothing_can_be_locked_age_decides(
    tmp_path: Path, folder_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    _make(tmp_path)

    young = _remove(folder_fd)
    old = _remove(folder_fd, _Later())

    assert (young, old) == (0, 1)


def test_what_works_in_a_folder_waits_for_a_sweep_and_no_longer_than_a_second(
    tmp_path: Path, folder_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(Clock, "sleep", lambda self, seconds: slept.append(seconds))
    fcntl.flock(folder_fd, fcntl.LOCK_EX)

    with busy(str(tmp_path)):
        pass

    assert 0.5 < sum(slept) <= 1.01
