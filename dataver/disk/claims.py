"""Claims: which of many things a process is at, for others that would do the same work.

One lock file for all: each thing is one byte of it, far beyond its end, by the thing's name.  The
kernel drops a claim with its process.  A claim only saves work: where nothing can be locked,
everybody may do everything.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import sys
from collections.abc import Iterable

from dataver.disk.disk import Clock
from dataver.disk.holders import describe_process
from dataver.disk.lock import Wait, open_lock_file
from dataver.progress import Progress

_HELD = frozenset((errno.EACCES, errno.EAGAIN))
_FLOCK = struct.Struct("hhqqi0q")  # Linux, 64 bits: type, whence, start, length, pid


class Claims:
    """What this process has claimed in one lock file.

    One at a time in a process for one file: POSIX locks end when any descriptor of it is closed.
    """

    def __init__(self, path: str, *, timeout_s: float, clock: Clock, progress: Progress) -> None:
        self._path, self._timeout_s, self._clock, self._progress = path, timeout_s, clock, progress
        self._fd = -1
        self._can_lock = True

    def __enter__(self) -> Claims:
        try:
            self._fd = open_lock_file(self._path, shared=False)
        except OSError:
            self._can_lock = False
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def take(self, name: bytes) -> bool:
        """Claim *name*; False where another process has it."""
        if not self._can_lock:
            return True
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
        except OSError as error:
            if error.errno in _HELD:
                return False
            self._can_lock = False
        return True

    def wait_for(self, name: bytes) -> None:
        """Claim *name* once whoever has it lets go.  Raises: LockTimeoutError.

        Never while other claims are held: two processes could wait for each other.
        """
        wait = Wait(
            self._path, self._timeout_s, self._clock, self._progress, holder=lambda: self._holder(name)
        )
        while not self.take(name):
            wait.pause()

    def release(self, names: Iterable[bytes]) -> None:
        """Give up what was claimed."""
        if not self._can_lock:
            return
        for name in names:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, _place(name))

    def _holder(self, name: bytes) -> str:
        if sys.platform != "linux":
            return ""
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _place(name), 1, 0)
        try:
            kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(self._fd, fcntl.F_GETLK, asked))
        except OSError:
            return ""
        return describe_process(pid) if kind != fcntl.F_UNLCK and pid > 0 else ""


def _place(name: bytes) -> int:
    """Return the byte that stands for a name, which is a hash or ends in one."""
    return int.from_bytes(name[-8:], "big") >> 2
