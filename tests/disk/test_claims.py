"""Claims between real processes."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataver.disk.claims import Claims
from dataver.disk.disk import Clock
from dataver.errors import LockTimeoutError
from dataver.progress import SILENT

A, B = b"a" * 32, b"b" * 32


def _claims(path: Path, timeout_s: float = 0) -> Claims:
    return Claims(str(path), timeout_s=timeout_s, clock=Clock(), progress=SILENT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fetching"


@pytest.fixture
def other(path: Path) -> Iterator[int]:
    """Start a process that has claimed A, and give its id."""
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        with _claims(path) as claims:
            os.write(write_fd, b"x" if claims.take(A) else b"-")
            time.sleep(60)
        os._exit(0)
    os.close(write_fd)
    assert os.read(read_fd, 1) == b"x"
    os.close(read_fd)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_what_another_process_claimed_cannot_be_claimed(path: Path, other: int) -> None:
    with _claims(path) as claims:
        assert (claims.take(A), claims.take(B)) == (False, True)


def test_a_wait_for_a_claim_names_who_has_it(path: Path, other: int) -> None:
    with _claims(path) as claims, pytest.raises(LockTimeoutError) as caught:
        claims.wait_for(A)

    assert f"process {other} on" in caught.value.holder


def test_a_claim_ends_with_its_process(path: Path, other: int) -> None:
    os.kill(other, signal.SIGKILL)

    with _claims(path, timeout_s=20) as claims:
        claims.wait_for(A)


def test_what_was_released_can_be_claimed_by_another_process(path: Path) -> None:
    with _claims(path) as claims:
        claims.take(A)
        claims.release([A])

        pid = os.fork()
        if pid == 0:
            with _claims(path) as mine:
                os._exit(0 if mine.take(A) else 1)
        assert os.waitpid(pid, 0)[1] == 0


def test_where_nothing_can_be_locked_everything_may_be_done(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lockf(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "lockf", lockf)

    with _claims(path) as claims:
        assert claims.take(A)
        claims.wait_for(A)
        claims.release([A])


def test_where_the_file_cannot_be_made_everything_may_be_done(tmp_path: Path) -> None:
    with _claims(tmp_path / "none" / "fetching") as claims:
        assert claims.take(A)
