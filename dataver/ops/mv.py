"""`mv`: rename a target, its pointer and its data, in one step."""

from __future__ import annotations

import os

from dataver.disk.atomic import make_folders
from dataver.errors import NoSuchPathError, UnsafeError, UsageError, show_path
from dataver.formats.pointer import SUFFIX, pointer_of
from dataver.model.results import MoveResult
from dataver.ops.holding import gitfiles_lock, target_lock
from dataver.repo import Repo
from dataver.workspace import gitfiles
from dataver.workspace.intake import files_in_git
from dataver.workspace.moves import move_data
from dataver.workspace.paths import PathLike, containing, near_misses, relative_to_top


def mv(repo: Repo, source: PathLike, target: PathLike) -> MoveResult:
    """Rename the target *source* to *target*; into it where that is a folder.

    Raises: NoSuchPathError, UsageError, UnsafeError where something is in the way.
    """
    targets = repo.targets()
    old = relative_to_top(source, repo.cwd, repo.top)
    known = next((t for t in targets if old in (t.path, t.pointer_path)), None)
    if known is None:
        owner = containing(old, targets)
        if owner is not None:
            raise UsageError(
                f"{show_path(old)} is inside the tracked folder {show_path(owner.path)}",
                hint=f"mv it, then: dataver add {show_path(owner.path)}",
            )
        raise NoSuchPathError(old, near_misses(old, targets))
    new: bytes = relative_to_top(target, repo.cwd, repo.top)
    if os.path.isdir(repo.workspace.absolute(new)):
        name = known.path.rpartition(b"/")[2]
        new = new + b"/" + name if new else name
    _check(repo, known.path, new, [t.path for t in targets])
    with target_lock(repo, known.path), gitfiles_lock(repo):
        make_folders(repo.disk, os.fsdecode(os.path.dirname(repo.workspace.absolute(new))))
        if known.index_blob:
            repo.git.move(known.pointer_path, pointer_of(new))
        else:
            repo.disk.rename(
                repo.workspace.absolute(known.pointer_path), repo.workspace.absolute(pointer_of(new))
            )
        move_data(repo.workspace, repo.top, known.path, new)
        changed = {gitfiles.ignore_file_of(known.path), gitfiles.ignore_file_of(new)}
        there = [f for f in sorted(changed) if os.path.exists(repo.workspace.absolute(f))]
        repo.git.stage(there, force=True)
        gone = [f for f in changed if f not in there and files_in_git(repo.git, f)]
        if gone:
            repo.git.rm_cached(gone)
    return MoveResult(known.path, new, pointer_of(new))


def _check(repo: Repo, old: bytes, new: bytes, tracked: list[bytes]) -> None:
    if not new or new.endswith(SUFFIX):
        raise UsageError(f"{show_path(new) or '.'} cannot be a tracked path")
    if new == old or (new + b"/").startswith(old + b"/"):
        raise UsageError(f"cannot move {show_path(old)} into itself")
    for path in tracked:
        if path != old and ((new + b"/").startswith(path + b"/") or path.startswith(new + b"/")):
            raise UnsafeError(f"{show_path(new)} and {show_path(path)}: pointers are never nested")
    for taken in (new, pointer_of(new)):
        if os.path.lexists(repo.workspace.absolute(taken)):
            raise UnsafeError(f"{show_path(taken)} exists")
