"""The difference of two trees as values: changes, renames, and the sums by folder.

Pure: takes sorted entries, gives changes.  Which leaves have to be opened for it is decided in
`store.trees`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from dataver.model.names import folders_of
from dataver.model.tree import EMPTY_FOLDER, SYMLINK, Entry

ADDED, MODIFIED, DELETED, RETYPED, RENAMED, UNSAFE = (
    "added",
    "modified",
    "deleted",
    "type",
    "renamed",
    "unsafe",
)


class Change(NamedTuple):
    """One path that differs."""

    kind: str
    """`added`, `modified` (content), `type` (file, link, folder, executable), `deleted`,
    `renamed` (content found at another path), `unsafe` (a file that is never stored)."""
    path: bytes
    old: Entry | None
    new: Entry | None
    """Its path is *path*; for a rename `old.path` is where it was."""
    note: str = ""

    @property
    def size_change(self) -> int:
        return (self.new.size if self.new else 0) - (self.old.size if self.old else 0)


class FolderChange(NamedTuple):
    """What changed below one folder, and its checksums."""

    path: bytes
    added: int
    modified: int
    deleted: int
    renamed: int
    size_change: int
    old_checksum: str
    """Hex; empty where the folder is absent."""
    new_checksum: str


def compare(old: Iterable[Entry], new: Iterable[Entry]) -> Iterator[Change]:
    """Compare two sorted sequences of entries, in path order, without looking for renames."""
    olds, news = iter(old), iter(new)
    a, b = next(olds, None), next(news, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a.path < b.path):
            assert a is not None
            yield Change(DELETED, a.path, a, None)
            a = next(olds, None)
        elif a is None or b.path < a.path:
            yield Change(ADDED, b.path, None, b)
            b = next(news, None)
        else:
            if a != b:
                change = change_of(a, b)
                if change is not None:
                    yield change
            a, b = next(olds, None), next(news, None)


def change_of(old: Entry | None, new: Entry | None) -> Change | None:
    """Return the change from *old* to *new* at one path; None when they are the same."""
    if old is None or new is None:
        if new is not None:
            return Change(ADDED, new.path, None, new)
        return Change(DELETED, old.path, old, None) if old is not None else None
    if old.kind != new.kind:
        return Change(RETYPED, new.path, old, new)
    if old.oid != new.oid or old.size != new.size:
        return Change(MODIFIED, new.path, old, new)
    return None


def with_renames(changes: Iterable[Change]) -> list[Change]:
    """Pair what was deleted with what was added of the same content; sorted by path.

    Several candidates pair in path order; a same base name is preferred.  Empty files and empty
    folders are never taken for renamed.
    """
    listed = list(changes)
    gone: dict[tuple[bytes, bool], list[Change]] = {}
    for change in listed:
        if change.kind == DELETED and change.old is not None and change.old.oid and change.old.size:
            gone.setdefault(_content_of(change.old), []).append(change)
    if not gone:
        return listed
    # The same content may lie at a hundred thousand paths: each list is walked once, from its end.
    in_order = {content: found[::-1] for content, found in gone.items()}
    by_base: dict[tuple[bytes, bool, bytes], list[Change]] = {}
    for content, found in in_order.items():
        for change in found:
            by_base.setdefault((*content, _base(change.path)), []).append(change)
    used: set[bytes] = set()
    renamed: dict[bytes, Change] = {}
    for change in listed:
        if change.kind != ADDED or change.new is None or not change.new.oid:
            continue
        content = _content_of(change.new)
        old = _next_unused(by_base.get((*content, _base(change.path))), used) or _next_unused(
            in_order.get(content), used
        )
        if old is not None:
            used.add(old.path)
            renamed[change.path] = Change(RENAMED, change.path, old.old, change.new)
    return [
        renamed.get(c.path, c) if c.kind == ADDED else c
        for c in listed
        if not (c.kind == DELETED and c.path in used)
    ]


def _content_of(entry: Entry) -> tuple[bytes, bool]:
    # A link's content is its target: a file of the same text is another thing.
    return entry.oid or b"", entry.kind == SYMLINK


def _base(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _next_unused(candidates: list[Change] | None, used: set[bytes]) -> Change | None:
    while candidates:
        candidate = candidates.pop()
        if candidate.path not in used:
            return candidate
    return None


def counts_by_folder(changes: Sequence[Change]) -> dict[bytes, tuple[int, int, int, int, int]]:
    """Return per folder (added, modified, deleted, renamed, size change) of all below it.

    The tracked folder itself is the empty path.
    """
    found: dict[bytes, list[int]] = {}
    slot = {ADDED: 0, MODIFIED: 1, RETYPED: 1, DELETED: 2, RENAMED: 3}
    for change in changes:
        if change.kind not in slot:
            continue
        for folder in [b"", *folders_of(change.path)]:
            row = found.setdefault(folder, [0, 0, 0, 0, 0])
            row[slot[change.kind]] += 1
            row[4] += change.size_change
    return {folder: (r[0], r[1], r[2], r[3], r[4]) for folder, r in found.items()}


def is_file(entry: Entry) -> bool:
    """Tell whether *entry* counts as a file (an empty folder does not)."""
    return entry.kind != EMPTY_FOLDER
