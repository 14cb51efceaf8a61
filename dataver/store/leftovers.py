"""What is left lying about: temp files of killed runs, damaged objects, files that were replaced long ago.

None of it is reachable by any name that something reads; age alone decides.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dataver.disk.disk import Disk
from dataver.disk.folders import entries_of
from dataver.errors import local_error
from dataver.store.trash import is_old

TEMP_AGE_S = 86_400.0
"""A temp file that nobody wrote to for a day belongs to nobody."""
REPLACED_AGE_S = 7 * 86_400.0
"""How long files are kept that `checkout --force` replaced."""


class Leftover(NamedTuple):
    """A file, or a folder with all that is in it."""

    path: str
    size: int


def old_files(folder: str, now_s: float, age_s: float) -> list[Leftover]:
    """Return the files right in *folder* that were last changed at least *age_s* seconds ago."""
    found = []
    for entry in entries_of(folder):
        with contextlib.suppress(FileNotFoundError):
            seen = entry.stat(follow_symlinks=False)
            if is_old(seen, now_s, age_s):
                found.append(Leftover(entry.path, seen.st_size))
    return found


def old_folders(folder: str, now_s: float, age_s: float) -> list[Leftover]:
    """Return the folders in *folder* that were made, or last got something, *age_s* seconds ago."""
    found = []
    for entry in entries_of(folder):
        if not entry.is_dir(follow_symlinks=False):
            continue
        seen = entry.stat(follow_symlinks=False)
        changed = max(seen.st_mtime, seen.st_ctime)
        if changed <= now_s and now_s - changed >= age_s:
            found.append(Leftover(entry.path, sum(_sizes(entry.path))))
    return found


def _sizes(folder: str) -> Iterator[int]:
    for here, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                yield os.lstat(os.path.join(here, name)).st_size


def remove(leftovers: Iterable[Leftover], disk: Disk) -> None:
    """Delete *leftovers*; symlinks are removed and never followed.  Raises: local errors."""
    for leftover in leftovers:
        try:
            if stat.S_ISDIR(os.lstat(leftover.path).st_mode):
                _remove_folder(leftover.path, disk)
            else:
                disk.unlink(leftover.path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise local_error(error, leftover.path, "delete") from error


def _remove_folder(folder: str, disk: Disk) -> None:
    for here, folders, names in os.walk(folder, topdown=False):
        for name in names:
            disk.unlink(os.path.join(here, name))
        for name in folders:
            path = os.path.join(here, name)
            disk.unlink(path) if os.path.islink(path) else disk.rmdir(path)
    disk.rmdir(folder)
