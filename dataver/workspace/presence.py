"""Whether a tree's content is in the cache, known without looking each blob up.

What was found complete stays complete while the packs of that moment are there and no folder of
loose blobs changed; so a clean `status` lists two hundred folders instead of asking for each file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dataver.hashing import blake3_of
from dataver.index.columns import Columns, Folder
from dataver.index.state import State
from dataver.model.names import ObjectName, blob_name
from dataver.store.census import stamp
from dataver.workspace.snapshot import Snapshot, oid_of_cell

if TYPE_CHECKING:
    from dataver.store.cache import Cache
    from dataver.store.trees import Trees

_BATCH = 4_096


def missing_entries(
    folder: str, cache_of: Callable[[], Cache], state: State, trees_of: Callable[[], Trees], root_id: bytes
) -> int:
    """Return how many entries of the tree *root_id* have content that the cache in *folder* lacks.

    Raises: MissingObjectError where the tree itself is not in the cache.
    """
    if is_known_complete(folder, state, root_id):
        return 0
    cache = cache_of()
    lost = 0
    batch: list[ObjectName] = []
    for name, _ in trees_of().blobs(root_id):
        batch.append(name)
        if len(batch) >= _BATCH:
            lost += len(cache.missing(batch))
            batch = []
    lost += len(cache.missing(batch))
    if not lost:
        note_complete(folder, state, root_id)
    return lost


def is_known_complete(folder: str, state: State, root_id: bytes) -> bool:
    """Tell whether all content of a tree was in the cache once and nothing vanished since."""
    known = state.get(_key(root_id))
    if known is None:
        return False
    mark, *packs = known.decode("ascii", "replace").split("\n")
    present, loose = stamp(folder)
    return mark == _mark(loose) and present.issuperset(packs)


def note_complete(folder: str, state: State, root_id: bytes) -> None:
    """Remember that all content of a tree is in the cache now."""
    packs, loose = stamp(folder)
    state.put(_key(root_id), "\n".join([_mark(loose), *sorted(packs)]).encode())


def _key(root_id: bytes) -> str:
    return f"present:{root_id.hex()}"


def _mark(loose: tuple[int, ...]) -> str:
    return blake3_of(repr(loose).encode()).hex()


def add_unsaved(snapshot: Snapshot, columns: Columns | None, cache: Cache, state: State) -> None:
    """Count rows as fresh whose content is known but not in the cache: `status` hashed them, or the
    cache lost them."""
    if columns is not None and columns.root_id and is_known_complete(cache.folder, state, columns.root_id):
        found: dict[bytes, list[int]] = {}
        for path in columns.touched:
            place = snapshot.find(path)
            if place is not None:
                found.setdefault(path.rpartition(b"/")[0], []).append(place[1])
    else:
        found = {path: list(range(folder.count)) for path, folder in snapshot.folders.items()}
    for path, rows in found.items():
        _add_unsaved(snapshot, path, rows, cache)


def _add_unsaved(snapshot: Snapshot, path: bytes, rows: list[int], cache: Cache) -> None:
    folder = snapshot.folders[path]
    names: dict[ObjectName, list[int]] = {}
    for row in rows:
        cell = folder.oid(row)
        oid = oid_of_cell(cell)
        if oid is not None:
            names.setdefault(blob_name(oid), []).append(row)
    lost = [row for name in cache.missing(names) for row in names[name]]
    if not lost:
        return
    # The rows are read again, so their cells must be writable: they may be the index's own pages.
    oids = bytearray(folder.oids)
    snapshot.folders[path] = Folder(folder.own, folder.joined, folder.stats, oids)
    snapshot.fresh[path] = sorted({*snapshot.fresh.get(path, ()), *lost})
