"""`diff`: two versions, or a version and the workspace, compared file by file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from dataver.errors import DataverError, Failure, NoSuchPathError
from dataver.formats.pointer import Pointer
from dataver.hashing import ALGORITHM_CODES
from dataver.model.diff import Change, FolderChange, counts_by_folder, with_renames
from dataver.model.results import DiffResult, TargetDiff
from dataver.ops.choosing import Choice, choose, is_in_tree
from dataver.ops.comparing import compare_target
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.store.checksums import folder_checksums
from dataver.workspace.paths import PathLike, select
from dataver.workspace.pointers import Target
from dataver.workspace.sparse import Sparse
from dataver.workspace.workspace import Tracked


def diff(
    repo: Repo,
    old: str | None = None,
    new: str | None = None,
    paths: Sequence[PathLike] = (),
    *,
    folders: bool = False,
    progress: Progress = SILENT,
) -> DiffResult:
    """Compare HEAD (or *old*) with the workspace, or *old* with *new*; opens only leaves that differ.

    With *folders* it also sums up what changed below each folder, with checksums.

    Raises: UnknownRevisionError, NoSuchPathError.
    """
    if old is None and repo.git.head() is None:
        before = choose(repo, None, ())
        before.choices.clear()
    else:
        before = choose(repo, old or "HEAD", ())
    after = choose(repo, new, ())
    olds, news = _by_path(before.choices), _by_path(after.choices)
    failed = list({f.path: f for f in (*before.failed, *after.failed)}.values())
    chosen = _selected(repo, {*olds, *news, *(f.path for f in failed)}, paths)
    failed = [f for f in failed if f.path in chosen]
    found = []
    # Of a pointer that cannot be read nothing is told: not that all of it was deleted.
    broken = {f.path for f in failed if f.code != "no-such-path"}
    for path, patterns in chosen.items():
        if path in broken or (path not in olds and path not in news):
            continue
        try:
            _check_named(repo, path, patterns, [c for c in (olds.get(path), news.get(path)) if c is not None])
            one = _one(
                repo,
                olds.get(path),
                news.get(path),
                is_workspace=new is None,
                failed=failed,
                progress=progress,
            )
        except DataverError as error:
            failed.append(error.failure(path))
            continue
        changes = tuple(c for c in one if _is_within(c.path, path, patterns))
        if changes:
            sums: tuple[FolderChange, ...] = ()
            if folders:
                is_workspace = new is None
                sums = _folders(
                    repo, olds.get(path), news.get(path), path, changes, is_workspace=is_workspace
                )
            is_folder = (news.get(path) or olds[path]).pointer.is_folder
            found.append(TargetDiff(path, changes, sums, is_folder=is_folder))
    return DiffResult(old or "HEAD", new or "workspace", tuple(found), failed=tuple(failed))


def _check_named(repo: Repo, path: bytes, patterns: tuple[bytes, ...], choices: Sequence[Choice]) -> None:
    """Check that each path named inside a target is in a version or on disk.  Raises: NoSuchPathError."""
    for pattern in patterns:
        shown = path + b"/" + pattern
        if os.path.lexists(repo.workspace.absolute(shown)):
            continue
        if not any(is_in_tree(repo, choice.pointer, pattern) for choice in choices):
            raise NoSuchPathError(shown)


def _by_path(choices: Iterable[Choice]) -> dict[bytes, Choice]:
    return {c.path: c for c in choices}


def _selected(
    repo: Repo, known: Iterable[bytes], paths: Sequence[PathLike]
) -> dict[bytes, tuple[bytes, ...]]:
    targets = [Target(path, path + b".dv", "", "", "", None) for path in sorted(known)]
    return {s.target.path: s.patterns for s in select(targets, paths, repo.cwd, repo.top)}


def _is_within(path: bytes, target: bytes, patterns: tuple[bytes, ...]) -> bool:
    return not patterns or Sparse(patterns).matches(path[len(target) + 1 :])


def _one(
    repo: Repo,
    old: Choice | None,
    new: Choice | None,
    *,
    is_workspace: bool,
    failed: list[Failure],
    progress: Progress,
) -> list[Change]:
    if is_workspace and new is not None:
        tracked = Tracked(lambda: repo.trees, new.pointer.root_id)
        look = repo.workspace.look(new.path, tracked=tracked)
        base = old.pointer if old is not None else new.pointer
        if look.snapshot is None and look.record is None:
            return _trees(repo, old, new)
        if old is not None:
            found = compare_target(repo, look, base, ALGORITHM_CODES[repo.config.hash_name], progress).changes
            failed += look.failed
            return found
    return _trees(repo, old, new)


def _trees(repo: Repo, old: Choice | None, new: Choice | None) -> list[Change]:
    choice = new or old
    assert choice is not None
    changes = repo.trees.diff(old.pointer.root_id if old else None, new.pointer.root_id if new else None)
    return [_shown(c, old or choice, new or choice) for c in with_renames(changes)]


def _shown(change: Change, old: Choice, new: Choice) -> Change:
    before = change.old._replace(path=old.shown(change.old.path)) if change.old else None
    after = change.new._replace(path=new.shown(change.new.path)) if change.new else None
    return change._replace(path=(new if after else old).shown(change.path), old=before, new=after)


def _folders(
    repo: Repo,
    old: Choice | None,
    new: Choice | None,
    path: bytes,
    changes: Sequence[Change],
    *,
    is_workspace: bool,
) -> tuple[FolderChange, ...]:
    """Sum up by folder; the workspace has no tree, so its checksums are left blank."""
    cut = len(path) + 1
    inner = [c._replace(path=c.path[cut:]) for c in changes]
    counts = counts_by_folder(inner)
    olds = _checksums(repo, old.pointer if old else None, counts)
    news = {} if is_workspace else _checksums(repo, new.pointer if new else None, counts)
    return tuple(
        FolderChange(path + b"/" + f if f else path, *counts[f], olds.get(f, ""), news.get(f, ""))
        for f in sorted(counts)
    )


def _checksums(repo: Repo, pointer: Pointer | None, wanted: Iterable[bytes]) -> dict[bytes, str]:
    return folder_checksums(repo.trees.entries(pointer.root_id), set(wanted)) if pointer else {}
