"""Record one target: its files into the cache, its tree, what changed by it.

The order is the promise: content, then structure, then (by the caller) the pointer; a process
killed in between leaves the old pointer and some objects that nobody names yet.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dataver.errors import (
    DeniedContentError,
    Failure,
    NoSuchPathError,
    UnsafeFileError,
    show_path,
)
from dataver.formats.tree import KEY_SIZE, leaf_key
from dataver.model.diff import Change, with_renames
from dataver.model.names import Oid, is_below
from dataver.model.tree import EMPTY_FOLDER, Entry
from dataver.progress import Progress
from dataver.store.cache import CacheWriter
from dataver.store.trees import EMPTY_ROOT_ID, Trees
from dataver.store.treewriter import KeyOf, save, update
from dataver.workspace.compare import Comparer
from dataver.workspace.ingest import hash_into
from dataver.workspace.intake import Intake
from dataver.workspace.presence import add_unsaved, note_complete
from dataver.workspace.record import Record
from dataver.workspace.snapshot import entries
from dataver.workspace.workspace import Look, Workspace, rows_within

Denier = Callable[[Oid], str]
"""Gives the name of the erasure that denies an oid; empty for none."""


@dataclass(slots=True)
class Addition:
    """What recording a target came to."""

    root_id: bytes
    files: int
    size: int
    is_single: bool
    is_unchanged: bool
    counts: Counter[str]
    size_change: int
    remember: Callable[[], None]
    """Saves record and index; called once the pointer is written."""
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)


def key_of(tree_key: bytes | None) -> KeyOf:
    """Return what draws leaf keys: from the tree key, or at random in a clone without the secret."""
    if tree_key is None:
        return lambda encoded: os.urandom(KEY_SIZE)
    return lambda encoded: leaf_key(tree_key, encoded)


def record_target(
    workspace: Workspace,
    trees_of: Callable[[], Trees],
    intake: Intake,
    *,
    algorithm: int,
    tree_key: bytes | None,
    denier: Denier | None,
    dry_run: bool,
    jobs: int,
    progress: Progress,
) -> Addition:
    """Bring what *intake* names into the cache and return its new tree.

    Raises: NoSuchPathError, MissingObjectError where the tree to change is not in the cache,
    UnsafeFileError, local errors.
    """
    known = intake.known.require() if intake.known and not intake.known.error else None
    if known is None and intake.known is not None:
        known = intake.known.pointer
    trees = trees_of()
    old_root = known.root_id if known else None

    def is_tracked(path: bytes) -> bool:
        return old_root is not None and trees.holds(old_root, path)

    look = workspace.look(intake.target, is_tracked=is_tracked)
    if look.snapshot is None:
        raise NoSuchPathError(intake.target, what=f"{show_path(intake.target)} does not exist")
    work = _Recording(workspace, trees, look, old_root, intake)
    if known is not None and known.is_folder == look.snapshot.is_single:
        work.start_anew()
    add_unsaved(look.snapshot, look.columns, workspace.cache, workspace.state)
    with workspace.cache.writer() as writer:
        rows = rows_within(look.snapshot, intake.inner or None)
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
        addition = work.finish(writer, key_of(tree_key), denier, rows)
        if not dry_run:
            writer.commit()
    return addition


class _Recording:
    def __init__(
        self, workspace: Workspace, trees: Trees, look: Look, old_root: bytes | None, intake: Intake
    ) -> None:
        self._workspace, self._trees, self._look = workspace, trees, look
        self._old_root, self._intake = old_root, intake
        assert look.snapshot is not None
        self._snapshot = look.snapshot
        self._is_replaced = False

    def start_anew(self) -> None:
        """Forget the old tree: a file has become a folder, or a folder a file."""
        self._look.record, self._look.columns = None, None
        self._is_replaced = True

    def finish(
        self, writer: CacheWriter, key_of: KeyOf, denier: Denier | None, rows: dict[bytes, list[int]]
    ) -> Addition:
        look, snapshot = self._look, self._snapshot
        size_of = self._workspace.size_of
        if self._old_root is None or self._is_replaced:
            counted = _Counted(self._allowed(entries(snapshot, size_of), denier))
            root_id = save(counted, writer, key_of)
            if root_id == EMPTY_ROOT_ID and look.failed:
                raise UnsafeFileError(look.path, "holds nothing that can be stored")
            counts, change = Counter({"added": counted.files}), counted.size
            record = Record(root_id)
            touched: frozenset[bytes] = frozenset()
            files, size = counted.files, counted.size
        else:
            comparison = Comparer(
                self._trees,
                snapshot,
                look.record,
                size_of=size_of,
                rehash=lambda path, code: self._workspace.rehash(
                    look.path, path, code, is_single=snapshot.is_single
                ),
                refused=look.refused,
            ).compare(self._old_root, look.columns)
            changes = [c for c in comparison.changes if self._is_named(c.path)]
            self._check_named(changes)
            changes = self._without_denied(changes, denier)
            root_id = self._updated(changes, writer, key_of)
            left = len(comparison.changes) - len(changes)
            touched = frozenset(c.path for c in comparison.changes) if left else frozenset()
            renamed = with_renames(changes)
            counts = Counter(c.kind for c in renamed if _counts(c))
            change = sum(c.size_change for c in changes)
            record = self._record(root_id, changes)
            files, size = self._totals(changes, record)
        return Addition(
            root_id,
            files,
            size,
            snapshot.is_single,
            root_id == self._old_root,
            counts,
            change,
            lambda: self._remember(record, touched, rows),
            list(look.failed),
        )

    def _is_named(self, path: bytes) -> bool:
        return not self._intake.inner or any(is_below(path, inner) for inner in self._intake.inner)

    def _check_named(self, changes: list[Change]) -> None:
        """Refuse a path inside the target that neither is on disk nor was recorded."""
        for inner in self._intake.inner:
            on_disk = os.path.lexists(self._snapshot.root + b"/" + inner)
            if not on_disk and not any(is_below(c.path, inner) for c in changes):
                whole = self._look.path + b"/" + inner
                raise NoSuchPathError(whole, what=f"{show_path(whole)} does not exist")

    def _allowed(self, found: Iterator[Entry], denier: Denier | None) -> Iterator[Entry]:
        for entry in found:
            name = denier(entry.oid) if denier and entry.oid else ""
            if name:
                self._deny(entry.path, name)
            else:
                yield entry

    def _without_denied(self, changes: list[Change], denier: Denier | None) -> list[Change]:
        kept = []
        for change in changes:
            oid = change.new.oid if change.new else None
            name = denier(oid) if denier and oid else ""
            if name:
                self._deny(change.path, name)
            else:
                kept.append(change)
        return kept

    def _deny(self, path: bytes, erasure: str) -> None:
        shown = self._look.path if self._snapshot.is_single else self._look.path + b"/" + path
        self._look.failed.append(DeniedContentError(shown, erasure).failure(shown))

    def _updated(self, changes: list[Change], writer: CacheWriter, key_of: KeyOf) -> bytes:
        assert self._old_root is not None
        # What replaces a folder's last file by an empty folder, and the like, is in path order too.
        return update(self._trees, self._old_root, [(c.path, c.new) for c in changes], writer, key_of)

    def _record(self, root_id: bytes, changes: list[Change]) -> Record:
        old = self._look.record
        if old is None:
            # Nothing was ever checked out here: what is on disk is the sparse set.
            here = {e.path for e in entries(self._snapshot, self._workspace.size_of)}
            absent = [e.path for e in self._kept_entries(changes) if e.path not in here]
            return Record(root_id, (), frozenset(absent))
        patterns = old.patterns
        if patterns:
            from dataver.workspace.sparse import Sparse

            sparse = Sparse(patterns)
            outside = [c.path for c in changes if c.new is not None and not sparse.matches(c.path)]
            patterns = tuple(sorted({*patterns, *outside}))
        missing = old.missing - {c.path for c in changes}
        return Record(root_id, patterns, missing)

    def _kept_entries(self, changes: list[Change]) -> Iterator[Entry]:
        """Yield the entries of the old tree that *changes* do not touch."""
        assert self._old_root is not None
        changed = {c.path: c.new for c in changes}
        for entry in self._trees.entries(self._old_root):
            if entry.path not in changed:
                yield entry

    def _totals(self, changes: list[Change], record: Record) -> tuple[int, int]:
        """Return files and bytes of the new tree, absent entries included."""
        if not record.patterns and not record.missing:
            return self._snapshot.files - len(self._refused_rows()), self._snapshot.size
        assert self._old_root is not None
        files = size = 0
        for entry in self._trees.entries(self._old_root):
            files += entry.kind != EMPTY_FOLDER
            size += entry.size
        for change in changes:
            files += (change.new is not None and change.new.kind != EMPTY_FOLDER) - (
                change.old is not None and change.old.kind != EMPTY_FOLDER
            )
            size += change.size_change
        return files, size

    def _refused_rows(self) -> frozenset[bytes]:
        """Return paths that have a row in the snapshot but no content."""
        return frozenset(p for p in self._look.refused if self._snapshot.find(p) is not None)

    def _remember(self, record: Record, touched: frozenset[bytes], rows: dict[bytes, list[int]]) -> None:
        self._workspace.records.save(self._look.path, record)
        refused = self._look.refused
        if not record.patterns and not record.missing and not refused:
            note_complete(self._workspace.cache, self._workspace.state, record.root_id)
        self._workspace.save_index(self._look, record.root_id, touched | refused, rows=self._snapshot.fresh)


def _counts(change: Change) -> bool:
    entry = change.new or change.old
    return entry is not None and (entry.kind != EMPTY_FOLDER or change.kind not in ("added", "deleted"))


class _Counted:
    """Passes entries on and counts files and bytes."""

    def __init__(self, source: Iterator[Entry]) -> None:
        self._source = source
        self.files = self.size = 0

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._source:
            self.files += entry.kind != EMPTY_FOLDER
            self.size += entry.size
            yield entry
