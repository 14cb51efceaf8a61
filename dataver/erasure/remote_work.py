"""What has to be done to a remote so that nothing denied is left there: found out, nothing changed.

Every leaf that a live segment lists is opened, and whatever no live segment lists (packs and segments of
broken pushes, old versions, unfinished uploads) is looked into.  When there is no work, the remote is clean:
erasing and verifying ask the same question.

Longer than 300 lines because what live segments list decides what may be said of everything else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from dataver.erasure.eraser import Eraser, Stored, Upload
from dataver.erasure.examine import Examiner, first_shown, telling_guide
from dataver.errors import DataverError, ErasureIncompleteError, Failure
from dataver.formats import layout, pack, segment
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
from dataver.store.bucket import KeyMissingError
from dataver.store.cache_marks import NameSet, key_of
from dataver.store.remote import Remote
from dataver.store.repacking import content_of, read_opened

_AT_ONCE = 3
"""Packs in memory at a time; each takes 32 MiB."""


@dataclass(slots=True)
class Work:
    """What has to be done; empty where the remote is clean.  Sizes in bytes."""

    seq: int
    """The last journal entry that it builds on."""
    doomed: set[ObjectName] = field(default_factory=set)
    """Objects that go: contents, recipes, and chunks that only they are made of."""
    replaced: dict[ObjectName, bytes] = field(default_factory=dict)
    """Leaves without their erased entries, and roots of them with a blank guide."""
    unlinked: frozenset[Oid] = frozenset()
    """Contents that go since no leaf names them any more: what others push meanwhile might."""
    told: dict[StructureId, frozenset[bytes]] = field(default_factory=dict)
    """Leaf -> commitments that it loses and that no record names: the removal's entry tells of them."""
    packs: dict[StructureId, int] = field(default_factory=dict)
    """Packs of live segments to be written anew, with their sizes."""
    orphans: dict[StructureId, int] = field(default_factory=dict)
    """Packs that no live segment lists, all their versions."""
    segments: dict[StructureId, int] = field(default_factory=dict)
    """Segments that are not live, all their versions."""
    stale: list[Stored | Upload] = field(default_factory=list)
    """Unfinished uploads and temporary files of writers that are gone."""
    young: list[str] = field(default_factory=list)
    """Keys that a writer who is at work may have stored, and that cannot be judged before it ends."""
    unreadable: list[Failure] = field(default_factory=list)
    """What could not be looked into."""
    entries: int = 0
    """Entries that leaves lose."""
    read: int = 0
    """Bytes of packs read to find all this."""

    @property
    def is_empty(self) -> bool:
        return not (
            self.packs or self.orphans or self.segments or self.stale or self.young or self.unreadable
        )


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
    finding = _Finding(remote, eraser, examiner, oldest_writer_s, known or {})
    finding.live(progress)
    finding.unlisted(progress)
    return finding.work


def packs_touched(remote: Remote, examiner: Examiner, leaves: Set[bytes]) -> dict[StructureId, int]:
    """Return the packs of live segments that hold denied contents or one of *leaves*, with their sizes."""
    found: dict[StructureId, int] = {}
    for name, pack_id, size in _rows(remote):
        if examiner.is_gone(name) or (name[0] == LEAF and name[2:] in leaves):
            found[pack_id] = size
    return found


def _rows(remote: Remote) -> Iterator[tuple[ObjectName, StructureId, int]]:
    """Yield name, pack and size of the pack of every row of the live segments."""
    for head, rows in remote.segment_rows():
        for name, (_, _, ordinal) in zip(segment.names_of(rows), segment.sizes_of(rows), strict=True):
            yield name, head.packs[ordinal].pack_id, head.packs[ordinal].size


class _Finding:
    """One look at a remote."""

    def __init__(
        self,
        remote: Remote,
        eraser: Eraser,
        examiner: Examiner,
        oldest_writer_s: float,
        known: Mapping[bytes, tuple[Substitute, ...]],
    ) -> None:
        self._remote, self._eraser, self._examiner = remote, eraser, examiner
        self._oldest_writer_s, self._known = oldest_writer_s, known
        self._chunks = NameSet()
        """Chunks that contents which stay are made of."""
        self._lost_chunks: set[ObjectName] = set()
        """Those that contents which go are made of."""
        self._is_sure = True
        """Whether every recipe could be read: else a chunk that none lists may belong to one."""
        self._roots: dict[bytes, tuple[Root, set[StructureId]]] = {}
        self._firsts: dict[bytes, bytes] = {}
        """Redacted leaf -> path of the first entry that it still shows; empty for none."""
        self._unlinked: set[Oid] = set()
        """Contents of entries that go, which nothing denies by themselves."""
        self._sizes: dict[StructureId, int] = {}
        self._roots_seen: list[Root] = []
        """Those of the unlisted pack that was looked into last."""
        self._unlisted_roots: dict[StructureId, tuple[int, list[Root]]] = {}
        """Unlisted pack that may stay so far -> its size and roots."""
        self.work = Work(remote.seen.seq)

    # -- what live segments list --------------------------------------------------------------------

    def live(self, progress: Progress) -> None:
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
            if telling_guide(root, self._firsts):
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
        self._chunks, self._lost_chunks = NameSet(), set()
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
        self.work.read += len(view)
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
                self._firsts[leaf.leaf_id] = first_shown(leaf)
            return
        seen = decode_leaf(change.data, leaf.leaf_id)
        if self._examiner.lacks_substitute(leaf, seen):
            # Rows are not taken out by dropping the table: who planned it knows what takes its place.
            self.work.unreadable.append(_unknown_table().failure())
            return
        self._firsts[leaf.leaf_id] = first_shown(seen)
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
            self._lost_chunks.update(chunks)
        else:
            self._chunks.add(b"".join(map(key_of, chunks)))

    def _is_lost_chunk(self, name: ObjectName) -> bool:
        """Tell whether nothing that stays is made of the chunk *name*."""
        if name in self._chunks:
            return False
        return self._is_sure or name in self._lost_chunks

    # -- what no live segment lists -----------------------------------------------------------------

    def unlisted(self, progress: Progress) -> None:
        """Look into all versions of packs and segments that are not live, and into unfinished uploads."""
        live = {ref.segment_id for ref in self._remote.live_segments()}
        for found in (layout.PACKS_PREFIX, layout.SEGMENTS_PREFIX):
            is_packs = found == layout.PACKS_PREFIX
            by_key: dict[str, list[Stored]] = {}
            for stored in self._eraser.versions(found):
                by_key.setdefault(stored.key, []).append(stored)
            with progress.task("Looking into what is unlisted", total=len(by_key)) as task:
                for key, versions in by_key.items():
                    task.advance()
                    name = layout.pack_id_of_key(key) if is_packs else layout.segment_id_of_key(key)
                    if name is None:
                        self._judge_stray(versions)
                    elif name not in (self._sizes if is_packs else live):
                        into = self.work.orphans if is_packs else self.work.segments
                        self._judge(name, versions, into, is_pack=is_packs)
            for upload in self._eraser.uploads(found):
                self._or_young(upload, upload.started_s)
        # The leaves of a root may have lain in a pack that was looked into after it.
        for name, (size, roots) in self._unlisted_roots.items():
            if any(telling_guide(root, self._firsts) for root in roots):
                self.work.orphans[name] = size

    def _judge_stray(self, versions: Iterable[Stored]) -> None:
        for stored in versions:
            self._or_young(stored, stored.modified_s)

    def _or_young(self, item: Stored | Upload, time_s: float) -> None:
        if time_s < self._oldest_writer_s:
            self.work.stale.append(item)
        else:
            self.work.young.append(item.key)

    def _judge(
        self, name: StructureId, versions: list[Stored], into: dict[StructureId, int], *, is_pack: bool
    ) -> None:
        size = max(stored.size for stored in versions)
        for stored in versions:
            if stored.is_marker:
                continue
            try:
                data = self._eraser.read(stored)
            except KeyMissingError:
                continue  # its writer or a gc took it away this moment
            self.work.read += len(data)
            said = self._pack_holds(data) if is_pack else self._segment_holds(data, name)
            if said == "denied" or (said == "unknown" and stored.modified_s < self._oldest_writer_s):
                into[name] = size
                return
            if is_pack and self._roots_seen and stored.modified_s < self._oldest_writer_s:
                self._unlisted_roots[name] = size, self._roots_seen
            if said == "unknown":
                self.work.young.append(stored.key)

    def _pack_holds(self, data: bytes) -> str:
        """Return `denied`, `clean`, or `unknown`: chunks of nobody knows what, or no readable pack."""
        said = "clean"
        self._roots_seen = []
        try:
            table, view = pack.split(data)
            for row in table.rows():
                content = b"" if row.name[0] in (BLOB, CHUNK) else content_of(row, view)
                found = self._object_is(row.name, content)
                if found == "denied":
                    return found
                said = found if found == "unknown" else said
        except DataverError:
            return "unknown"
        return said

    def _object_is(self, name: ObjectName, data: Buffer) -> str:
        if name[0] == CHUNK:
            if name in self._lost_chunks and name not in self._chunks:
                return "denied"
            return "clean" if name in self._chunks else "unknown"
        is_denied = self._examiner.is_gone(name)
        if name[0] == LEAF:
            leaf = decode_leaf(data, name[2:])
            is_denied = bool(self._examiner.denied_in(leaf))
            change = self._examiner.redacted(leaf) if is_denied else None
            if change is not None:
                self._firsts.setdefault(leaf.leaf_id, first_shown(decode_leaf(change.data, leaf.leaf_id)))
        elif name[0] == ROOT:
            self._roots_seen.append(decode_root(data, name[2:]))
            is_denied = telling_guide(self._roots_seen[-1], self._firsts)
        return "denied" if is_denied else "clean"

    def _segment_holds(self, data: bytes, name: StructureId) -> str:
        if segment.segment_id(data) != name:
            return "unknown"
        said = "clean"
        try:
            rows = memoryview(data)[segment.rows_start(data) :]
            names = list(segment.names_of(rows))
        except struct.error:
            return "unknown"
        for found in names:
            if found[0] == CHUNK and found not in self._chunks:
                said = "denied" if found in self._lost_chunks else "unknown"
            elif self._examiner.is_gone(found):
                said = "denied"
            if said == "denied":
                return said
        return said


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
