"""The merge of a pointer's three versions: by entry, opening the leaves that differ and their neighbours.

Shared by the driver that Git calls, by `resolve`, and by `status`, which lists what conflicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from dataver.formats.pointer import Pointer, size_text
from dataver.model.diff import (
    Change,
    change_of,
    is_file,
)
from dataver.model.merge import Merge, merge_changes
from dataver.model.names import leaf_name, root_name
from dataver.model.settle import Settlement, settle
from dataver.model.sizes import merged_size
from dataver.ops.gathering import TreeSource, leaves_around, unshared_leaves
from dataver.repo import Repo
from dataver.store.cache_writer import CacheWriter
from dataver.store.equal_leaves import with_smallest_ids
from dataver.store.trees import EMPTY_ROOT_ID, Trees
from dataver.store.treewriter import update
from dataver.workspace.leafkeys import keys_for_merge

_KEPT_LEAVES = 256
"""Opened leaves that a merge remembers: both sides and the result meet at the same ones."""


class Sides(NamedTuple):
    """The three versions of one pointer, all folders or all single files."""

    base: Pointer | None
    """None where both sides added the pointer."""
    ours: Pointer
    theirs: Pointer

    @property
    def base_root(self) -> bytes:
        return EMPTY_ROOT_ID if self.base is None else self.base.root_id

    @property
    def roots(self) -> tuple[bytes, bytes, bytes]:
        return self.base_root, self.ours.root_id, self.theirs.root_id


@dataclass(frozen=True, slots=True)
class Merging:
    """What a merge comes to before anybody decides."""

    sides: Sides
    trees: Trees
    writer: CacheWriter
    ours: Sequence[Change]
    """From the base to our tree."""
    theirs: Sequence[Change]
    merge: Merge
    note: Mapping[str, str]
    """Ours where both sides changed a key."""
    note_conflicts: tuple[str, ...]
    """Keys of the note that both sides changed."""

    @property
    def is_clean(self) -> bool:
        return not (self.merge.conflicts or self.note_conflicts)


@contextmanager
def merging(repo: Repo, sides: Sides, *, is_online: bool = True) -> Iterator[Merging]:
    """Give what a merge of *sides* comes to.

    With *is_online* trees that the cache lacks come from the default remote.

    Raises: MissingObjectError, CorruptObjectError, FormatError, RemoteError and its kin.
    """
    with CacheWriter(repo.cache) as writer:
        source = TreeSource(repo, writer, is_online=is_online)
        source.ahead(root_name(root) for root in sides.roots if root != EMPTY_ROOT_ID)
        roots = Trees(source)
        pairs = ((sides.base_root, sides.ours.root_id), (sides.base_root, sides.theirs.root_id))
        refs = [ref for old, new in pairs for ref in unshared_leaves(roots, old, new)]
        source.ahead(leaf_name(ref.leaf_id) for ref in refs)
        # Made when the remote was met: what it has erased is not seen.
        trees = Trees(source, repo.trees.erased, keep=_KEPT_LEAVES)
        ours, theirs = (list(trees.diff(old, new)) for old, new in pairs)
        source.ahead(leaves_around(trees, sides.ours.root_id, (c.path for c in theirs)))
        note, note_conflicts = merge_notes(sides)
        yield Merging(sides, trees, writer, ours, theirs, merge_changes(ours, theirs), note, note_conflicts)


def settled(work: Merging, decided: Mapping[bytes, str]) -> Settlement:
    """Carry out what was decided, conflict path -> side."""
    ours = work.sides.ours.root_id
    return settle(work.merge, work.ours, decided, lambda path: work.trees.holds(ours, path))


class Written(NamedTuple):
    """A merge in the cache: durable, so that a pointer may name it."""

    pointer: Pointer
    changes: tuple[Change, ...]
    """From our tree to the merged one, renames not looked for."""


def write_merge(
    repo: Repo,
    work: Merging,
    settlement: Settlement,
    note: Mapping[str, str],
    *,
    target: bytes,
    dry_run: bool = False,
) -> Written:
    """Store *target*'s merged tree and return the pointer to it, with *note*; a dry run stores nothing.

    Raises: MissingObjectError, HostileInputError, FormatError for a note that is too long.
    """
    sides, trees = work.sides, work.trees
    found = (change_of(trees.find(sides.ours.root_id, path), entry) for path, entry in settlement.changes)
    changes = tuple(change for change in found if change is not None)
    like = _side_with_all(work, changes)
    if like is not None:
        pointer = Pointer(like.root_id, like.is_folder, like.files, like.size_text, note)
    else:
        tree_key = repo.secret.tree_key if repo.secret else None
        is_single = not sides.ours.is_folder
        erased = repo.trees.erased.entries
        key = keys_for_merge(repo.workspace.top, tree_key, target, is_single=is_single, erased=erased)
        root_id = update(trees, sides.ours.root_id, [(c.path, c.new) for c in changes], work.writer, key)
        if not dry_run:
            work.writer.commit()
            root_id = with_smallest_ids(
                trees, root_id, (sides.ours.root_id, sides.theirs.root_id), work.writer
            )
        files = max(sides.ours.files + sum(map(_files_of, changes)), 0)
        pointer = Pointer(root_id, sides.ours.is_folder, files, size_text(_size(work, changes)), note)
    if not dry_run:
        work.writer.commit()
    return Written(pointer, changes)


def _side_with_all(work: Merging, changes: Sequence[Change]) -> Pointer | None:
    """Return the pointer of a side whose tree the merged one is; of two with one view the smaller id's."""
    sides = work.sides
    is_ours = not changes
    is_theirs = [(c.path, c.new) for c in changes] == [(c.path, c.new) for c in work.theirs] and not work.ours
    if is_ours and work.trees.same_view(sides.ours.root_id, sides.theirs.root_id):
        return min(sides.ours, sides.theirs, key=lambda pointer: pointer.root_id)
    return sides.ours if is_ours else sides.theirs if is_theirs else None


def _files_of(change: Change) -> int:
    """Return how many files more a change makes."""
    after = change.new is not None and is_file(change.new)
    return after - (change.old is not None and is_file(change.old))


def _size(work: Merging, changes: Iterable[Change]) -> int:
    """Return about how many bytes the merged tree has: the same whichever side merges.

    A sum over all entries would open every leaf, for a number that is for people.
    """
    grown = sum(c.size_change for c in changes)
    by_ours, by_theirs = (sum(c.size_change for c in side) for side in (work.ours, work.theirs))
    told = [(work.sides.ours.size_text, grown), (work.sides.theirs.size_text, by_ours + grown - by_theirs)]
    if work.sides.base is not None:
        told.append((work.sides.base.size_text, by_ours + grown))
    return merged_size(told)


# -- notes ----------------------------------------------------------------------------------------


def merge_notes(sides: Sides) -> tuple[dict[str, str], tuple[str, ...]]:
    """Merge the notes key by key; returns the note, ours where both changed a key, and those keys."""
    base = {} if sides.base is None else sides.base.note
    ours, theirs = sides.ours.note, sides.theirs.note
    note: dict[str, str] = {}
    conflicts = []
    for key in sorted({*ours, *theirs}):
        was, mine, other = base.get(key), ours.get(key), theirs.get(key)
        if mine not in (was, other) and other != was:
            conflicts.append(key)
        value = other if mine == was else mine
        if value is not None:
            note[key] = value
    return note, tuple(conflicts)
