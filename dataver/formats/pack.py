"""Packs: one file of many objects, the same in cache and remote.

    magic, version | payloads | table | footer

The table is a nonce and rows that sort by object name; the pack's id is the derive-key BLAKE3
of the table.  See docs/format.md, chapter "Packs".
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dataver.errors import FormatError, UnsupportedError
from dataver.formats import codec
from dataver.hashing import Buffer, derive, xxh3_64
from dataver.model.names import NAME_SIZE, ObjectName, StructureId, check_name

VERSION = 1
HEADER = b"dvpack" + struct.pack(">H", VERSION)
HEADER_SIZE = len(HEADER)
_FOOTER = struct.Struct("<QQQ8s")
FOOTER_SIZE = _FOOTER.size
_FOOTER_MAGIC = b"dvpend\0\1"
NONCE_SIZE = 16
_ROW = struct.Struct("<34sBBQQQQ")
ROW_SIZE = _ROW.size
TARGET_SIZE = 32 * 1024 * 1024
MAX_TABLE_SIZE = 256 * 1024 * 1024
_CONTEXT = "dataver v1 pack"


class Row(NamedTuple):
    """Where and how one object lies in its pack; offsets and sizes in bytes."""

    name: ObjectName
    codec: int
    flags: int
    offset: int
    stored: int
    raw: int
    check: int
    """xxh3_64 of the stored bytes: for scrubbing, never for trust."""


class Table:
    """A pack's table over its bytes; nothing is decoded before it is asked for."""

    __slots__ = ("_data", "count")

    def __init__(self, data: Buffer) -> None:
        """Take *data* (nonce and rows) after `check_table` or as just written."""
        self._data = memoryview(data)
        self.count = (len(data) - NONCE_SIZE) // ROW_SIZE

    @property
    def data(self) -> memoryview:
        return self._data

    @property
    def rows_data(self) -> memoryview:
        """The rows alone, `count` times 68 bytes."""
        return self._data[NONCE_SIZE:]

    def row(self, position: int) -> Row:
        return Row._make(_ROW.unpack_from(self._data, NONCE_SIZE + position * ROW_SIZE))

    def name(self, position: int) -> ObjectName:
        start = NONCE_SIZE + position * ROW_SIZE
        return ObjectName(bytes(self._data[start : start + NAME_SIZE]))

    def find(self, name: ObjectName) -> Row | None:
        """Return the row of *name*, by bisection."""
        position = bisect.bisect_left(range(self.count), name, key=self.name)
        if position < self.count and self.name(position) == name:
            return self.row(position)
        return None

    def rows(self) -> Iterator[Row]:
        """Yield every row, sorted by name."""
        return map(Row._make, _ROW.iter_unpack(self.rows_data))

    def names(self) -> list[ObjectName]:
        return [ObjectName(row[0]) for row in _ROW.iter_unpack(self.rows_data)]

    @property
    def pack_id(self) -> StructureId:
        return StructureId(derive(_CONTEXT, self._data))


def encode_table(nonce: bytes, rows: Iterable[Row]) -> bytes:
    """Return a table's bytes; *nonce* is 16 random bytes.  Raises: ValueError for a name twice."""
    assert len(nonce) == NONCE_SIZE
    ordered = sorted(rows)
    for one, other in zip(ordered, ordered[1:], strict=False):
        if one.name == other.name:
            raise ValueError("an object stands twice in one pack")
    return nonce + b"".join([_ROW.pack(*row) for row in ordered])


def encode_footer(table: Buffer, offset: int) -> bytes:
    """Return the footer of a pack whose *table* begins at *offset*."""
    return _FOOTER.pack(offset, len(table), xxh3_64(table), _FOOTER_MAGIC)


def decode_footer(footer: Buffer, pack_size: int) -> tuple[int, int, int]:
    """Return (offset, size, check) of the table of a pack of *pack_size* bytes.

    Raises: FormatError when the pack is truncated, too large, or no pack at all.
    """
    if len(footer) != FOOTER_SIZE:
        raise FormatError("pack", "truncated")
    offset, size, check, magic = _FOOTER.unpack(footer)
    if magic[:6] != _FOOTER_MAGIC[:6]:
        raise FormatError("pack", "no pack, or truncated")
    if magic != _FOOTER_MAGIC:
        raise UnsupportedError("pack version", magic[6:].hex())
    if offset < HEADER_SIZE or offset + size + FOOTER_SIZE != pack_size:
        raise FormatError("pack", "table does not fit the file")
    if size > MAX_TABLE_SIZE or size < NONCE_SIZE or (size - NONCE_SIZE) % ROW_SIZE:
        raise FormatError("pack", f"table of {size} bytes")
    return offset, size, check


def check_header(header: Buffer) -> None:
    """Raises: FormatError, UnsupportedError for another version."""
    if len(header) < HEADER_SIZE:
        raise FormatError("pack", "truncated")
    if bytes(header[:6]) != HEADER[:6]:
        raise FormatError("pack", "wrong magic")
    if bytes(header[:HEADER_SIZE]) != HEADER:
        raise UnsupportedError("pack version", bytes(header[6:8]).hex())


def decode_table(data: Buffer, *, check: int | None, end: int) -> Table:
    """Return the checked table of a pack whose payloads end at offset *end*.

    *check* is the footer's checksum; None where the caller compares the pack's id.
    Raises: FormatError, HostileInputError, UnsupportedError.
    """
    if len(data) > MAX_TABLE_SIZE or len(data) < NONCE_SIZE or (len(data) - NONCE_SIZE) % ROW_SIZE:
        raise FormatError("pack table", f"{len(data)} bytes long")
    if check is not None and xxh3_64(data) != check:
        raise FormatError("pack table", "checksum differs")
    table = Table(data)
    previous = b""
    for row in _ROW.iter_unpack(table.rows_data):
        name, kind, flags, offset, stored, raw, _ = row
        if name <= previous:
            raise FormatError("pack table", "rows out of order")
        previous = name
        if kind > codec.ZSTD:
            raise UnsupportedError("codec", kind)
        if flags:
            raise UnsupportedError("pack row flags", flags)
        if offset < HEADER_SIZE or offset + stored > end or (kind == codec.STORED and stored != raw):
            raise FormatError("pack table", "a row points outside the pack")
    if table.count:
        # Rows are sorted: names are well formed when each distinct (kind, algorithm) is.
        seen: set[bytes] = set()
        for name in table.names():
            if name[:2] not in seen or name[1] != 1:
                check_name(name)
                seen.add(name[:2])
    return table


def split(data: Buffer) -> tuple[Table, memoryview]:
    """Return the table and the whole bytes of a pack held in memory.

    Raises: FormatError, HostileInputError, UnsupportedError.
    """
    view = memoryview(data)
    check_header(view[:HEADER_SIZE])
    offset, size, check = decode_footer(view[-FOOTER_SIZE:], len(view))
    return decode_table(view[offset : offset + size], check=check, end=offset), view
