"""What a push that broke left behind: packs and segments that are stored but in no journal entry yet.

The next push of this clone takes them over, so that it sends again only what was on its way.  What
was stored before erasure records came is never taken over: it may hold what they deny.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from dataver.errors import DataverError
from dataver.formats.journal import COMMIT
from dataver.formats.pack import Table, decode_table
from dataver.formats.segment import PackRef, SegmentRef
from dataver.hashing import xxh3_64
from dataver.model.names import StructureId
from dataver.store.journal import Journal
from dataver.store.local import LocalCopies
from dataver.store.packcheck import PackCheck
from dataver.store.segments import Segments

_PREFIX = "push-"
_PACK_PREFIX = "pushed-"
_PACK_HEADER = struct.Struct("<8sQQQ")
_PACK_MAGIC = b"dvpushd\1"
_MOST_ENTRIES = 4096
_LARGEST_FILE = 1 << 20


class _Left(msgspec.Struct, forbid_unknown_fields=True):
    seq: int
    segments: list[tuple[str, int, int]]


_decode = msgspec.json.Decoder(_Left).decode


class LeftPack(NamedTuple):
    """A pack that was stored and that no segment lists; size in bytes."""

    table: Table
    size: int


class Unfinished:
    """The files in which pushes of this clone say what they have stored."""

    def __init__(self, local: LocalCopies, writer: str) -> None:
        self._local, self._name = local, _PREFIX + writer
        self._taken_over: list[str] = []

    def take_over(self, journal: Journal, segments: Segments, check: PackCheck) -> list[SegmentRef]:
        """Return the segments that earlier pushes left and that can still be relied on.

        None may name a pack that the journal removed since, or that is not there whole: an id
        that was removed is never used again.
        """
        found: dict[SegmentRef, None] = {}
        for name in self._local.names(_PREFIX):
            left = self._read(name)
            if left is None or not 0 <= journal.seen.seq - left.seq <= _MOST_ENTRIES:
                self._local.remove(name)
                continue
            removed = _removed_since(journal, left.seq)
            if removed is None:
                self._local.remove(name)
                continue
            self._taken_over.append(name)
            refs = [SegmentRef(StructureId(bytes.fromhex(i)), p, r) for i, p, r in left.segments]
            found.update((ref, None) for ref in refs if _is_whole(ref, removed, segments, check))
        return list(found)

    def take_over_packs(self, journal: Journal, check: PackCheck) -> list[LeftPack]:
        """Return the packs that earlier pushes stored and listed nowhere, and that are there whole."""
        found: list[LeftPack] = []
        removed: dict[int, set[bytes] | None] = {}
        for name in self._local.names(_PACK_PREFIX):
            noted = _decode_pack(name, bytes(self._local.read(name) or b""))
            if noted is None or not 0 <= journal.seen.seq - noted[0] <= _MOST_ENTRIES:
                self._local.remove(name)
                continue
            seq, left = noted
            if seq not in removed:
                removed[seq] = _removed_since(journal, seq)
            gone = removed[seq]
            if gone is None:
                self._local.remove(name)
                continue
            self._taken_over.append(name)
            if left.table.pack_id not in gone:
                found.append(left)
        lost = check.lost({left.table.pack_id: left.size for left in found}, len(found)) if found else set()
        return [left for left in found if left.table.pack_id not in lost]

    def note_pack(self, seq: int, table: Table, size: int) -> None:
        """Write down a pack of *size* bytes that is stored, until a segment lists it; *seq* as in `note`."""
        data = bytes(table.data)
        header = _PACK_HEADER.pack(_PACK_MAGIC, seq, size, _checked(seq, size, data))
        self._local.write(_PACK_PREFIX + table.pack_id.hex(), [header, data])

    def listed(self, packs: Iterable[PackRef]) -> None:
        """Forget packs that a segment lists by now, after `note` named it."""
        for pack in packs:
            self._local.remove(_PACK_PREFIX + pack.pack_id.hex())

    def _read(self, name: str) -> _Left | None:
        data = self._local.read(name)
        if data is None or len(data) > _LARGEST_FILE:
            return None
        try:
            left = _decode(data)
            if any(len(bytes.fromhex(i)) != 32 or min(p, r) < 1 for i, p, r in left.segments):
                return None
        except (msgspec.MsgspecError, ValueError):
            return None
        return left

    def note(self, seq: int, refs: list[SegmentRef]) -> None:
        """Write down what this push has stored; *seq* is the last entry that it has looked at."""
        left = _Left(seq, [(ref.segment_id.hex(), ref.packs, ref.rows) for ref in refs])
        self._local.write(self._name, [msgspec.json.encode(left)])

    def done(self) -> None:
        """Forget all of it: it stands in the journal, or must not be taken over."""
        for name in (*self._taken_over, self._name):
            self._local.remove(name)


def _is_whole(ref: SegmentRef, removed: set[bytes], segments: Segments, check: PackCheck) -> bool:
    if ref.segment_id in removed:
        return False
    packs = segments.packs_if_readable(ref)
    if packs is None or any(pack.pack_id in removed for pack in packs):
        return False
    return not check.lost({pack.pack_id: pack.size for pack in packs}, len(packs))


def _removed_since(journal: Journal, seq: int) -> set[bytes] | None:
    """Return the packs and segments that journal entries after *seq* removed.

    None where erasure records are among them: then nothing of before may be relied on.
    """
    removed: set[bytes] = set()
    for entry, commit in journal.entries_since(seq):
        if entry.kind != COMMIT:
            return None
        if commit is not None:
            removed.update(commit.packs_removed)
            removed.update(commit.segments_removed)
    return removed


def _decode_pack(name: str, data: bytes) -> tuple[int, LeftPack] | None:
    """Return what a note says of a pack and after which entry; None for a damaged one."""
    if len(data) < _PACK_HEADER.size:
        return None
    magic, seq, size, checked = _PACK_HEADER.unpack_from(data)
    rows = data[_PACK_HEADER.size :]
    if magic != _PACK_MAGIC or checked != _checked(seq, size, rows):
        return None
    try:
        table = decode_table(rows, check=None, end=size)
    except DataverError:
        return None
    return (seq, LeftPack(table, size)) if name == _PACK_PREFIX + table.pack_id.hex() else None


def _checked(seq: int, size: int, table: bytes) -> int:
    return xxh3_64(seq.to_bytes(8, "little") + size.to_bytes(8, "little") + table)
