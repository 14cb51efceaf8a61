"""Follow a pointer that was renamed in Git: the data moves with it, without copying."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dataver.disk.atomic import make_folders
from dataver.errors import local_error
from dataver.git import Git
from dataver.workspace import gitfiles
from dataver.workspace.pointers import Target
from dataver.workspace.workspace import Workspace


def find_moves(workspace: Workspace, targets: Sequence[Target]) -> dict[bytes, bytes]:
    """Return new path -> old path of targets whose data still lies where the pointer was.

    A move is known by its record: the old path has no pointer any more, its record names the tree
    of a pointer that has no record, and nothing lies at the new path.
    """
    paths = {t.path for t in targets if t.disk_blob or t.index_blob}
    old: dict[bytes, bytes] = {}
    for path in workspace.records.targets():
        if path in paths or not os.path.lexists(workspace.absolute(path)):
            continue
        record = workspace.records.load(path)
        if record is not None and record.root_id:
            old.setdefault(record.root_id, path)
    if not old:
        return {}
    moves = {}
    for target in targets:
        if target.pointer is None or target.pointer.root_id not in old:
            continue
        if os.path.lexists(workspace.absolute(target.path)) or workspace.records.load(target.path):
            continue
        moves[target.path] = old.pop(target.pointer.root_id)
    return moves


def follow_moves(workspace: Workspace, git: Git, targets: Sequence[Target]) -> dict[bytes, bytes]:
    """Rename the data of moved pointers; return new path -> old path."""
    moves = find_moves(workspace, targets)
    for new, old in moves.items():
        move_data(workspace, git.top, old, new)
    return moves


def move_data(workspace: Workspace, top: str, old: bytes, new: bytes) -> None:
    """Rename a target's data, where any is here, and its record, index and ignore line.

    Raises: local errors.
    """
    disk = workspace.disk
    target = workspace.absolute(new)
    try:
        make_folders(disk, os.fsdecode(os.path.dirname(target)))
        # The new line first: at no moment does Git see the data.
        gitfiles.add_line(top, gitfiles.ignore_file_of(new), gitfiles.ignore_line(new), disk)
        if os.path.lexists(workspace.absolute(old)):
            disk.rename(workspace.absolute(old), target)
    except OSError as error:
        raise local_error(error, target, "rename") from error
    record = workspace.records.load(old)
    if record is not None:
        workspace.records.save(new, record)
        workspace.records.drop(old)
    else:
        workspace.records.drop(new)
    if os.path.exists(workspace.index_path(old)):
        disk.rename(workspace.index_path(old), workspace.index_path(new))
    gitfiles.remove_line(top, gitfiles.ignore_file_of(old), gitfiles.ignore_line(old), disk)
