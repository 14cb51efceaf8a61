"""The digests of files, and copies that are hashed on their way; memory stays at a few buffers."""

from __future__ import annotations

import os
from functools import partial
from typing import NamedTuple

from dataver import hashing, parallel
from dataver.disk.disk import Disk

_BUFFER_SIZE = 1 << 20
_OVERLAP_FROM = 8 << 20
_STRIDE = 16 << 20


class Copied(NamedTuple):
    """What a copy holds: the digest and size are those of the copy's own bytes."""

    digest: bytes
    size: int
    cloned: bool = False
    """True where the copy shares its blocks with the source."""


def digest_file(fd: int, algorithm: int, size_hint: int) -> bytes:
    """Return the digest of an open file from its start; its position moves.

    *size_hint* is the size that `stat` gave, in bytes: a small file is read in one call.  The
    caller compares `fstat` before and after where the file may be changing.
    """
    if size_hint < _BUFFER_SIZE:
        data = os.pread(fd, size_hint + 1, 0)
        if len(data) <= size_hint:
            return hashing.digest(algorithm, data)
    hasher = hashing.hasher(algorithm)
    _update(hasher, fd, 0, -1)
    return hasher.digest()


def _update(hasher: hashing.Hasher, fd: int, offset: int, size: int) -> int:
    """Feed *size* bytes from *offset* (all that there are where *size* is negative); return the count."""
    buffer = bytearray(_BUFFER_SIZE)
    view = memoryview(buffer)
    done = 0
    while done != size:
        want = _BUFFER_SIZE if size < 0 else min(_BUFFER_SIZE, size - done)
        count = os.preadv(fd, [view[:want]], offset + done)
        if count == 0:
            break
        hasher.update(view[:count])
        done += count
    return done


def copy_hashed(disk: Disk, source_fd: int, target_fd: int, algorithm: int, *, clone: bool = True) -> Copied:
    """Copy an open file from its start into an empty one and return what the copy holds.

    *target_fd* must be open for reading too.  The blocks are shared where the file system can and
    *clone* is true.  At most the size that the source has at the beginning is copied: a source
    that grows or shrinks meanwhile shows in its `fstat`, which the caller compares.
    """
    size = os.fstat(source_fd).st_size
    if clone and size and disk.clone(source_fd, target_fd):
        cloned_size = os.fstat(target_fd).st_size
        return Copied(digest_file(target_fd, algorithm, cloned_size), cloned_size, cloned=True)
    if size < _OVERLAP_FROM:
        return _copy_in_one_pass(disk, source_fd, target_fd, algorithm, size)
    return _copy_overlapped(disk, source_fd, target_fd, algorithm, size)


def _copy_in_one_pass(disk: Disk, source_fd: int, target_fd: int, algorithm: int, size: int) -> Copied:
    if size <= _BUFFER_SIZE:
        data = os.pread(source_fd, size, 0)
        disk.write(target_fd, data)
        return Copied(hashing.digest(algorithm, data), len(data))
    hasher = hashing.hasher(algorithm)
    view = memoryview(bytearray(_BUFFER_SIZE))
    done = 0
    while done < size:
        count = os.preadv(source_fd, [view[: min(_BUFFER_SIZE, size - done)]], done)
        if count == 0:
            break
        disk.write(target_fd, view[:count])
        hasher.update(view[:count])
        done += count
    return Copied(hasher.digest(), done)


def _copy_overlapped(disk: Disk, source_fd: int, target_fd: int, algorithm: int, size: int) -> Copied:
    """Let the kernel copy a stride while a thread hashes the stride before it out of the copy."""
    hasher = hashing.hasher(algorithm)
    os.lseek(source_fd, 0, os.SEEK_SET)
    done = 0
    hashed = 0
    pending: parallel.Beside[int] | None = None
    while done < size:
        count = disk.copy_range(source_fd, target_fd, min(_STRIDE, size - done))
        if pending is not None:
            hashed += pending.result()
            pending = None
        if count == 0:
            break
        start = done
        pending = parallel.beside(partial(_update, hasher, target_fd, start, count))
        done += count
    if pending is not None:
        hashed += pending.result()
    return Copied(hasher.digest(), hashed)
