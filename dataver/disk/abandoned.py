"""Temp files that a killed process left among the user's files: whose they are, and away with them.

Whoever has temp files in a folder holds the folder's own kernel lock meanwhile, shared with all
others who have some there.  Whoever gets it alone, without waiting, knows that nobody is at any of
them: the kernel drops a lock with its process.  Where a folder cannot be locked age decides.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator

from dataver.disk.disk import Clock, Disk, StrOrBytes

AGE_S = 3600.0
"""Temp files that are older belong to nobody who still runs, where nothing can be locked."""

_TEMP_NAME = re.compile(rb"\.dataver-tmp-[0-9a-f]{16}")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES = 100
_PAUSE_S = 0.01


def is_temp_name(name: bytes) -> bool:
    """Tell whether *name* is one that `atomic` gives to temp files, and hardly anybody else."""
    return _TEMP_NAME.fullmatch(name) is not None


def mark_busy(folder_fd: int) -> None:
    """Keep the temp files in an open folder from being removed by others, until it is closed.

    A removal is waited for, for a second at most; where nothing can be locked nothing is.
    """
    for _ in range(_TRIES):
        try:
            fcntl.flock(folder_fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            Clock().sleep(_PAUSE_S)
        except OSError:
            return
        else:
            return


@contextlib.contextmanager
def busy(folder: StrOrBytes) -> Iterator[None]:
    """Hold `mark_busy` on the folder *folder* for the length of a `with` block."""
    try:
        fd = os.open(folder, _FOLDER & ~os.O_NOFOLLOW)
    except OSError:  # one that may be written to and not read: nobody sweeps there either
        yield
        return
    try:
        mark_busy(fd)
        yield
    finally:
        os.close(fd)


def remove_abandoned(disk: Disk, clock: Clock, folder_fd: int, names: Iterable[bytes]) -> int:
    """Remove those temp files and new folders *names* of an open folder that nobody is at; return how many.

    What cannot be removed stays; so does a folder that holds another, which is none of ours.
    """
    try:
        fcntl.flock(folder_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        limit = None
    except BlockingIOError:
        return 0
    except OSError:
        limit = clock.now_s() - AGE_S
    removed = 0
    try:
        for name in names:
            with contextlib.suppress(OSError):
                st = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
                if limit is None or max(st.st_mtime, st.st_ctime) < limit:
                    removed += _remove(disk, folder_fd, name, is_folder=stat.S_ISDIR(st.st_mode))
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(folder_fd, fcntl.LOCK_UN)
    return removed


def _remove(disk: Disk, folder_fd: int, name: bytes, *, is_folder: bool) -> bool:
    if not is_folder:
        disk.unlink(name, dir_fd=folder_fd)
        return True
    fd = os.open(name, _FOLDER, dir_fd=folder_fd)
    try:
        with os.scandir(fd) as entries:
            inside = [(os.fsencode(e.name), e.is_dir(follow_symlinks=False)) for e in entries]
        if any(is_dir for _, is_dir in inside):
            return False
        for each, _ in inside:
            disk.unlink(each, dir_fd=fd)
    finally:
        os.close(fd)
    disk.rmdir(name, dir_fd=folder_fd)
    return True
