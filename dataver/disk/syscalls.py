"""The two system calls that Python 3.11 lacks: syncfs and rename-without-replace, through ctypes.

ctypes costs 10 ms to import, so it is loaded by the first call, never by this module.
"""

from __future__ import annotations

import errno
import os
import sys
from functools import cache
from typing import Any

StrOrBytes = str | bytes

_RENAME_NOREPLACE = 1  # linux/fs.h
_RENAME_EXCL = 4  # macOS, sys/stdio.h
_AT_FDCWD = -100 if sys.platform == "linux" else -2


@cache
def _libc() -> Any:  # ctypes makes its functions up as they are asked for: no type describes that
    import ctypes  # 10 ms; see above

    return ctypes.CDLL(None, use_errno=True)


def _last_error() -> int:
    import ctypes  # loaded by then

    return ctypes.get_errno()


def syncfs(fd: int) -> bool:
    """Write out the file system that holds an open file; False where the system has no such call."""
    call = getattr(_libc(), "syncfs", None) if sys.platform == "linux" else None
    if call is None:
        return False
    while call(fd) != 0:
        number = _last_error()
        if number == errno.ENOSYS:
            return False
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return True


def rename_noreplace(
    source: StrOrBytes, target: StrOrBytes, source_dir_fd: int | None, target_dir_fd: int | None
) -> None:
    """Rename in one step, or raise `FileExistsError` where *target* exists."""
    libc = _libc()
    old = _AT_FDCWD if source_dir_fd is None else source_dir_fd
    new = _AT_FDCWD if target_dir_fd is None else target_dir_fd
    if sys.platform == "linux":
        call, flag = getattr(libc, "renameat2", None), _RENAME_NOREPLACE
    else:
        call, flag = getattr(libc, "renameatx_np", None), _RENAME_EXCL
    if call is None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), source, None, target)
    if call(old, os.fsencode(source), new, os.fsencode(target), flag) != 0:
        number = _last_error()
        raise OSError(number, os.strerror(number), source, None, target)
