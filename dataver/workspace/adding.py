"""Record one target: its files into the cache, its tree, what changed by it.

The order is the promise: content, then structure, then (by the caller) the pointer; a process
killed in between leaves the old pointer and some objects that nobody names yet.
"""

from __future__ import annotations

from collections.abc import Callable

from dataver.errors import (
    MissingObjectError,
    NoSuchPathError,
    show_path,
)
from dataver.formats.pointer import pointer_of
from dataver.git import Git
from dataver.progress import Progress
from dataver.store.cache import Cache
from dataver.store.cache_writer import CacheWriter
from dataver.store.trees import EMPTY_ROOT_ID, Trees
from dataver.workspace.catchup import conflict, is_behind, replaces_warning
from dataver.workspace.ingest import hash_into
from dataver.workspace.intake import Intake
from dataver.workspace.leafkeys import leaf_keys
from dataver.workspace.leftovers import sweep_inside
from dataver.workspace.presence import add_unsaved
from dataver.workspace.recording import Addition, Denier, Recording
from dataver.workspace.room import check_room_to_add
from dataver.workspace.snapshot import rows_within
from dataver.workspace.twins import twin_warnings
from dataver.workspace.workspace import Tracked, Workspace


def record_target(
    workspace: Workspace,
    trees_of: Callable[[], Trees],
    intake: Intake,
    *,
    git: Git,
    algorithm: int,
    tree_key: bytes | None,
    denier: Denier | None,
    dry_run: bool,
    jobs: int,
    progress: Progress,
) -> Addition:
    """Bring what *intake* names into the cache and return its new tree.

    Raises: NoSuchPathError, MissingObjectError where the tree to change is not in the cache,
    ConflictError where a newer pointer and the workspace exclude each other, UnsafeFileError,
    DiskFullError, ConfigError for malformed subject rules, local errors.
    """
    known = intake.known.pointer if intake.known is not None else None
    trees = trees_of()
    old_root = known.root_id if known else None
    if known is None and intake.known is not None:
        # A pointer that was deleted or spoilt: what is absent here was in the version last seen.
        record = workspace.records.load(intake.target)
        old_root = record.root_id or None if record is not None else None
    tracked = Tracked(lambda: trees, old_root) if old_root is not None else None
    look = workspace.look(intake.target, tracked=tracked)
    if look.snapshot is None:
        raise NoSuchPathError(intake.target, what=f"{show_path(intake.target)} does not exist")
    if not dry_run:
        sweep_inside(workspace, look)
    behind = False
    if known is not None and look.record is not None:
        behind = is_behind(git, look.record, known.root_id)
    work = Recording(workspace, trees, look, old_root, intake, is_behind=behind)
    if known is not None and known.is_folder == look.snapshot.is_single:
        if behind:
            raise conflict(intake.target, [intake.target])
        work.start_anew()
    elif old_root is not None:
        if not _has_structure(workspace.cache, trees, old_root):
            work.rebuild()
    add_unsaved(look.snapshot, look.columns, workspace.cache, workspace.state)
    keys = leaf_keys(workspace.top, tree_key, intake.target, is_single=look.snapshot.is_single)
    keys = keys.avoiding(trees.erased.entries)
    rows = rows_within(look.snapshot, intake.inner or None)
    check_room_to_add(workspace, look.snapshot, look.columns, rows)
    with CacheWriter(workspace.cache) as writer:
        failed = hash_into(
            look.snapshot,
            algorithm,
            writer,
            workspace.cache,
            workspace.disk,
            jobs=jobs,
            progress=progress,
            rows=rows,
        )
        workspace.note_failures(look, failed)
        addition = work.finish(writer, keys, denier)
        addition.warnings += twin_warnings(look)
        if not dry_run:
            writer.commit()
            addition.packs = writer.published
            keys.note(workspace.state, intake.target, addition.root_id)
    if old_root is not None and work.replaces_other:
        addition.warnings.append(replaces_warning(git, intake.target, pointer_of(intake.target), old_root))
    return addition


def _has_structure(cache: Cache, trees: Trees, root_id: bytes) -> bool:
    """Tell whether a tree's root and all its leaves are in the cache."""
    if root_id == EMPTY_ROOT_ID:
        return True
    try:
        return not cache.missing(trees.structure(root_id))
    except MissingObjectError:
        return False
