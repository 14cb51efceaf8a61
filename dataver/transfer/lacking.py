"""How many objects of a tree a remote lacks, asked without sending anything."""

from __future__ import annotations

from dataver.errors import MissingObjectError
from dataver.model.names import ObjectName, root_name
from dataver.store.remote import Remote
from dataver.store.trees import Trees

_BATCH = 10_000


def count_lacking(trees: Trees, remote: Remote, root_id: bytes) -> int:
    """Return how many objects of the tree *root_id* are not on *remote*, whose journal was read.

    A tree that is not here either counts as one object when the remote lacks its root.
    """
    root = root_name(root_id)
    if root in remote.complete_roots([root]):
        return 0
    try:
        names: list[ObjectName] = trees.structure(root_id)
    except MissingObjectError:
        return len(remote.missing([root]))
    lacking = len(remote.missing(names))
    batch: list[ObjectName] = []
    for name, _ in trees.blobs(root_id):
        batch.append(name)
        if len(batch) >= _BATCH:
            lacking += _missing(remote, batch)
            batch = []
    return lacking + _missing(remote, batch)


def _missing(remote: Remote, blobs: list[ObjectName]) -> int:
    """Count blobs that lie there neither whole nor as a recipe of chunks."""
    lacking = remote.missing(list(dict.fromkeys(blobs)))
    if not lacking:
        return 0
    recipes = [ObjectName(b"\x03" + name[1:]) for name in lacking]
    return len(remote.missing(recipes))
