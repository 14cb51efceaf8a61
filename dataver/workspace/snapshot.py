"""What a scan found of one target, and the entries that it makes.

Columns instead of objects: a million files are some hundred megabytes of arrays, most of them
the index's own memory-mapped pages.
"""

from __future__ import annotations

import bisect
import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from dataver.hashing import BLAKE3, DIGEST_SIZES
from dataver.index.columns import NEVER_NS, OID_SIZE, STAT_FIELDS, STAT_SIZE, Folder, dump
from dataver.model.names import Oid, is_below
from dataver.model.tree import EMPTY_FOLDER, EXECUTABLE, FILE, SYMLINK, Entry

CACHED_LINK = 0x80
"""Set in the algorithm byte of an oid's cell: the row is a symlink to this blob in the cache."""
TICK_NS = 20_000_000
"""A file that changed this shortly before it was looked at may change again unseen."""
_COARSE_NS = 2_000_000_000

Stat = tuple[int, ...]
"""mode, size, mtime_ns, ctime_ns, inode."""


class Unsafe(NamedTuple):
    """A file that is never stored, and why."""

    path: bytes
    why: str
    is_denied: bool = False
    """It could not be looked at: not wrong in itself."""


class Snapshot:
    """The files of one target as they were found, by folder; paths are inside the target."""

    def __init__(self, root: bytes, taken_ns: int, *, is_single: bool) -> None:
        self.taken_ns = taken_ns
        """When the scan began: what changed later is not in it."""
        self.root = root
        """Absolute path of the target."""
        self.is_single = is_single
        """A file and not a folder: its one row has the fixed name `data`."""
        self.folders: dict[bytes, Folder] = {}
        self.subfolders: dict[bytes, list[bytes]] = {}
        """Names of the folders in a folder, sorted."""
        self.fresh: dict[bytes, list[int]] = {}
        """Rows whose content is not known, by folder."""
        self.gone: list[bytes] = []
        """Paths that the index knew and that are not there."""
        self.unsafe: list[Unsafe] = []
        self.leftovers: list[bytes] = []
        """Temp files and folders that are no part of the data; some process may be at them still."""
        self.relisted = 0
        """Folders that had to be listed."""
        self.stamp = b""

    @property
    def files(self) -> int:
        return sum(folder.count for folder in self.folders.values())

    @property
    def size(self) -> int:
        """Bytes of all files, links counted by the length of their target."""
        total = 0
        for folder in self.folders.values():
            with memoryview(folder.stats) as stats:
                total += sum(stats.cast("B").cast("q")[1::STAT_FIELDS])
        return total

    def ordered(self) -> Iterator[tuple[bytes, Folder, int]]:
        """Yield (path, folder, row) of every file, and (path, folder, -1) of every empty folder,
        in path order."""
        if b"" in self.folders:
            yield from self._ordered(b"")

    def _ordered(self, path: bytes) -> Iterator[tuple[bytes, Folder, int]]:
        folder = self.folders[path]
        prefix = path + b"/" if path else b""
        subfolders = self.subfolders.get(path, ())
        if not folder.count and not subfolders:
            if path:
                yield path, folder, -1
            return
        names = folder.names
        at = 0
        for name, mark in self.marked(path):
            while at < len(names) and names[at] < mark:
                yield prefix + names[at], folder, at
                at += 1
            yield from self._ordered(prefix + name)
        for row in range(at, len(names)):
            yield prefix + names[row], folder, row
        folder.forget_names()

    def find(self, path: bytes) -> tuple[Folder, int] | None:
        """Return the folder and row of the file at *path*, or None."""
        parent, _, name = path.rpartition(b"/")
        folder = self.folders.get(parent)
        if folder is None:
            return None
        row = bisect.bisect_left(folder.names, name)
        return (folder, row) if row < folder.count and folder.names[row] == name else None

    def marked(self, path: bytes) -> list[tuple[bytes, bytes]]:
        """Return the folders in a folder with the name that each sorts by among the files, in that order.

        In byte order of whole paths a folder's name counts with its slash, an empty one's without.
        """
        prefix = path + b"/" if path else b""
        names = self.subfolders.get(path, ())
        marked = [(n, n if self.is_empty_folder(prefix + n) else n + b"/") for n in names]
        return sorted(marked, key=itemgetter(1))

    def is_empty_folder(self, path: bytes) -> bool:
        return bool(path) and not self.folders[path].count and not self.subfolders.get(path)

    def empty_folders(self) -> set[bytes]:
        """Return the folders that hold neither a file nor a folder."""
        return {path for path in self.folders if self.is_empty_folder(path)}


def is_racy(mtime_ns: int, ctime_ns: int, taken_ns: int) -> bool:
    """Tell whether a file could change again without its times showing it."""
    if mtime_ns >= taken_ns - TICK_NS or ctime_ns >= taken_ns - TICK_NS:
        return True
    # A file system that keeps whole seconds only.
    return (
        mtime_ns % 1_000_000_000 == 0 and ctime_ns % 1_000_000_000 == 0 and ctime_ns >= taken_ns - _COARSE_NS
    )


def distrust_racy(after: Snapshot, before: Snapshot) -> None:
    """Drop from *after* what *before* had just read of files that may have changed right afterwards.

    A file that was written within the clock's tick of its reading keeps its stat when it is
    written once more: what was read says nothing of it later.
    """
    for path, rows in before.fresh.items():
        folder, now = before.folders[path], after.folders.get(path)
        for row in rows if now is not None else ():
            cells = folder.stat(row)
            found = after.find(path + b"/" + folder.names[row] if path else folder.names[row])
            if found is None or found[0].stat(found[1]) != cells:
                continue
            if not is_racy(cells[2], cells[3], before.taken_ns):
                continue
            kept = found[0]
            stats = bytearray(kept.stats)
            struct.pack_into("<q", stats, found[1] * STAT_SIZE + 16, NEVER_NS)
            after.folders[path] = Folder(kept.own, kept.joined, stats, kept.oids)


def stat_cells(st: os.stat_result) -> Stat:
    """Return what the index keeps of a stat."""
    return st.st_mode, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino


def linked_rows(folder: Folder) -> list[int]:
    """Return the rows of *folder* that are symlinks to blobs in the cache."""
    codes = bytes(folder.oids)[::OID_SIZE]
    return [row for row, code in enumerate(codes) if code & CACHED_LINK]


def oid_of_cell(cell: bytes) -> Oid | None:
    """Return the oid in an index cell; None where nothing is known."""
    code = cell[0] & ~CACHED_LINK
    if code not in DIGEST_SIZES:
        return None
    return Oid(bytes((code,)) + cell[1 : 1 + DIGEST_SIZES[code]])


def entries(snapshot: Snapshot, size_of: Callable[[Oid], int]) -> Iterator[Entry]:
    """Yield the entries of *snapshot* in path order, without rows whose content is not known.

    *size_of* gives the size of a cached blob that a symlink in the workspace stands for.
    """
    if b"" in snapshot.folders:
        yield from _entries(snapshot, b"", size_of)


def _entries(snapshot: Snapshot, path: bytes, size_of: Callable[[Oid], int]) -> Iterator[Entry]:
    folder = snapshot.folders[path]
    subfolders = snapshot.subfolders.get(path, ())
    if not folder.count and not subfolders:
        if path:
            yield Entry(path, EMPTY_FOLDER, None, 0)
        return
    rows = _folder_entries(path, folder, size_of)
    prefix = path + b"/" if path else b""
    pending = next(rows, None)
    for name, mark in snapshot.marked(path):
        while pending is not None and pending.path < prefix + mark:
            yield pending
            pending = next(rows, None)
        yield from _entries(snapshot, prefix + name, size_of)
    if pending is not None:
        yield pending
    yield from rows


def _folder_entries(path: bytes, folder: Folder, size_of: Callable[[Oid], int]) -> Iterator[Entry]:
    """Yield the entries of the files directly in one folder; the loop of every tree that is built."""
    prefix = path + b"/" if path else b""
    oids = bytes(folder.oids)
    with memoryview(folder.stats) as view:
        cells = view.cast("B").cast("q").tolist()
    at = 0
    for row, name in enumerate(folder.names):
        cell = oids[at : at + OID_SIZE]
        at += OID_SIZE
        if cell[0] == BLAKE3:
            mode = cells[row * STAT_FIELDS]
            kind = FILE if mode & 0o170100 == stat.S_IFREG else EXECUTABLE if mode & 0o20000 == 0 else SYMLINK
            yield Entry(prefix + name, kind, Oid(cell), cells[row * STAT_FIELDS + 1])
        else:
            entry = entry_of(prefix + name, folder, row, size_of)
            if entry is not None:
                yield entry
    folder.forget_names()


def entry_of(path: bytes, folder: Folder, row: int, size_of: Callable[[Oid], int]) -> Entry | None:
    """Return the entry of one row; of an empty folder where *row* is -1."""
    if row < 0:
        return Entry(path, EMPTY_FOLDER, None, 0)
    cell = folder.oid(row)
    oid = oid_of_cell(cell)
    if oid is None:
        return None
    mode, size = folder.stat(row)[:2]
    if cell[0] & CACHED_LINK:
        return Entry(path, FILE, oid, size_of(oid))
    if stat.S_ISLNK(mode):
        return Entry(path, SYMLINK, oid, size)
    return Entry(path, EXECUTABLE if mode & 0o100 else FILE, oid, size)


def save_index(
    write: Callable[[Iterator[bytes | bytearray | memoryview]], None],
    snapshot: Snapshot,
    root_id: bytes,
    touched: frozenset[bytes],
    fresh: Mapping[bytes, Sequence[int]],
    taken_ns: int,
) -> None:
    """Write the index of *snapshot*; rows in *fresh* that are racy are looked at again next time."""
    folders = dict(snapshot.folders)
    for path, rows in fresh.items():
        folder = folders[path]
        stats = bytearray(folder.stats)
        cells = memoryview(stats).cast("q")
        latest = max(
            max(cells[2::STAT_FIELDS].tolist(), default=0), max(cells[3::STAT_FIELDS].tolist(), default=0)
        )
        has_unknown = any(folder.oids[row * OID_SIZE] == 0 for row in rows)
        if has_unknown or latest >= taken_ns - _COARSE_NS:
            for row in rows:
                times = cells[row * STAT_FIELDS + 2], cells[row * STAT_FIELDS + 3]
                if folder.oids[row * OID_SIZE] == 0 or is_racy(*times, taken_ns):
                    cells[row * STAT_FIELDS + 2] = NEVER_NS
        cells.release()
        folders[path] = Folder(folder.own, folder.joined, stats, folder.oids)
    write(dump(folders, root_id, touched, snapshot.stamp))


def rows_within(snapshot: Snapshot, within: Iterable[bytes] | None) -> dict[bytes, list[int]]:
    """Return the fresh rows at or below the paths *within*; all of them where it is None."""
    if within is None:
        return snapshot.fresh
    wanted = list(within)
    found: dict[bytes, list[int]] = {}
    for folder, rows in snapshot.fresh.items():
        if any(is_below(folder, path) for path in wanted):
            found[folder] = rows
            continue
        names = snapshot.folders[folder].names
        prefix = folder + b"/" if folder else b""
        some = [row for row in rows if any(prefix + names[row] == path for path in wanted)]
        if some:
            found[folder] = some
    return found
