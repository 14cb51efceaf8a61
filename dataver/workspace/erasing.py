"""Take out of one work tree what an erasure denies: files, index rows, patterns and paths of the record.

Nothing is kept aside: a denied file could not be had again from anywhere.  A file is looked at once
more before it goes, and one that the user has changed to other content stays.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from dataver.disk.abandoned import is_temp_name, remove_abandoned
from dataver.disk.disk import Clock, Disk
from dataver.disk.folders import entries_of
from dataver.errors import DataverError, Failure, local_error
from dataver.index.columns import Columns, load
from dataver.model.names import Oid
from dataver.model.plan import CheckoutPlan
from dataver.model.tree import EMPTY_FOLDER, FILE, Entry, LeafRef
from dataver.progress import SILENT, Progress
from dataver.store.trees import Trees
from dataver.workspace.clearing import Clearing, Outcome
from dataver.workspace.leftovers import sweep_inside
from dataver.workspace.record import Record, record_name
from dataver.workspace.snapshot import Snapshot, oid_of_cell
from dataver.workspace.sparse import Sparse
from dataver.workspace.workspace import Look, Workspace

NOWHERE = b"/"
"""The sparse pattern that matches no path: what is left where every other one named what is erased."""

Lost = Mapping[tuple[bytes, Oid | None], str]
"""(Path in a tree, content) of entries that leaves lose -> the erasure."""


class Denied(NamedTuple):
    """What an erasure takes away from a clone."""

    content: Callable[[bytes, Oid], str]
    """Gives the erasure that denies content everywhere, or at a path of a tree; or nothing."""
    leaves: Mapping[bytes, Lost]
    """Of each leaf that changes what it loses."""

    def lost_by(self, refs: Iterable[LeafRef]) -> Lost:
        """Return what the leaves *refs* lose."""
        found: dict[tuple[bytes, Oid | None], str] = {}
        for ref in refs:
            found.update(self.leaves.get(ref.leaf_id, {}))
        return found


@dataclass(slots=True)
class ErasedHere:
    """What became of one target."""

    files: dict[bytes, str] = field(default_factory=dict)
    """Path from the top of the work tree -> the erasure, of each file that was removed."""
    failed: list[Failure] = field(default_factory=list)


def erase_target(
    workspace: Workspace,
    trees: Trees,
    target: bytes,
    root_ids: Collection[bytes],
    denied: Denied,
    *,
    algorithm: int,
    jobs: int,
    progress: Progress = SILENT,
) -> ErasedHere:
    """Remove what is *denied* from a target that the caller holds; *root_ids* are trees it has or had.

    Files that the index knows are judged by that, all others are hashed with *algorithm*.
    Raises: local errors.
    """
    record = workspace.records.load(target)
    wanted = {*root_ids, *((record.root_id, record.beside) if record is not None else ())} - {b""}
    lost = {root_id: _lost_of(trees, root_id, denied) for root_id in wanted}
    everything: dict[tuple[bytes, Oid | None], str] = {}
    for some in lost.values():
        everything.update(some)
    done = ErasedHere()
    look = workspace.look(target)
    if look.snapshot is not None:
        sweep_inside(workspace, look)
        workspace.hash_fresh(look, algorithm, jobs=jobs, progress=progress)
        done.failed += look.failed
        _remove(workspace, look, look.snapshot, denied, everything, done)
    is_new = look.snapshot is None or bool(look.snapshot.gone)
    if look.columns is None:
        workspace.drop_index(target)  # one that is damaged cannot be read, and may tell of it all the same
    # A file that was changed since is not removed, and its row still has what it held before.
    elif is_new or done.files or everything or _tells(look.columns, denied, frozenset()):
        _index_anew(workspace, target)
    if record is not None and everything:
        cleaned = _cleaned(record, trees, lost)
        if cleaned != record:
            workspace.records.save(target, cleaned)
    return done


def holds_denied(
    workspace: Workspace,
    target: bytes,
    content: Callable[[bytes, Oid], str],
    *,
    algorithm: int,
    jobs: int,
    progress: Progress = SILENT,
) -> bool:
    """Tell whether any file of a target holds *content* that is denied; changes nothing.

    Raises: local errors.
    """
    look = workspace.look(target)
    if look.snapshot is None:
        return False
    workspace.hash_fresh(look, algorithm, jobs=jobs, progress=progress)
    oids = ((path, oid_of_cell(folder.oid(row))) for path, folder, row in look.snapshot.ordered() if row >= 0)
    return any(oid is not None and content(path, oid) for path, oid in oids)


def _lost_of(trees: Trees, root_id: bytes, denied: Denied) -> Lost:
    try:
        return denied.lost_by(trees.root(root_id).leaves)
    except DataverError:
        return {}  # a tree that is not here was never brought here


# -- files ----------------------------------------------------------------------------------------


def _remove(
    workspace: Workspace, look: Look, snapshot: Snapshot, denied: Denied, lost: Lost, done: ErasedHere
) -> None:
    """Remove the denied files of a target, and the folders that this leaves empty."""
    doomed: list[Entry] = []
    paths = {path for path, _ in lost}
    clearing = Clearing(workspace, look.path, snapshot, is_folder=not snapshot.is_single, trash="")
    for path, folder, row in snapshot.ordered():
        oid = oid_of_cell(folder.oid(row)) if row >= 0 else None
        if oid is None:
            continue
        name = denied.content(path, oid) or lost.get((path, oid), "")
        if not name and path in paths:
            name = _by_other_hash(workspace, look, path, oid, lost, is_single=snapshot.is_single)
        if name:
            doomed.append(Entry(path, FILE, oid, 0))
            done.files[clearing.shown(path)] = name
    # Empty folders, those too that files left which are gone already, by a run that was killed maybe.
    doomed += [Entry(path, EMPTY_FOLDER, None, 0) for path in paths if snapshot.find(path) is None]
    if not doomed:
        return
    outcome = Outcome()
    clearing.clear(CheckoutPlan((), tuple(doomed), (), (), ()), outcome)
    done.failed += outcome.failed
    for failure in outcome.failed:
        done.files.pop(failure.path, None)


def _by_other_hash(
    workspace: Workspace, look: Look, path: bytes, oid: Oid, lost: Lost, *, is_single: bool
) -> str:
    """Return the erasure of a file that the tree named by another algorithm than *oid*; or nothing."""
    for (where, other), name in lost.items():
        if where == path and other is not None and other[0] != oid[0]:
            if workspace.rehash(look.path, path, other[0], is_single=is_single) == other:
                return name
    return ""


def _index_anew(workspace: Workspace, target: bytes) -> None:
    """Write a target's index without what is gone; that of a million other files is kept."""
    look = workspace.look(target)
    if look.snapshot is None:
        workspace.drop_index(target)
        return
    before = os.stat(workspace.index_path(target)).st_ino
    # Of which tree the rows are is found out by the next comparison: what they differ in has changed.
    workspace.save_index(look, b"", frozenset())
    with contextlib.suppress(FileNotFoundError):
        if os.stat(workspace.index_path(target)).st_ino == before:
            workspace.drop_index(target)  # it could not be written


# -- what is remembered ---------------------------------------------------------------------------


def erase_memory(
    workspace: Workspace, own_folder: str, trees: Trees, targets: Collection[bytes], denied: Denied
) -> None:
    """Take what is *denied* out of what a work tree remembers of anything but the tracked *targets*.

    The state, which is disposable, goes whole.  Raises: local errors.
    """
    for target in set(workspace.records.targets()) - set(targets):
        record = workspace.records.load(target)
        if record is None:
            continue
        roots = {record.root_id, record.beside} - {b""}
        lost = {root_id: _lost_of(trees, root_id, denied) for root_id in roots}
        if any(lost.values()):
            workspace.records.save(target, _cleaned(record, trees, lost))
    gone = {path for some in denied.leaves.values() for path, _ in some}
    kept = {f"{record_name(target)}.columns" for target in targets}
    for entry in entries_of(f"{own_folder}/index"):
        if entry.name.startswith("state.sqlite"):
            unlink(workspace.disk, entry.path)
        elif entry.name.endswith(".columns") and entry.name not in kept:
            columns = load(entry.path)
            if columns is None or _tells(columns, denied, gone):
                unlink(workspace.disk, entry.path)
    for entry in entries_of(f"{own_folder}/decisions"):
        if _decides(entry.path, gone):
            unlink(workspace.disk, entry.path)  # what was decided of the others is asked again
    for name in ("index", "record", "decisions"):
        remove_temps(workspace.disk, workspace.clock, f"{own_folder}/{name}")


def _decides(path: str, gone: Collection[bytes]) -> bool:
    """Tell whether a file of decisions, with its paths in hex, names any that is *gone*."""
    try:
        with open(path, "rb") as file:
            words = set(file.read().split())
    except OSError:
        return False
    return any(name.hex().encode() in words for name in gone)


def _tells(columns: Columns, denied: Denied, gone: Collection[bytes]) -> bool:
    """Tell whether an index names anything that is denied or *gone*, or cannot be read whole."""
    if any(path in gone for path in columns.folders):
        return True
    for path in columns.folders:
        folder = columns.get(path)
        if folder is None:
            return True
        prefix = path + b"/" if path else b""
        for row, name in enumerate(folder.names):
            oid = oid_of_cell(folder.oid(row))
            if prefix + name in gone or (oid is not None and denied.content(prefix + name, oid)):
                return True
    return False


def _cleaned(record: Record, trees: Trees, lost: Mapping[bytes, Lost]) -> Record:
    """Return *record* without paths and patterns that name only what is lost."""
    gone = {path for some in lost.values() for path, _ in some}
    missing = frozenset(path for path in record.missing if path not in gone)
    patterns = tuple(p for p in record.patterns if not _names_lost(p, trees, lost))
    if record.patterns and not patterns:
        patterns = (NOWHERE,)  # without any pattern all of it would be wanted
    return replace(record, missing=missing, patterns=patterns)


def _names_lost(pattern: bytes, trees: Trees, lost: Mapping[bytes, Lost]) -> bool:
    """Tell whether a pattern matches entries that are lost, and none that stays."""
    sparse = Sparse([pattern])
    if not any(sparse.matches(path) for some in lost.values() for path, _ in some):
        return False
    for root_id, some in lost.items():
        for low, high in sparse.ranges() or [(b"", None)]:
            try:
                found = trees.entries(root_id, low, high)
                if any(sparse.matches(e.path) and (e.path, e.oid) not in some for e in found):
                    return False
            except DataverError:
                return False
    return True


def remove_temps(disk: Disk, clock: Clock, folder: str) -> None:
    """Remove temp files that killed processes left in *folder*, by their names."""
    names = [os.fsencode(e.name) for e in entries_of(folder)]
    left = [name for name in names if is_temp_name(name)]
    if not left:
        return
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            remove_abandoned(disk, clock, fd, left)
        finally:
            os.close(fd)


def unlink(disk: Disk, path: str | bytes) -> None:
    """Delete a file that may be gone already.  Raises: local errors."""
    try:
        disk.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise local_error(error, path, "delete") from error
