"""A bucket in a local folder, through our own disk: what is there is whole and durable.

Written as everything durable here is: temp file, sync, link or rename without replacing, sync of
the folder; so create-if-absent has one winner also among processes and on network file systems.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence

from dataver.disk import atomic
from dataver.disk.disk import Disk
from dataver.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    DataverError,
    FormatError,
    PermissionDeniedError,
    local_error,
)
from dataver.hashing import Buffer
from dataver.store.bucket import Info, KeyMissingError, Request, check_key

_NOTHING_THERE = (errno.ENOENT, errno.ELOOP)
"""What went while it was listed, and symlinks to nowhere or in a circle."""


class FolderBucket:
    """The bucket whose keys are the files below *root*."""

    # A stat is as cheap as a listing's share of it.
    page_size = 1
    listing_good_s = 0.0
    # One syncs while the other hashes; a third only waits for the interpreter.
    packs_at_once = 2

    def __init__(self, root: str, disk: Disk) -> None:
        self.url = self.root = os.path.abspath(root)
        self.has_create_if_absent = True
        self.requests = self.sent = self.received = 0
        self._disk = disk

    def _path(self, key: str) -> str:
        return f"{self.root}/{check_key(key)}"

    def _read_error(self, error: OSError, key: str) -> DataverError:
        if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            if os.path.isdir(self.root):
                return KeyMissingError(self.url, key)
            return BucketNotFoundError(self.url)
        if isinstance(error, PermissionError):
            return AccessDeniedError("read", self._path(key))
        return local_error(error, self._path(key))

    def _write_error(self, error: DataverError | OSError, key: str) -> DataverError:
        if isinstance(error, OSError):
            error = local_error(error, self._path(key), "write")
        if isinstance(error, PermissionDeniedError):
            return AccessDeniedError("write", self._path(key))
        return error

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        self.requests += 1
        try:
            # O_NONBLOCK: a pipe in the place of an object must not be waited for.
            fd = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    raise FormatError(self._path(key), "is no regular file")
                data = _read(fd, start, size)
            finally:
                os.close(fd)
        except OSError as error:
            raise self._read_error(error, key) from error
        self.received += len(data)
        return data

    def get_many(self, requests: Sequence[Request], jobs: int) -> list[bytes | KeyMissingError]:
        found: list[bytes | KeyMissingError] = []
        for key, start, size in requests:
            try:
                found.append(self.get(key, start, size))
            except KeyMissingError as error:
                found.append(error)
        return found

    def put(self, key: str, data: Buffer) -> None:
        self.requests += 1
        path = self._path(key)
        try:
            self._make_folder(path)
            atomic.replace(self._disk, path, data)
        except (DataverError, OSError) as error:
            raise self._write_error(error, key) from error
        self.sent += len(data)

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        self.requests += 1
        target = self._path(key)
        temp = ""
        try:
            self._make_folder(target)
            temp = atomic.temp_name(os.path.dirname(target))
            with open(path, "rb") as source:
                self.sent += self._copy(source.fileno(), temp)
            atomic.move_over(self._disk, temp, target)
            self._disk.sync_folder(os.path.dirname(target))
        except (DataverError, OSError) as error:
            with contextlib.suppress(OSError):
                self._disk.unlink(temp)
            raise self._write_error(error, key) from error

    def _copy(self, source_fd: int, temp: str) -> int:
        size = os.fstat(source_fd).st_size
        target_fd = self._disk.create(temp, 0o644)
        try:
            if not self._disk.clone(source_fd, target_fd):
                self._disk.copy_range(source_fd, target_fd, size)
            self._disk.sync(target_fd)
        finally:
            os.close(target_fd)
        return size

    def put_new(self, key: str, data: bytes) -> bool:
        self.requests += 1
        path = self._path(key)
        try:
            self._make_folder(path)
            atomic.write_new(self._disk, path, data)
        except FileExistsError:
            return False
        except (DataverError, OSError) as error:
            raise self._write_error(error, key) from error
        self.sent += len(data)
        return True

    def _make_folder(self, path: str) -> None:
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            # A root that is not there may be a disk that is not mounted: never make it here.
            if not os.path.isdir(self.root):
                raise BucketNotFoundError(self.url)
            atomic.make_folders(self._disk, folder)

    def head(self, key: str) -> Info | None:
        self.requests += 1
        try:
            found = os.stat(self._path(key))
        except OSError as error:
            converted = self._read_error(error, key)
            if isinstance(converted, KeyMissingError):
                return None
            raise converted from error
        return Info(key, found.st_size, found.st_mtime) if stat.S_ISREG(found.st_mode) else None

    def list(self, prefix: str) -> Iterator[Info]:
        self.requests += 1
        if not os.path.isdir(self.root):
            raise BucketNotFoundError(self.url)
        folder, _, start = prefix.rpartition("/")
        return self._below(folder, start)

    def _below(self, folder: str, start: str) -> Iterator[Info]:
        path = os.path.join(self.root, folder)
        try:
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise AccessDeniedError("list", path) from error
        for entry in found:
            if not entry.name.startswith(start) or entry.name.startswith(atomic.TEMP_PREFIX):
                continue
            key = f"{folder}/{entry.name}" if folder else entry.name
            try:
                # Right in the root a symlink may lead to another disk; deeper ones could lead in circles.
                status = None if entry.is_dir(follow_symlinks=not folder) else entry.stat()
            except OSError as error:
                if error.errno in _NOTHING_THERE:
                    continue
                raise AccessDeniedError("list", entry.path) from error
            if status is None:
                yield from self._below(key, "")
            elif stat.S_ISREG(status.st_mode):
                yield Info(key, status.st_size, status.st_mtime)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.requests += 1
            try:
                self._disk.unlink(self._path(key))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise self._write_error(error, key) from error

    def sweep_temp(self, older_than_s: float) -> int:
        """Remove what broken uploads left, of files last changed that many seconds ago; return how many."""
        folders = [self.root, *(f"{self.root}/{name}" for name in sorted(os.listdir(self.root)))]
        packs = f"{self.root}/packs"
        if os.path.isdir(packs):
            folders += [f"{packs}/{name}" for name in sorted(os.listdir(packs))]
        return sum(
            atomic.sweep_temp(self._disk, folder, older_than_s) for folder in folders if os.path.isdir(folder)
        )

    def prepare(self) -> None:
        """Make the folder and those above it."""
        try:
            atomic.make_folders(self._disk, self.root)
        except (DataverError, OSError) as error:
            raise self._write_error(error, ".") from error


def _read(fd: int, start: int, size: int | None) -> bytes:
    there = max(os.fstat(fd).st_size - start, 0)
    want = there if size is None else min(size, there)
    data = os.pread(fd, want, start)
    while len(data) < want:
        more = os.pread(fd, want - len(data), start + len(data))
        if not more:
            break
        data += more
    return data
