"""Take out of a clone's copies of remotes what names denied content: all of it can be had again.

Notes of pushes that broke go whole: what they stored is not taken over once a record came after it.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable

from dataver.disk.disk import Disk
from dataver.disk.folders import entries_of
from dataver.formats import segment
from dataver.model.names import ObjectName

_NOTES = ("push-", "pushed-", ".dataver-tmp-")
_SEGMENT = "segment-"


def purge_copies(folder: str, is_gone: Callable[[ObjectName], bool], disk: Disk) -> None:
    """Remove from *folder*, which has one folder per remote, what lists anything that *is_gone*."""
    for remote in entries_of(folder):
        if not remote.is_dir(follow_symlinks=False):
            continue
        for entry in entries_of(remote.path):
            is_note = entry.name.startswith(_NOTES)
            if is_note or (entry.name.startswith(_SEGMENT) and _lists(entry.path, is_gone)):
                # Like every copy it is disposable: one that stays says nothing that is believed.
                with contextlib.suppress(OSError):
                    disk.unlink(entry.path)


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
