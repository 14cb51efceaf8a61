"""Whether there is room for what is about to be written, asked before it begins."""

from __future__ import annotations

import contextlib
import os

from dataver.disk.atomic import temp_name
from dataver.disk.disk import Disk, StrOrBytes
from dataver.errors import DiskFullError

RESERVE = 16 * 1024 * 1024
"""Bytes that stay free, where much is written: the file system's own bookkeeping, and other programs."""
_RESERVED_SHARE = 8


def check_space(folder: StrOrBytes, need: int) -> None:
    """Check that *need* bytes fit on the disk that holds *folder*, which may be yet to be made.

    Raises: DiskFullError that says how much is needed and free.
    """
    free = free_space(folder) if need > 0 else None
    # Where nobody can say, the writing itself will.
    if free is not None and need + min(RESERVE, need // _RESERVED_SHARE) > free:
        raise DiskFullError(folder, need, free)


def free_space(folder: StrOrBytes) -> int | None:
    """Return the bytes that this user may still write where *folder* is or will be; None if unknown."""
    there = os.path.abspath(folder)
    while not os.path.isdir(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    try:
        found = os.statvfs(there)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def can_share_blocks(disk: Disk, source: StrOrBytes, folder: StrOrBytes) -> bool:
    """Tell, by doing it, whether a copy of the file *source* in *folder* would take no room."""
    temp = temp_name(folder)
    try:
        source_fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            target_fd = disk.create(temp)
            try:
                return disk.clone(source_fd, target_fd)
            finally:
                os.close(target_fd)
                with contextlib.suppress(OSError):
                    disk.unlink(temp)
        finally:
            os.close(source_fd)
    except OSError:
        return False
