"""A program that serves on loopback while a test runs: the only module that starts one.

Whatever happens to the test process, the program ends with it: its context manager ends its whole
process group, and on Linux the kernel kills it when the process that started it dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_READY_S = 30.0
_END_S = 10.0
_PR_SET_PDEATHSIG = 1
_SHOWN_OF_THE_LOG = 2000

# Looked up before the fork: in the child between fork and exec nothing may be loaded.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class DaemonError(Exception):
    """A server ended, or did not answer in time."""


def free_port() -> int:
    """Return a port of loopback on which nobody listens now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def daemon(
    command: Sequence[str],
    log: Path,
    *,
    port: int = 0,
    is_ready: Callable[[], bool] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* in the foreground of its own process group until the block ends.

    It counts as up when *is_ready* says so; without that, when *port* takes a connection.

    Raises: DaemonError with the end of its *log*.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else {**os.environ, **environment},
            start_new_session=True,
            preexec_fn=_end_with_the_parent,
        )
    try:
        _wait_until_up(process, log, is_ready or (lambda: takes_connections(port)))
        yield process
    finally:
        _end(process)


def takes_connections(port: int) -> bool:
    """Tell whether somebody listens on a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def wait_until(is_so: Callable[[], bool], what: str, *, timeout_s: float = _READY_S) -> None:
    """Return when *is_so* says so.  Raises: DaemonError."""
    give_up = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > give_up:
            raise DaemonError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(0.02)


def _wait_until_up(process: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool]) -> None:
    def is_up() -> bool:
        if process.poll() is not None:
            said = log.read_bytes()[-_SHOWN_OF_THE_LOG:].decode(errors="replace")
            raise DaemonError(f"{process.args!r} ended with {process.returncode}: {said}")
        return is_ready()

    wait_until(is_up, f"{process.args!r} is up")


def _end_with_the_parent() -> None:
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(timeout=_END_S)
            return
        except subprocess.TimeoutExpired:
            continue
