"""The merge of two trees over their common base, entry by entry.

Pure, and as large as what changed: takes the changes of both sides, gives the changes to apply
to ours and what a person must decide.  Where there is a conflict, ours stands until `model.settle`
is told what a person decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from dataver.model.diff import DELETED, RENAMED, Change, compare, with_renames
from dataver.model.names import folders_of
from dataver.model.tree import EMPTY_FOLDER, EXECUTABLE, FILE, Entry

BOTH_ADDED, BOTH_MODIFIED, MODIFIED_DELETED, DELETED_MODIFIED, RENAMED_APART, FOLDER_AND_FILE = (
    "both added",
    "both modified",
    "modified, deleted by them",
    "deleted, modified by them",
    "renamed apart",
    "folder and file",
)

T = TypeVar("T")


class Conflict(NamedTuple):
    """One path that both sides changed in ways that exclude each other."""

    kind: str
    path: bytes
    base: Entry | None
    """Of a file that was renamed under its old path."""
    ours: Entry | None
    theirs: Entry | None


class Merge(NamedTuple):
    """What a merge comes to."""

    changes: tuple[tuple[bytes, Entry | None], ...]
    """To apply to our tree, sorted by path; None deletes."""
    conflicts: tuple[Conflict, ...]
    """Sorted by path."""


class _Side(NamedTuple):
    """One side's change of one path."""

    base: Entry | None
    now: Entry | None


def merge(base: Sequence[Entry], ours: Sequence[Entry], theirs: Sequence[Entry]) -> Merge:
    """Merge three sorted trees; see `merge_changes`."""
    return merge_changes(compare(base, ours), compare(base, theirs))


def merged_entries(ours: Iterable[Entry], merged: Merge) -> Iterator[Entry]:
    """Yield the merged tree, in path order: *ours* (sorted) with the changes of *merged*."""
    changes = iter(merged.changes)
    change = next(changes, None)
    for entry in ours:
        while change is not None and change[0] < entry.path:
            if change[1] is not None:
                yield change[1]
            change = next(changes, None)
        if change is not None and change[0] == entry.path:
            if change[1] is not None:
                yield change[1]
            change = next(changes, None)
        else:
            yield entry
    while change is not None:
        if change[1] is not None:
            yield change[1]
        change = next(changes, None)


def merge_changes(ours: Iterable[Change], theirs: Iterable[Change]) -> Merge:
    """Merge what two sides changed of one base; both sorted by path, renames not yet looked for.

    A change of content follows a file that the other side renamed; a change of the executable
    bit and one of the content go together; an empty folder gives way to what is put into it.
    """
    our_sides, our_renames = _sides(ours)
    their_sides, their_renames = _sides(theirs)
    # Following renames rewrites the sides; what the trees really hold is asked for below.
    actual = _Actual(dict(our_sides), dict(their_sides))
    conflicts = _renamed_apart(our_renames, their_renames, actual)
    conflicts += _follow(our_renames, our_sides, their_sides, their_renames)
    for conflict in _follow(their_renames, their_sides, our_sides, our_renames):
        # Seen from ours: what they renamed we deleted, and it stays deleted.
        conflicts.append(conflict._replace(kind=DELETED_MODIFIED, ours=None, theirs=conflict.ours))
        del their_sides[conflict.path]
    result: dict[bytes, Entry | None] = {}
    for path, other in their_sides.items():
        mine = our_sides.get(path)
        if mine is None:
            result[path] = other.now
            continue
        is_clean, entry = _merged(mine.base or other.base, mine.now, other.now)
        result[path] = entry if is_clean else mine.now
        if not is_clean:
            conflicts.append(_conflict(path, mine, other))
    renamed_from = {new: old for old, new in their_renames.items()}
    # Taking one path back can uncover another clash; each round takes more back, to ours at last.
    while clashes := _part_folders_and_files(actual, result, renamed_from):
        conflicts += clashes
    changes = [(path, entry) for path, entry in result.items() if entry != actual.ours_at(path)]
    return Merge(tuple(sorted(changes, key=_path_of)), tuple(sorted(conflicts, key=lambda c: c.path)))


class _Actual(NamedTuple):
    """What both sides really changed, before renames are followed."""

    ours: Mapping[bytes, _Side]
    theirs: Mapping[bytes, _Side]

    def ours_at(self, path: bytes) -> Entry | None:
        """Return what our tree has at a path that a side changed."""
        if path in self.ours:
            return self.ours[path].now
        return self.theirs[path].base


def _path_of(change: tuple[bytes, Entry | None]) -> bytes:
    return change[0]


def _sides(changes: Iterable[Change]) -> tuple[dict[bytes, _Side], dict[bytes, bytes]]:
    """Return what changed by path, and the renames (old path -> new path) among it."""
    sides: dict[bytes, _Side] = {}
    renames: dict[bytes, bytes] = {}
    for change in with_renames(changes):
        if change.kind == RENAMED and change.old is not None:
            sides[change.old.path] = _Side(change.old, None)
            sides[change.path] = _Side(None, change.new)
            renames[change.old.path] = change.path
        else:
            sides[change.path] = _Side(change.old, None if change.kind == DELETED else change.new)
    return sides, renames


def _follow(
    renames: Mapping[bytes, bytes],
    renaming: dict[bytes, _Side],
    other: dict[bytes, _Side],
    other_renames: Mapping[bytes, bytes],
) -> list[Conflict]:
    """Move the other side's change of a file that *renaming* renamed to its new path.

    Returns the conflicts of files that one side renamed and the other deleted, as if *renaming*
    were ours.
    """
    conflicts = []
    for old, new in renames.items():
        change = other.get(old)
        if change is None or change.base is None or old in other_renames or new in other:
            continue
        now = renaming[new].now
        base = change.base._replace(path=new)
        if change.now is None:
            conflicts.append(Conflict(MODIFIED_DELETED, new, base, now, None))
            continue
        other[old] = _Side(change.base, None)
        other[new] = _Side(base, change.now._replace(path=new))
        renaming[new] = _Side(base, now)
    return conflicts


def _renamed_apart(
    ours: Mapping[bytes, bytes], theirs: Mapping[bytes, bytes], actual: _Actual
) -> list[Conflict]:
    """Return the conflicts of files that both sides renamed, each to another name; both names stay."""
    return [
        Conflict(
            RENAMED_APART,
            ours[old],
            actual.ours[old].base,
            actual.ours[ours[old]].now,
            actual.theirs[new].now,
        )
        for old, new in theirs.items()
        if ours.get(old, new) != new
    ]


def _merged(base: Entry | None, ours: Entry | None, theirs: Entry | None) -> tuple[bool, Entry | None]:
    """Return (True, what both sides make of *base*), or (False, None) when they exclude each other."""
    if ours == theirs or theirs == base:
        return True, ours
    if ours == base:
        return True, theirs
    if ours is None or theirs is None or {ours.kind, theirs.kind} - {FILE, EXECUTABLE}:
        return False, None
    if base is None or base.kind not in (FILE, EXECUTABLE):
        # Added on both sides: of the same content it is executable when one side says so.
        return ours[2:] == theirs[2:], ours if ours.kind == EXECUTABLE else theirs
    content = _either(base[2:], ours[2:], theirs[2:])
    if content is None:
        return False, None
    kind = ours.kind if ours.kind != base.kind else theirs.kind
    return True, Entry(ours.path, kind, *content)


def _either(base: T, ours: T, theirs: T) -> T | None:
    if ours == base:
        return theirs
    return ours if theirs in (base, ours) else None


def _conflict(path: bytes, mine: _Side, other: _Side) -> Conflict:
    base = mine.base or other.base
    if base is None:
        kind = BOTH_ADDED
    elif mine.now is None:
        kind = DELETED_MODIFIED
    else:
        kind = MODIFIED_DELETED if other.now is None else BOTH_MODIFIED
    return Conflict(kind, path, base, mine.now, other.now)


def _part_folders_and_files(
    actual: _Actual, result: dict[bytes, Entry | None], renamed_from: Mapping[bytes, bytes]
) -> list[Conflict]:
    """Take back what they put where our file would be a folder, or our folder a file.

    Two paths clash only where each was changed by a side: neither the base nor a side has both.
    """
    present = {path: side.now for path, side in actual.ours.items()} | result
    conflicts = []
    for path in sorted(path for path, entry in present.items() if entry is not None):
        for folder in folders_of(path):
            above = present.get(folder)
            if above is None:
                continue
            if above.kind == EMPTY_FOLDER:
                result[folder] = None
                continue
            for clashing in (folder, path):
                kept = actual.ours_at(clashing)
                taken = result.get(clashing, kept)
                if kept is None and taken is not None:
                    old = renamed_from.get(clashing)
                    base = actual.theirs[clashing if old is None else old].base
                    conflicts.append(Conflict(FOLDER_AND_FILE, clashing, base, kept, taken))
                    result[clashing] = kept
                    if old is not None:
                        # Our change of it may have followed the renaming: it stays where it was.
                        result[old] = actual.ours_at(old)
    return conflicts
