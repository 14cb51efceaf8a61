"""The workspace against a tree: what was added, modified, deleted, and what is merely absent.

Pure but for the leaves that `Trees` opens.  Two trees and the files meet here: the *pointer's*
tree, the *base* that the workspace was last brought to (its record), and the snapshot.  A path is
deleted only where the base put it on disk; everything else that is not there is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from dataver.errors import MissingObjectError
from dataver.index.columns import OID_SIZE, Columns
from dataver.model.diff import ADDED, DELETED, RETYPED, Change, change_of, compare
from dataver.model.names import Oid, folders_of
from dataver.model.tree import EMPTY_FOLDER, Entry, after_folder
from dataver.store.trees import EMPTY_ROOT_ID, Trees
from dataver.workspace.record import Record
from dataver.workspace.snapshot import Snapshot, entries, entry_of
from dataver.workspace.sparse import Sparse

FULL_FROM = 50_000
"""Touched paths from which reading both sides as streams is quicker than looking each one up, and
which an index no longer lists one by one."""


class Comparison(NamedTuple):
    """A snapshot against a pointer's tree."""

    changes: list[Change]
    """In path order, from the pointer's tree to the workspace; renames are not paired."""
    absent: int
    """Entries of the pointer's tree that are not on disk and were not deleted."""
    since: list[Change]
    """In path order, from the base to the workspace; empty without a base."""
    hidden: set[bytes]
    """Paths of which nothing can be said, since they or a folder above them were refused."""
    has_base: bool
    """False where there is no record, or its tree is no more in the cache: then nothing counts as deleted."""

    @property
    def touched(self) -> frozenset[bytes] | None:
        """Paths where the snapshot differs from the base; None where they are unknown or too many."""
        if not self.has_base or len(self.since) >= FULL_FROM:
            return None
        return frozenset(self.hidden.union(c.path for c in self.since))


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
        could not be taken: they, and what was below them, are neither changed nor deleted."""
        self._trees, self._snapshot, self._record = trees, snapshot, record
        self._size_of, self._rehash, self._refused = size_of, rehash, refused
        self._sparse = Sparse(record.patterns if record else ())
        self._missing = record.missing if record else frozenset()
        self._base = record.root_id if record else b""

    def compare(self, pointer_root: bytes, columns: Columns | None) -> Comparison:
        """Raises: MissingObjectError, CorruptObjectError, FormatError."""
        if self._record is not None:
            try:
                return self._against_base(pointer_root, columns)
            except MissingObjectError:
                # Where it is the pointer's own tree that lacks, the next line says so.
                return self._against_nothing(pointer_root)
        return self._against_nothing(pointer_root)

    def _against_base(self, pointer_root: bytes, columns: Columns | None) -> Comparison:
        delta = self._delta(columns)
        towards = {c.path: c for c in self._trees.diff(pointer_root, self._base or EMPTY_ROOT_ID)}
        changes: list[Change] = []
        since: list[Change] = []
        hidden: set[bytes] = set()
        for path in sorted(towards.keys() | delta.keys()):
            if self._is_refused(path):
                hidden.add(path)
                continue
            toward = towards.get(path)
            old = toward.old if toward else self._trees.find(pointer_root, path)
            if path in delta:
                base = toward.new if toward else old
                here = self._alike(delta[path], base)
                changed = change_of(base, here)
                if changed is not None:
                    since.append(changed)
            else:
                assert toward is not None
                here = toward.new if toward.new is not None and self._was_placed(path) else None
                if here is None and not (toward.new is None and self._was_placed(path)):
                    continue
            change = change_of(old, self._alike(here, old))
            if change is not None:
                changes.append(change)
        changes = self._without_hollow(changes, pointer_root)
        absent = 0
        if self._sparse or self._missing:
            changes = self._with_replaced(changes, pointer_root)
            absent = self._absent(pointer_root, changes)
        return Comparison(changes, absent, since, hidden, has_base=True)

    def _against_nothing(self, pointer_root: bytes) -> Comparison:
        """Compare without a record: what is not on disk was never checked out."""
        here = entries(self._snapshot, self._size_of)
        found = compare(self._trees.entries(pointer_root), here)
        changes = []
        for each in found:
            if each.kind != DELETED and not self._is_refused(each.path):
                change = change_of(each.old, self._alike(each.new, each.old))
                if change is not None:
                    changes.append(change)
        changes = self._with_replaced(self._without_hollow(changes, pointer_root), pointer_root)
        return Comparison(changes, self._absent(pointer_root, changes), [], set(), has_base=False)

    def _is_refused(self, path: bytes) -> bool:
        if not self._refused:
            return False
        return path in self._refused or any(f in self._refused for f in folders_of(path))

    def _was_placed(self, path: bytes) -> bool:
        """Tell whether a checkout of the base put *path* on disk, or would have."""
        return path not in self._missing and self._sparse.matches(path)

    def _alike(self, here: Entry | None, like: Entry | None) -> Entry | None:
        """Return *here* with the oid of *like* where another algorithm shows the content to be the same.

        The snapshot takes that oid over, so that the next time nothing has to be read.
        """
        if (
            here is None
            or like is None
            or here.oid is None
            or like.oid is None
            or here.size != like.size
            or here.oid[0] == like.oid[0]
            or self._rehash(here.path, like.oid[0]) != like.oid
        ):
            return here
        found = self._snapshot.find(here.path)
        if found is not None:
            folder, row = found
            oids = folder.oids if isinstance(folder.oids, bytearray) else bytearray(folder.oids)
            oids[row * OID_SIZE : (row + 1) * OID_SIZE] = like.oid.ljust(OID_SIZE, b"\0")
            folder.oids = oids
        return here._replace(oid=like.oid)

    def _delta(self, columns: Columns | None) -> dict[bytes, Entry | None]:
        """Return what differs from the base on disk: path -> entry, or None where it is gone."""
        if columns is not None and self._base == columns.root_id != b"" and not columns.is_damaged:
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

    def _with_replaced(self, changes: list[Change], pointer_root: bytes) -> list[Change]:
        """Add as deleted what is absent and whose place on disk something else has taken.

        Without it a tree could come to hold both a file and what lies below it.
        """
        known = {c.path for c in changes}
        gone: dict[bytes, Entry] = {}
        seen: set[bytes] = set()
        for change in changes:
            if change.new is None or change.kind not in (ADDED, RETYPED):
                continue
            for folder in folders_of(change.path):
                if folder not in seen:
                    seen.add(folder)
                    entry = self._trees.find(pointer_root, folder)
                    if entry is not None:
                        gone[folder] = entry
            if change.new.kind != EMPTY_FOLDER:
                low, high = change.path + b"/", after_folder(change.path)
                gone |= {e.path: e for e in self._trees.entries(pointer_root, low, high)}
        extra = [Change(DELETED, path, entry, None) for path, entry in gone.items() if path not in known]
        return sorted([*changes, *extra], key=lambda c: c.path) if extra else changes

    def _absent(self, pointer_root: bytes, changes: list[Change]) -> int:
        """Count the entries of the tree that neither are on disk nor were deleted."""
        deleted = {c.path for c in changes if c.kind == DELETED}
        here = (path for path, _, _ in self._snapshot.ordered())
        at = next(here, None)
        absent = 0
        for entry in self._trees.entries(pointer_root):
            while at is not None and at < entry.path:
                at = next(here, None)
            if at != entry.path and entry.path not in deleted and not self._is_refused(entry.path):
                absent += 1
        return absent
