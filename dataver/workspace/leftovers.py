"""What killed commands left among the user's files, taken away by the next one that works there.

Never a file that a tree holds or Git tracks, and never one that somebody is at (`disk.abandoned`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from dataver.disk.abandoned import is_temp_name, remove_abandoned
from dataver.disk.safe_open import open_folder, open_root
from dataver.errors import DataverError
from dataver.git import Git
from dataver.workspace.workspace import Look, Workspace


def sweep_inside(workspace: Workspace, look: Look) -> None:
    """Remove what was left inside a target, as *look* found it; what cannot be removed stays."""
    if look.snapshot is None:
        return
    by_folder: dict[bytes, list[bytes]] = {}
    for path in look.snapshot.leftovers:
        inner, _, name = path.rpartition(b"/")
        by_folder.setdefault(look.path + b"/" + inner if inner else look.path, []).append(name)
    for folder, names in by_folder.items():
        _remove(workspace, folder, names)


def sweep_beside(workspace: Workspace, git: Git, targets: Iterable[bytes]) -> None:
    """Remove what was left beside the pointers of *targets* and at the top; what cannot be removed stays."""
    for folder in sorted({b"", *map(os.path.dirname, targets)}):
        try:
            listed = os.listdir(workspace.absolute(folder))
        except OSError:
            continue
        names = sorted(name for name in listed if is_temp_name(name))
        if names:
            prefix = folder + b"/" if folder else b""
            tracked = {f for name in names for f in git.tracked_below(prefix + name)}
            _remove(workspace, folder, [n for n in names if not _holds(tracked, prefix + n)])


def _holds(tracked: set[bytes], path: bytes) -> bool:
    return any(f == path or f.startswith(path + b"/") for f in tracked)


def _remove(workspace: Workspace, folder: bytes, names: Iterable[bytes]) -> None:
    try:
        root_fd = open_root(workspace.top)
        try:
            fd = open_folder(root_fd, folder)
        finally:
            os.close(root_fd)
    except (OSError, DataverError):
        return
    try:
        remove_abandoned(workspace.disk, workspace.clock, fd, names)
    finally:
        os.close(fd)
