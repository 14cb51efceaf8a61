"""The workspace against a tree: what was added, modified, deleted, and what is merely absent.

Pure but for the leaves that `Trees` opens.  Two trees and the files meet here: the *pointer's*
tree, the *base* that the workspace was last brought to (its record), and the snapshot.  A path is
deleted only where the base put it on disk; everything else that is not there is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from dataver.index.columns import Columns
from dataver.model.diff import ADDED, DELETED, MODIFIED, Change, change_of, compare
from dataver.model.names import Oid
from dataver.model.tree import EMPTY_FOLDER, Entry, after_folder
from dataver.store.trees import EMPTY_ROOT_ID, Trees
from dataver.workspace.record import Record
from dataver.workspace.snapshot import Snapshot, entries, entry_of
from dataver.workspace.sparse import Sparse

FULL_FROM = 50_000
"""Touched paths from which reading both sides as streams is quicker than looking each one up."""


class Comparison(NamedTuple):
    """A snapshot against a pointer's tree."""

    changes: list[Change]
    """In path order, from the pointer's tree to the workspace; renames are not paired."""
    absent: int
    """Entries of the pointer's tree that are not on disk and were not deleted."""
    touched: frozenset[bytes]
    """Paths where the snapshot differs from the base."""


class Comparer:
    """Compares one snapshot; holds what every step needs."""

    def __init__(
        self,
        trees: Trees,
        snapshot: Snapshot,
        record: Record | None,
        *,
        size_of: Callable[[Oid], int],
        rehash: Callable[[bytes, int], Oid | None],
        refused: frozenset[bytes] = frozenset(),
    ) -> None:
        """*rehash* gives a file's oid by another algorithm; *refused* are paths that are there but
        could not be taken: they are neither changed nor deleted."""
        self._trees, self._snapshot, self._record = trees, snapshot, record
        self._size_of, self._rehash, self._refused = size_of, rehash, refused
        self._sparse = Sparse(record.patterns if record else ())
        self._missing = record.missing if record else frozenset()
        self._base = record.root_id if record else b""

    def compare(self, pointer_root: bytes, columns: Columns | None) -> Comparison:
        """Raises: MissingObjectError, CorruptObjectError, FormatError."""
        if self._record is None:
            return self._against_nothing(pointer_root)
        delta = self._delta(columns)
        towards = {c.path: c for c in self._trees.diff(pointer_root, self._base or EMPTY_ROOT_ID)}
        changes = []
        for path in sorted(towards.keys() | delta.keys()):
            if path in self._refused:
                continue
            change = self._change(path, pointer_root, towards.get(path), delta)
            if change is not None:
                changes.append(change)
        changes = self._without_hollow(changes, pointer_root)
        touched = frozenset(delta) if len(delta) < FULL_FROM else frozenset()
        return Comparison(changes, self._absent(pointer_root, changes), touched)

    def _against_nothing(self, pointer_root: bytes) -> Comparison:
        """Compare without a record: what is not on disk was never checked out."""
        here = entries(self._snapshot, self._size_of)
        found = compare(self._trees.entries(pointer_root), here)
        changes = [c for c in found if c.kind != DELETED and c.path not in self._refused]
        changes = self._without_hollow([c for c in map(self._settled, changes) if c], pointer_root)
        return Comparison(changes, self._absent(pointer_root, changes), frozenset())

    def _change(
        self, path: bytes, pointer_root: bytes, toward: Change | None, delta: dict[bytes, Entry | None]
    ) -> Change | None:
        if path in delta:
            here = delta[path]
            old = toward.old if toward else self._trees.find(pointer_root, path)
        else:
            assert toward is not None
            here, old = toward.new, toward.old
            if here is not None and not self._was_placed(path):
                here = None
            if here is None and not (toward.new is None and self._was_placed(path)):
                return None
        change = change_of(old, here)
        return self._settled(change) if change else None

    def _was_placed(self, path: bytes) -> bool:
        """Tell whether a checkout of the base put *path* on disk, or would have."""
        return path not in self._missing and self._sparse.matches(path)

    def _settled(self, change: Change) -> Change | None:
        """Return *change*, or None where another algorithm shows the content to be the same."""
        old, new = change.old, change.new
        if (
            change.kind != MODIFIED
            or old is None
            or new is None
            or old.oid is None
            or new.oid is None
            or old.size != new.size
            or old.oid[0] == new.oid[0]
        ):
            return change
        return None if self._rehash(change.path, old.oid[0]) == old.oid else change

    def _delta(self, columns: Columns | None) -> dict[bytes, Entry | None]:
        """Return what differs from the base on disk: path -> entry, or None where it is gone."""
        quick = columns is not None and columns.root_id == self._base and bool(self._base)
        if quick and columns is not None:
            paths = set(self._looked_at(columns))
            if len(paths) < FULL_FROM:
                return {path: self._here(path) for path in paths}
        placed = (e for e in self._base_entries() if self._was_placed(e.path))
        return {c.path: c.new for c in compare(placed, entries(self._snapshot, self._size_of))}

    def _base_entries(self) -> Iterable[Entry]:
        return self._trees.entries(self._base) if self._base else ()

    def _looked_at(self, columns: Columns) -> Iterator[bytes]:
        snapshot = self._snapshot
        yield from columns.touched
        yield from snapshot.gone
        for path, rows in snapshot.fresh.items():
            names = snapshot.folders[path].names
            prefix = path + b"/" if path else b""
            yield from (prefix + names[row] for row in rows)
        yield from snapshot.empty_folders() ^ columns.empty_folders()

    def _here(self, path: bytes) -> Entry | None:
        found = self._snapshot.find(path)
        if found is not None:
            return entry_of(path, *found, self._size_of)
        if path in self._snapshot.folders and self._snapshot.is_empty_folder(path):
            return Entry(path, EMPTY_FOLDER, None, 0)
        return None

    def _without_hollow(self, changes: list[Change], pointer_root: bytes) -> list[Change]:
        """Drop "added" empty folders that are only empty because what belongs there is absent."""
        hollow = [c for c in changes if c.kind == ADDED and c.new and c.new.kind == EMPTY_FOLDER]
        if not hollow:
            return changes
        deleted = {c.path for c in changes if c.kind == DELETED}
        drop = set()
        for change in hollow:
            low = change.path + b"/"
            below = self._trees.entries(pointer_root, low, after_folder(change.path))
            if any(e.path not in deleted for e in below):
                drop.add(change.path)
        return [c for c in changes if c.path not in drop]

    def _absent(self, pointer_root: bytes, changes: list[Change]) -> int:
        """Count by what is there: everything of the tree that neither is on disk nor was deleted."""
        if self._record is not None and not self._sparse and not self._missing:
            return 0
        root = self._trees.root(pointer_root)
        total = root.count - self._trees.erased_count(pointer_root)
        added = sum(1 for c in changes if c.kind == ADDED)
        deleted = sum(1 for c in changes if c.kind == DELETED)
        here = sum(1 for _ in entries(self._snapshot, self._size_of)) if self._snapshot.folders else 0
        hollow = sum(1 for p in self._snapshot.empty_folders() if self._trees.find(pointer_root, p) is None)
        new_hollow = sum(1 for c in changes if c.kind == ADDED and c.new and c.new.kind == EMPTY_FOLDER)
        return max(total - (here - (hollow - new_hollow) - added) - deleted - len(self._refused), 0)
