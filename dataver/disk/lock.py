"""Locks between processes: kernel locks, which end with their holder however it ends.

The lock file's text says who holds it, for people; nothing is decided by it, and the file is never
removed (two processes would lock two files of one name).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterator

from dataver.disk.disk import Clock
from dataver.errors import LockTimeoutError, local_error
from dataver.progress import SILENT, Progress

_TEXT_LIMIT = 512
_SAY_AFTER_S = 0.5
_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.2

_held: set[int] = set()


def _let_go_in_child() -> None:
    # A forked worker shares its parent's locks; by closing them it leaves them to the parent alone,
    # so that a parent that is killed holds nothing through a worker that lives a moment longer.
    for fd in _held:
        with contextlib.suppress(OSError):
            os.close(fd)
    _held.clear()


os.register_at_fork(after_in_child=_let_go_in_child)


@contextlib.contextmanager
def hold(
    path: str,
    *,
    shared: bool = False,
    timeout_s: float = 600.0,
    clock: Clock | None = None,
    progress: Progress = SILENT,
) -> Iterator[None]:
    """Hold the lock file *path*, made where it is missing, for the length of a `with` block.

    Any number of shared holders, or one exclusive holder.  Waits for others, and says for whom
    when it takes long.  Not re-entrant: a thread that asks again for what it holds waits for itself.

    Raises: `LockTimeoutError` after *timeout_s* seconds; our local errors.
    """
    try:
        fd = _open(path, shared=shared)
    except OSError as error:
        raise local_error(error, path, "lock") from error
    _held.add(fd)
    try:
        _acquire(fd, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, timeout_s, clock or Clock(), progress)
        if not shared:
            _sign(fd)
        try:
            yield
        finally:
            if not shared and fd in _held:
                with contextlib.suppress(OSError):
                    os.ftruncate(fd, 0)
    finally:
        if fd in _held:
            _held.discard(fd)
            # Closing is not enough: a child that was forked this instant has the lock open too.
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)


def _open(path: str, *, shared: bool) -> int:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
    except PermissionError:
        if not shared:
            raise
    except OSError as error:
        if not shared or error.errno != errno.EROFS:
            raise
    # Whoever may only read (a shared cache, a read-only disk) can still lock others' writing out.
    return os.open(path, os.O_RDONLY | flags)


def _acquire(fd: int, path: str, kind: int, timeout_s: float, clock: Clock, progress: Progress) -> None:
    start = clock.monotonic()
    pause = _FIRST_PAUSE_S
    said = ""
    while True:
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        except OSError as error:
            raise local_error(error, path, "lock") from error
        waited = clock.monotonic() - start
        if waited >= timeout_s:
            raise LockTimeoutError(path, holder_of(path), waited)
        if waited >= _SAY_AFTER_S:
            holder = holder_of(path) or "another process"
            if holder != said:
                progress.note(f"waiting for {holder}")
                said = holder
        clock.sleep(min(pause, timeout_s - waited))
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _sign(fd: int) -> None:
    command = " ".join(os.path.basename(word) if not i else word for i, word in enumerate(sys.argv[:3]))
    text = f"process {os.getpid()} on {os.uname().nodename}: {command}\n"
    with contextlib.suppress(OSError):  # the text is for people; the lock holds without it
        os.ftruncate(fd, 0)
        os.pwrite(fd, text.encode("utf-8", "backslashreplace")[:_TEXT_LIMIT], 0)


def holder_of(path: str) -> str:
    """Return who signed the lock file last, or nothing where that process is gone."""
    try:
        with open(path, "rb") as file:
            text = file.read(_TEXT_LIMIT).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    words = text.split(" ", 4)
    if len(words) < 4 or not words[1].isdigit():
        return ""
    if words[3].rstrip(":") == os.uname().nodename:
        try:
            os.kill(int(words[1]), 0)
        except ProcessLookupError:
            return ""
        except OSError:
            pass
    return "".join(c if c.isprintable() else "?" for c in text)
