"""Locks between processes: kernel locks, which end with their holder however it ends.

The lock file's text says who holds it, for people; nothing is decided by it, and the file is never
removed (two processes would lock two files of one name).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator

from dataver.disk.disk import Clock
from dataver.disk.holders import holder_of, sign, unsign
from dataver.errors import LocksUnsupportedError, LockTimeoutError, local_error, show_path
from dataver.progress import SILENT, Progress

__all__ = ["DEFAULT_TIMEOUT_S", "Wait", "hold", "holder_of", "open_lock_file"]

DEFAULT_TIMEOUT_S = 600.0
_SAY_AFTER_S = 0.5
_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.2
_TURN_S = 10.0
"""How long whoever waits for all others keeps new ones out, and lets them in again."""

_NO_LOCKS = frozenset((errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL))
"""What a file system says that has no such locks, or whose lock server cannot be reached."""
_MAY_NOT_MAKE = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT))
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NOCTTY

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
    gate: str = "",
    is_needed: bool = True,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    clock: Clock | None = None,
    progress: Progress = SILENT,
) -> Iterator[None]:
    """Hold the lock file *path*, made where it is missing, for the length of a `with` block.

    Any number of shared holders, or one exclusive holder.  Waits for others, and says for whom
    when it takes long.  Not re-entrant: a thread that asks again for what it holds waits for itself.
    *gate* is a second lock file, for a lock that many share all the time: who waits for all of them
    closes it now and then, so that a moment comes when nobody holds the lock.  Without *is_needed*
    the work goes on where nothing can be locked: on a file system without locks, which *progress*
    is told, and for a shared holder who may not make the file.

    Raises: `LockTimeoutError` after *timeout_s* seconds, `LocksUnsupportedError` on a file system
    without locks, our local errors.
    """
    with contextlib.ExitStack() as stack:
        fd = -1
        try:
            fd = stack.enter_context(_opened(path, shared=shared))
            gate_fd = stack.enter_context(_opened(gate, shared=shared)) if gate else -1
            wait = Wait(path, timeout_s, clock or Clock(), progress, holder=lambda: holder_of(path))
            _acquire(fd, gate_fd, wait, shared=shared)
        except OSError as error:
            if error.errno in _NO_LOCKS and fd >= 0:
                if is_needed:
                    raise LocksUnsupportedError(path) from error
                progress.note(f"no locks on the disk of {show_path(path)}: run one dataver at a time there")
            elif is_needed or not shared or error.errno not in _MAY_NOT_MAKE:
                raise local_error(error, path, "lock") from error
            fd = -1
        if fd >= 0:
            sign(fd)
            # Whoever forks in the block leaves the lock to the parent.
            stack.callback(lambda: unsign(fd) if fd in _held else None)
        yield


@contextlib.contextmanager
def _opened(path: str, *, shared: bool) -> Iterator[int]:
    """Open a lock file; whatever is held on it ends with the block."""
    fd = open_lock_file(path, shared=shared)
    _held.add(fd)
    try:
        yield fd
    finally:
        if fd in _held:
            _held.discard(fd)
            # Closing is not enough: a child that was forked this instant has the lock open too.
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)


def open_lock_file(path: str, *, shared: bool) -> int:
    """Return a descriptor of a lock file, made where it is missing; raises `OSError`."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666)
    except FileExistsError:
        return _open_present(path, shared=shared)
    _open_to_those_of(os.path.dirname(path), fd)
    return fd


def _open_to_those_of(folder: str, fd: int) -> None:
    """Let everybody lock a new lock file who may write to its folder, whatever the umask says."""
    with contextlib.suppress(OSError):
        os.fchmod(fd, (os.fstat(fd).st_mode | os.stat(folder or ".").st_mode & 0o066) & 0o666)


def _open_present(path: str, *, shared: bool) -> int:
    try:
        return os.open(path, os.O_RDWR | _FLAGS)
    except OSError as error:
        if not shared or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
    # Whoever may only read (a shared cache, a read-only disk) can still lock others' writing out.
    return os.open(path, os.O_RDONLY | _FLAGS)


class Wait:
    """One wait for other processes: until when, and what was said of it."""

    def __init__(
        self, path: str, timeout_s: float, clock: Clock, progress: Progress, *, holder: Callable[[], str]
    ) -> None:
        """*holder* says for whom, as well as it is known."""
        self._path, self._timeout_s, self._clock, self._progress = path, timeout_s, clock, progress
        self._holder = holder
        self._start = clock.monotonic()
        self._pause = _FIRST_PAUSE_S
        self._said = ""

    @property
    def waited_s(self) -> float:
        return self._clock.monotonic() - self._start

    def pause(self) -> None:
        """Sleep a little longer than the last time.  Raises: LockTimeoutError."""
        waited = self.waited_s
        if waited >= self._timeout_s:
            raise LockTimeoutError(self._path, self._holder(), waited)
        if waited >= _SAY_AFTER_S:
            holder = self._holder() or "another process"
            if holder != self._said:
                self._progress.note(f"waiting for {holder}")
                self._said = holder
        self._clock.sleep(min(self._pause, self._timeout_s - waited))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_S)


def _acquire(fd: int, gate_fd: int, wait: Wait, *, shared: bool) -> None:
    while not (_pass(gate_fd, fd) if shared else _try(fd, fcntl.LOCK_EX)):
        if not shared and gate_fd >= 0:
            # By turns: a long fetch must not keep everybody waiting who could work beside it.
            if int(wait.waited_s / _TURN_S) % 2 == 0:
                _try(gate_fd, fcntl.LOCK_EX)
            else:
                fcntl.flock(gate_fd, fcntl.LOCK_UN)
        wait.pause()
    if gate_fd >= 0:
        fcntl.flock(gate_fd, fcntl.LOCK_UN)


def _pass(gate_fd: int, fd: int) -> bool:
    """Take the shared lock *fd*, through the gate where there is one."""
    if gate_fd < 0:
        return _try(fd, fcntl.LOCK_SH)
    if not _try(gate_fd, fcntl.LOCK_SH):
        return False
    is_taken = _try(fd, fcntl.LOCK_SH)
    fcntl.flock(gate_fd, fcntl.LOCK_UN)
    return is_taken


def _try(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
