"""What a checkout will do, decided before anything is touched.

Pure: takes what differs and what is known, gives the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from dataver.model.diff import ADDED, DELETED, Change
from dataver.model.names import Oid, folders_of
from dataver.model.tree import EMPTY_FOLDER, Entry


class CheckoutPlan(NamedTuple):
    """Steps for one target; paths are inside it and in path order."""

    writes: Iterable[Entry]
    """May be a stream, to be read once: a first checkout writes a million files."""
    deletes: tuple[Entry, ...]
    """Files as they are on disk, which the tree does not have."""
    unsaved: tuple[bytes, ...]
    """Files whose content would be lost: nothing is done unless that is accepted."""
    blocked: tuple[bytes, ...]
    """Paths of the tree where something of the user's stands in the way; none when forced."""
    changes: tuple[Change, ...]
    """The same as a person reads it, from the workspace to the tree."""


def plan_checkout(
    changes: Iterable[Change],
    *,
    wanted: Callable[[bytes], bool],
    was_placed: Callable[[Entry], bool],
    is_saved: Callable[[Oid], bool],
    force: bool,
) -> CheckoutPlan:
    """Decide from *changes* (tree to workspace) what brings the workspace to the tree.

    *wanted* tells which paths are meant; *was_placed* whether a file on disk is one that an
    earlier checkout or add put there unchanged (others are the user's own and stay); *is_saved*
    whether content can be had again from the cache.
    """
    writes: list[Entry] = []
    deletes: list[Entry] = []
    unsaved: list[bytes] = []
    kept: dict[bytes, Entry] = {}
    shown: list[Change] = []
    for change in changes:
        old, new = change.old, change.new
        if not wanted(change.path):
            continue
        if change.kind == ADDED:
            assert new is not None
            if not was_placed(new):
                kept[change.path] = new
                continue
            if new.oid is not None and not is_saved(new.oid):
                unsaved.append(change.path)
            deletes.append(new)
            shown.append(Change(DELETED, change.path, new, None))
            continue
        assert old is not None
        if new is not None and new.oid is not None and not is_saved(new.oid):
            unsaved.append(change.path)
        if new is not None and old.kind == EMPTY_FOLDER:
            deletes.append(new)  # a folder is not renamed over a file
        writes.append(old)
        shown.append(change._replace(kind=ADDED if new is None else change.kind, old=new, new=old))
    blocked, in_way = _blocked(writes, kept)
    if force:
        deletes += [kept[path] for path in sorted(in_way)]
        shown += [Change(DELETED, path, kept[path], None) for path in sorted(in_way)]
        blocked = set()
    if blocked:
        writes = [e for e in writes if e.path not in blocked]
    # A folder that is no longer empty goes by itself; one that must go is removed when empty.
    return CheckoutPlan(
        tuple(writes),
        tuple(deletes),
        () if force else tuple(unsaved),
        tuple(sorted(blocked)),
        tuple(shown),
    )


def _blocked(writes: list[Entry], kept: Mapping[bytes, Entry]) -> tuple[set[bytes], set[bytes]]:
    """Return what cannot be written since a file that stays is, or lies in, its place; and such files.

    An empty folder is in nobody's way: what belongs below it is written into it.
    """
    blocked, in_way = set(), set()
    below: dict[bytes, set[bytes]] = {}
    for path in kept:
        for folder in folders_of(path):
            below.setdefault(folder, set()).add(path)
    for entry in writes:
        found = {
            folder
            for folder in folders_of(entry.path)
            if folder in kept and kept[folder].kind != EMPTY_FOLDER
        }
        if entry.kind != EMPTY_FOLDER:
            found |= below.get(entry.path, set())
        if found:
            blocked.add(entry.path)
            in_way |= found
    return blocked, in_way
