"""The workspace as a second copy: a file that still hashes to an oid can heal a store that lost it."""

from __future__ import annotations

import contextlib
import os

from dataver.disk.digest import copy_hashed, digest_file
from dataver.disk.disk import Disk
from dataver.disk.safe_open import open_file, open_folder, open_root
from dataver.errors import DataverError
from dataver.hashing import digest
from dataver.model.names import Oid


def has_copy(top: str, path: bytes, oid: Oid) -> bool:
    """Tell whether the file or symlink *path* below *top* holds the content *oid*."""
    link = _link_text(top, path)
    if link is not None:
        return digest(oid[0], link) == oid[1:]
    fd = _opened(top, path)
    if fd is None:
        return False
    try:
        return digest_file(fd, oid[0], os.fstat(fd).st_size) == oid[1:]
    except OSError:
        return False
    finally:
        os.close(fd)


def lay_copy(disk: Disk, top: str, path: bytes, oid: Oid, temp: str) -> int | None:
    """Copy the content *oid* of *path* to the new file *temp*; return its size, None where it is no copy.

    Raises: OSError of the writing.
    """
    link = _link_text(top, path)
    source = None if link is not None else _opened(top, path)
    if link is None and source is None:
        return None
    target = disk.create(temp, 0o444)
    size = None
    try:
        if link is not None:
            disk.write(target, link)
            size = len(link) if digest(oid[0], link) == oid[1:] else None
        elif source is not None:
            copied = copy_hashed(disk, source, target, oid[0])
            size = copied.size if copied.digest == oid[1:] else None
    finally:
        os.close(target)
        if source is not None:
            os.close(source)
        if size is None:
            with contextlib.suppress(OSError):
                disk.unlink(temp)
    return size


def _opened(top: str, path: bytes) -> int | None:
    try:
        root_fd = open_root(top)
        try:
            return open_file(root_fd, path)
        finally:
            os.close(root_fd)
    except (DataverError, OSError):
        return None


def _link_text(top: str, path: bytes) -> bytes | None:
    folder, _, name = path.rpartition(b"/")
    try:
        root_fd = open_root(top)
        try:
            folder_fd = open_folder(root_fd, folder)
            try:
                return os.readlink(name, dir_fd=folder_fd)
            finally:
                os.close(folder_fd)
        finally:
            os.close(root_fd)
    except (DataverError, OSError):
        return None
