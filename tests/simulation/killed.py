"""The program, ended by SIGKILL at its n-th call that changes something, or with a clock that is wrong.

`python -m tests.simulation.killed N SECONDS add data` is `dataver add data`, killed unless N is
negative, for which it is SECONDS later than it is.  Counted by Python's own audit events, so that
nothing of the program is replaced: files opened for writing, names made, changed and removed,
SQLite's file, and programs started.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

_CHANGING = frozenset(
    (
        *("os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"),
        *("os.chmod", "os.utime", "os.posix_spawn", "sqlite3.connect"),
    )
)


def _watch(limit: int) -> None:
    left = [limit]
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        is_write = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & writing)
        if is_write or event in _CHANGING:
            if left[0] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1

    sys.addaudithook(hook)


def _set_clock(ahead_s: float) -> None:
    now_s, now_ns = time.time, time.time_ns
    time.time = lambda: now_s() + ahead_s
    time.time_ns = lambda: now_ns() + int(ahead_s * 1e9)


if __name__ == "__main__":
    kill_at = int(sys.argv.pop(1))
    # Before the program is loaded, which may keep what it found.
    _set_clock(float(sys.argv.pop(1)))
    if kill_at >= 0:
        _watch(kill_at)

    from dataver.__main__ import main

    sys.exit(main())
