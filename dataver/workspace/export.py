"""Write a version of a target into another folder, beside the present one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dataver.disk.atomic import make_folders
from dataver.disk.link import LinkType
from dataver.errors import UnsafeError, show_path
from dataver.formats.pointer import Pointer
from dataver.store.cache import Cache
from dataver.store.trees import Trees
from dataver.workspace.checkout import BATCH_FILES
from dataver.workspace.clearing import Outcome
from dataver.workspace.placing import Placement, place_batch
from dataver.workspace.sparse import Sparse


class Version(NamedTuple):
    """What to write."""

    path: bytes
    """Of the target, from the top."""
    pointer: Pointer
    patterns: tuple[bytes, ...]
    """Paths inside the target; empty for all of it."""


def export(cache: Cache, trees: Trees, version: Version, folder: Path, links: Sequence[LinkType]) -> Outcome:
    """Write the files of *version* below *folder*, where nothing of it may exist; nothing is remembered.

    Raises: UnsafeError where something is there already, local errors.
    """
    path, pointer, patterns = version
    place = os.fsencode(folder) + b"/" + path
    if os.path.lexists(place):
        raise UnsafeError(f"{show_path(place)} exists", hint="name another folder with --to")
    root = place if pointer.is_folder else os.path.dirname(place)
    make_folders(cache.disk, os.fsdecode(root))
    single = b"" if pointer.is_folder else os.path.basename(place)
    sparse = Sparse(patterns)
    outcome = Outcome()
    batch: list[Placement] = []

    def write(placements: list[Placement]) -> None:
        placed = place_batch(root, single, cache, cache.disk, links, placements)
        outcome.written += placed.files
        outcome.size += placed.size
        outcome.failed += placed.failed

    for entry in trees.entries(pointer.root_id):
        if sparse.matches(entry.path):
            batch.append(Placement(entry, None))
        if len(batch) >= BATCH_FILES:
            write(batch)
            batch = []
    write(batch)
    return outcome
