"""The index of one tracked target: stat and oid of every file, in columns, folder by folder.

A million rows are one memory-mapped file of about 90 MB; comparing a folder with the disk is one
comparison of bytes, and only folders that are looked at are read.  Each folder's block carries a
checksum.  The format is private and may change with every release: an index of another version
is as good as none.

    magic | blocks | directory | trailer
    block = names joined by NUL | n x 5 x i64 (mode, size, mtime_ns, ctime_ns, inode) | n x 33 oids
"""

from __future__ import annotations

import mmap
import os
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping

from dataver.hashing import Buffer, xxh3_64

MAGIC = b"dvcols\x00\x01"
STAT_FIELDS = 5
STAT_SIZE = 8 * STAT_FIELDS
OID_SIZE = 33
NO_OID = b"\0" * OID_SIZE
NEVER_NS = -1
"""Stands for a time that no file has: the row is looked at again, whatever its stat."""
UNLISTED = (NEVER_NS,) * 4
"""Stands for a folder's own stat where it must be listed again."""
_TRAILER = struct.Struct("<QQQ8s")
_FOLDER_FIELDS = 8
_ROOT_SIZE = 32


class Folder:
    """What is known of one folder: its own stat and one row for each file directly in it.

    Rows are in the order of their names' bytes.
    """

    __slots__ = ("_names", "count", "joined", "oids", "own", "stats")

    def __init__(self, own: tuple[int, ...], joined: bytes, stats: Buffer, oids: Buffer) -> None:
        self.own = own
        """mtime_ns, ctime_ns, inode and device of the folder; `NEVER_NS` where it must be listed."""
        self.joined = joined
        """Names joined by NUL."""
        self.stats = stats
        self.oids = oids
        self.count = len(stats) // STAT_SIZE
        self._names: list[bytes] | None = None

    @property
    def names(self) -> list[bytes]:
        if self._names is None:
            self._names = self.joined.split(b"\0") if self.count else []
        return self._names

    def forget_names(self) -> None:
        """Drop the list of names, which `joined` can give again: a million of them weigh much."""
        self._names = None

    def stat(self, row: int) -> tuple[int, ...]:
        return struct.unpack_from("<5q", self.stats, row * STAT_SIZE)

    def oid(self, row: int) -> bytes:
        """Return the 33-byte cell of a row; `NO_OID` where nothing is known."""
        return bytes(self.oids[row * OID_SIZE : (row + 1) * OID_SIZE])


class Columns:
    """An index as it was saved; folders are read and checked when first asked for."""

    certain: frozenset[bytes] = frozenset()
    """Of an index no folder is: files change in place without their folder showing it."""

    def __init__(self, data: Buffer, directory: Mapping[bytes, tuple[int, ...]], head: _Head) -> None:
        self._data = memoryview(data)
        self._directory = directory
        self.is_damaged = False
        """Whether a block that was asked for could not be used: then the rows say nothing of what is gone."""
        self.root_id = head.root_id
        """The tree whose files the rows are, but for `touched`; empty where that is not known."""
        self.touched = head.touched
        """Paths where the rows differ from that tree."""
        self.stamp = head.stamp
        """What else the rows depend on, such as the ignore files."""

    @property
    def folders(self) -> Iterable[bytes]:
        return self._directory.keys()

    def empty_folders(self) -> set[bytes]:
        """Return the folders that held neither a file nor a folder; never the target itself."""
        parents = {path.rpartition(b"/")[0] for path in self._directory if path}
        return {p for p, row in self._directory.items() if p and not row[2] and p not in parents}

    def get(self, path: bytes) -> Folder | None:
        """Return what is known of a folder; None for nothing, or where its block is damaged."""
        row = self._directory.get(path)
        if row is None:
            return None
        offset, names_size, count, check, *own = row
        stats_at = offset + names_size
        oids_at = stats_at + count * STAT_SIZE
        end = oids_at + count * OID_SIZE
        is_possible = min(offset, names_size, count) >= 0 and end <= len(self._data)
        if not is_possible or xxh3_64(self._data[offset:end]) != check & (2**64 - 1):
            self.is_damaged = True
            return None
        joined = bytes(self._data[offset:stats_at])
        if count and joined.count(b"\0") != count - 1:
            self.is_damaged = True
            return None
        return Folder(tuple(own), joined, self._data[stats_at:oids_at], self._data[oids_at:end])


class _Head:
    __slots__ = ("root_id", "stamp", "touched")

    def __init__(self, root_id: bytes, touched: frozenset[bytes], stamp: bytes) -> None:
        self.root_id, self.touched, self.stamp = root_id, touched, stamp


def load(path: str) -> Columns | None:
    """Return the index in the file *path*, or None where there is none that can be used."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        data = mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None
    finally:
        os.close(fd)
    try:
        return _parse(data)
    except (struct.error, ValueError, IndexError):
        return None


def _parse(data: mmap.mmap) -> Columns | None:
    if len(data) < len(MAGIC) + _TRAILER.size or data[:8] != MAGIC:
        return None
    offset, size, check, magic = _TRAILER.unpack(data[-_TRAILER.size :])
    if magic != MAGIC or offset + size + _TRAILER.size != len(data):
        return None
    directory = data[offset : offset + size]
    if xxh3_64(directory) != check:
        return None
    root_size, touched_size, stamp_size, names_size, count = struct.unpack_from("<5Q", directory)
    at = 40
    parts = []
    for length in (root_size, touched_size, stamp_size, names_size):
        parts.append(directory[at : at + length])
        at += length
    root_id, touched, stamp, names = parts
    cells = array("q")
    cells.frombytes(directory[at:])
    if len(cells) != count * _FOLDER_FIELDS or root_size not in (0, _ROOT_SIZE):
        return None
    paths = names.split(b"\0") if count else []
    if len(paths) != count:
        return None
    rows = {path: tuple(cells[n * _FOLDER_FIELDS : (n + 1) * _FOLDER_FIELDS]) for n, path in enumerate(paths)}
    head = _Head(root_id, frozenset(touched.split(b"\0")) if touched else frozenset(), stamp)
    return Columns(memoryview(data), rows, head)


def dump(
    folders: Mapping[bytes, Folder], root_id: bytes, touched: Iterable[bytes], stamp: bytes
) -> Iterator[Buffer]:
    """Yield the bytes of an index; see `Columns` for what the arguments mean."""
    yield MAGIC
    at = len(MAGIC)
    cells = array("q")
    for folder in folders.values():
        block = b"".join((folder.joined, folder.stats, folder.oids))
        check = struct.unpack("<q", struct.pack("<Q", xxh3_64(block)))[0]
        cells.extend((at, len(folder.joined), folder.count, check, *folder.own))
        yield block
        at += len(block)
    parts = [root_id, b"\0".join(sorted(touched)), stamp, b"\0".join(folders)]
    directory = b"".join((struct.pack("<5Q", *map(len, parts), len(folders)), *parts, cells.tobytes()))
    yield directory
    yield _TRAILER.pack(at, len(directory), xxh3_64(directory), MAGIC)
