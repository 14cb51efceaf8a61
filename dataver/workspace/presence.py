"""How many entries of a tree have their content neither in the cache: known without looking each up.

What was found complete stays complete while the packs of that moment are there and no folder of
loose blobs changed; so a clean `status` lists two hundred folders instead of asking for each file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dataver.hashing import blake3_of
from dataver.index.state import State
from dataver.model.names import ObjectName
from dataver.store.cache import Cache

if TYPE_CHECKING:
    from dataver.store.trees import Trees

_BATCH = 4_096


def missing_entries(cache: Cache, state: State, trees_of: Callable[[], Trees], root_id: bytes) -> int:
    """Return how many entries of the tree *root_id* have content that the cache lacks.

    Raises: MissingObjectError where the tree itself is not in the cache.
    """
    packs, loose = cache.stamp()
    mark = blake3_of(repr(loose).encode()).hex()
    key = f"present:{root_id.hex()}"
    known = state.get(key)
    if known is not None:
        lines = known.decode("ascii", "replace").split("\n")
        if lines[0] == mark and packs.issuperset(lines[1:]):
            return 0
    lost = 0
    batch: list[ObjectName] = []
    trees = trees_of()
    for name, _ in trees.blobs(root_id):
        batch.append(name)
        if len(batch) >= _BATCH:
            lost += len(cache.missing(batch))
            batch = []
    lost += len(cache.missing(batch))
    if not lost:
        state.put(key, "\n".join([mark, *sorted(packs)]).encode())
    elif known is not None:
        state.put(key, None)
    return lost
