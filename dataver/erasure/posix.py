"""Erasing in a folder: files by their names, and the temp files that broken uploads left.

A file is unlinked and its folder synced; nothing is overwritten, since no file system of today
writes to the same place.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from dataver.disk import atomic
from dataver.disk.disk import Disk
from dataver.erasure import mounts
from dataver.erasure.eraser import Facts, Obstacle, Stored, Upload
from dataver.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    DataverError,
    Failure,
    LocalIOError,
    local_error,
    show_path,
)
from dataver.store.bucket import KeyMissingError, check_key

_PIECE = 1 << 20
_SHOWN = 3
_RIGHTS = os.R_OK | os.W_OK | os.X_OK


_Inode = tuple[int, int]


class _File(NamedTuple):
    key: str
    status: os.stat_result
    """Of the link itself where it is one."""

    @property
    def is_temp(self) -> bool:
        return os.path.basename(self.key).startswith(atomic.TEMP_PREFIX)


class FolderEraser:
    """A remote's storage in a folder."""

    kind: Literal["folder"] = "folder"

    def __init__(self, root: str, disk: Disk) -> None:
        self._root = os.path.abspath(root)
        self._disk = disk

    # -- what is there ------------------------------------------------------------------------------

    def versions(self, prefix: str) -> Iterator[Stored]:
        for file in self._files(prefix):
            if not file.is_temp:
                size, modified_s = file.status.st_size, file.status.st_mtime
                yield Stored(file.key, "", size, modified_s, is_marker=False, is_current=True)

    def uploads(self, prefix: str) -> Iterator[Upload]:
        for file in self._files(_folder(prefix)):
            if file.is_temp:
                key = self._key_meant_by(file)
                if key.startswith(prefix):
                    yield Upload(key, os.path.basename(file.key), file.status.st_mtime)

    def _key_meant_by(self, temp: _File) -> str:
        """Return the key of which a temp file is a copy or a beginning; its own name where there is none."""
        for file in self._files(_folder(temp.key)):
            if file.is_temp or _folder(file.key) != _folder(temp.key):
                continue
            if os.path.samestat(file.status, temp.status):
                return file.key
            if 0 < temp.status.st_size <= file.status.st_size and self._begins_as(file.key, temp):
                return file.key
        return temp.key

    def _begins_as(self, key: str, temp: _File) -> bool:
        try:
            with open(self._path(temp.key), "rb") as one, open(self._path(key), "rb") as other:
                while piece := one.read(_PIECE):
                    if other.read(len(piece)) != piece:
                        return False
        except OSError:
            return False
        return True

    def soft_deleted(self, prefix: str) -> Iterator[Stored]:
        """Yield nothing: what a folder deletes is in no list."""
        return iter(())

    def holds(self, keys: Collection[str]) -> list[Obstacle]:
        """Return nothing: who may change a folder may delete its files; `examine` looks at that."""
        return []

    def read(self, stored: Stored) -> bytes:
        path = self._path(stored.key)
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            self._check_there()
            raise KeyMissingError(self._root, stored.key) from None
        except PermissionError as error:
            raise AccessDeniedError("read", path) from error
        except OSError as error:
            raise local_error(error, path) from error

    def is_readable(self, stored: Stored) -> bool:
        path = self._path(stored.key)
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            self._check_there()
            return False
        except OSError as error:
            raise AccessDeniedError("read", path) from error
        return True

    def _check_there(self) -> None:
        # A disk that is not mounted holds all that it held.
        if not os.path.isdir(self._root):
            raise BucketNotFoundError(self._root)

    def _files(self, prefix: str) -> Iterator[_File]:
        self._check_there()
        for folder, entries in self._folders(_folder(prefix).rstrip("/"), frozenset()):
            for file in _files_of(folder, entries):
                if file.key.startswith(prefix):
                    yield file

    def _folders(self, folder: str, above: frozenset[_Inode]) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
        """Yield the key of *folder* and of each below it, with what lies in it, sorted.

        A folder elsewhere that a link names is followed, as reading the remote does, but not one *above*.
        """
        path = os.path.join(self._root, folder)
        try:
            status = os.stat(path)
            inode = status.st_dev, status.st_ino
            if inode in above:
                return
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise AccessDeniedError("list", path) from error
        yield folder, found
        for entry in found:
            if _is_folder(entry):
                yield from self._folders(_key(folder, entry), above | {inode})

    def _path(self, key: str) -> str:
        return f"{self._root}/{check_key(key)}"

    # -- what stands in the way ---------------------------------------------------------------------

    def examine(self) -> Facts:
        self._check_there()
        obstacles: list[Obstacle] = []
        folders: list[str] = []
        files: list[_File] = []
        try:
            for folder, entries in self._folders("", frozenset()):
                folders.append(os.path.join(self._root, folder).rstrip("/"))
                files += _files_of(folder, entries)
        except AccessDeniedError as error:
            obstacles.append(Obstacle("access-denied", error.message, "give yourself the right to list it"))
        obstacles += self._refused(folders)
        links = [file.key for file in files if stat.S_ISLNK(file.status.st_mode)]
        if links:
            message = f"{_shown(links)} in {self._root} are symbolic links: what they name lies elsewhere"
            obstacles.append(Obstacle("unverifiable", message, "put the files themselves in their place"))
        notes = (*_hard_links(files), *mounts.notes_of(self._root))
        return Facts("folder", "off", tuple(obstacles), notes=notes)

    def _refused(self, folders: Sequence[str]) -> list[Obstacle]:
        """Return what keeps files from being deleted: a folder that may not be changed."""
        closed = [path for path in folders if not self._may_change(path)]
        if not closed:
            return []
        message = f"not allowed to delete in {_shown(closed)}"
        return [Obstacle("access-denied", message, "give yourself the right to write there")]

    def _may_change(self, folder: str) -> bool:
        if not os.access(folder, _RIGHTS):
            return False
        status = os.stat(folder)
        if status.st_mode & stat.S_ISVTX and os.geteuid() not in (0, status.st_uid):
            # There each may delete only what is his own.
            with os.scandir(folder) as entries:
                if any(entry.stat(follow_symlinks=False).st_uid != os.geteuid() for entry in entries):
                    return False
        if folder != self._root:
            return True
        # A file system may refuse what the permissions allow: a network's, one that is read-only.
        temp = atomic.temp_name(folder)
        try:
            os.close(self._disk.create(temp))
            self._disk.unlink(temp)
        except OSError:
            return False
        return True

    # -- erasing ------------------------------------------------------------------------------------

    def erase(self, items: Sequence[Stored | Upload]) -> list[Failure]:
        failures: list[Failure] = []
        changed: dict[str, None] = {}
        for item in items:
            path = self._path(item.key)
            if isinstance(item, Upload):
                path = f"{os.path.dirname(path)}/{check_key(item.upload_id)}"
            try:
                self._disk.unlink(path)
                changed[os.path.dirname(path)] = None
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                failures.append(_error_of(error, path).failure())
        for folder in changed:
            try:
                self._disk.sync_folder(folder)
            except OSError as error:
                why = f"what was deleted here may come back after a crash ({error.strerror})"
                failures.append(LocalIOError(folder, why).failure())
        return failures


def _error_of(error: OSError, path: str) -> DataverError:
    if isinstance(error, PermissionError):
        return AccessDeniedError("delete", path)
    return local_error(error, path, "delete")


def _folder(key: str) -> str:
    return key[: key.rfind("/") + 1]


def _key(folder: str, entry: os.DirEntry[str]) -> str:
    return f"{folder}/{entry.name}" if folder else entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link that leads in a circle


def _files_of(folder: str, entries: Iterable[os.DirEntry[str]]) -> Iterator[_File]:
    for entry in entries:
        if not _is_folder(entry):
            with contextlib.suppress(FileNotFoundError):
                yield _File(_key(folder, entry), entry.stat(follow_symlinks=False))


def _hard_links(files: Sequence[_File]) -> list[str]:
    """Return the note that files have further names outside; what a crash named twice is not meant."""
    names: dict[_Inode, int] = {}
    for file in files:
        if file.status.st_nlink > 1 and stat.S_ISREG(file.status.st_mode):
            inode = file.status.st_dev, file.status.st_ino
            names[inode] = names.get(inode, 0) + 1
    outside = [
        file.key
        for file in files
        if 0 < names.get((file.status.st_dev, file.status.st_ino), 0) < file.status.st_nlink
    ]
    if not outside:
        return []
    return [f"{len(outside)} files have hard links elsewhere, which keep their bytes: {_shown(outside)}"]


def _shown(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(show_path(path) for path in paths[:_SHOWN]) + more
