"""Files of a work tree that are symlinks into the cache: without the object they would be gone.

Looked for on the disk and not in any record: a link stays a link when its target is untracked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from dataver.errors import local_error
from dataver.model.names import Oid
from dataver.store.cache import Cache

_MARK = b"/objects/"


def linked_blobs(cache: Cache, tops: Iterable[str]) -> frozenset[Oid]:
    """Return the loose blobs that any symlink below the folders *tops* points at.  Raises: local errors."""
    real = os.path.realpath(cache.folder)
    found = set()
    for top in tops:
        for path in _links(os.fsencode(top)):
            place = os.path.realpath(os.fsdecode(path))
            if place.startswith(f"{real}/objects/"):
                oid = cache.loose.oid_of_path(cache.folder + place.removeprefix(real))
                if oid is not None:
                    found.add(oid)
    return frozenset(found)


def _links(top: bytes) -> Iterator[bytes]:
    """Yield the symlinks below *top* that may lead into a cache; Git's own folders are left out."""
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        if _MARK in os.readlink(entry.path):
                            yield entry.path
                    elif entry.name != b".git" and entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except FileNotFoundError:
            continue
        except OSError as error:  # a link may be in what cannot be listed
            raise local_error(error, folder) from error
