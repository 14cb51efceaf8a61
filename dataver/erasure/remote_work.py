"""What has to be done to a remote so that nothing denied is left there: found out, nothing changed.

Every leaf that a live segment lists is opened, and whatever no live segment lists (packs and segments of
broken pushes, old versions, unfinished uploads) is looked into.  When there is no work, the remote is clean:
erasing and verifying ask the same question.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dataver.erasure.eraser import Eraser
from dataver.erasure.examine import Examiner, first_shown, telling_guide
from dataver.erasure.unlisted import Unlisted
from dataver.erasure.work import Seen, Work
from dataver.errors import DataverError, ErasureIncompleteError
from dataver.formats import pack, segment
from dataver.formats.pack import Table
from dataver.formats.recipe import decode_recipe
from dataver.formats.root import decode_root, encode_root
from dataver.formats.tree import Leaf, Substitute, decode_leaf
from dataver.hashing import Buffer
from dataver.model.names import (
    BLOB,
    CHUNK,
    LEAF,
    RECIPE,
    ROOT,
    STRUCTURE_KINDS,
    ObjectName,
    Oid,
    StructureId,
    chunk_name,
    leaf_name,
    oid_of_name,
    root_name,
)
from dataver.model.tree import Root
from dataver.parallel import threads_map_ordered
from dataver.progress import SILENT, Progress
from dataver.store.cache_marks import NameSet, key_of
from dataver.store.remote import Remote
from dataver.store.repacking import content_of, read_opened

_AT_ONCE = 3
"""Packs in memory at a time; each takes 32 MiB."""


def find_work(
    remote: Remote,
    eraser: Eraser,
    examiner: Examiner,
    *,
    oldest_writer_s: float,
    known: Mapping[bytes, tuple[Substitute, ...]] | None = None,
    progress: Progress = SILENT,
) -> Work:
    """Return what has to be done to *remote*, whose journal was just read.

    *oldest_writer_s* is when the writer began that is at work longest, by the store's clock; *known*
    are substitutes for entries of leaves.  Raises: AccessDeniedError where not all versions may be seen;
    RemoteError.
    """
    listed = _Finding(remote, examiner, known or {})
    listed.look(progress)
    unlisted = Unlisted(remote, eraser, examiner, listed.seen, listed.work, oldest_writer_s)
    unlisted.look(progress)
    return listed.work


def _rows(remote: Remote) -> Iterator[tuple[ObjectName, StructureId, int]]:
    """Yield name, pack and size of the pack of every row of the live segments."""
    for head, rows in remote.segment_rows():
        for name, (_, _, ordinal) in zip(segment.names_of(rows), segment.sizes_of(rows), strict=True):
            yield name, head.packs[ordinal].pack_id, head.packs[ordinal].size


class _Finding:
    """One look at what live segments of a remote list."""

    def __init__(
        self,
        remote: Remote,
        examiner: Examiner,
        known: Mapping[bytes, tuple[Substitute, ...]],
    ) -> None:
        self._remote, self._examiner, self._known = remote, examiner, known
        self.seen = Seen()
        self._is_sure = True
        """Whether every recipe could be read: else a chunk that none lists may belong to one."""
        self._roots: dict[bytes, tuple[Root, set[StructureId]]] = {}
        self._unlinked: set[Oid] = set()
        """Contents of entries that go, which nothing denies by themselves."""
        self._sizes: dict[StructureId, int] = {}
        self.work = Work(remote.seen.seq)

    def look(self, progress: Progress) -> None:
        """Look into every live segment and every pack of structure."""
        structure: dict[StructureId, None] = {}
        for name, pack_id, size in _rows(self._remote):
            self._sizes[pack_id] = size
            if name[0] in STRUCTURE_KINDS:
                structure[pack_id] = None
            if self._examiner.is_gone(name):
                self._doom(name, pack_id)
        orders = [(pack_id, self._sizes[pack_id]) for pack_id in structure]
        with progress.task("Looking into trees", total=len(orders)) as task:
            for pack_id, found in threads_map_ordered(self._opened, orders, _AT_ONCE):
                if isinstance(found, DataverError):
                    self._is_sure = False
                    self.work.unreadable.append(found.failure())
                else:
                    self._look_into(pack_id, *found)
                task.advance()
        self._doom_unlinked(orders)
        for root, packs in self._roots.values():
            if telling_guide(root, self.seen.firsts):
                self.work.replaced[root_name(root.root_id)] = encode_root(root.leaves, ())[1]
                for pack_id in packs:
                    self._touch(pack_id)
        for name, pack_id, _ in _rows(self._remote):
            if name[0] == CHUNK and self._is_lost_chunk(name):
                self._doom(name, pack_id)

    def _doom_unlinked(self, orders: list[tuple[StructureId, int]]) -> None:
        """Doom contents that only entries named which go; those that any other leaf names stay."""
        left = self._unlinked
        for _, found in threads_map_ordered(self._opened, orders if left else [], _AT_ONCE):
            if isinstance(found, DataverError):
                return  # who knows what it names
            left -= _contents_of(*found, self.work.replaced)
        if not (left and self._is_sure):
            return
        self.work.unlinked = frozenset(left)
        for name, pack_id, _ in _rows(self._remote):
            if name[0] in (BLOB, RECIPE) and oid_of_name(name) in left:
                self._doom(name, pack_id)
        self.seen.chunks, self.seen.lost_chunks = NameSet(), set()
        for _, found in threads_map_ordered(self._opened, orders, _AT_ONCE):
            for row, data in () if isinstance(found, DataverError) else _objects(*found, RECIPE):
                self._recipe(row.name, data)

    def _doom(self, name: ObjectName, pack_id: StructureId) -> None:
        self.work.doomed.add(name)
        self._touch(pack_id)

    def _touch(self, pack_id: StructureId) -> None:
        self.work.packs[pack_id] = self._sizes[pack_id]

    def _opened(
        self, order: tuple[StructureId, int]
    ) -> tuple[StructureId, tuple[Table, memoryview] | DataverError]:
        try:
            return order[0], read_opened(self._remote, *order)
        except DataverError as error:
            if error.exit_status != 3:
                raise
            return order[0], error

    def _look_into(self, pack_id: StructureId, table: Table, view: memoryview) -> None:
        for row in table.rows():
            name = row.name
            if name[0] not in STRUCTURE_KINDS:
                continue
            try:
                data = content_of(row, view)
                if name[0] == LEAF:
                    self._leaf(pack_id, decode_leaf(data, name[2:]))
                elif name[0] == ROOT:
                    root = decode_root(data, name[2:])
                    self._roots.setdefault(root.root_id, (root, set()))[1].add(pack_id)
                else:
                    self._recipe(name, data)
            except DataverError as error:
                self._is_sure = self._is_sure and name[0] != RECIPE
                self.work.unreadable.append(error.failure())

    def _leaf(self, pack_id: StructureId, leaf: Leaf) -> None:
        change = self._examiner.redacted(leaf, self._known.get(leaf.leaf_id, ()))
        if change is None:
            if not leaf.key:
                self.seen.firsts[leaf.leaf_id] = first_shown(leaf)
            return
        seen = decode_leaf(change.data, leaf.leaf_id)
        if self._examiner.lacks_substitute(leaf, seen):
            # Rows are not taken out by dropping the table: who planned it knows what takes its place.
            self.work.unreadable.append(_unknown_table().failure())
            return
        self.seen.firsts[leaf.leaf_id] = first_shown(seen)
        name = leaf_name(leaf.leaf_id)
        if name not in self.work.replaced:
            self.work.entries += len(change.gone)
            gone = [e.oid for e, c in zip(leaf.entries, leaf.commitments, strict=True) if c in change.gone]
            self._unlinked.update(oid for oid in gone if oid is not None and not self._examiner.content(oid))
        self.work.replaced[name] = change.data
        if change.unrecorded:
            self.work.told[StructureId(leaf.leaf_id)] = change.unrecorded
        self._touch(pack_id)

    def _recipe(self, name: ObjectName, data: Buffer) -> None:
        chunks = [chunk_name(oid) for oid, _ in decode_recipe(data).chunks]
        if name in self.work.doomed or self._examiner.is_gone(name):
            self.seen.lost_chunks.update(chunks)
        else:
            self.seen.chunks.add(b"".join(map(key_of, chunks)))

    def _is_lost_chunk(self, name: ObjectName) -> bool:
        """Tell whether nothing that stays is made of the chunk *name*."""
        if name in self.seen.chunks:
            return False
        return self._is_sure or name in self.seen.lost_chunks


def _objects(table: Table, view: memoryview, kind: int) -> Iterator[tuple[pack.Row, Buffer]]:
    for row in table.rows():
        if row.name[0] == kind:
            yield row, content_of(row, view)


def _contents_of(table: Table, view: memoryview, replaced: Mapping[ObjectName, bytes]) -> set[Oid]:
    """Return the contents that the leaves of a pack name once they were *replaced*."""
    leaves = (
        decode_leaf(replaced.get(row.name, data), row.name[2:]) for row, data in _objects(table, view, LEAF)
    )
    return {entry.oid for leaf in leaves for entry in leaf.view if entry.oid is not None}


def _unknown_table() -> ErasureIncompleteError:
    error = ErasureIncompleteError("the erasure", "what takes the place of a table is not known here")
    error.hint = "dataver purge resume E-ID, in the clone where it was planned"
    return error
