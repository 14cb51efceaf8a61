"""Whether a target's files fit: into the cache before they are added, into the workspace before a checkout.

The first answer is one system call; only where it would be no is it worked out what takes no room:
shared blocks, links, and files that go.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from dataver.disk.link import LinkType
from dataver.disk.space import can_share_blocks, check_space, free_space
from dataver.errors import DiskFullError
from dataver.index.columns import Columns
from dataver.model.names import blob_name
from dataver.model.plan import CheckoutPlan
from dataver.model.tree import EXECUTABLE, Entry
from dataver.workspace.snapshot import Snapshot
from dataver.workspace.workspace import Workspace


def check_room_to_add(
    workspace: Workspace, snapshot: Snapshot, columns: Columns | None, rows: Mapping[bytes, Sequence[int]]
) -> None:
    """Check that the large ones of the files to read fit into the cache; small ones are compressed there.

    A file that the index knows with the same size was touched rather than changed, and is not counted.

    Raises: DiskFullError.
    """
    folder = workspace.cache.folder
    free = free_space(folder)
    if free is None or snapshot.size <= free:
        return
    least = workspace.cache.pack_below
    need = 0
    largest: tuple[int, bytes] = (0, b"")
    for path, chosen in rows.items():
        found = snapshot.folders[path]
        known = columns.get(path) if columns is not None else None
        sizes = {} if known is None else {n: known.stat(r)[1] for r, n in enumerate(known.names)}
        for row in chosen:
            size = found.stat(row)[1]
            name = found.names[row]
            if size >= least and sizes.get(name) != size:
                need += size
                largest = max(largest, (size, path + b"/" + name if path else name))
    try:
        check_space(folder, need)
    except DiskFullError:
        source = snapshot.root if snapshot.is_single else snapshot.root + b"/" + largest[1]
        if not can_share_blocks(workspace.disk, source, os.path.dirname(workspace.cache.temp_path())):
            raise


def check_room_to_write(
    workspace: Workspace,
    root: bytes,
    plan: CheckoutPlan,
    links: Sequence[LinkType],
    *,
    size: int,
    sample: Callable[[], Iterable[Entry]],
) -> None:
    """Check that what a checkout writes fits beside what it takes away.

    *root* is the folder that it writes to.  For a plan that is a stream *size* is how many bytes the
    version has at least, and *sample* gives some of its entries.

    Raises: DiskFullError.
    """
    writes = plan.writes if isinstance(plan.writes, tuple) else None
    need = size if writes is None else sum(e.size for e in writes)
    free = free_space(root)
    if free is None or need <= free:
        return
    cache = workspace.cache
    loose = [e for e in (sample() if writes is None else writes) if e.oid and cache.loose.has(e.oid)]
    if loose and _is_free(workspace, root, loose, links):
        if writes is None:
            return  # what its small files need, nobody has counted: the writing itself will say
        need -= sum(e.size for e in loose if "reflink" in links or e.kind != EXECUTABLE)
    need -= sum(_freed(workspace, root, c.old) for c in plan.changes if c.old is not None)
    check_space(root, need)


def _freed(workspace: Workspace, root: bytes, old: Entry) -> int:
    """Return the bytes that are free once *old* is gone; what goes to the trash is not."""
    if old.oid is None or not workspace.cache.has(blob_name(old.oid)):
        return 0
    try:
        found = os.lstat(root + b"/" + old.path)
    except OSError:
        return 0
    return found.st_blocks * 512 if found.st_nlink == 1 else 0


def _is_free(workspace: Workspace, root: bytes, loose: Sequence[Entry], links: Sequence[LinkType]) -> bool:
    """Tell whether files of the cache come into the workspace without taking room."""
    oid = loose[0].oid
    assert oid is not None
    source = workspace.cache.loose.path(oid)
    if links and links[0] == "symlink":
        return True
    there = root
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    found = os.stat(source)
    if found.st_dev != os.stat(there).st_dev:
        return False
    is_linked = "hardlink" in links and found.st_uid == os.geteuid()
    return is_linked or ("reflink" in links and can_share_blocks(workspace.disk, source, there))
