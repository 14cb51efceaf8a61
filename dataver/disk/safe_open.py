"""Open and make what lies below a folder, following no symlink on the way.

Every component is opened relative to its parent's descriptor, so that nobody who swaps a folder for
a symlink meanwhile can lead us elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from dataver.disk.disk import Disk
from dataver.errors import HostileInputError, UnsafeFileError, show_path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a FIFO that appears between the check and the opening must not hang us.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_plain(path: str | bytes) -> int:
    """Return a descriptor for reading of the regular file *path*; folders above it may be links.

    Raises: `UnsafeFileError` for anything else, which is not waited for; `OSError`.
    """
    try:
        fd = os.open(path, _FILE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV):
            raise UnsafeFileError(path, "is no regular file") from error
        raise
    try:
        check_regular(os.fstat(fd).st_mode, os.fsencode(path))
    except BaseException:
        os.close(fd)
        raise
    return fd


def check_own_folders(folder: str, names: Iterable[str]) -> None:
    """Check that none of *names*, which are ours to make in *folder*, is a symlink that leads elsewhere.

    Raises: `HostileInputError`.
    """
    for name in names:
        path = f"{folder}/{name}"
        if os.path.islink(path):
            raise HostileInputError(show_path(path), "is a symlink; what dataver writes there stays there")


def open_root(path: str | bytes) -> int:
    """Return a descriptor of a folder to open below; symlinks on the way to it are followed."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _components(relpath: bytes) -> list[bytes]:
    if not relpath:
        return []
    parts = relpath.split(b"/")
    for part in parts:
        if part in (b"", b".", b"..") or b"\0" in part:
            raise HostileInputError(show_path(relpath), "is not a plain path below its folder")
    return parts


def _open_below(parent_fd: int, name: bytes, relpath: bytes) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=parent_fd)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK):
            why = f"{show_path(name)} on the way is a symlink or no folder"
            raise HostileInputError(show_path(relpath), why) from error
        raise


def open_folder(root_fd: int, relpath: bytes) -> int:
    """Return a descriptor of the folder *relpath* below *root_fd*; of the root itself where it is empty.

    Raises: `HostileInputError` where a component is a symlink or no folder; `OSError`.
    """
    fd = os.open(b".", _FOLDER, dir_fd=root_fd)
    for name in _components(relpath):
        try:
            below = _open_below(fd, name, relpath)
        finally:
            os.close(fd)
        fd = below
    return fd


def open_file(root_fd: int, relpath: bytes, *, is_checked: bool = False) -> int:
    """Return a descriptor for reading of the regular file *relpath* below *root_fd*.

    A FIFO, socket or device is refused without opening it; a caller that has just seen with lstat
    that it is a regular file says *is_checked* and saves a call: what came in between is opened
    without waiting, and refused.

    Raises: `HostileInputError` where a component is a symlink, `UnsafeFileError` for what is no
    regular file, `OSError`.
    """
    parts = _components(relpath)
    if not parts:
        raise UnsafeFileError(relpath, "is a folder")
    parent, _, name = relpath.rpartition(b"/")
    if not parent:
        return _open_regular(root_fd, name, relpath, is_checked=is_checked)
    folder_fd = open_folder(root_fd, parent)
    try:
        return _open_regular(folder_fd, name, relpath, is_checked=is_checked)
    finally:
        os.close(folder_fd)


def _open_regular(folder_fd: int, name: bytes, relpath: bytes, *, is_checked: bool) -> int:
    if not is_checked:
        check_regular(os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_mode, relpath)
    try:
        fd = os.open(name, _FILE, dir_fd=folder_fd)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise HostileInputError(show_path(relpath), "is a symlink") from error
        if error.errno in (errno.ENXIO, errno.ENODEV):
            raise UnsafeFileError(relpath, "is a socket or device") from error
        raise
    try:
        check_regular(os.fstat(fd).st_mode, relpath)
    except BaseException:
        os.close(fd)
        raise
    return fd


def check_regular(mode: int, relpath: bytes) -> None:
    """Refuse by name whatever is not a regular file; *mode* is `st_mode`."""
    if stat.S_ISREG(mode):
        return
    if stat.S_ISLNK(mode):
        raise HostileInputError(show_path(relpath), "is a symlink")
    raise UnsafeFileError(relpath, f"is a {kind_of(mode)}")


def kind_of(mode: int) -> str:
    """Return what people call this kind of file; *mode* is `st_mode`."""
    for is_kind, word in (
        (stat.S_ISREG, "file"),
        (stat.S_ISDIR, "folder"),
        (stat.S_ISLNK, "symlink"),
        (stat.S_ISFIFO, "FIFO"),
        (stat.S_ISSOCK, "socket"),
    ):
        if is_kind(mode):
            return word
    return "device"


def make_folders(disk: Disk, root_fd: int, relpath: bytes, *, mode: int = 0o777) -> None:
    """Make the folder *relpath* below *root_fd* and its parents, where they are missing.

    Raises: `HostileInputError` where a component is a symlink or no folder; `OSError`.
    """
    fd = os.open(b".", _FOLDER, dir_fd=root_fd)
    try:
        for name in _components(relpath):
            try:
                disk.mkdir(name, mode, dir_fd=fd)
            except FileExistsError:
                pass
            below = _open_below(fd, name, relpath)
            os.close(fd)
            fd = below
    finally:
        os.close(fd)
