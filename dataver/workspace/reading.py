"""Read one file after the other and keep what the cache lacks: the inside of a worker of `ingest`.

A file whose stat is not the scan's once it was read has changed meanwhile: it is reported, never
stored under a wrong hash.  The loop runs a hundred thousand times: it holds few calls.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from typing import Protocol

from dataver.disk.digest import copy_hashed, digest_file
from dataver.disk.disk import Disk
from dataver.errors import ChangedWhileReadError, DataverError, Failure, UnsafeFileError, local_error
from dataver.hashing import digest
from dataver.index.columns import NO_OID, OID_SIZE
from dataver.model.names import Oid, blob_name, fault_of_link, oid_of_digest
from dataver.store.cache import Cache
from dataver.store.packfile import PackWriter, WrittenPack
from dataver.workspace.snapshot import CACHED_LINK, stat_cells

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_STREAM_FROM = 32 * 1024 * 1024


class CacheFailedError(Exception):
    """The cache could not take what was read: a matter of the whole batch, not of one file."""

    def __init__(self, cause: DataverError) -> None:
        self.cause = cause
        super().__init__(cause)


class Results(Protocol):
    """Where a reader puts what it found; see `ingest.Taken`."""

    oids: bytearray
    failed: list[Failure]
    packs: list[WrittenPack]
    blobs: list[tuple[str, Oid]]


class Reader:
    """Reads the files of one batch and collects the small ones in one pack."""

    def __init__(self, cache: Cache | None, disk: Disk | None, results: Results, algorithm: int) -> None:
        """With a *disk*, content that *cache* lacks is laid into its `tmp/`; without, only hashed."""
        self._cache, self._disk, self._results = cache, disk, results
        self._algorithm = algorithm
        self._code = bytes((algorithm,))
        self._pack: PackWriter | None = None
        self._pack_below = cache.pack_below if cache is not None and disk is not None else _STREAM_FROM
        self._is_keeping = disk is not None

    def fail(self, error: DataverError, path: bytes) -> None:
        self._results.oids += NO_OID
        self._results.failed.append(error.failure(path))

    def take(self, folder_fd: int, name: bytes, path: bytes, cells: Sequence[int]) -> None:
        """Read the file *name*; *cells* are its mode, size, mtime, ctime and inode as scanned.

        Raises: UnsafeFileError, ChangedWhileReadError, local errors, OSError of its own name.
        """
        size = cells[1]
        if stat.S_ISLNK(cells[0]):
            self._note(self._link(folder_fd, name, path, cells))
            return
        fd = os.open(name, _FILE, dir_fd=folder_fd)
        try:
            if size >= self._pack_below:
                oid = self._large(fd, size, path)
                _check(os.fstat(fd), cells, path)
                self._note(oid)
                return
            data = os.read(fd, size + 1)
            if len(data) < size:
                data = _rest(fd, data, size)
            _check(os.fstat(fd), cells, path)
        finally:
            os.close(fd)
        if len(data) != size:  # a file system whose sizes are not those of what it gives
            raise ChangedWhileReadError(path)
        oid = Oid(self._code + digest(self._algorithm, data))
        self._note(oid)
        if self._is_keeping:
            self._keep(oid, data)

    def _note(self, oid: bytes) -> None:
        self._results.oids += oid if len(oid) == OID_SIZE else oid.ljust(OID_SIZE, b"\0")

    def _link(self, folder_fd: int, name: bytes, path: bytes, cells: Sequence[int]) -> bytes:
        target = os.readlink(name, dir_fd=folder_fd)
        cached = self._oid_of_cached(target)
        if cached is not None and self._cache is not None and self._cache.loose.has(cached):
            return bytes((cached[0] | CACHED_LINK,)) + cached[1:]
        fault = fault_of_link(path, target)
        if fault:
            raise UnsafeFileError(path, f"is {fault}")
        _check(os.stat(name, dir_fd=folder_fd, follow_symlinks=False), cells, path)
        oid = oid_of_digest(self._algorithm, digest(self._algorithm, target))
        if self._is_keeping:
            self._keep(oid, target)
        return oid

    def _oid_of_cached(self, target: bytes) -> Oid | None:
        """Return the oid of the cached blob that *target* is the place of, or None."""
        if self._cache is None or not target.startswith(os.fsencode(self._cache.folder) + b"/objects/"):
            return None
        return self._cache.loose.oid_of_path(os.fsdecode(target))

    def _keep(self, oid: Oid, data: bytes) -> None:
        assert self._cache is not None
        assert self._disk is not None
        name = blob_name(oid)
        try:
            # Only packs are asked: a small blob that lies loose by an older setting may lie twice.
            if self._cache.is_packed(name):
                return
            if self._pack is None:
                self._pack = PackWriter(self._disk, self._cache.temp_path())
            self._pack.add(name, data)
        except DataverError as error:
            raise CacheFailedError(error) from error
        except OSError as error:
            raise CacheFailedError(local_error(error, self._cache.folder, "write")) from error

    def _large(self, fd: int, size: int, path: bytes) -> Oid:
        if self._disk is None or self._cache is None:
            return oid_of_digest(self._algorithm, digest_file(fd, self._algorithm, size))
        temp = self._cache.folder
        try:
            temp = self._cache.temp_path()
            target = self._disk.create(temp, 0o444)
        except DataverError as error:
            raise CacheFailedError(error) from error
        except OSError as error:
            raise CacheFailedError(local_error(error, temp, "write")) from error
        try:
            copied = copy_hashed(self._disk, fd, target, self._algorithm)
        except OSError as error:
            self._disk.unlink(temp)
            raise local_error(error, temp, "write") from error
        except BaseException:
            self._disk.unlink(temp)
            raise
        finally:
            os.close(target)
        oid = oid_of_digest(self._algorithm, copied.digest)
        if copied.size != size:
            self._disk.unlink(temp)
            raise ChangedWhileReadError(path)
        if self._cache.has(blob_name(oid)):
            self._disk.unlink(temp)
        else:
            self._results.blobs.append((temp, oid))
        return oid

    def finish(self) -> None:
        """Complete the pack of small files, if there is one."""
        if self._pack is not None:
            self._results.packs.append(self._pack.close())
            self._pack = None

    def drop(self) -> None:
        """Remove what was laid into `tmp/`: the batch failed as a whole."""
        if self._pack is not None:
            self._pack.abort()
        for temp in [temp for temp, _ in self._results.blobs] + [p.path for p in self._results.packs]:
            with contextlib.suppress(OSError):
                os.unlink(temp) if self._disk is None else self._disk.unlink(temp)


def _rest(fd: int, data: bytes, size: int) -> bytes:
    """Read on where a file system gave less than was asked for."""
    parts = [data]
    while data and sum(map(len, parts)) <= size:
        data = os.read(fd, size + 1)
        parts.append(data)
    return b"".join(parts)


def _check(now: os.stat_result, then: Sequence[int], path: bytes) -> None:
    """Refuse a file that is not the one that the scan saw.  Raises: ChangedWhileReadError."""
    if list(stat_cells(now)) != then:
        raise ChangedWhileReadError(path)
