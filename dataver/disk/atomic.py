"""Files that appear whole or not at all: the only module that renames.

The order is always the same: a temp file in the target's own folder, its bytes, a sync, the
rename, a sync of the folder.  An fsync that failed has lost what it should have written, and a
second one on the same descriptor may say that all is well: so a failed sync removes the temp
file, and the object does not exist.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Sequence
from typing import TypeVar

from dataver.disk.abandoned import busy
from dataver.disk.disk import Buffer, Clock, Disk, StrOrBytes
from dataver.errors import local_error

TEMP_PREFIX = ".dataver-tmp-"
"""What the name of every temp file begins with; the rest is random."""

_TEMP_PREFIX_BYTES = TEMP_PREFIX.encode()

PathT = TypeVar("PathT", str, bytes, StrOrBytes)


def temp_name(folder: PathT) -> PathT:
    """Return the path of a temp file in *folder* that nobody else uses."""
    name = TEMP_PREFIX + os.urandom(8).hex()
    if isinstance(folder, bytes):
        return os.path.join(folder, name.encode())
    return os.path.join(folder, name)


def temp_base() -> bytes:
    """Return a temp file's bare name, for use with a folder's descriptor."""
    return _TEMP_PREFIX_BYTES + os.urandom(8).hex().encode()


def _folder_of(path: StrOrBytes) -> StrOrBytes:
    folder = os.path.dirname(path)
    if folder:
        return folder
    return b"." if isinstance(path, bytes) else "."


def _drop(disk: Disk, path: StrOrBytes) -> None:
    with contextlib.suppress(OSError):
        disk.unlink(path)


def _write_temp(disk: Disk, temp: StrOrBytes, data: Buffer, mode: int, *, durable: bool) -> None:
    fd = disk.create(temp, mode)
    try:
        disk.write(fd, data)
        if durable:
            disk.sync(fd)
    finally:
        os.close(fd)


def write_new(disk: Disk, path: StrOrBytes, data: Buffer, *, mode: int = 0o644) -> None:
    """Write a durable new file; the umask applies to *mode*.

    Raises `FileExistsError` where *path* exists (of several writers one wins), and our local
    errors (disk full, permission, input/output).
    """
    folder = _folder_of(path)
    temp = temp_name(folder)
    try:
        _write_temp(disk, temp, data, mode, durable=True)
        disk.rename_new(temp, path)
        disk.sync_folder(folder)
    except FileExistsError:
        _drop(disk, temp)
        raise
    except OSError as error:
        _drop(disk, temp)
        raise local_error(error, path, "write") from error
    except BaseException:
        _drop(disk, temp)
        raise


def replace(disk: Disk, path: StrOrBytes, data: Buffer, *, durable: bool = True, mode: int = 0o644) -> None:
    """Write *data* in the place of *path* in one step, keeping the permission bits of the file there.

    *mode* (under the umask) is for a file that did not exist.  Raises our local errors.
    """
    # Whoever sweeps the folder leaves the temp file alone meanwhile.
    with busy(_folder_of(path)):
        _replace(disk, path, data, durable=durable, mode=mode)


def _replace(disk: Disk, path: StrOrBytes, data: Buffer, *, durable: bool, mode: int) -> None:
    folder = _folder_of(path)
    temp = temp_name(folder)
    try:
        try:
            present = os.lstat(path)
        except FileNotFoundError:
            present = None
        _write_temp(disk, temp, data, mode, durable=durable)
        if present is not None and stat.S_ISREG(present.st_mode):
            disk.chmod(temp, stat.S_IMODE(present.st_mode))
        disk.rename(temp, path)
        if durable:
            disk.sync_folder(folder)
    except OSError as error:
        _drop(disk, temp)
        raise local_error(error, path, "write") from error
    except BaseException:
        _drop(disk, temp)
        raise


def move_over(disk: Disk, temp: StrOrBytes, target: StrOrBytes, *, dir_fd: int | None = None) -> None:
    """Put a finished temp file in the place of *target*, in the same folder; not durable by itself.

    Raises `OSError`: the caller knows which name people know the file by.
    """
    disk.rename(temp, target, source_dir_fd=dir_fd, target_dir_fd=dir_fd)


def publish_many(disk: Disk, pairs: Sequence[tuple[StrOrBytes, StrOrBytes]], *, durable: bool = True) -> int:
    """Give finished temp files their final names, all made durable by one sync; return how many were new.

    Each pair is (temp, final).  A final name that exists with the same size is the same content
    (names are hashes): the temp file is dropped.  One with another size is damage, since nothing
    gets its name before it is durable: it is replaced.  First every byte is synced, then the names
    are given, then their folders are synced, those of present objects too: another process may
    have named them a moment ago.  Raises our local errors; no temp file stays.
    """
    done = 0
    new = 0
    try:
        if durable:
            for folder in _one_per_filesystem(_folder_of(temp) for temp, _ in pairs):
                disk.sync_filesystem(folder)
        for temp, final in pairs:
            new += _publish(disk, temp, final)
            done += 1
        if durable:
            for folder in dict.fromkeys(_folder_of(final) for _, final in pairs):
                disk.sync_folder(folder)
    except OSError as error:
        where = pairs[min(done, len(pairs) - 1)][1]
        raise local_error(error, where, "write") from error
    finally:
        for temp, _ in pairs[done:]:
            _drop(disk, temp)
    return new


def _publish(disk: Disk, temp: StrOrBytes, final: StrOrBytes) -> bool:
    try:
        disk.rename_new(temp, final)
    except FileExistsError:
        if os.lstat(final).st_size == os.lstat(temp).st_size:
            disk.unlink(temp)
            return False
        disk.rename(temp, final)
    return True


def _one_per_filesystem(folders: Iterable[StrOrBytes]) -> list[StrOrBytes]:
    found: dict[int, StrOrBytes] = {}
    for folder in dict.fromkeys(folders):
        found.setdefault(os.stat(folder).st_dev, folder)
    return list(found.values())


def make_folders(disk: Disk, path: str, *, mode: int = 0o777) -> None:
    """Make a folder of our own and its parents where they are missing, durable; follows symlinks.

    For the cache and metadata only: inside the work tree `safe_open.make_folders` is the way.
    """
    try:
        disk.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise local_error(NotADirectoryError(errno.ENOTDIR, "is not a folder"), path, "write") from None
        return
    except FileNotFoundError:
        parent = os.path.dirname(path)
        if not parent or parent == path:
            raise
        make_folders(disk, parent, mode=mode)
        make_folders(disk, path, mode=mode)
        return
    except OSError as error:
        raise local_error(error, path, "write") from error
    try:
        disk.sync_folder(_folder_of(path))
    except OSError as error:
        raise local_error(error, path, "write") from error


def sweep_temp(disk: Disk, folder: StrOrBytes, older_than_s: float, *, clock: Clock | None = None) -> int:
    """Remove temp files that a killed process left in *folder*; return how many there were.

    Only those whose last change is *older_than_s* seconds ago: younger ones may be in use.
    """
    limit = (clock or Clock()).now_s() - older_than_s
    swept = 0
    try:
        with os.scandir(os.fsencode(folder)) as entries:
            for entry in entries:
                if not entry.name.startswith(_TEMP_PREFIX_BYTES):
                    continue
                with contextlib.suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    if not stat.S_ISDIR(found.st_mode) and found.st_mtime < limit:
                        disk.unlink(entry.path)
                        swept += 1
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise local_error(error, folder) from error
    return swept
