"""What a tree is: entries in path order, cut into leaves; and how a leaf's view is made.

Pure.  The bytes are `formats.tree`'s; loading and saving are `store.trees`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from dataver.hashing import xxh3_64
from dataver.model.names import Oid

FILE, EXECUTABLE, SYMLINK, EMPTY_FOLDER = 0, 1, 2, 3
"""Entry kinds."""
ENTRY_KINDS = {FILE: "file", EXECUTABLE: "executable", SYMLINK: "symlink", EMPTY_FOLDER: "folder"}

MAX_LEAF_ENTRIES = 16_384
MAX_LEAF_SIZE = 4 * 1024 * 1024
BOUNDARY_MODULUS = 1024
SINGLE_FILE_PATH = b"data"
"""The fixed path of the one entry of a tree whose pointer says `kind = "file"`."""


class Entry(NamedTuple):
    """One file, link or empty folder of a tree."""

    path: bytes
    """Checked, relative to the tracked folder."""
    kind: int
    oid: Oid | None
    """None for an empty folder only."""
    size: int
    """In bytes; 0 for an empty folder, the length of the target for a link."""
    extra: Mapping[str, object] | None = None
    """Keys that start with `x-`, kept as they were found."""


class LeafRef(NamedTuple):
    """What a root says of a leaf."""

    leaf_id: bytes
    count: int  # type: ignore[assignment]  # a tuple's own count is of no use here
    """Entries, stubs of erased ones included."""


class Root(NamedTuple):
    """A tree's root: its leaves in path order, and the guide that finds a path's leaf."""

    root_id: bytes
    leaves: tuple[LeafRef, ...]
    guide: tuple[bytes, ...]
    """Per leaf the shortest separator: at most its first path, above the previous leaf's last.

    Lies outside the hash: a wrong or blank guide costs reads, never truth.
    """

    @property
    def count(self) -> int:  # type: ignore[override]
        return sum(leaf.count for leaf in self.leaves)


def is_boundary(path: bytes) -> bool:
    """Tell whether a leaf starts at *path*."""
    return xxh3_64(path) % BOUNDARY_MODULUS == 0


def cut(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut *entries* (sorted by path) into the lists of entries of one leaf each."""
    leaf: list[Entry] = []
    size = 0
    for entry in entries:
        # 64 bytes stand for what an entry takes beside its path; the limit is on the safe side.
        weight = len(entry.path) + 64 + (len(repr(entry.extra)) if entry.extra else 0)
        if leaf and (
            xxh3_64(entry.path) % BOUNDARY_MODULUS == 0
            or len(leaf) >= MAX_LEAF_ENTRIES
            or size + weight > MAX_LEAF_SIZE
        ):
            yield leaf
            leaf, size = [], 0
        leaf.append(entry)
        size += weight
    if leaf:
        yield leaf


def separator(previous_last: bytes, first: bytes) -> bytes:
    """Return the shortest prefix of *first* that is above *previous_last*."""
    for length in range(1, len(first) + 1):
        if first[:length] > previous_last:
            return first[:length]
    return first


def after_folder(folder: bytes) -> bytes:
    """Return the least byte string above every path below *folder*."""
    return folder + b"0"  # `0` follows `/`
