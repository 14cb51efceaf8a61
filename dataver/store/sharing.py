"""Who may do what in a cache: what its own folder allows holds for everything in it, umask or not.

A cache that several people use is a folder of their group with the setgid bit, mode 2775; what
one of them puts into it the others can read, and take away, whoever's umask made it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable

from dataver.disk.atomic import make_folders
from dataver.disk.disk import Disk
from dataver.errors import local_error

_STICKY = stat.S_ISVTX


def file_mode(folder: str) -> int:
    """Return the mode of files below the cache *folder*: who may list it may read, and nobody writes."""
    try:
        mode = os.stat(folder).st_mode
    except OSError as error:
        raise local_error(error, folder) from error
    return 0o400 | mode & 0o044


def open_to_readers(disk: Disk, folder: str, paths: Iterable[str]) -> None:
    """Give finished files that go into the cache *folder* the mode of its files.  Raises: local errors."""
    mode = file_mode(folder)
    for path in paths:
        try:
            disk.chmod(path, mode)
        except OSError as error:
            raise local_error(error, path, "write") from error


def make_folder(disk: Disk, folder: str, path: str) -> None:
    """Make the folder *path* below the cache *folder*, each new level with the cache's own mode.

    Raises: local errors.
    """
    if os.path.isdir(path):
        return
    if not os.path.isdir(folder):
        make_folders(disk, folder)
    wanted = stat.S_IMODE(os.stat(folder).st_mode) & ~_STICKY
    place = folder
    for name in os.path.relpath(path, folder).split(os.sep):
        place = f"{place}/{name}"
        if os.path.isdir(place):
            continue
        make_folders(disk, place)
        with contextlib.suppress(OSError):  # somebody else made it this instant, and sets it
            if stat.S_IMODE(os.stat(place).st_mode) != wanted:
                disk.chmod(place, wanted)
