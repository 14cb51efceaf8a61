"""Whether bytes are what their name says: asked of every object that is sent or received."""

from __future__ import annotations

from dataver.errors import DataverError
from dataver.formats import codec
from dataver.formats.pack import Table
from dataver.formats.recipe import decode_recipe
from dataver.formats.root import decode_root
from dataver.formats.tree import decode_leaf
from dataver.hashing import BLAKE3, DIGEST_SIZES, Buffer, blake3_of, digest
from dataver.model.names import BLOB, CHUNK, LEAF, ROOT, ObjectName


def is_sound(name: ObjectName, data: Buffer) -> bool:
    """Tell whether *data* is the object *name*.

    A recipe is only known to be well formed: the file that it makes is hashed before it is visible.
    """
    if name[0] in (BLOB, CHUNK):
        return digest(name[1], data) == name[2 : 2 + DIGEST_SIZES[name[1]]]
    try:
        if name[0] == LEAF:
            decode_leaf(data, name[2:])
        elif name[0] == ROOT:
            decode_root(data, name[2:])
        else:
            decode_recipe(data)
    except DataverError:
        return False
    return True


def opened(name: ObjectName, kind: int, stored: Buffer, raw: int) -> Buffer | None:
    """Return the bytes of an object as a pack stores it, None when they are not what *name* says."""
    try:
        data = codec.decode(kind, stored, raw)
    except DataverError:
        return None
    return data if is_sound(name, data) else None


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
