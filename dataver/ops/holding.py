"""What a verb holds while it works on a target: the target's lock, the cache's, and a pointer that is true.

The order is the same everywhere, so that no two processes wait for each other: the target, then the
cache, then the files that Git reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from dataver.disk.safe_open import open_plain
from dataver.errors import NoSuchPathError, UnsafeFileError, show_path
from dataver.formats.pointer import MAX_SIZE, pointer_of
from dataver.progress import SILENT, Progress
from dataver.repo import Repo
from dataver.workspace.pointers import Target, blob_id
from dataver.workspace.record import record_name


def target_lock(repo: Repo, path: bytes, *, progress: Progress = SILENT) -> AbstractContextManager[None]:
    """Hold the target *path* of this repository: nobody else records it or brings it to a version."""
    return repo.lock(f"add-{record_name(path)}", progress=progress)


@contextmanager
def held(repo: Repo, path: bytes, *, progress: Progress = SILENT) -> Iterator[None]:
    """Hold the target *path*, and the cache so that nothing is taken away from it."""
    with target_lock(repo, path, progress=progress), repo.cache_lock(shared=True, progress=progress):
        yield


def gitfiles_lock(repo: Repo, *, progress: Progress = SILENT) -> AbstractContextManager[None]:
    """Hold `.gitignore` files and Git's index: what is read of them is written back whole."""
    return repo.lock("gitfiles", progress=progress)


def as_it_is_now(repo: Repo, path: bytes, known: Target | None) -> Target | None:
    """Return the target *path* as it is, now that it is held; *known* is what was seen of it before.

    Raises: NoSuchPathError where it was untracked meanwhile.
    """
    if known is not None and known.is_conflict:
        return known
    try:
        with open(open_plain(repo.workspace.absolute(pointer_of(path))), "rb") as file:
            data = file.read(MAX_SIZE + 1)
    except (OSError, UnsafeFileError):
        data = b""
    like = (known.disk_blob or known.index_blob or known.head_blob) if known is not None else ""
    if (blob_id(data, like) if data else "") == (known.disk_blob if known is not None else ""):
        return known
    found = next((t for t in repo.targets() if t.path == path), None)
    if found is None and known is not None and os.path.lexists(repo.workspace.absolute(path)):
        raise NoSuchPathError(path, what=f"{show_path(path)} was untracked by another process")
    return found
