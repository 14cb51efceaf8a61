"""Segments: a remote's sorted lists of objects and the packs that they lie in.

    magic, version, nonce, counts | runs | packs | rows

A run says how many rows one (kind, algorithm) has: hashes are uniform within it, so that a row is
found by interpolation in a ranged read.  A row is a pack table's without its checksum and with the
pack's ordinal.  See docs/format.md, chapter "Segments".
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dataver.errors import FormatError, UnsupportedError
from dataver.formats import codec
from dataver.formats.pack import HEADER_SIZE as PACK_HEADER_SIZE
from dataver.formats.pack import ROW_SIZE as PACK_ROW_SIZE
from dataver.formats.pack import Table
from dataver.hashing import DIGEST_SIZES, Buffer, derive
from dataver.model.names import KIND_NAMES, NAME_SIZE, ObjectName, StructureId, check_name

VERSION = 1
NONCE_SIZE = 16
ROW_SIZE = 64
MAX_ROWS = 1 << 28
MAX_PACKS = 1 << 22
_MAGIC = b"dvsegm" + struct.pack(">H", VERSION)
_COUNTS = struct.Struct("<8s16sIH")
_RUN = struct.Struct("<2sQ")
_PACK = struct.Struct("<32sQ")
_ROW = struct.Struct("<34sBBQQQI")
_PLACE = struct.Struct("<34xBBQQQI")
_SIZES = struct.Struct("<B43xQ8xI")
_NAME = struct.Struct("34s30x")
_ORDINAL = struct.Struct("<I")
_BARE_SIZE = ROW_SIZE - _ORDINAL.size
_MAX_RUNS = len(KIND_NAMES) * len(DIGEST_SIZES)
_CONTEXT = "dataver v1 segment"


class PackRef(NamedTuple):
    """A pack as segments and journal entries name it."""

    pack_id: StructureId
    size: int
    """In bytes, of the whole pack."""


class SegmentRef(NamedTuple):
    """A segment as journal entries name it: enough to know how long it is."""

    segment_id: StructureId
    packs: int
    rows: int


class Place(NamedTuple):
    """Where an object lies; offset and sizes in bytes."""

    pack_id: StructureId
    offset: int
    stored: int
    raw: int
    codec: int


class Head(NamedTuple):
    """A segment's beginning: what it takes to search its rows."""

    runs: tuple[tuple[bytes, int], ...]
    """(kind and algorithm, rows), ascending."""
    packs: tuple[PackRef, ...]
    """Ascending by id; a row's ordinal counts here."""
    size: int
    """In bytes: where the rows begin."""

    @property
    def rows(self) -> int:
        return sum(count for _, count in self.runs)

    def bounds(self, name: bytes) -> tuple[int, int]:
        """Return the rows, first and one past the last, among which *name* must be."""
        low = 0
        for run, count in self.runs:
            if run == name[:2]:
                return low, low + count
            low += count
        return 0, 0

    def place(self, rows: Buffer, at: int = 0) -> Place:
        """Return where the object lies whose encoded row begins at byte *at* of *rows*.

        Raises: FormatError for a row that points outside its pack, UnsupportedError.
        """
        kind, flags, offset, stored, raw, ordinal = _PLACE.unpack_from(rows, at)
        if kind > codec.ZSTD:
            raise UnsupportedError("codec", kind)
        if flags:
            raise UnsupportedError("segment row flags", flags)
        if ordinal >= len(self.packs):
            raise FormatError("segment", "a row names no pack")
        pack = self.packs[ordinal]
        if offset < PACK_HEADER_SIZE or offset + stored > pack.size:
            raise FormatError("segment", "a row points outside its pack")
        if kind == codec.STORED and stored != raw:
            raise FormatError("segment", "a stored object has two sizes")
        return Place(pack.pack_id, offset, stored, raw, kind)


def size_limit_of_head(packs: int) -> int:
    """Return at most how many bytes stand before the rows of a segment of *packs* packs."""
    return _COUNTS.size + _MAX_RUNS * _RUN.size + packs * _PACK.size


# -- writing --------------------------------------------------------------------------------------


def bare_rows(table: Table) -> bytes:
    """Return a pack table's rows as a segment has them, but for the ordinal: 60 bytes each."""
    data = bytes(table.rows_data)
    return b"".join([data[at : at + _BARE_SIZE] for at in range(0, len(data), PACK_ROW_SIZE)])


def with_ordinal(bare: bytes, ordinal: int) -> list[bytes]:
    """Return the whole rows of one pack from its `bare_rows`."""
    tail = _ORDINAL.pack(ordinal)
    return [bare[at : at + _BARE_SIZE] + tail for at in range(0, len(bare), _BARE_SIZE)]


def remapped(rows: Buffer, ordinals: Mapping[int, int]) -> Iterator[bytes]:
    """Yield the rows of a segment with other ordinals; those of packs that are not mapped are left out."""
    tails = {old: _ORDINAL.pack(new) for old, new in ordinals.items()}
    view = memoryview(rows)
    for at in range(0, len(view), ROW_SIZE):
        tail = tails.get(_ORDINAL.unpack_from(view, at + _BARE_SIZE)[0])
        if tail is not None:
            yield bytes(view[at : at + _BARE_SIZE]) + tail


def names_in_packs(rows: Buffer, ordinals: Container[int]) -> Iterator[tuple[ObjectName, int]]:
    """Yield name and ordinal of the rows that lie in one of the packs *ordinals*."""
    for name, _, _, _, _, _, ordinal in _ROW.iter_unpack(rows):
        if ordinal in ordinals:
            yield ObjectName(name), ordinal


def merged(sources: Sequence[Iterable[bytes]]) -> Iterator[bytes]:
    """Merge sorted rows; an object that lies in several packs keeps all its rows: one may be lost.

    The rows of one object may come in another order than that of the bytes, since new ordinals
    sort otherwise than the old ones did.
    """
    group: list[bytes] = []
    for row in heapq.merge(*sources):
        if group and row[:NAME_SIZE] != group[0][:NAME_SIZE]:
            yield from sorted(set(group)) if len(group) > 1 else group
            group = []
        group.append(row)
    yield from sorted(set(group))


def encode_segment(nonce: bytes, packs: Sequence[PackRef], rows: Iterable[bytes]) -> bytes:
    """Return a segment's bytes; *rows* are whole, ascending as byte strings.

    Raises: ValueError when packs or rows are out of order.
    """
    assert len(nonce) == NONCE_SIZE
    if any(a.pack_id >= b.pack_id for a, b in zip(packs, packs[1:], strict=False)):
        raise ValueError("packs out of order")
    body = bytearray()
    starts: list[tuple[bytes, int]] = []
    previous = b""
    for row in rows:
        if row <= previous:
            raise ValueError("rows out of order")
        if row[:2] != previous[:2]:
            starts.append((row[:2], len(body) // ROW_SIZE))
        previous = row
        body += row
    ends = [*(start for _, start in starts[1:]), len(body) // ROW_SIZE]
    runs = [(run, end - start) for (run, start), end in zip(starts, ends, strict=False)]
    return b"".join(
        (
            _COUNTS.pack(_MAGIC, nonce, len(packs), len(runs)),
            *(_RUN.pack(*run) for run in runs),
            *(_PACK.pack(*pack) for pack in packs),
            body,
        )
    )


def rows_start(data: Buffer) -> int:
    """Return where the rows begin in a segment just encoded."""
    _, _, packs, runs = _COUNTS.unpack_from(data)
    return int(_COUNTS.size + runs * _RUN.size + packs * _PACK.size)


def segment_id(data: Buffer) -> StructureId:
    """Return the id of a segment's bytes."""
    return StructureId(derive(_CONTEXT, data))


# -- reading --------------------------------------------------------------------------------------


def decode_head(data: Buffer, ref: SegmentRef) -> Head:
    """Return the head of the segment *ref* from its first bytes (`size_limit_of_head` or more).

    Raises: FormatError when it is damaged or not what the journal says, UnsupportedError.
    """
    what = f"segment {ref.segment_id.hex()[:12]}"
    if len(data) < _COUNTS.size:
        raise FormatError(what, "truncated")
    magic, _, packs, runs = _COUNTS.unpack_from(data)
    if magic[:6] != _MAGIC[:6]:
        raise FormatError(what, "wrong magic")
    if magic != _MAGIC:
        raise UnsupportedError("segment version", magic[6:].hex())
    if packs != ref.packs or packs > MAX_PACKS or runs > _MAX_RUNS:
        raise FormatError(what, "its counts are not those of the journal")
    at = _COUNTS.size
    size = at + runs * _RUN.size + packs * _PACK.size
    if len(data) < size:
        raise FormatError(what, "truncated")
    view = memoryview(data)
    found_runs = tuple(_RUN.iter_unpack(view[at : at + runs * _RUN.size]))
    at += runs * _RUN.size
    found_packs = tuple(PackRef(StructureId(i), n) for i, n in _PACK.iter_unpack(view[at:size]))
    head = Head(found_runs, found_packs, size)
    if head.rows != ref.rows or ref.rows > MAX_ROWS or any(not count for _, count in found_runs):
        raise FormatError(what, "its counts are not those of the journal")
    if any(a[0] >= b[0] for a, b in zip(found_runs, found_runs[1:], strict=False)):
        raise FormatError(what, "runs out of order")
    if any(a[0] >= b[0] for a, b in zip(found_packs, found_packs[1:], strict=False)):
        raise FormatError(what, "packs out of order")
    return head


def decode_segment(data: Buffer, ref: SegmentRef) -> tuple[Head, memoryview]:
    """Return the head and the rows of a whole segment, verified against its id.

    The rows are trusted to be sorted only after `check_rows`, which the first reader runs.
    Raises: FormatError, UnsupportedError.
    """
    head = decode_head(data, ref)
    what = f"segment {ref.segment_id.hex()[:12]}"
    if len(data) != head.size + head.rows * ROW_SIZE:
        raise FormatError(what, f"{len(data)} bytes long")
    if segment_id(data) != ref.segment_id:
        raise FormatError(what, "its bytes give another id")
    return head, memoryview(data)[head.size :]


def check_rows(head: Head, rows: Buffer) -> None:
    """Check every row: order, names, places.  Raises: FormatError, HostileInputError, UnsupportedError."""
    sizes = [pack.size for pack in head.packs]
    known = len(sizes)
    previous = b""
    last: tuple[bytes, int, int, int, int, int, int] = (b"", 0, 0, 0, 0, 0, 0)
    for row in _ROW.iter_unpack(rows):
        name, kind, flags, offset, stored, raw, ordinal = row
        if name < previous or (name == previous and _ROW.pack(*row) <= _ROW.pack(*last)):
            raise FormatError("segment", "rows out of order")
        last = row
        if (
            kind > codec.ZSTD
            or flags
            or ordinal >= known
            or offset < PACK_HEADER_SIZE
            or offset + stored > sizes[ordinal]
            or (kind == codec.STORED and stored != raw)
        ):
            head.place(_ROW.pack(*row))
        if name[:2] != previous[:2] or name[1] != 1:
            check_name(name)
        previous = name
    low = 0
    view = memoryview(rows)
    for run, count in head.runs:
        high = low + count
        ends = (bytes(view[at * ROW_SIZE : at * ROW_SIZE + 2]) for at in (low, high - 1))
        if any(end != run for end in ends):
            raise FormatError("segment", "its runs are not those of its rows")
        low = high


def sizes_of(rows: Buffer) -> Iterator[tuple[int, int, int]]:
    """Yield kind, stored size and pack ordinal of encoded rows."""
    return _SIZES.iter_unpack(rows)


def names_of(rows: Buffer) -> Iterator[ObjectName]:
    """Yield the names of encoded rows."""
    for (name,) in _NAME.iter_unpack(rows):
        yield ObjectName(name)
