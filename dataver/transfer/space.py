"""Whether there is room for what a transfer will write, asked before it begins."""

from __future__ import annotations

import os

from dataver.errors import DiskFullError

RESERVE = 16 * 1024 * 1024
"""Bytes that stay free: the file system's own bookkeeping, and other programs."""


def check_space(folder: str, need: int) -> None:
    """Check that *need* bytes fit on the disk that holds *folder*, which may be yet to be made.

    Raises: DiskFullError that says how much is needed and free.
    """
    there = os.path.abspath(folder)
    while not os.path.isdir(there) and os.path.dirname(there) != there:
        there = os.path.dirname(there)
    try:
        found = os.statvfs(there)
    except OSError:
        return  # where nobody can say, the writing itself will
    free = found.f_bavail * found.f_frsize
    if need and need + RESERVE > free:
        raise DiskFullError(folder, need, free)
