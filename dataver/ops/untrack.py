"""`untrack`: take a target out of dataver's hands; its data stays where it is."""

from __future__ import annotations

import os
from collections.abc import Sequence

from dataver.disk.safe_open import open_root
from dataver.errors import NoSuchPathError, UsageError, local_error, show_path
from dataver.model.results import UntrackResult
from dataver.ops.holding import gitfiles_lock, target_lock
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace import gitfiles
from dataver.workspace.leftovers import sweep_beside
from dataver.workspace.paths import PathLike, select


def untrack(
    repo: Repo, paths: Sequence[PathLike], *, dry_run: bool = False, progress: Progress = SILENT
) -> UntrackResult:
    """Remove the pointers of *paths* and their ignore lines, and stage that; the data stays.

    Raises: UsageError, NoSuchPathError for a path that is no target.
    """
    if not paths:
        raise UsageError("nothing to untrack", hint="dataver untrack <path>")
    chosen = select(repo.targets(), paths, repo.cwd, repo.top)
    for selection in chosen:
        if selection.patterns:
            shown = selection.target.path + b"/" + selection.patterns[0]
            error = NoSuchPathError(shown, what=f"{show_path(shown)} is inside a tracked folder")
            error.hint = f"dataver untrack {show_path(selection.target.path)}"
            raise error
    if dry_run:
        return UntrackResult(tuple(s.target.path for s in chosen), dry_run=True)
    sweep_beside(repo.workspace, repo.git, (s.target.path for s in chosen))
    for selection in chosen:
        target = selection.target
        with target_lock(repo, target.path, progress=progress), gitfiles_lock(repo, progress=progress):
            _drop(repo, target.path, target.pointer_path, is_in_git=bool(target.index_blob))
    return UntrackResult(tuple(s.target.path for s in chosen))


def _drop(repo: Repo, path: bytes, pointer_path: bytes, *, is_in_git: bool) -> None:
    root_fd = open_root(repo.top)
    try:
        repo.disk.unlink(pointer_path, dir_fd=root_fd)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise local_error(error, pointer_path, "delete") from error
    finally:
        os.close(root_fd)
    ignore_file = gitfiles.ignore_file_of(path)
    gitfiles.remove_line(repo.top, ignore_file, gitfiles.ignore_line(path), repo.disk)
    repo.records.drop(path)
    repo.workspace.drop_index(path)
    if is_in_git:
        repo.git.rm_cached([pointer_path])
    if os.path.exists(os.fsencode(repo.top) + b"/" + ignore_file):
        repo.git.stage([ignore_file], force=True)
    elif repo.git.tracked_below(ignore_file):
        repo.git.rm_cached([ignore_file])
