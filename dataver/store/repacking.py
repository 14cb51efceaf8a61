"""Packs of a remote taken apart in memory, each stored object checked on its way."""

from __future__ import annotations

from dataver.errors import CorruptObjectError, DataverError
from dataver.formats import codec, pack
from dataver.formats.pack import Row, Table
from dataver.hashing import Buffer, xxh3_64
from dataver.model.names import StructureId
from dataver.store.remote import Remote


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
