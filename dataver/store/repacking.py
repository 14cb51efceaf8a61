"""Packs of a remote taken apart and built anew in memory, each stored object checked on its way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from dataver.errors import CorruptObjectError, DataverError
from dataver.formats import codec, pack
from dataver.formats.pack import Row, Table
from dataver.hashing import Buffer, xxh3_64
from dataver.model.names import ObjectName, StructureId
from dataver.store.remote import Remote


class NewPack(NamedTuple):
    """A pack in memory."""

    data: Buffer
    table: Table


class PackBuilder:
    """A pack that grows in memory, up to about the size of any other."""

    def __init__(self) -> None:
        self._data = bytearray(pack.HEADER)
        self._rows: list[Row] = []
        self._compress = codec.Compressor().encode

    def add(self, row: Row, stored: Buffer) -> None:
        """Take an object over as it is stored."""
        self._rows.append(row._replace(offset=len(self._data)))
        self._data += stored

    def add_new(self, name: ObjectName, data: bytes) -> None:
        """Take an object of which the bytes are new."""
        kind, stored = self._compress(data)
        self.add(Row(name, kind, 0, 0, len(stored), len(data), xxh3_64(stored)), stored)

    @property
    def is_full(self) -> bool:
        return len(self._data) >= pack.TARGET_SIZE

    def closed(self) -> Iterator[NewPack]:
        """Yield the pack unless it is empty, and begin another."""
        if self._rows:
            table = pack.encode_table(os.urandom(pack.NONCE_SIZE), self._rows)
            footer = pack.encode_footer(table, len(self._data))
            self._data += table + footer
            yield NewPack(self._data, Table(table))
        self._data, self._rows = bytearray(pack.HEADER), []


def read_opened(remote: Remote, pack_id: StructureId, size: int) -> tuple[Table, memoryview]:
    """Return table and bytes of a pack that a live segment lists with *size* bytes.

    Raises: MissingObjectError, CorruptObjectError, RemoteError.
    """
    data = remote.read_pack(pack_id, size)
    try:
        table, view = pack.split(data)
    except DataverError as error:
        raise CorruptObjectError(f"pack {pack_id.hex()[:12]}", remote.url) from error
    if table.pack_id != pack_id:
        raise CorruptObjectError(f"pack {pack_id.hex()[:12]}", remote.url)
    return table, view


def stored_of(row: Row, view: memoryview) -> memoryview | None:
    """Return an object's stored bytes out of a whole pack; None where they are damaged."""
    stored = view[row.offset : row.offset + row.stored]
    return stored if len(stored) == row.stored and xxh3_64(stored) == row.check else None


def content_of(row: Row, view: memoryview) -> Buffer:
    """Return an object's bytes, unpacked and not verified, out of a whole pack.  Raises: FormatError."""
    return codec.decode(row.codec, view[row.offset : row.offset + row.stored], row.raw)
