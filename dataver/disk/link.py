"""Put a cached file into the workspace: reflink, copy, hard link or symlink, as the order says."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Literal, NamedTuple

from dataver.disk.digest import copy_hashed, digest_file
from dataver.disk.disk import Disk, StrOrBytes

LinkType = Literal["reflink", "copy", "hardlink", "symlink"]
LINK_TYPES: tuple[LinkType, ...] = ("reflink", "copy", "hardlink", "symlink")

_IMPOSSIBLE = frozenset(
    (errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENOSYS)
)
"""The file system or the kernel's rules have no such link here: the next link type is tried."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Placed(NamedTuple):
    """How a file was placed, and what it holds."""

    link: LinkType
    digest: bytes | None
    """Of the placed file's own bytes; None exactly where no algorithm was given."""
    size: int


class _Target(NamedTuple):
    """A file to be made."""

    path: StrOrBytes
    dir_fd: int | None
    executable: bool

    def create(self, disk: Disk) -> int:
        return disk.create(self.path, 0o777 if self.executable else 0o666, dir_fd=self.dir_fd)

    def remove(self, disk: Disk) -> None:
        disk.unlink(self.path, dir_fd=self.dir_fd)


def place_file(
    disk: Disk,
    source_path: StrOrBytes,
    target_path: StrOrBytes,
    order: Sequence[LinkType],
    *,
    algorithm: int | None,
    executable: bool = False,
    dir_fd: int | None = None,
) -> Placed:
    """Make *target_path*, which must not exist, from *source_path*; return the link type that worked.

    The first type of *order* that this file system can do is taken; a copy ends every order.  With
    an *algorithm* the result has the digest of what was placed, for the caller to compare before
    it renames the file into its place; with None (the index proves that the source was hashed
    since it was written) nothing is hashed.  Links share their mode bits, so an executable
    is copied where a hard link or symlink would be made; so is another user's file where a hard
    link would be.  Nothing stays after a failure.

    Raises `OSError`, with `FileNotFoundError` where the source is gone.
    """
    target = _Target(target_path, dir_fd, executable)
    source_fd = os.open(source_path, _READ)
    try:
        for link in order:
            if link == "reflink":
                placed = _clone(disk, source_fd, target, algorithm)
            elif link == "copy" or executable:
                break
            else:
                source = source_path if link == "hardlink" else os.path.abspath(source_path)
                placed = _link(disk, source, source_fd, target, algorithm, is_hard=link == "hardlink")
            if placed is not None:
                return placed
        return _copy(disk, source_fd, target, algorithm)
    finally:
        os.close(source_fd)


def _clone(disk: Disk, source_fd: int, target: _Target, algorithm: int | None) -> Placed | None:
    fd = target.create(disk)
    try:
        if not disk.clone(source_fd, fd):
            target.remove(disk)
            return None
        size = os.fstat(fd).st_size
        return Placed("reflink", None if algorithm is None else digest_file(fd, algorithm, size), size)
    except BaseException:
        target.remove(disk)
        raise
    finally:
        os.close(fd)


def _copy(disk: Disk, source_fd: int, target: _Target, algorithm: int | None) -> Placed:
    fd = target.create(disk)
    try:
        if algorithm is None:
            return Placed("copy", None, disk.copy_range(source_fd, fd, os.fstat(source_fd).st_size))
        copied = copy_hashed(disk, source_fd, fd, algorithm, clone=False)
        return Placed("copy", copied.digest, copied.size)
    except BaseException:
        target.remove(disk)
        raise
    finally:
        os.close(fd)


def _link(
    disk: Disk, source: StrOrBytes, source_fd: int, target: _Target, algorithm: int | None, *, is_hard: bool
) -> Placed | None:
    if is_hard and os.fstat(source_fd).st_uid != os.geteuid():
        # Its owner may change the file and its mode, and would change them in the workspace too.
        return None
    try:
        if is_hard:
            disk.link(source, target.path, target_dir_fd=target.dir_fd)
        else:
            disk.symlink(source, target.path, dir_fd=target.dir_fd)
    except OSError as error:
        if error.errno in _IMPOSSIBLE:
            return None
        raise
    try:
        size = os.fstat(source_fd).st_size
        digest = None if algorithm is None else digest_file(source_fd, algorithm, size)
    except BaseException:
        target.remove(disk)
        raise
    return Placed("hardlink" if is_hard else "symlink", digest, size)
