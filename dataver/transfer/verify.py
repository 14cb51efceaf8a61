"""Whether bytes are what their name says: asked of every object that is sent or received."""

from __future__ import annotations

from dataver.errors import (
    CorruptObjectError,
    DataverError,
    HostileInputError,
    IntegrityError,
    UnsupportedError,
)
from dataver.formats import codec
from dataver.formats.pack import Table
from dataver.formats.recipe import decode_recipe
from dataver.formats.root import decode_root
from dataver.formats.tree import decode_leaf
from dataver.hashing import BLAKE3, DIGEST_SIZES, Buffer, blake3_of, digest
from dataver.model.names import BLOB, CHUNK, LEAF, ROOT, ObjectName, show_name

UNREADABLE = (IntegrityError, HostileInputError, UnsupportedError)
"""What may be wrong with one object of a store: it is reported, and the others go on."""


def fault_of(name: ObjectName, data: Buffer) -> DataverError | None:
    """Return why *data* is not the object *name*, or why that object is refused; None where all is well.

    A recipe is only known to be well formed: the file that it makes is hashed before it is visible.
    """
    if name[0] in (BLOB, CHUNK):
        is_same = digest(name[1], data) == name[2 : 2 + DIGEST_SIZES[name[1]]]
        return None if is_same else CorruptObjectError(show_name(name))
    try:
        if name[0] == LEAF:
            decode_leaf(data, name[2:])
        elif name[0] == ROOT:
            decode_root(data, name[2:])
        else:
            decode_recipe(data)
    except DataverError as error:
        return error
    return None


def is_sound(name: ObjectName, data: Buffer) -> bool:
    """Tell whether *data* is the object *name*."""
    return fault_of(name, data) is None


def opened(name: ObjectName, kind: int, stored: Buffer, raw: int) -> Buffer | None:
    """Return the bytes of an object as a pack stores it, None when they are not what *name* says."""
    data = opened_or_fault(name, kind, stored, raw)
    return None if isinstance(data, DataverError) else data


def opened_or_fault(name: ObjectName, kind: int, stored: Buffer, raw: int) -> Buffer | DataverError:
    """Return the bytes of an object as a pack stores it, or what is wrong with them."""
    try:
        data = codec.decode(kind, stored, raw)
    except DataverError as error:
        return error
    return fault_of(name, data) or data


def damaged_rows(table: Table, view: memoryview) -> tuple[list[ObjectName], int]:
    """Return which objects of a whole pack are not what their names say, and the bytes of the others."""
    bad: list[ObjectName] = []
    size = 0
    for row in table.rows():
        name, kind, _, offset, length, raw, _ = row
        stored = view[offset : offset + length]
        if kind == codec.STORED and name[0] == BLOB and name[1] == BLAKE3:  # most of a hundred thousand
            is_good = length == raw and blake3_of(stored) == name[2:]
        else:
            is_good = opened(name, kind, stored, raw) is not None
        if is_good:
            size += raw
        else:
            bad.append(name)
    return bad, size
