"""What a person decided about the conflicts of a merge, carried out: ours, theirs, or both.

Pure.  Takes what `model.merge` found and gives the changes to apply to our tree.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from dataver.model.diff import Change
from dataver.model.merge import FOLDER_AND_FILE, RENAMED_APART, Conflict, Merge
from dataver.model.names import folders_of
from dataver.model.tree import EMPTY_FOLDER, Entry, after_folder

OURS, THEIRS, UNION = "ours", "theirs", "union"
SIDES = (OURS, THEIRS, UNION)

_MARK = b".theirs"
_LONGEST_NAME = 255
"""Bytes of one component of a path, as file systems have it."""


class Settlement(NamedTuple):
    """A merge after some or all of its conflicts were decided."""

    changes: tuple[tuple[bytes, Entry | None], ...]
    """To apply to our tree, sorted by path; None deletes."""
    conflicts: tuple[Conflict, ...]
    """Those that nobody decided."""
    beside: tuple[tuple[bytes, bytes], ...]
    """With `union`: a path at which ours stands, and the name under which theirs lies beside it."""


def settle(
    merged: Merge,
    ours: Iterable[Change],
    sides: Mapping[bytes, str],
    is_taken: Callable[[bytes], bool],
) -> Settlement:
    """Carry out *sides*, conflict path -> `ours`, `theirs` or `union`, on what a merge came to.

    *ours* are the changes from the base to our tree.  *is_taken* tells whether our tree has an
    entry, or a folder, at a path: theirs is never put beside ours under a name that is in use.
    """
    work = _Settling(merged, ours, is_taken)
    left = [conflict for conflict in merged.conflicts if not work.decide(conflict, sides)]
    return Settlement(work.changes(), tuple(left), tuple(work.beside))


class _Settling:
    """The merged tree at the paths that a side changed, while decisions are carried out."""

    def __init__(self, merged: Merge, ours: Iterable[Change], is_taken: Callable[[bytes], bool]) -> None:
        self._result = dict(merged.changes)
        self._present = {change.path: change.new for change in ours} | self._result
        # Taking one side of a conflict can only clash with what a side changed.
        self._paths = sorted(self._present)
        self._is_taken = is_taken
        self._folders: dict[bytes, bytes] = {}
        self.beside: list[tuple[bytes, bytes]] = []

    def changes(self) -> tuple[tuple[bytes, Entry | None], ...]:
        return tuple(sorted(self._result.items(), key=lambda item: item[0]))

    def decide(self, conflict: Conflict, sides: Mapping[bytes, str]) -> bool:
        """Carry out what was decided about one conflict; tell whether anything was."""
        side = sides.get(conflict.path)
        if side is None:
            return False
        if conflict.kind == RENAMED_APART:
            self._choose_name(conflict, side)
        elif side == THEIRS:
            if conflict.kind == FOLDER_AND_FILE and conflict.base is not None:
                self._set(conflict.base.path, None)  # they renamed it to here
            self._place(conflict.path, conflict.theirs)
        elif side == UNION and conflict.theirs is not None:
            self._unite(conflict, conflict.theirs)
        return True

    def _choose_name(self, conflict: Conflict, side: str) -> None:
        """Keep one of the two names that a file was given, or both.

        Another file may have got the name that goes: that is another conflict's matter.
        """
        gone = {THEIRS: conflict.ours, OURS: conflict.theirs}.get(side)
        if gone is not None and self._present.get(gone.path) == gone:
            self._set(gone.path, None)

    def _unite(self, conflict: Conflict, theirs: Entry) -> None:
        if conflict.ours is None and conflict.kind != FOLDER_AND_FILE and not self._clashes(conflict.path):
            self._set(conflict.path, theirs)  # they changed what we deleted: the change stays
            return
        path = self._beside(conflict.path)
        self._set(path, theirs._replace(path=path))
        self.beside.append((conflict.path, path))

    def _beside(self, path: bytes) -> bytes:
        """Return a free name for theirs; where a file of ours is in the way, of the folder there."""
        for folder in folders_of(path):
            if self._present.get(folder) is not None:
                if folder not in self._folders:
                    self._folders[folder] = self._free(folder)
                return self._folders[folder] + path[len(folder) :]
        return self._free(path)

    def _free(self, path: bytes) -> bytes:
        number = 1
        while True:
            name = theirs_name(path, number)
            if self._present.get(name) is None and not self._is_taken(name) and not any(self._below(name)):
                return name
            number += 1

    def _clashes(self, path: bytes) -> bool:
        """Tell whether the tree has a file where *path* needs a folder, or the other way round."""
        above = any(self._present.get(folder) is not None for folder in folders_of(path))
        return above or bool(self._below(path))

    def _place(self, path: bytes, entry: Entry | None) -> None:
        """Put *entry* at *path*, and take away what cannot be in the same tree."""
        if entry is not None and entry.kind == EMPTY_FOLDER and self._below(path):
            entry = None  # a folder on both sides: the empty one gives way
        if entry is not None:
            for folder in folders_of(path):
                if self._present.get(folder) is not None:
                    self._set(folder, None)
            for below in self._below(path):
                self._set(below, None)
        self._set(path, entry)

    def _below(self, path: bytes) -> list[bytes]:
        low = bisect.bisect_left(self._paths, path + b"/")
        high = bisect.bisect_left(self._paths, after_folder(path))
        return [below for below in self._paths[low:high] if self._present.get(below) is not None]

    def _set(self, path: bytes, entry: Entry | None) -> None:
        if path not in self._present:
            bisect.insort(self._paths, path)
        self._present[path] = self._result[path] = entry


def theirs_name(path: bytes, number: int = 1) -> bytes:
    """Return the name that theirs gets beside ours: `train.theirs.csv`, then `train.theirs-2.csv`."""
    folder, slash, name = path.rpartition(b"/")
    stem, dot, ending = name.rpartition(b".")
    if not stem:
        stem, dot, ending = name, b"", b""
    mark = _MARK if number == 1 else b"%s-%d" % (_MARK, number)
    room = _LONGEST_NAME - len(mark + dot + ending)
    return folder + slash + stem[: max(room, 1)] + mark + dot + ending
