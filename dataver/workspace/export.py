"""Write a version of a target into another folder, beside the present one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dataver.disk.disk import Disk
from dataver.disk.link import LinkType
from dataver.errors import UnsafeError, show_path
from dataver.formats.pointer import Pointer
from dataver.store.cache import Cache
from dataver.store.trees import Trees
from dataver.workspace.checkout import BATCH_FILES
from dataver.workspace.clearing import Outcome
from dataver.workspace.placing import Placement, place_batch
from dataver.workspace.sparse import Sparse


def export(
    cache: Cache,
    disk: Disk,
    trees: Trees,
    path: bytes,
    pointer: Pointer,
    patterns: tuple[bytes, ...],
    folder: Path,
    links: Sequence[LinkType],
) -> Outcome:
    """Write the files of *pointer* to *folder*/*path*, which must not exist; nothing is remembered.

    Raises: UnsafeError where something is there already, local errors.
    """
    place = os.fsencode(folder) + b"/" + path
    if os.path.lexists(place):
        raise UnsafeError(f"{show_path(place)} exists", hint="name another folder with --to")
    root = place if pointer.is_folder else os.path.dirname(place)
    os.makedirs(root, exist_ok=True)
    single = b"" if pointer.is_folder else os.path.basename(place)
    sparse = Sparse(patterns)
    outcome = Outcome()
    batch: list[Placement] = []
    for entry in trees.entries(pointer.root_id):
        if sparse.matches(entry.path):
            batch.append(Placement(entry, None))
        if len(batch) >= BATCH_FILES:
            _place(root, single, cache, disk, links, batch, outcome)
            batch = []
    _place(root, single, cache, disk, links, batch, outcome)
    return outcome


def _place(
    root: bytes,
    single: bytes,
    cache: Cache,
    disk: Disk,
    links: Sequence[LinkType],
    batch: list[Placement],
    outcome: Outcome,
) -> None:
    placed = place_batch(root, single, cache, disk, links, batch)
    outcome.written += placed.files
    outcome.size += placed.size
    outcome.failed += placed.failed
