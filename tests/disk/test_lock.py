"""Locks between real processes."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dataver.disk.disk import Clock
from dataver.disk.lock import hold, holder_of
from dataver.errors import LocalIOError, LocksUnsupportedError, LockTimeoutError
from dataver.progress import Task


@pytest.fixture
def children() -> Iterator[list[int]]:
    pids: list[int] = []
    yield pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock")


def _holder(path: str, children: list[int], *, shared: bool = False) -> int:
    """Start a process that holds the lock until it is killed, and wait until it does."""
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        with hold(path, shared=shared):
            os.write(write_fd, b"x")
            time.sleep(60)
        os._exit(0)
    os.close(write_fd)
    assert os.read(read_fd, 1) == b"x"
    os.close(read_fd)
    children.append(pid)
    return pid


class _Notes:
    def __init__(self) -> None:
        self.said: list[str] = []

    def task(self, label: str, *, total: int = 0, size: int = 0) -> Task:
        raise AssertionError

    def note(self, text: str) -> None:
        self.said.append(text)


class _FastClock(Clock):
    """Sleeping takes no time but counts."""

    def __init__(self) -> None:
        self.now = 0.0
        self.longest = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.longest = max(self.longest, seconds)


def test_a_second_process_waits_and_then_times_out(path: str, children: list[int]) -> None:
    pid = _holder(path, children)

    with pytest.raises(LockTimeoutError) as caught, hold(path, timeout_s=0.05):
        pass

    assert f"process {pid} on" in caught.value.holder
    assert caught.value.exit_status == 5


def test_the_wait_ends_after_ten_minutes_and_polls_gently(path: str, children: list[int]) -> None:
    _holder(path, children)
    clock = _FastClock()

    with pytest.raises(LockTimeoutError), hold(path, clock=clock):
        pass

    assert clock.now == pytest.approx(600)
    assert clock.longest <= 0.2


def test_waiting_says_once_for_whom(path: str, children: list[int]) -> None:
    pid = _holder(path, children)
    notes = _Notes()

    with pytest.raises(LockTimeoutError), hold(path, timeout_s=5, clock=_FastClock(), progress=notes):
        pass

    assert len(notes.said) == 1
    assert notes.said[0].startswith(f"waiting for process {pid} on {os.uname().nodename}: ")


def test_a_holder_killed_with_signal_9_leaves_no_lock(path: str, children: list[int]) -> None:
    pid = _holder(path, children)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    children.remove(pid)

    assert holder_of(path) == ""
    with hold(path, timeout_s=0):
        assert f"process {os.getpid()} " in holder_of(path)


def test_a_released_lock_is_free_and_signed_by_nobody(path: str) -> None:
    with hold(path):
        pass

    assert holder_of(path) == ""
    with hold(path, timeout_s=0):
        pass


def test_an_error_inside_releases_the_lock(path: str) -> None:
    with pytest.raises(ValueError, match="inside"), hold(path):
        raise ValueError("inside")

    with hold(path, timeout_s=0):
        pass


def test_shared_holders_share_and_keep_an_exclusive_one_out(path: str, children: list[int]) -> None:
    _holder(path, children, shared=True)

    with hold(path, shared=True, timeout_s=0):
        pass
    with pytest.raises(LockTimeoutError), hold(path, timeout_s=0):
        pass


def test_an_exclusive_holder_keeps_shared_ones_out(path: str, children: list[int]) -> None:
    _holder(path, children)

    with pytest.raises(LockTimeoutError), hold(path, shared=True, timeout_s=0):
        pass


def _in_child(function: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        function()
        os._exit(0)
    return pid


def test_a_forked_worker_does_not_keep_its_parents_lock(path: str, children: list[int]) -> None:
    with hold(path):
        children.append(_in_child(lambda: time.sleep(60)))

    with hold(path, timeout_s=0):
        pass


def test_a_killed_parents_lock_is_free_though_its_worker_lives(path: str, children: list[int]) -> None:
    read_fd, write_fd = os.pipe()

    def parent() -> None:
        with hold(path):
            worker = _in_child(lambda: time.sleep(60))
            os.write(write_fd, f"{worker}\n".encode())
            time.sleep(60)

    pid = _in_child(parent)
    worker = int(os.read(read_fd, 20))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    try:
        with hold(path, timeout_s=5):
            pass
    finally:
        os.kill(worker, signal.SIGKILL)
        os.close(read_fd)
        os.close(write_fd)


def test_two_hundred_turns_of_four_processes_never_overlap(path: str, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")

    def count() -> None:
        for _ in range(50):
            with hold(path):
                counter.write_text(str(int(counter.read_text()) + 1))

    pids = [_in_child(count) for _ in range(4)]
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]

    assert statuses == [0, 0, 0, 0]
    assert counter.read_text() == "200"


def test_a_lock_file_that_is_a_symlink_is_refused(path: str, tmp_path: Path) -> None:
    os.symlink(tmp_path / "victim", path)

    with pytest.raises(LocalIOError), hold(path):
        pass

    assert not (tmp_path / "victim").exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalIOError, match="none/lock"), hold(str(tmp_path / "none" / "lock")):
        pass


def test_a_forged_holders_text_is_shown_harmlessly(path: str) -> None:
    Path(path).write_bytes(b"process 1 on elsewhere: \x1b[2Jrm\xff\n" + b"x" * 4096)

    assert "\x1b" not in holder_of(path)
    assert len(holder_of(path)) <= 512


def test_a_forged_holders_number_that_is_none_names_nobody(path: str) -> None:
    Path(path).write_text(f"process ² on {os.uname().nodename}: dataver\n")

    assert holder_of(path) == ""


def test_a_shared_holder_is_named_too(path: str, children: list[int]) -> None:
    pid = _holder(path, children, shared=True)

    with pytest.raises(LockTimeoutError) as caught, hold(path, timeout_s=0):
        pass

    assert f"process {pid} on" in caught.value.holder


def test_several_shared_holders_are_counted(path: str, children: list[int]) -> None:
    for _ in range(3):
        _holder(path, children, shared=True)

    assert holder_of(path).endswith(" and 2 more")


# -- where nothing can be locked ----------------------------------------------------------------------


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL])
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(fd: int, kind: int) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.usefixtures("no_locks")
def test_a_lock_that_is_needed_is_refused_where_the_disk_has_none(path: str) -> None:
    with pytest.raises(LocksUnsupportedError), hold(path):
        pass


@pytest.mark.usefixtures("no_locks")
def test_a_lock_that_is_not_needed_is_done_without_and_that_is_said(path: str) -> None:
    notes = _Notes()

    with hold(path, is_needed=False, progress=notes):
        pass

    assert len(notes.said) == 1
    assert notes.said[0].startswith("no locks on the disk of ")


@pytest.mark.usefixtures("no_locks")
def test_an_error_inside_a_block_without_a_lock_is_its_own(path: str) -> None:
    with pytest.raises(OSError, match="inside"), hold(path, is_needed=False):
        raise OSError(errno.ENOLCK, "inside")


def test_a_shared_lock_that_cannot_be_made_is_done_without_where_it_is_not_needed(tmp_path: Path) -> None:
    with hold(str(tmp_path / "none" / "lock"), shared=True, is_needed=False):
        pass


# -- many that share, and one that waits for all ------------------------------------------------------


def test_who_waits_for_all_keeps_new_ones_out_so_that_its_turn_comes(path: str, children: list[int]) -> None:
    gate = path + ".gate"
    _holder(path, children, shared=True)
    pid = _in_child(lambda: _wait_for_all(path, gate))
    children.append(pid)
    deadline = time.monotonic() + 20
    while f"process {pid} on" not in holder_of(gate) and time.monotonic() < deadline:
        time.sleep(0.01)

    with pytest.raises(LockTimeoutError), hold(path, shared=True, gate=gate, timeout_s=0):
        pass


def test_who_waits_for_all_lets_others_in_again_when_that_takes_long(path: str, children: list[int]) -> None:
    gate = path + ".gate"
    _holder(path, children, shared=True)
    entered = []

    class Entering(_FastClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            try:
                with hold(path, shared=True, gate=gate, timeout_s=0):
                    entered.append(self.now)
            except LockTimeoutError:
                pass

    with pytest.raises(LockTimeoutError), hold(path, gate=gate, timeout_s=25, clock=Entering()):
        pass

    assert entered
    assert 10 <= min(entered) <= max(entered) <= 21


def _wait_for_all(path: str, gate: str) -> None:
    with hold(path, gate=gate, timeout_s=60):
        pass
