"""What a cache was cleaned of, noted in the cache itself: whether there is anything to do costs a few stats.

Owns `erasures/<repo id>` of a cache folder: the digest of what the records demand, and what was
looked at by then.  A cache that was replaced by an old copy has no such note or another one; files
that were laid over it have names that the note does not know, or change a folder's change time,
which nobody can set.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import NamedTuple

from dataver.disk.atomic import replace
from dataver.erasure.records import ErasureState
from dataver.errors import PermissionDeniedError
from dataver.hashing import ALGORITHM_NAMES, blake3_of
from dataver.store.cache import Cache
from dataver.store.census import pack_files
from dataver.store.sharing import make_folder, open_to_readers

_VERSION = 1
_MOST = 64 * 1024 * 1024


class CacheNote(NamedTuple):
    """What was looked at in a cache, and by which records."""

    state: str
    """Digest of what the records demand, 64 hex."""
    packs: frozenset[str]
    """Names of the packs in `packs/`."""
    folders: dict[str, tuple[int, int]]
    """Folder of loose blobs or of the trash, below the cache's -> its change time in ns and inode."""


def digest_of(state: ErasureState, *, has_secret: bool) -> str:
    """Return what tells two states apart by what they take out of a cache.

    Without the repository secret deny ids say nothing: *has_secret* is part of it.
    """
    parts = [b"secret" if has_secret else b"none"]
    parts += [b"".join(sorted(some)) for some in (state.denied, state.erased.entries)]
    parts.append(b"".join(old + new for old, new in sorted(state.erased.substitutes.items())))
    return blake3_of(b"".join(len(part).to_bytes(8, "little") + part for part in parts)).hex()


def observed(folder: str, state: str) -> CacheNote:
    """Return what a note would say of the cache *folder* as it is now.  Raises: local errors."""
    return CacheNote(state, frozenset(pack_files(folder)), dict(_folders(folder)))


def _folders(folder: str) -> Iterator[tuple[str, tuple[int, int]]]:
    for parent in (*(f"objects/{name}" for name in ALGORITHM_NAMES.values()), "trash"):
        try:
            with os.scandir(f"{folder}/{parent}") as entries:
                for entry in entries:
                    found = entry.stat(follow_symlinks=False)
                    yield f"{parent}/{entry.name}", (found.st_ctime_ns, found.st_ino)
        except OSError:
            continue  # it is not there


def unseen(note: CacheNote | None, now: CacheNote) -> bool:
    """Tell whether *now* shows anything that *note* does not know."""
    return (
        note is None
        or note.state != now.state
        or not now.packs <= note.packs
        or any(note.folders.get(path) != stamp for path, stamp in now.folders.items())
    )


def load_note(folder: str, repo_id: str) -> CacheNote | None:
    """Return the note of the repository *repo_id* in the cache *folder*; None for none, or a damaged one."""
    try:
        with open(_path(folder, repo_id), "rb") as file:
            found = json.loads(file.read(_MOST))
        if found["version"] != _VERSION:
            return None
        folders = {str(path): (int(stamp[0]), int(stamp[1])) for path, stamp in found["folders"].items()}
        return CacheNote(str(found["state"]), frozenset(map(str, found["packs"])), folders)
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return None


def save_note(cache: Cache, repo_id: str, note: CacheNote) -> None:
    """Write a note, durably; a cache that may only be read keeps none, and is looked at each time."""
    path = _path(cache.folder, repo_id)
    text = json.dumps(
        {
            "version": _VERSION,
            "state": note.state,
            "packs": sorted(note.packs),
            "folders": {name: list(stamp) for name, stamp in sorted(note.folders.items())},
        },
        separators=(",", ":"),
    )
    with contextlib.suppress(PermissionDeniedError, PermissionError):
        make_folder(cache.disk, cache.folder, os.path.dirname(path))
        replace(cache.disk, path, text.encode())
        open_to_readers(cache.disk, cache.folder, [path])


def _path(folder: str, repo_id: str) -> str:
    return f"{folder}/erasures/{repo_id}"
