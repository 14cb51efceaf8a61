"""Every system call that changes the local disk, and the clock, as two small objects.

The rest of the program is handed a `Disk` and a `Clock`, so that a test can put a simulation in
their place: a disk that loses at a crash what was not synced, a clock that runs backwards.  The
methods add nothing to the calls but what every caller would repeat; hot loops run through them.
Paths are text or bytes; with a folder's descriptor as *dir_fd* they are relative to it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
import time

from dataver.disk import syscalls

StrOrBytes = str | bytes
Buffer = bytes | bytearray | memoryview

_FICLONE = 0x40049409  # linux/fs.h; the ioctl of Btrfs, XFS, bcachefs, OCFS2, NFS 4.2, overlayfs
_REAL_FAILURES = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EIO))
_NO_HARD_LINKS = frozenset(
    (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS, errno.EACCES)
)
_NO_NOREPLACE = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP))
_NO_COPY_RANGE = frozenset(
    (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.ETXTBSY)
)
_BUFFER_SIZE = 1 << 20
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# On macOS fsync leaves the bytes in the drive's own cache; only this call makes it write them.
_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


class Disk:
    """The local disk.  All methods raise `OSError`; who knows the path's name for people converts it."""

    __slots__ = ()

    def create(self, path: StrOrBytes, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        """Return a descriptor, open for reading and writing, of a new file; the umask applies to *mode*.

        Raises `FileExistsError` where anything is there, a dangling symlink included.
        """
        return os.open(path, _CREATE, mode, dir_fd=dir_fd)

    def write(self, fd: int, data: Buffer) -> None:
        """Write all of *data*."""
        written = os.write(fd, data)
        if written == len(data):
            return
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[os.write(fd, rest) :]

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """Make the bytes and size of an open file durable.  After a failure nothing is known of them."""
        if _FULL_SYNC is None:
            os.fsync(fd)
        else:
            fcntl.fcntl(fd, _FULL_SYNC)

    def sync_folder(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        """Make the names in a folder durable."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=dir_fd)
        try:
            self.sync(fd)
        except OSError as error:
            # Some network file systems cannot sync a folder and say so with EINVAL.
            if error.errno != errno.EINVAL:
                raise
        finally:
            os.close(fd)

    def sync_filesystem(self, path: StrOrBytes) -> None:
        """Make everything durable that was written to the file system that holds *path*."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not syscalls.syncfs(fd):
                os.sync()
                self.sync(fd)
        finally:
            os.close(fd)

    def rename(
        self,
        source: StrOrBytes,
        target: StrOrBytes,
        *,
        source_dir_fd: int | None = None,
        target_dir_fd: int | None = None,
    ) -> None:
        """Put *source* in the place of *target*, whatever was there."""
        os.rename(source, target, src_dir_fd=source_dir_fd, dst_dir_fd=target_dir_fd)

    def rename_new(
        self,
        source: StrOrBytes,
        target: StrOrBytes,
        *,
        source_dir_fd: int | None = None,
        target_dir_fd: int | None = None,
    ) -> None:
        """Rename the file *source* to *target*, or raise `FileExistsError` where anything is there.

        Of several that race for one name exactly one wins.
        """
        try:
            os.link(source, target, src_dir_fd=source_dir_fd, dst_dir_fd=target_dir_fd, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            try:
                syscalls.rename_noreplace(source, target, source_dir_fd, target_dir_fd)
            except OSError as second:
                if second.errno not in _NO_NOREPLACE:
                    raise
                _rename_in_turn(source, target, source_dir_fd, target_dir_fd)
            return
        os.unlink(source, dir_fd=source_dir_fd)

    def link(
        self,
        source: StrOrBytes,
        target: StrOrBytes,
        *,
        source_dir_fd: int | None = None,
        target_dir_fd: int | None = None,
    ) -> None:
        """Give the file *source* a second name, *target*."""
        os.link(source, target, src_dir_fd=source_dir_fd, dst_dir_fd=target_dir_fd, follow_symlinks=False)

    def symlink(self, content: StrOrBytes, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        """Make *path* a symbolic link that says *content*."""
        os.symlink(content, path, dir_fd=dir_fd)

    def unlink(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        os.unlink(path, dir_fd=dir_fd)

    def mkdir(self, path: StrOrBytes, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        os.mkdir(path, mode, dir_fd=dir_fd)

    def rmdir(self, path: StrOrBytes, *, dir_fd: int | None = None) -> None:
        os.rmdir(path, dir_fd=dir_fd)

    def chmod(self, path: int | StrOrBytes, mode: int, *, dir_fd: int | None = None) -> None:
        """Set the permission bits of an open file or of a path (which must be no symlink)."""
        os.chmod(path, mode, dir_fd=dir_fd)

    def utime(
        self, path: int | StrOrBytes, atime_ns: int, mtime_ns: int, *, dir_fd: int | None = None
    ) -> None:
        """Set the times of an open file, or of a path and never of what a symlink there points at."""
        if isinstance(path, int):
            os.utime(path, ns=(atime_ns, mtime_ns))
        else:
            os.utime(path, ns=(atime_ns, mtime_ns), dir_fd=dir_fd, follow_symlinks=False)

    def clone(self, source_fd: int, target_fd: int) -> bool:
        """Share the blocks of *source_fd* with the empty file *target_fd*; False where that is impossible."""
        if sys.platform != "linux":
            return False
        try:
            fcntl.ioctl(target_fd, _FICLONE, source_fd)
        except OSError as error:
            if error.errno in _REAL_FAILURES:
                raise
            return False
        return True

    def copy_range(self, source_fd: int, target_fd: int, size: int) -> int:
        """Copy up to *size* bytes from one file's position to the other's; return how many there were."""
        copied = 0
        if sys.platform == "linux":
            try:
                while copied < size:
                    count = os.copy_file_range(source_fd, target_fd, size - copied)
                    if count == 0:
                        break
                    copied += count
            except OSError as error:
                if error.errno not in _NO_COPY_RANGE:
                    raise
        # Some file systems say 0 where bytes are left: only a read that finds none is the end.
        while copied < size:
            data = os.read(source_fd, min(_BUFFER_SIZE, size - copied))
            if not data:
                break
            self.write(target_fd, data)
            copied += len(data)
        return copied


def _rename_in_turn(
    source: StrOrBytes, target: StrOrBytes, source_dir_fd: int | None, target_dir_fd: int | None
) -> None:
    """Rename where neither links nor a rename without replacing exist (exFAT, some network disks).

    The lock on the target's folder lets the processes of this machine look and rename one by one.
    """
    folder = os.path.dirname(target) or (b"." if isinstance(target, bytes) else ".")
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=target_dir_fd)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            os.stat(target, dir_fd=target_dir_fd, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(source, target, src_dir_fd=source_dir_fd, dst_dir_fd=target_dir_fd)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), source, None, target)
    finally:
        os.close(fd)


class Clock:
    """The time.  `monotonic` for durations and deadlines, the others for what is written down."""

    __slots__ = ()

    def now_ns(self) -> int:
        """Return the wall clock in nanoseconds since 1970."""
        return time.time_ns()

    def now_s(self) -> float:
        """Return the wall clock in seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
