"""The checksum of a folder: computed from the entries below it, stored nowhere.

Two folders with the same names, kinds and contents have the same checksum, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from dataver.formats.tree import encode_entry
from dataver.hashing import derive
from dataver.model.names import folders_of
from dataver.model.tree import Entry

_CONTEXT = "dataver v1 folder"


def folder_checksums(entries: Iterable[Entry], wanted: Set[bytes]) -> dict[bytes, str]:
    """Return folder -> 64 hex for the folders *wanted*; *entries* are sorted by path.

    A folder's checksum is the derive-key BLAKE3 of the encoded entries below it, their paths
    taken relative to it.  The tree's own folder is the empty path.
    """
    parts: dict[bytes, list[bytes]] = {}
    for entry in entries:
        for folder in (b"", *folders_of(entry.path)):
            if folder in wanted:
                inner = entry.path[len(folder) + 1 :] if folder else entry.path
                parts.setdefault(folder, []).append(encode_entry(entry._replace(path=inner)))
    return {folder: derive(_CONTEXT, b"".join(encoded)).hex() for folder, encoded in parts.items()}
