"""Whether what lies in a pack is what its names say, byte for byte: the same for cache and remote.

Unlike `transfer.verify`, which asks whether an object may be delivered, a scrub finds every changed
byte: what lies outside the hashes (the guide of a root, a recipe) is compared with the checksum of
the stored bytes, which the pack's own id covers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from dataver.errors import DataverError, FormatError, UnsupportedError
from dataver.formats import codec, pack
from dataver.formats.pack import Row, Table
from dataver.formats.recipe import decode_recipe
from dataver.formats.redaction import Erased, redact
from dataver.formats.root import decode_root
from dataver.formats.tree import decode_leaf
from dataver.hashing import DIGEST_SIZES, Buffer, digest, xxh3_64
from dataver.model.names import BLOB, CHUNK, LEAF, ROOT, ObjectName, StructureId

SOUND, CORRUPT, NEWER = "sound", "corrupt", "newer"
_LARGEST_OBJECT = 1 << 30
"""In bytes: nothing that stands in a pack is larger, and a damaged row must not make us allocate more."""


@dataclass(slots=True)
class Scrubbed:
    """What a scrub found in one file: a pack, or a loose blob."""

    objects: int = 0
    """Objects read."""
    size: int = 0
    """Bytes read."""
    bad: list[ObjectName] = field(default_factory=list)
    """Objects whose bytes are not what their names say."""
    newer: int = 0
    """Sound objects of a format that this release does not know."""
    fault: str = ""
    """What is wrong with the container itself; empty for nothing."""


def verdict_of(row: Row, stored: Buffer, erased: Erased) -> str:
    """Return whether *stored* is the object that *row* names: SOUND, CORRUPT, or NEWER than this release.

    A leaf with a stub that no record of *erased* names is CORRUPT: nobody erased that entry.
    """
    name = row.name
    if len(stored) != row.stored or row.raw > _LARGEST_OBJECT or xxh3_64(stored) != row.check:
        return CORRUPT
    try:
        data = codec.decode(row.codec, stored, row.raw)
        if name[0] in (BLOB, CHUNK):
            is_right = digest(name[1], data) == name[2 : 2 + DIGEST_SIZES[name[1]]]
            return SOUND if is_right else CORRUPT
        if name[0] == LEAF:
            redact(decode_leaf(data, name[2:]), erased)
        elif name[0] == ROOT:
            decode_root(data, name[2:])
        else:
            decode_recipe(data)
    except UnsupportedError:
        return NEWER
    except DataverError:
        return CORRUPT
    return SOUND


def scrub_rows(
    rows: Iterable[Row], stored_of: Callable[[Row], Buffer], erased: Erased, found: Scrubbed
) -> None:
    """Read and verify *rows*; what cannot be read counts as damaged."""
    for row in rows:
        try:
            verdict = verdict_of(row, stored_of(row), erased)
        except (DataverError, OSError):  # an unreadable sector is damage like any other
            verdict = CORRUPT
        found.objects += 1
        found.size += row.stored
        if verdict == CORRUPT:
            found.bad.append(row.name)
        elif verdict == NEWER:
            found.newer += 1


def scrub_pack(data: Buffer, pack_id: StructureId, erased: Erased) -> tuple[Scrubbed, Table | None]:
    """Verify a whole pack in memory; return its table too, None where that cannot be relied on."""
    found = Scrubbed(size=len(data))
    try:
        table, view = pack.split(data)
        if table.pack_id != pack_id:
            raise FormatError("pack", "its table gives another id")
    except DataverError as error:
        found.fault = error.message
        return found, None
    scrub_rows(table.rows(), lambda row: view[row.offset : row.offset + row.stored], erased, found)
    found.size = len(data)
    return found, table
