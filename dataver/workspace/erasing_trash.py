"""Take denied files out of what `checkout --force` put aside: files by name, whose content nobody knows."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence

from dataver.disk.digest import digest_file
from dataver.disk.disk import Disk
from dataver.errors import local_error
from dataver.hashing import ALGORITHM_NAMES, digest
from dataver.model.names import Oid, folders_of, oid_of_digest
from dataver.model.tree import SINGLE_FILE_PATH
from dataver.workspace.erasing import unlink


def erase_replaced(
    disk: Disk,
    folder: str,
    denied: Callable[[bytes, Oid], str],
    is_lost: Callable[[bytes], bool] = lambda path: False,
) -> int:
    """Remove denied files from what `checkout --force` put aside in *folder*; return how many.

    Of a file's path any end may be its path in a tree.  What was put aside is what somebody had changed:
    where a path from the top *is_lost*, it goes whatever it holds.  Raises: local errors.
    """
    removed = 0
    top = os.fsencode(folder)
    for here, folders, names in os.walk(top, topdown=False):
        for name in names:
            path = os.path.join(here, name)
            inside = os.path.relpath(path, top)
            # The first part says when it was put aside.
            if is_lost(inside.partition(b"/")[2]) or _is_denied(path, inside, denied):
                unlink(disk, path)
                removed += 1
        for name in folders:
            with contextlib.suppress(OSError):  # it holds something, or is a link
                disk.rmdir(os.path.join(here, name))
    return removed


def _is_denied(path: bytes, inside: bytes, denied: Callable[[bytes, Oid], str]) -> bool:
    ends = [inside, *(inside[len(above) + 1 :] for above in folders_of(inside)), SINGLE_FILE_PATH]
    return any(denied(end, oid) for oid in _oids_of(path) for end in ends)


def _oids_of(path: bytes) -> Sequence[Oid]:
    """Return the ids of a file's content, or of a link's text, by every algorithm."""
    try:
        if os.path.islink(path):
            text = os.readlink(path)
            return [oid_of_digest(code, digest(code, text)) for code in ALGORITHM_NAMES]
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            return [oid_of_digest(code, digest_file(fd, code, size)) for code in ALGORITHM_NAMES]
        finally:
            os.close(fd)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise local_error(error, path) from error
