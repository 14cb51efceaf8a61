"""Take out of a clone's copies of remotes what names denied content: all of it can be had again.

Notes of pushes that broke go whole: what they stored is not taken over once a record came after it.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Collection, Iterator

from dataver.disk.disk import Disk
from dataver.disk.folders import entries_of
from dataver.formats import segment
from dataver.model.names import ObjectName

_NOTES = ("push-", "pushed-", ".dataver-tmp-")
_SEGMENT = "segment-"


def segment_copies(folder: str) -> set[str]:
    """Return the names of the copies of segments in *folder*, which has one folder per remote."""
    return {entry.name for entry in _copies(folder) if entry.name.startswith(_SEGMENT)}


def purge_copies(
    folder: str, is_gone: Callable[[ObjectName], bool], disk: Disk, known: Collection[str] | None = None
) -> None:
    """Remove from *folder* what lists anything that *is_gone*.

    *known* copies were looked at before, and then the notes too; None: nothing was.
    """
    for entry in _copies(folder):
        is_note = known is None and entry.name.startswith(_NOTES)
        is_new = entry.name.startswith(_SEGMENT) and entry.name not in (known or ())
        if is_note or (is_new and _lists(entry.path, is_gone)):
            # Like every copy it is disposable: one that stays says nothing that is believed.
            with contextlib.suppress(OSError):
                disk.unlink(entry.path)


def _copies(folder: str) -> Iterator[os.DirEntry[str]]:
    for remote in entries_of(folder):
        if remote.is_dir(follow_symlinks=False):
            yield from entries_of(remote.path)


def _lists(path: str, is_gone: Callable[[ObjectName], bool]) -> bool:
    """Tell whether the copy of a segment lists such an object, or cannot be read as a segment."""
    if path.endswith(".head"):
        return False  # packs and counts, no names
    try:
        with open(path, "rb") as file:
            data = memoryview(file.read())
        names = segment.names_of(data[segment.rows_start(data) :])
        return any(is_gone(name) for name in names)
    except FileNotFoundError:
        return False
    except (OSError, struct.error):
        return True
