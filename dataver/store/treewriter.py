"""Save trees: whole ones from a stream of entries, changed ones by rebuilding few leaves.

The only module that decides where leaves are cut.  Whatever way a tree came about, the same
entries are cut the same way: a changed range is cut again from the last hash boundary before it
to the first one after it, and everything else is kept as it is, stubs of erased entries included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from dataver.errors import CorruptObjectError, FormatError, MissingObjectError
from dataver.formats.root import encode_root
from dataver.formats.tree import Leaf, build_leaf, check_entries
from dataver.hashing import Buffer
from dataver.model.names import ObjectName, leaf_name, root_name
from dataver.model.tree import Entry, LeafRef, cut, is_boundary, separator
from dataver.store.trees import Trees

KeyOf = Callable[[list[bytes]], bytes]
"""Gives a leaf's key for its encoded entries; see `formats.tree.leaf_key`."""

IsStale = Callable[[Leaf], bool]
"""Tells whether an old leaf may not be kept as it is, though it shows the right entries."""

PathChange = tuple[bytes, Entry | None]
"""A path and its new entry; None deletes."""


class Writable(Protocol):
    """What trees are saved to."""

    def add(self, name: ObjectName, data: Buffer) -> None: ...


def save(
    entries: Iterable[Entry], store: Writable, key_of: KeyOf, *, kept: KeptLeaves | None = None
) -> bytes:
    """Cut *entries* (sorted by path) into leaves, store them and then their root; return its id.

    A leaf of an old tree, *kept*, is taken where it shows the same entries.

    Raises: HostileInputError for a name that no tree may hold.
    """
    refs: list[LeafRef] = []
    guide: list[bytes] = []
    last = b""
    for group in cut(entries):
        refs.append((kept.find(group) if kept else None) or _stored(group, store, key_of))
        guide.append(separator(last, group[0].path) if last else b"")
        last = group[-1].path
    return _stored_root(refs, guide, store)


class KeptLeaves:
    """The leaves of an old tree that can still be read, by what they show.

    Keys that were drawn at random cannot be drawn again: only so a tree that is made anew of the same
    entries keeps its id.
    """

    def __init__(self, trees: Trees, root_id: bytes, is_stale: IsStale) -> None:
        """Opens every leaf once; those that are missing or damaged are passed over."""
        self._trees = trees
        self._at: dict[bytes, LeafRef] = {}
        try:
            refs = trees.root(root_id).leaves
        except (MissingObjectError, CorruptObjectError, FormatError):
            return
        for ref in refs:
            try:
                leaf = trees.leaf(ref)
            except (MissingObjectError, CorruptObjectError, FormatError):
                continue
            if leaf.view and not is_stale(leaf):
                self._at[leaf.view[0].path] = ref

    def find(self, group: list[Entry]) -> LeafRef | None:
        """Return the leaf that shows *group*, or None."""
        ref = self._at.get(group[0].path)
        return ref if ref is not None and self._trees.leaf(ref).view == group else None


def _stored(group: list[Entry], store: Writable, key_of: KeyOf) -> LeafRef:
    check_entries(group)
    leaf_id, data = build_leaf(group, key_of)
    store.add(leaf_name(leaf_id), data)
    return LeafRef(leaf_id, len(group))


def _stored_root(refs: Sequence[LeafRef], guide: Sequence[bytes], store: Writable) -> bytes:
    root_id, data = encode_root(refs, guide)
    if refs:
        store.add(root_name(root_id), data)
    return root_id


def update(
    trees: Trees,
    old_id: bytes | None,
    changes: Iterable[PathChange],
    store: Writable,
    key_of: KeyOf,
    *,
    is_stale: IsStale | None = None,
) -> bytes:
    """Store the tree that *changes* (sorted by path) make of an old one; return its id.

    Opens the leaves that changes fall into and their neighbours; with *is_stale* all, and those that
    are stale are stored anew.  A changed leaf is rebuilt from its view, so it never carries a stub.

    Raises: MissingObjectError, CorruptObjectError, FormatError, HostileInputError.
    """
    if old_id is None or not trees.root(old_id).leaves:
        return save((e for _, e in changes if e is not None), store, key_of)
    return _Update(trees, old_id, store, key_of, is_stale).run(changes)


class _Piece(NamedTuple):
    """One leaf of the new tree."""

    ref: LeafRef
    old: int
    """Its position in the old tree when it was kept; -1 when it was built."""
    entries: list[Entry]
    """Of a built leaf."""


class _Update:
    """One pass over the old leaves, with the entries that wait to be cut anew."""

    def __init__(
        self, trees: Trees, old_id: bytes, store: Writable, key_of: KeyOf, is_stale: IsStale | None
    ) -> None:
        self._trees, self._store, self._key_of, self._is_stale = trees, store, key_of, is_stale
        self._old = trees.root(old_id)
        self._guide = self._old.guide
        self._pieces: list[_Piece] = []
        self._waiting: list[Entry] = []
        self._taken: dict[bytes, int] = {}
        """First path -> position of each old leaf whose entries were put among those that wait."""

    def run(self, changes: Iterable[PathChange]) -> bytes:
        falling: dict[int, list[PathChange]] = {}
        for change in changes:
            falling.setdefault(self._trees.leaf_of(self._old, change[0]), []).append(change)
        if not falling and self._is_stale is None:
            return self._old.root_id
        for position, ref in enumerate(self._old.leaves):
            here = falling.get(position)
            merged = _applied(self._view(position), here) if here else []
            if here and merged != self._view(position):
                self._rebuild(position, merged)
            elif self._waiting and not self._is_anchor(position):
                self._take(position)
                self._waiting += self._view(position)
            else:
                self._cut()
                kept = self._is_kept(position)
                self._pieces.append(_Piece(ref, position, []) if kept else self._built(self._view(position)))
        self._cut()
        refs = [p.ref for p in self._pieces]
        if tuple(refs) == self._old.leaves:
            return self._old.root_id
        return _stored_root(refs, self._new_guide(), self._store)

    def _view(self, position: int) -> list[Entry]:
        return self._trees.view(self._old, position)

    def _is_kept(self, position: int) -> bool:
        return self._is_stale is None or not self._is_stale(self._trees.leaf(self._old.leaves[position]))

    def _built(self, entries: list[Entry]) -> _Piece:
        return _Piece(_stored(entries, self._store, self._key_of), -1, entries)

    def _take(self, position: int) -> None:
        view = self._view(position)
        if view:
            self._taken[view[0].path] = position

    def _is_anchor(self, position: int) -> bool:
        """Tell whether a cut begins with this leaf whatever stands before it."""
        view = self._view(position)
        return not view or is_boundary(view[0].path)

    def _rebuild(self, position: int, merged: list[Entry]) -> None:
        begins_cut = bool(merged) and is_boundary(merged[0].path)
        if begins_cut:
            self._cut()
        elif not self._waiting:
            self._pull_back()
        self._take(position)
        self._waiting += merged

    def _pull_back(self) -> None:
        """Take leaves of the new tree back until what waits begins where a cut begins."""
        while self._pieces:
            piece = self._pieces.pop()
            view = piece.entries if piece.old < 0 else self._view(piece.old)
            if piece.old >= 0:
                self._take(piece.old)
            self._waiting = [*view, *self._waiting]
            if view and is_boundary(view[0].path):
                return

    def _cut(self) -> None:
        for group in cut(self._waiting):
            self._pieces.append(self._same(group) or self._built(group))
        self._waiting = []
        self._taken = {}

    def _same(self, group: list[Entry]) -> _Piece | None:
        """Return the old leaf that shows *group*, to be kept: its id need not be that of a new one."""
        position = self._taken.get(group[0].path)
        if position is None or self._view(position) != group or not self._is_kept(position):
            return None
        return _Piece(self._old.leaves[position], position, [])

    def _new_guide(self) -> list[bytes]:
        """Return the separators; those between leaves that were neighbours before are known."""
        guide = [b""] if self._pieces else []
        for before, here in zip(self._pieces, self._pieces[1:], strict=False):
            if self._guide and before.old >= 0 and here.old == before.old + 1 and self._guide[here.old]:
                guide.append(self._guide[here.old])
                continue
            left = before.entries if before.old < 0 else self._view(before.old)
            right = here.entries if here.old < 0 else self._view(here.old)
            # Nothing known on one side: blank, which readers take for "no guide".
            guide.append(separator(left[-1].path, right[0].path) if left and right else b"")
        return guide


def _applied(view: list[Entry], changes: Sequence[PathChange]) -> list[Entry]:
    """Return *view* with *changes* applied, sorted by path."""
    merged: dict[bytes, Entry] = {e.path: e for e in view}
    for path, entry in changes:
        if entry is None:
            merged.pop(path, None)
        else:
            merged[path] = entry
    return [merged[path] for path in sorted(merged)]
