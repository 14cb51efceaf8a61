"""The workspace against a pointer's tree, as `status`, `diff` and others ask it."""

from __future__ import annotations

from typing import NamedTuple

from dataver.formats.pointer import Pointer
from dataver.model.diff import Change, with_renames
from dataver.progress import Progress
from dataver.repo import Repo
from dataver.workspace.compare import Comparer, Comparison
from dataver.workspace.snapshot import Snapshot
from dataver.workspace.workspace import Look


class Compared(NamedTuple):
    changes: list[Change]
    """From the pointer's tree to the workspace, renames paired; paths from the top."""
    absent: int


def compare_target(repo: Repo, look: Look, pointer: Pointer, algorithm: int, progress: Progress) -> Compared:
    """Hash what is not known, compare, and remember what was seen for the next time.

    Raises: MissingObjectError where the tree is not in the cache, other integrity errors.
    """
    trees = repo.trees
    trees.root(pointer.root_id)
    repo.workspace.hash_fresh(look, algorithm, jobs=repo.config.jobs, progress=progress)
    is_folder = pointer.is_folder
    snapshot = look.snapshot
    if snapshot is not None and snapshot.is_single == is_folder:
        return _retyped(look, pointer)
    found = comparison(repo, look, pointer)
    if snapshot is not None and look.record is not None:
        if found.touched is None:
            # The rows are known, but not which of them differ from what tree.
            repo.workspace.save_index(look, b"", frozenset())
        else:
            repo.workspace.save_index(look, look.record.root_id, found.touched | look.refused)
    prefix = look.path + b"/" if is_folder else b""

    def shown(change: Change) -> Change:
        path = prefix + change.path if is_folder else look.path
        old = change.old
        if old is not None:
            old = old._replace(path=prefix + old.path if is_folder else look.path)
        new = change.new._replace(path=path) if change.new else None
        return change._replace(path=path, old=old, new=new)

    return Compared([shown(c) for c in with_renames(found.changes)], found.absent)


def comparison(repo: Repo, look: Look, pointer: Pointer) -> Comparison:
    """Return what differs, with paths inside the target."""
    snapshot = look.snapshot
    if snapshot is None:
        snapshot = Snapshot(repo.workspace.absolute(look.path), 0, is_single=not pointer.is_folder)
    return Comparer(
        repo.trees,
        snapshot,
        look.record,
        size_of=repo.workspace.size_of,
        rehash=lambda path, code: repo.workspace.rehash(
            look.path, path, code, is_single=not pointer.is_folder
        ),
        refused=look.refused,
    ).compare(pointer.root_id, look.columns if look.snapshot is not None else None)


def _retyped(look: Look, pointer: Pointer) -> Compared:
    """A file where a folder was, or the other way round: one change says it."""
    note = (
        "a file, and the pointer says folder" if pointer.is_folder else "a folder, and the pointer says file"
    )
    return Compared([Change("type", look.path, None, None, note)], 0)
