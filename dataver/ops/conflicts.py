"""Pointers in conflict: what Git's index holds of them, what excludes each other, and in which words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dataver.errors import CorruptObjectError, DataverError, FormatError, MissingObjectError, show_path
from dataver.formats.pointer import MAX_SIZE, Pointer, decode_pointer
from dataver.model.diff import ADDED, DELETED, MODIFIED, RENAMED, RETYPED, Change, with_renames
from dataver.model.merge import Conflict
from dataver.ops.merging import Merging, Sides, merging
from dataver.repo import Repo
from dataver.workspace.pointers import Target

_SHOWN = 5


class Stages(NamedTuple):
    """What Git's index holds of a pointer in conflict; None where a side has none."""

    base: Pointer | None
    ours: Pointer | None
    theirs: Pointer | None

    @property
    def sides(self) -> Sides | None:
        """The sides of a merge by entry; None where whole pointers exclude each other."""
        if self.ours is None or self.theirs is None or self.ours.is_folder != self.theirs.is_folder:
            return None
        is_same_kind = self.base is not None and self.base.is_folder == self.ours.is_folder
        return Sides(self.base if is_same_kind else None, self.ours, self.theirs)


def stages_of(repo: Repo, target: Target) -> Stages:
    """Return the three versions that Git's index holds of a pointer in conflict.

    Raises: FormatError where ours or theirs is no pointer.
    """
    blobs = [blob for blob in target.stages if blob]
    contents = dict(zip(blobs, repo.git.try_read_blobs(blobs), strict=True))
    found: list[Pointer | None] = []
    for number, blob in enumerate(target.stages):
        data = contents.get(blob)
        try:
            if isinstance(data, DataverError):
                raise data
            found.append(None if data is None else decode_pointer(data, show_path(target.pointer_path)))
        except DataverError:
            if number:
                raise
            found.append(None)  # without a base there is only less to tell
    return Stages(*found)


def conflicts_of(repo: Repo, target: Target) -> tuple[Conflict, ...]:
    """Return what both sides changed of a target in conflict; opens what the cache has, asks no remote.

    Empty where that cannot be told: without the trees, or where whole pointers exclude each other.
    """
    try:
        sides = stages_of(repo, target).sides
        if sides is None:
            return ()
        with merging(repo, sides, is_online=False) as work:
            return shown(work.merge.conflicts, target.path, is_folder=sides.ours.is_folder)
    except (MissingObjectError, CorruptObjectError, FormatError):
        return ()


def shown(conflicts: Iterable[Conflict], target: bytes, *, is_folder: bool) -> tuple[Conflict, ...]:
    """Return conflicts with paths as seen from the top of the work tree."""

    def outer(path: bytes) -> bytes:
        return target + b"/" + path if is_folder else target

    return tuple(
        Conflict(c.kind, outer(c.path), *(e and e._replace(path=outer(e.path)) for e in c[2:]))
        for c in conflicts
    )


def hint_to_resolve(target: bytes) -> str:
    """Return the command that decides a conflict."""
    return f"dataver resolve --union|--ours|--theirs {show_path(target)}.dv"


def conflict_text(work: Merging, target: bytes) -> str:
    """Return what both sides changed: `changed on both sides (mine +40, theirs +12, 1 path in both): ...`."""
    is_folder = work.sides.ours.is_folder
    names = [show_path(c.path) for c in shown(work.merge.conflicts, target, is_folder=is_folder)]
    names += [f"{key} in [note]" for key in work.note_conflicts]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    count = f"{len(names)} path{'' if len(names) == 1 else 's'} in both"
    return (
        f"changed on both sides (mine {_in_short(work.ours)}, theirs {_in_short(work.theirs)}, {count}): "
        f"{', '.join(names[:_SHOWN])}{more}"
    )


def _in_short(changes: Sequence[Change]) -> str:
    counts = Counter(change.kind for change in with_renames(changes))
    signs = {"+": counts[ADDED], "-": counts[DELETED], "~": counts[MODIFIED] + counts[RETYPED]}
    parts = [f"{sign}{count}" for sign, count in signs.items() if count]
    parts += [f"{counts[RENAMED]} renamed"] if counts[RENAMED] else []
    return " ".join(parts) or "nothing"


def decode_file(file: str, path: str) -> Pointer | None:
    """Return the pointer in one of Git's temp files; None for the empty one that stands for no base.

    Raises: FormatError naming *path*.
    """
    with open(file, "rb") as opened:
        data = opened.read(MAX_SIZE + 1)
    return decode_pointer(data, path) if data else None
