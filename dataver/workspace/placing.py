"""Put entries of a tree onto the disk: each file verified on its way and complete when it appears.

The only module that writes the user's files.  A file is written beside its place and renamed over
it; a folder that does not exist yet is filled under a temp name and renamed as a whole, which
saves a rename for each file.  Folders are opened component by component, never through a symlink.
No file is synced: the index calls them clean by their stats only.

Longer than 300 lines because a folder that is filled under a temp name is one state machine.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dataver.disk.abandoned import mark_busy
from dataver.disk.atomic import move_over, temp_base
from dataver.disk.disk import Disk
from dataver.disk.link import LinkType, place_file
from dataver.disk.safe_open import make_folders, open_folder, open_root
from dataver.errors import (
    ChangedWhileReadError,
    CorruptObjectError,
    DataverError,
    Failure,
    HostileInputError,
    LocalIOError,
    local_error,
    show_path,
)
from dataver.formats.pack import Row
from dataver.index.columns import OID_SIZE, UNLISTED, Folder
from dataver.model.names import ObjectName, Oid, blob_name, fault_of_link
from dataver.model.tree import EMPTY_FOLDER, EXECUTABLE, SYMLINK, Entry
from dataver.store.cache import Cache, CachedPack
from dataver.workspace.snapshot import CACHED_LINK, Stat, stat_cells

_NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)


class Placement(NamedTuple):
    """One entry to put on disk."""

    entry: Entry
    present: Stat | None
    """Stat of the file that is known to be there and may be replaced; None where none is."""


@dataclass(slots=True)
class _Rows:
    """Rows of files that are being put into one folder."""

    names: list[bytes] = field(default_factory=list)
    cells: array[int] = field(default_factory=lambda: array("q"))
    oids: bytearray = field(default_factory=bytearray)
    own: tuple[int, ...] = UNLISTED

    def add(self, name: bytes, st: os.stat_result, oid: bytes) -> None:
        self.names.append(name)
        self.cells.extend((st.st_mode, st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino))
        self.oids += oid if len(oid) == OID_SIZE else oid.ljust(OID_SIZE, b"\0")


@dataclass(slots=True)
class Placed:
    """What one batch came to."""

    folders: dict[bytes, Folder] = field(default_factory=dict)
    """Rows of the files that were put into each folder.  `own` is that of a folder that was made
    here and holds these files alone; of others it is `NEVER_NS`."""
    failed: list[Failure] = field(default_factory=list)
    files: int = 0
    size: int = 0


def place_batch(
    root: bytes,
    single_name: bytes,
    cache: Cache,
    disk: Disk,
    links: Sequence[LinkType],
    batch: Sequence[Placement],
) -> Placed:
    """Put *batch* (in path order) below the folder *root*; runs in a worker process.

    *single_name* is the true name of a tree's one file; empty for a folder.
    """
    writer = _Writer(root, single_name, cache, disk, links)
    try:
        writer.expect(batch)
        for placement in batch:
            writer.place(placement)
        writer.leave()
    except DataverError:
        # A full disk: what is written is whole, and need not be written again.
        with contextlib.suppress(DataverError, OSError):
            writer.leave()
        raise
    finally:
        writer.close()
    return writer.placed


class _Writer:
    """Writes files folder by folder."""

    def __init__(
        self, root: bytes, single_name: bytes, cache: Cache, disk: Disk, links: Sequence[LinkType]
    ) -> None:
        self._cache, self._disk, self._links = cache, disk, links
        self._single_name = single_name
        self._root = root
        self._root_fd = open_root(root)
        self._path: bytes | None = None
        self._fd = -1
        self._fresh = b""
        """Temp name of the folder while it is filled under it; empty for one that was there."""
        self._parent_fd = -1
        self._rows = _Rows()
        self._places: dict[ObjectName, tuple[CachedPack, Row]] = {}
        self.placed = Placed()

    def close(self) -> None:
        if self._fresh:
            self._drop_fresh()
        for fd in (self._fd, self._parent_fd, self._root_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._parent_fd = self._root_fd = -1

    def expect(self, batch: Sequence[Placement]) -> None:
        """Look up where the content of *batch* lies, all of it at once."""
        names = [blob_name(p.entry.oid) for p in batch if p.entry.oid is not None]
        found = self._cache.locate_many(names)
        self._places = {name: place for name, place in zip(names, found, strict=True) if place is not None}

    def place(self, placement: Placement) -> None:
        """Put one entry on disk, or note why not."""
        entry = placement.entry
        path = entry.path
        try:
            if entry.kind == EMPTY_FOLDER:
                self.leave()
                make_folders(self._disk, self._root_fd, path)
                return
            folder, _, name = path.rpartition(b"/")
            if folder != self._path:
                self.leave()
                self._enter(folder)
            if self._single_name:
                name = self._single_name
            self._put(entry, name, placement.present)
            self.placed.files += 1
            self.placed.size += entry.size
        except DataverError as error:
            self.placed.failed.append(error.failure(path))
            if error.code == "disk-full":
                raise
        except OSError as error:
            problem = local_error(error, path, "write")
            if problem.code == "disk-full":
                raise problem from error
            self.placed.failed.append(problem.failure(path))

    def _enter(self, folder: bytes) -> None:
        """Open *folder*, or begin to fill it under a temp name where it does not exist."""
        try:
            self._fd = open_folder(self._root_fd, folder)
        except FileNotFoundError:
            parent, _, _ = folder.rpartition(b"/")
            make_folders(self._disk, self._root_fd, parent)
            self._begin_fresh(parent)
        else:
            mark_busy(self._fd)
        self._path = folder
        self._rows = _Rows()

    def _begin_fresh(self, parent: bytes) -> None:
        """Make a folder under a temp name in *parent*.

        Nothing is noted before it is open: what is called fresh is emptied when a checkout breaks,
        and must never be a folder of the user's.
        """
        parent_fd = open_folder(self._root_fd, parent)
        try:
            mark_busy(parent_fd)
            fresh = temp_base()
            self._disk.mkdir(fresh, dir_fd=parent_fd)
            try:
                fd = open_folder(parent_fd, fresh)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._disk.rmdir(fresh, dir_fd=parent_fd)
                raise
        except BaseException:
            os.close(parent_fd)
            raise
        self._parent_fd, self._fresh, self._fd = parent_fd, fresh, fd

    def leave(self) -> None:
        """End the folder that is being written to: give it its name if it is new."""
        if self._path is None:
            return
        folder = self._path
        name = folder.rpartition(b"/")[2]
        if self._fresh:
            before = os.fstat(self._fd)
            try:
                move_over(self._disk, self._fresh, name, dir_fd=self._parent_fd)
            except OSError as error:
                if error.errno not in _NOT_EMPTY:
                    raise local_error(error, folder, "write") from error
                self._merge(name)
            else:
                after = os.fstat(self._fd)
                if after.st_mtime_ns == before.st_mtime_ns:
                    self._rows.own = (after.st_mtime_ns, after.st_ctime_ns, after.st_ino, after.st_dev)
        os.close(self._fd)
        if self._parent_fd >= 0:
            os.close(self._parent_fd)
        self._fd = self._parent_fd = -1
        self._fresh, self._path = b"", None
        rows = self._rows
        if rows.names:
            joined, stats = b"\0".join(rows.names), rows.cells.tobytes()
            self.placed.folders[folder] = Folder(rows.own, joined, stats, bytes(rows.oids))

    def _drop_fresh(self) -> None:
        """Remove a new folder that did not get its name, with what was written into it."""
        with contextlib.suppress(OSError):
            for each in os.listdir(self._fd) if self._fd >= 0 else ():
                self._disk.unlink(os.fsencode(each), dir_fd=self._fd)
        with contextlib.suppress(OSError):
            self._disk.rmdir(self._fresh, dir_fd=self._parent_fd)
        self._fresh = b""

    def _merge(self, name: bytes) -> None:
        """Move files one by one into a folder that came into being meanwhile."""
        target_fd = open_folder(self._parent_fd, name)
        old = self._rows
        self._rows = _Rows()
        try:
            for row, each in enumerate(old.names):
                try:
                    self._disk.rename_new(each, each, source_dir_fd=self._fd, target_dir_fd=target_fd)
                except FileExistsError:
                    self._disk.unlink(each, dir_fd=self._fd)
                    error = ChangedWhileReadError(name + b"/" + each)
                    self.placed.failed.append(error.failure((self._path or b"") + b"/" + each))
                    continue
                st = os.stat(each, dir_fd=target_fd, follow_symlinks=False)
                self._rows.add(each, st, bytes(old.oids[row * OID_SIZE : (row + 1) * OID_SIZE]))
            self._disk.rmdir(self._fresh, dir_fd=self._parent_fd)
        finally:
            os.close(target_fd)

    def _put(self, entry: Entry, name: bytes, present: Stat | None) -> None:
        assert entry.oid is not None
        temp = name if self._fresh else temp_base()
        cell: bytes = entry.oid
        if entry.kind == SYMLINK:
            self._put_link(entry, temp)
        else:
            source = self._loose_source(entry)
            if source is not None:
                link = self._put_loose(entry, temp, source, entry.oid)
                if link == "symlink":
                    cell = bytes((cell[0] | CACHED_LINK,)) + cell[1:]
            else:
                written = self._put_bytes(entry, temp)
                if self._fresh:
                    # Its name is final already: this stat stays true.
                    self._rows.add(name, written, cell)
                    return
        if not self._fresh:
            try:
                self._check_unchanged(entry, name, present)
                move_over(self._disk, temp, name, dir_fd=self._fd)
            except BaseException:
                with contextlib.suppress(OSError):
                    self._disk.unlink(temp, dir_fd=self._fd)
                raise
        st = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        self._rows.add(name if not self._single_name else entry.path, st, cell)

    def _check_unchanged(self, entry: Entry, name: bytes, present: Stat | None) -> None:
        """Look once more at what is about to be replaced."""
        try:
            st = os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(st.st_mode):
            raise LocalIOError(entry.path, "a folder is in the way")
        if present is None or tuple(present) != stat_cells(st):
            raise ChangedWhileReadError(entry.path)

    def _put_link(self, entry: Entry, temp: bytes) -> None:
        assert entry.oid is not None
        target = bytes(self._cache.read(blob_name(entry.oid)))
        fault = fault_of_link(entry.path, target)
        if fault:
            raise HostileInputError(show_path(entry.path), f"is {fault}")
        self._disk.symlink(target, temp, dir_fd=self._fd)

    def _loose_source(self, entry: Entry) -> str | None:
        assert entry.oid is not None
        if (
            entry.size < self._cache.pack_below
            and "hardlink" not in self._links
            and "symlink" not in self._links
        ):
            return None
        return self._cache.loose.path(entry.oid) if self._cache.loose.has(entry.oid) else None

    def _put_loose(self, entry: Entry, temp: bytes, source: str, oid: Oid) -> str:
        placed = place_file(
            self._disk,
            source,
            temp,
            self._links,
            algorithm=oid[0],
            executable=entry.kind == EXECUTABLE,
            dir_fd=self._fd,
        )
        if placed.digest != oid[1:] or placed.size != entry.size:
            self._disk.unlink(temp, dir_fd=self._fd)
            self._cache.quarantine(blob_name(oid))
            raise CorruptObjectError(show_path(entry.path), "the cache")
        return placed.link

    def _put_bytes(self, entry: Entry, temp: bytes) -> os.stat_result:
        assert entry.oid is not None
        name = blob_name(entry.oid)
        data = self._cache.read(name, self._places.get(name))
        if len(data) != entry.size:
            raise HostileInputError(show_path(entry.path), "its tree gives another size")
        fd = self._disk.create(temp, 0o777 if entry.kind == EXECUTABLE else 0o666, dir_fd=self._fd)
        try:
            self._disk.write(fd, data)
            return os.fstat(fd)
        except BaseException:
            with contextlib.suppress(OSError):
                self._disk.unlink(temp, dir_fd=self._fd)
            raise
        finally:
            os.close(fd)
