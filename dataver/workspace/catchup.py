"""When a pointer has moved on and the workspace has not: what `add` makes of that.

After `git pull` a pointer may name a newer version than the one on disk.  What it has and the
workspace never had was not deleted: it was never checked out.  So the workspace's own changes are
merged into the newer version.  Where the workspace's version is no part of HEAD's history, the
person went elsewhere on purpose, and the workspace is recorded as it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from dataver.errors import ConflictError, Failure, ShallowHistoryError, show_path
from dataver.git import Git
from dataver.model.diff import Change, change_of
from dataver.model.merge import merge_changes
from dataver.store.trees import Trees
from dataver.workspace.pointers import version_name
from dataver.workspace.record import Record

_SHOWN = 5


def is_behind(git: Git, record: Record, pointer_root: bytes) -> bool:
    """Tell whether the workspace holds an older version than the pointer's, without anyone's wish.

    Who checked that version out by name while the pointer was as it is now wants it.

    Raises: ShallowHistoryError where the answer is beyond where this clone's history is cut.
    """
    if record.root_id in (b"", pointer_root) or record.beside == pointer_root:
        return False
    if is_in_history(git, record.root_id):
        return True
    if git.is_shallow():
        raise ShallowHistoryError("add over a version that is not checked out")
    return False


def is_in_history(git: Git, root_id: bytes) -> bool:
    """Tell whether a commit that HEAD comes from has a pointer to the tree *root_id*."""
    if git.head() is None:
        return False
    blobs = sorted({blob for _, blob, _ in git.pointer_blobs(["HEAD"])})
    name = root_id.hex().encode()
    return any(isinstance(data, bytes) and name in data for data in git.try_read_blobs(blobs))


def merged(
    trees: Trees, target: bytes, base_root: bytes, pointer_root: bytes, since: Iterable[Change]
) -> list[Change]:
    """Return the changes from the pointer's tree that keep both what it and what *since* changed.

    *since* are the workspace's changes of the base, in path order.

    Raises: ConflictError naming the paths that both changed in ways that exclude each other.
    """
    result = merge_changes(trees.diff(base_root, pointer_root), since)
    if result.conflicts:
        raise conflict(target, [c.path for c in result.conflicts])
    found = (change_of(trees.find(pointer_root, path), entry) for path, entry in result.changes)
    return [change for change in found if change is not None]


def conflict(target: bytes, paths: list[bytes]) -> ConflictError:
    """Return the error for paths of *target* that changed here and in a newer pointer."""
    shown = ", ".join(show_path(p) for p in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ConflictError(
        target,
        f"changed here and in the newer pointer: {shown}{more}",
        hint=f"keep aside what is yours, then: dataver checkout --force {show_path(target)}",
    )


def replaces_warning(git: Git, target: bytes, pointer_path: bytes, pointer_root: bytes) -> Failure:
    """Return the notice that the workspace was recorded in the place of a version it does not come from."""
    name = version_name(git, pointer_path, pointer_root) or pointer_root.hex()[:12]
    message = f"replaces version {name}, which the workspace was not made from"
    return Failure(target, "replaces-version", message, f"git diff {show_path(pointer_path)}", 0)
