"""What a cache folder holds by names alone: enough to know that nothing vanished since.

Apart from the cache itself, which opens packs and loads a compressor: a clean `status` does not.
"""

from __future__ import annotations

import os

from dataver.errors import local_error
from dataver.hashing import ALGORITHM_NAMES

Stamp = tuple[frozenset[str], tuple[int, ...]]
"""Names of the packs, and number, change time and inode of each folder of loose blobs."""


def pack_files(folder: str) -> list[str]:
    """Return the names of all packs in the cache *folder*: `s-` or `d-` and 64 hex digits."""
    try:
        names = os.listdir(f"{folder}/packs")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise local_error(error, f"{folder}/packs") from error
    return [name for name in names if len(name) == 66 and name[:2] in ("s-", "d-")]


def stamp(folder: str) -> Stamp:
    """Return what is in the cache *folder* by names only.

    Nothing vanished while the packs of an old stamp remain and the folders of loose blobs are
    unchanged.
    """
    return frozenset(pack_files(folder)), _loose(folder)


def _loose(folder: str) -> tuple[int, ...]:
    stamps: list[int] = []
    for name in ALGORITHM_NAMES.values():
        try:
            with os.scandir(f"{folder}/objects/{name}") as folders:
                for entry in sorted(folders, key=lambda e: e.name):
                    found = entry.stat(follow_symlinks=False)
                    stamps += (int(entry.name, 16), found.st_mtime_ns, found.st_ino)
        except (OSError, ValueError):
            continue
    return tuple(stamps)
