"""Leaves that show the same entries under different ids, in a merge: the smallest id wins.

So two people who merge the same two versions, each from their own side, come to one root id, though
a leaf was drawn with a random key, or entries of one copy were erased.
"""

from __future__ import annotations

from collections.abc import Iterable

from dataver.errors import MissingObjectError
from dataver.formats.root import encode_root
from dataver.model.names import root_name
from dataver.model.tree import LeafRef
from dataver.store.trees import Trees
from dataver.store.treewriter import Writable


def with_smallest_ids(trees: Trees, root_id: bytes, sides: tuple[bytes, bytes], store: Writable) -> bytes:
    """Return the id of a merged tree in which equal leaves are those of *sides* (roots) with the smallest id.

    Opens leaves that one side has and the other has not, which a merge has just opened; a changed
    root goes into *store*.
    """
    ours, theirs = (set(trees.root(side).leaves) for side in sides)
    root = trees.root(root_id)
    only = sorted(ours ^ theirs)
    suspects = [ref for ref in root.leaves if ref not in ours or ref not in theirs]
    if not only or not suspects:
        return root_id
    known = _by_start(trees, only)
    leaves = tuple(_smallest(trees, ref, known) if ref in suspects else ref for ref in root.leaves)
    if leaves == root.leaves:
        return root_id
    changed, data = encode_root(leaves, root.guide)
    store.add(root_name(changed), data)
    return changed


def _by_start(trees: Trees, refs: Iterable[LeafRef]) -> dict[bytes, list[LeafRef]]:
    found: dict[bytes, list[LeafRef]] = {}
    for ref in refs:
        view = trees.leaf(ref).view
        if view:
            found.setdefault(view[0].path, []).append(ref)
    return found


def _smallest(trees: Trees, ref: LeafRef, known: dict[bytes, list[LeafRef]]) -> LeafRef:
    """Return the leaf of a side that shows what *ref* shows, with the smallest id; *ref* where none does."""
    try:
        view = trees.leaf(ref).view
    except MissingObjectError:
        return ref  # just built and not stored yet
    equal = [
        other for other in known.get(view[0].path if view else b"", ()) if trees.leaf(other).view == view
    ]
    return min(equal, key=lambda other: other.leaf_id, default=ref)
