"""Load, search and compare trees that lie in a store.

The only module that decides which leaves are opened: equal leaves never are, and one path costs
one leaf.  What a load gives is a view: the erased set of the journal is applied to every leaf,
so no copy of a leaf needs to be the newest.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Protocol

from dataver.formats.redaction import NOTHING_ERASED, Erased, redact
from dataver.formats.root import decode_root, encode_root
from dataver.formats.tree import Leaf, decode_leaf
from dataver.hashing import Buffer
from dataver.model.diff import Change, compare
from dataver.model.names import TREE_START, ObjectName, blob_name, check_border, leaf_name, root_name
from dataver.model.tree import Entry, LeafRef, Root, after_folder

EMPTY_ROOT_ID = encode_root((), ())[0]
"""The id of the tree without entries."""


class Readable(Protocol):
    """What trees are loaded from."""

    def read(self, name: ObjectName) -> Buffer:
        """Return an object's bytes.  Raises: MissingObjectError, CorruptObjectError."""


class Trees:
    """Trees of one store, as a reader may see them."""

    def __init__(self, store: Readable, erased: Erased = NOTHING_ERASED, *, keep: int = 4) -> None:
        """*keep* leaves that were opened last are remembered."""
        self._store = store
        self.erased = erased
        self._keep = keep
        self._roots: dict[bytes, Root] = {}
        self._recent: dict[bytes, Leaf] = {}
        self.loads = 0
        """Leaves decoded so far; tests count what a verb costs."""

    def root(self, root_id: bytes) -> Root:
        """Raises: MissingObjectError, CorruptObjectError, FormatError."""
        root = self._roots.get(root_id)
        if root is None:
            if root_id == EMPTY_ROOT_ID:
                return Root(root_id, (), ())
            root = decode_root(self._store.read(root_name(root_id)), root_id)
            self._roots[root_id] = root
        return root

    def leaf(self, ref: LeafRef) -> Leaf:
        """Return a verified leaf with the erased set applied.

        Raises: MissingObjectError, CorruptObjectError, FormatError.
        """
        leaf = self._recent.get(ref.leaf_id)
        if leaf is None:
            leaf = decode_leaf(self._store.read(leaf_name(ref.leaf_id)), ref.leaf_id, ref.count)
            leaf = redact(leaf, self.erased)
            self.loads += 1
            if len(self._recent) >= self._keep:
                del self._recent[next(iter(self._recent))]
            self._recent[ref.leaf_id] = leaf
        return leaf

    def entries(self, root_id: bytes, low: bytes = b"", high: bytes | None = None) -> Iterator[Entry]:
        """Yield the entries with `low <= path < high` in path order.

        Raises: HostileInputError where leaves overlap, or a file of one is a folder of another.
        """
        if low and high == low + b"\0":
            entry = self.find(root_id, low)  # one path that is there costs one leaf
            yield from () if entry is None else (entry,)
            return
        root = self.root(root_id)
        start = self.leaf_of(root, low) if low else 0
        border = TREE_START
        for position in range(start, len(root.leaves)):
            view = self.leaf(root.leaves[position]).view
            border = check_border(border, [entry.path for entry in view])
            if high is not None and view and view[0].path >= high:
                return
            for entry in view:
                if low <= entry.path and (high is None or entry.path < high):
                    yield entry

    def find(self, root_id: bytes, path: bytes) -> Entry | None:
        """Return the entry at *path*, or None; one that is there costs one leaf."""
        root = self.root(root_id)
        if not root.leaves:
            return None
        guess = _guessed(root, path)
        found = _in_view(self.view(root, guess), path)
        if found is None:
            position = self.leaf_of(root, path)
            found = _in_view(self.view(root, position), path) if position != guess else None
        return found

    def holds(self, root_id: bytes, path: bytes) -> bool:
        """Tell whether *path* is an entry, or a folder that has some."""
        if self.find(root_id, path) is not None:
            return True
        return next(self.entries(root_id, path + b"/", after_folder(path)), None) is not None

    def view(self, root: Root, position: int) -> list[Entry]:
        """Return the entries that a reader sees of the leaf at *position*."""
        return self.leaf(root.leaves[position]).view

    def leaf_of(self, root: Root, path: bytes) -> int:
        """Return the position of the leaf that *path* falls into: the last that starts at or before it.

        The guide is where the search begins; the leaves themselves decide.
        """
        last = len(root.leaves) - 1
        position = _guessed(root, path)
        while position > 0 and not self._starts_by(root, position, path):
            position -= 1
        while position < last and self._next_starts_by(root, position, path):
            position += 1
        return position

    def _starts_by(self, root: Root, position: int, path: bytes) -> bool:
        view = self.view(root, position)
        return bool(view) and view[0].path <= path

    def _next_starts_by(self, root: Root, position: int, path: bytes) -> bool:
        # A leaf whose entries are all erased says nothing: the next one that shows any does.
        for later in range(position + 1, len(root.leaves)):
            if self.view(root, later):
                return self._starts_by(root, later, path)
        return False

    def diff(self, old_id: bytes | None, new_id: bytes | None) -> Iterator[Change]:
        """Yield what differs, in path order, without looking for renames.

        Leaves that both trees have are never opened.  None stands for the empty tree.
        """
        if old_id == new_id:
            return iter(())
        olds = self.root(old_id).leaves if old_id else ()
        news = self.root(new_id).leaves if new_id else ()
        shared = {r.leaf_id for r in olds} & {r.leaf_id for r in news}
        return compare(self._unshared(olds, shared), self._unshared(news, shared))

    def _unshared(self, leaves: Sequence[LeafRef], shared: set[bytes]) -> Iterator[Entry]:
        border = TREE_START
        for ref in leaves:
            if ref.leaf_id not in shared:
                view = self.leaf(ref).view
                border = check_border(border, [entry.path for entry in view])
                yield from view

    def same_view(self, old_id: bytes, new_id: bytes) -> bool:
        """Tell whether two trees show the same entries, whatever their ids."""
        return old_id == new_id or next(self.diff(old_id, new_id), None) is None

    def erased_count(self, root_id: bytes) -> int:
        """Return how many entries of a tree are erased; opens leaves only where records exist."""
        if not self.erased:
            return 0
        return sum(len(self.leaf(ref).erased) for ref in self.root(root_id).leaves)

    def structure(self, root_id: bytes) -> list[ObjectName]:
        """Return the names of a tree's root and leaves."""
        return [root_name(root_id), *(leaf_name(r.leaf_id) for r in self.root(root_id).leaves)]

    def blobs(self, root_id: bytes) -> Iterator[tuple[ObjectName, Entry]]:
        """Yield the name of each file's content with its entry, in path order."""
        for entry in self.entries(root_id):
            if entry.oid is not None:
                yield blob_name(entry.oid), entry


def _guessed(root: Root, path: bytes) -> int:
    return max(bisect.bisect_right(root.guide, path) - 1, 0)


def _in_view(view: list[Entry], path: bytes) -> Entry | None:
    place = bisect.bisect_left(view, path, key=itemgetter(0))
    return view[place] if place < len(view) and view[place].path == path else None
