"""What recording a target comes to: its new tree, what changed by it, and what to remember.

The files are read and hashed already (`workspace.adding`); here trees meet, and nothing but
structure is written.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from dataver.errors import (
    DeniedContentError,
    Failure,
    LocalIOError,
    MissingObjectError,
    NoSuchPathError,
    PermissionDeniedError,
    UnsafeFileError,
    UnsupportedTargetError,
    show_path,
)
from dataver.model.diff import Change, with_renames
from dataver.model.names import Oid, is_below
from dataver.model.tree import EMPTY_FOLDER, Entry
from dataver.store.cache_writer import CacheWriter
from dataver.store.trees import EMPTY_ROOT_ID, Trees
from dataver.store.treewriter import save, update
from dataver.workspace.catchup import merged
from dataver.workspace.compare import Comparer, Comparison
from dataver.workspace.intake import Intake
from dataver.workspace.leafkeys import LeafKeys
from dataver.workspace.presence import note_complete
from dataver.workspace.record import Record
from dataver.workspace.snapshot import entries, linked_rows, oid_of_cell
from dataver.workspace.sparse import Sparse, exactly
from dataver.workspace.workspace import Look, Workspace

Denier = Callable[[bytes, Oid], str]
"""Gives the name of the erasure that denies content, everywhere or at a path of a tree; empty for none."""


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
    packs: list[str] = field(default_factory=list)
    """Names of the packs that were written into the cache."""


class Recording:
    """The making of one target's new tree out of what was found and what was known."""

    def __init__(
        self,
        workspace: Workspace,
        trees: Trees,
        look: Look,
        old_root: bytes | None,
        intake: Intake,
        *,
        is_behind: bool,
    ) -> None:
        self._workspace, self._trees, self._look = workspace, trees, look
        self._old_root, self._intake = old_root, intake
        assert look.snapshot is not None
        self._snapshot = look.snapshot
        self._is_replaced = False
        self._is_behind = is_behind
        self.replaces_other = False
        """Whether the new tree was made from another version than the pointer's."""

    def start_anew(self) -> None:
        """Forget the old tree: a file has become a folder, or a folder a file."""
        self._look.record, self._look.columns = None, None
        self._is_replaced = True

    def rebuild(self) -> None:
        """Make the tree of what is on disk, all of it: the cache has lost (parts of) the old one.

        Raises: MissingObjectError where some of the old tree is not on disk, and so known nowhere.
        """
        record = self._look.record
        is_whole = record is not None and record.root_id == self._old_root
        if not is_whole or record is None or record.patterns or record.missing or self._intake.inner:
            raise MissingObjectError(f"a part of the tree of {show_path(self._look.path)}")
        self.start_anew()

    def finish(self, writer: CacheWriter, keys: LeafKeys, denier: Denier | None) -> Addition:
        look, snapshot = self._look, self._snapshot
        size_of = self._workspace.size_of
        if self._old_root is None or self._is_replaced:
            counted = _Counted(self._allowed(entries(snapshot, size_of), denier))
            root_id = save(counted, writer, keys.key_of, kept=keys.kept(self._trees, self._old_root))
            if root_id == EMPTY_ROOT_ID and look.failed:
                for failure in look.failed:
                    if failure.code == PermissionDeniedError.code:
                        raise PermissionDeniedError(failure.path)
                    if failure.code == LocalIOError.code:
                        raise LocalIOError(failure.path, "could not be read, and nothing else is there")
                raise UnsafeFileError(look.path, "holds nothing that can be stored")
            counts, change = Counter({"added": counted.files}), counted.size
            record = Record(root_id)
            touched: frozenset[bytes] | None = frozenset()
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
            changes = self._chosen(comparison, denier)
            # What replaces a folder's last file by an empty folder, and the like, is in path order too.
            new = [(c.path, c.new) for c in changes]
            is_stale = keys.is_stale_in(self._workspace.state, look.path, self._old_root)
            root_id = update(self._trees, self._old_root, new, writer, keys.key_of, is_stale=is_stale)
            renamed = with_renames(changes)
            counts = Counter(c.kind for c in renamed if _counts(c))
            change = sum(c.size_change for c in changes)
            is_apart = look.record is not None and look.record.root_id != self._old_root
            stays = is_apart and comparison.has_base and (self._is_behind or bool(self._intake.inner))
            self.replaces_other = is_apart and comparison.has_base and not stays and bool(changes)
            record = self._record(root_id, changes, comparison, stays=stays)
            if stays:
                touched = comparison.touched
            else:
                left = len(comparison.changes) - len(changes)
                touched = frozenset(c.path for c in comparison.changes) if left else frozenset()
                touched |= comparison.hidden
            files, size = self._totals(changes, record, stays=stays)
        return Addition(
            root_id,
            files,
            size,
            snapshot.is_single,
            root_id == self._old_root,
            counts,
            change,
            lambda: self._remember(record, touched),
            list(look.failed),
        )

    def _chosen(self, comparison: Comparison, denier: Denier | None) -> list[Change]:
        """Return what to change of the pointer's tree, of what was named."""
        named = [c for c in comparison.changes if self._is_named(c.path)]
        self._check_named(named)
        if not self._is_behind or not comparison.has_base or self._old_root is None:
            return self._without_denied(named, denier)
        since = self._without_denied([c for c in comparison.since if self._is_named(c.path)], denier)
        assert self._look.record is not None
        return merged(self._trees, self._look.path, self._look.record.root_id, self._old_root, since)

    def _is_named(self, path: bytes) -> bool:
        return not self._intake.inner or any(is_below(path, inner) for inner in self._intake.inner)

    def _check_named(self, changes: list[Change]) -> None:
        """Refuse a path inside the target that neither is on disk nor was recorded."""
        for inner in self._intake.inner:
            on_disk = os.path.lexists(self._snapshot.root + b"/" + inner)
            whole = self._look.path + b"/" + inner
            if not on_disk and not any(is_below(c.path, inner) for c in changes):
                raise NoSuchPathError(whole, what=f"{show_path(whole)} does not exist")
            if on_disk and not self._is_seen(inner):
                raise UnsupportedTargetError(whole, "is left out by .dataverignore")

    def _is_seen(self, inner: bytes) -> bool:
        """Tell whether the scan met a path, as a file, a folder or something that it refused."""
        snapshot = self._snapshot
        if inner in snapshot.folders or snapshot.find(inner) is not None:
            return True
        return any(is_below(r, inner) or is_below(inner, r) for r in self._look.refused)

    def _allowed(self, found: Iterator[Entry], denier: Denier | None) -> Iterator[Entry]:
        for entry in found:
            name = denier(entry.path, entry.oid) if denier and entry.oid else ""
            if name:
                self._deny(entry.path, name)
            else:
                yield entry

    def _without_denied(self, changes: list[Change], denier: Denier | None) -> list[Change]:
        kept = []
        for change in changes:
            oid = change.new.oid if change.new else None
            name = denier(change.path, oid) if denier and oid else ""
            if name:
                self._deny(change.path, name)
            else:
                kept.append(change)
        return kept

    def _deny(self, path: bytes, erasure: str) -> None:
        shown = self._look.path if self._snapshot.is_single else self._look.path + b"/" + path
        self._look.failed.append(DeniedContentError(shown, erasure).failure(shown))

    def _record(
        self, root_id: bytes, changes: list[Change], comparison: Comparison, *, stays: bool
    ) -> Record:
        """Return the record to keep; where the workspace *stays* behind, its base stays too."""
        old = self._look.record
        if old is None or not comparison.has_base:
            # Nothing was ever checked out here: what is on disk is the sparse set.
            here = {path for path, _, _ in self._snapshot.ordered()}
            absent = [e.path for e in self._kept_entries(changes) if e.path not in here]
            return Record(root_id, (), frozenset(absent))
        patterns = old.patterns
        if patterns:
            sparse = Sparse(patterns)
            placed = (c.path for c in changes if c.new is not None and self._snapshot.find(c.path))
            outside = [exactly(path) for path in placed if not sparse.matches(path)]
            patterns = tuple(sorted({*patterns, *outside}))
        missing = old.missing - {c.path for c in changes}
        if stays:
            beside = root_id if old.beside == self._old_root else old.beside
            return replace(old, patterns=patterns, missing=missing, beside=beside)
        return Record(root_id, patterns, missing | comparison.hidden)

    def _kept_entries(self, changes: list[Change]) -> Iterator[Entry]:
        """Yield the entries of the old tree that *changes* do not touch."""
        assert self._old_root is not None
        changed = {c.path: c.new for c in changes}
        for entry in self._trees.entries(self._old_root):
            if entry.path not in changed:
                yield entry

    def _totals(self, changes: list[Change], record: Record, *, stays: bool) -> tuple[int, int]:
        """Return files and bytes of the new tree, absent entries included."""
        is_whole = not record.patterns and not record.missing and not stays
        if is_whole and not self._intake.inner and not self._look.failed:
            return self._snapshot.files, self._size()
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

    def _size(self) -> int:
        """Return the bytes of all files, links into the cache counted by what they stand for."""
        found = 0
        for folder in self._snapshot.folders.values():
            for row in linked_rows(folder):
                oid = oid_of_cell(folder.oid(row))
                found += (self._workspace.size_of(oid) if oid else 0) - folder.stat(row)[1]
        return self._snapshot.size + found

    def _remember(self, record: Record, touched: frozenset[bytes] | None) -> None:
        workspace, look = self._workspace, self._look
        workspace.records.save(look.path, record)
        if touched is None:
            workspace.save_index(look, b"", frozenset())
            return
        refused = look.refused
        is_all_stored = not record.patterns and not record.missing and not refused and not touched
        if is_all_stored and not self._intake.inner:
            note_complete(workspace.cache.folder, workspace.state, record.root_id)
        workspace.save_index(look, record.root_id, touched | refused)


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
