"""What the file system below a folder may keep of deleted files, told from the table of mounts."""

from __future__ import annotations

import os
import re

_TABLE = "/proc/self/mountinfo"
_WITH_SNAPSHOTS = frozenset(
    ("btrfs", "zfs", "bcachefs", "nilfs2", "apfs", "ceph", "fuse.zfs", "gpfs", "wekafs")
)
_NETWORKS = ("nfs", "cifs", "smb", "9p", "lustre", "afs", "fuse.", "virtiofs")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def notes_of(folder: str, table: str = _TABLE) -> list[str]:
    """Return what erasing in *folder* cannot reach below it; *table* is a file as Linux has it."""
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError:
        return ["whether the file system keeps snapshots is not known here; they are not reached"]
    kind, where = mount_of(text, os.path.realpath(folder))
    if kind in _WITH_SNAPSHOTS:
        return [f"snapshots of the file system ({kind} at {where}) are not reached"]
    if kind.startswith(_NETWORKS):
        return [f"the file system ({kind} at {where}) lies elsewhere; snapshots there are not reached"]
    return []


def mount_of(table: str, path: str) -> tuple[str, str]:
    """Return kind and place of the file system that holds *path*; both empty for none.

    *table* is the text of `/proc/self/mountinfo` (proc(5)).
    """
    kind = where = ""
    for line in table.splitlines():
        left, found, right = line.partition(" - ")
        fields = left.split(" ")
        if not found or len(fields) < 5:
            continue
        place = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
        # The longest place that holds the path; of two mounts at one place the later hides the other.
        is_above = place == "/" or path == place or path.startswith(place + "/")
        if is_above and len(place) >= len(where):
            kind, where = right.split(" ")[0], place
    return kind, where
