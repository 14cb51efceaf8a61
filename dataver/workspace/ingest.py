"""Read files that a scan found, hash them and, for `add`, lay their bytes into the cache's `tmp/`.

The only module that reads the user's files.  The work is cut into batches of one pack each in
path order; worker processes take them when there is enough of it (threads do not help: the work
is many small system calls).  A file whose stat is not the scan's once it was read has changed
meanwhile, and is reported, never stored.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from dataver.disk.disk import Disk
from dataver.disk.safe_open import open_folder, open_root
from dataver.errors import ChangedWhileReadError, DataverError, Failure, local_error
from dataver.index.columns import OID_SIZE, STAT_FIELDS
from dataver.model.names import Oid, blob_name, oid_of_digest
from dataver.parallel import Processes, worker_count
from dataver.progress import Progress
from dataver.store.cache import Cache
from dataver.store.cache_writer import CacheWriter
from dataver.store.packfile import WrittenPack
from dataver.workspace.reading import CacheFailedError, Reader
from dataver.workspace.snapshot import Snapshot

BATCH_SIZE = 32 * 1024 * 1024
BATCH_FILES = 16_384
PARALLEL_FROM = 2_000
"""Files from which worker processes pay."""


class Place(NamedTuple):
    """Where a target lies: an absolute path, of a folder or of one file."""

    root: bytes
    is_single: bool


class Group(NamedTuple):
    """Files of one folder to read, in the order of their names."""

    folder: bytes
    names: list[bytes]
    rows: list[int]
    cells: list[int]
    """The index's five stat cells for each."""


class Batch(NamedTuple):
    groups: list[Group]
    algorithm: int
    files: int
    size: int
    """In bytes."""


@dataclass(slots=True)
class Taken:
    """What became of one batch."""

    oids: bytearray = field(default_factory=bytearray)
    """The index's cell for each file; zero for one that could not be taken."""
    failed: list[Failure] = field(default_factory=list)
    packs: list[WrittenPack] = field(default_factory=list)
    blobs: list[tuple[str, Oid]] = field(default_factory=list)


def batches(snapshot: Snapshot, algorithm: int, chosen: dict[bytes, list[int]]) -> Iterator[Batch]:
    """Cut the rows to read into batches of about one pack each, in path order of their folders."""
    groups: list[Group] = []
    count = size = 0
    for path in sorted(chosen, key=lambda p: p + b"/"):
        folder = snapshot.folders[path]
        names = folder.names
        with memoryview(folder.stats) as view:
            cells = view.cast("B").cast("q").tolist()
        group = Group(path, [], [], [])
        for row in chosen[path]:
            at = row * STAT_FIELDS
            group.names.append(names[row])
            group.rows.append(row)
            group.cells.extend(cells[at : at + STAT_FIELDS])
            count += 1
            size += cells[at + 1]
            if size >= BATCH_SIZE or count >= BATCH_FILES:
                yield Batch([*groups, group], algorithm, count, size)
                groups, group = [], Group(path, [], [], [])
                count = size = 0
        if group.names:
            groups.append(group)
        folder.forget_names()
    if groups:
        yield Batch(groups, algorithm, count, size)


def hash_only(
    snapshot: Snapshot,
    algorithm: int,
    *,
    jobs: int,
    progress: Progress,
    cache: Cache | None = None,
    rows: dict[bytes, list[int]] | None = None,
) -> list[Failure]:
    """Fill in the oids of *snapshot*'s fresh rows; return what could not be read."""
    work = partial(_take, Place(snapshot.root, snapshot.is_single), cache, None)
    return _run(snapshot, algorithm, work, None, jobs=jobs, progress=progress, label="hashing", rows=rows)


def hash_into(
    snapshot: Snapshot,
    algorithm: int,
    writer: CacheWriter,
    cache: Cache,
    disk: Disk,
    *,
    jobs: int,
    progress: Progress,
    rows: dict[bytes, list[int]] | None = None,
) -> list[Failure]:
    """Fill in the oids of *snapshot*'s fresh rows and give *writer* the content that the cache lacks."""
    # Opened before the workers are forked, so that they share what was read of the tables.
    cache.has(blob_name(oid_of_digest(1, bytes(32))))
    work = partial(_take, Place(snapshot.root, snapshot.is_single), cache, disk)
    return _run(snapshot, algorithm, work, writer, jobs=jobs, progress=progress, label="adding", rows=rows)


def _run(
    snapshot: Snapshot,
    algorithm: int,
    work: partial[Taken],
    writer: CacheWriter | None,
    *,
    jobs: int,
    progress: Progress,
    label: str,
    rows: dict[bytes, list[int]] | None,
) -> list[Failure]:
    chosen = snapshot.fresh if rows is None else rows
    count = sum(map(len, chosen.values()))
    if not count:
        return []
    failures: list[Failure] = []
    order: list[Batch] = []

    def listed() -> Iterator[Batch]:
        for batch in batches(snapshot, algorithm, chosen):
            order.append(batch)
            yield batch

    workers = worker_count(jobs) if count >= PARALLEL_FROM else 1
    with progress.task(label, total=count) as task:
        for taken in Processes.map_ordered(work, listed(), workers):
            batch = order.pop(0)
            if writer is not None:
                writer.take(taken.packs, taken.blobs)
            _fill_in(snapshot, batch, taken.oids)
            failures += taken.failed
            task.advance(batch.files, batch.size)
    return failures


def _fill_in(snapshot: Snapshot, batch: Batch, found: bytearray) -> None:
    at = 0
    for group in batch.groups:
        oids = snapshot.folders[group.folder].oids
        assert isinstance(oids, bytearray)
        size = len(group.rows) * OID_SIZE
        if group.rows[-1] - group.rows[0] + 1 == len(group.rows):
            start = group.rows[0] * OID_SIZE
            oids[start : start + size] = found[at : at + size]
        else:
            for number, row in enumerate(group.rows):
                cell = found[at + number * OID_SIZE : at + (number + 1) * OID_SIZE]
                oids[row * OID_SIZE : (row + 1) * OID_SIZE] = cell
        at += size


def _take(place: Place, cache: Cache | None, disk: Disk | None, batch: Batch) -> Taken:
    """Read one batch; runs in a worker process.  With a *disk* what the cache lacks is kept."""
    taken = Taken()
    base, real_name = place.root, b""
    if place.is_single:
        parent, _, real_name = place.root.rpartition(b"/")
        base = parent or b"/"
    reader = Reader(cache, disk, taken, batch.algorithm)
    root_fd = open_root(base)
    try:
        for group in batch.groups:
            _take_group(reader, root_fd, group, real_name)
        reader.finish()
    except CacheFailedError as failure:
        reader.drop()
        raise failure.cause from failure
    except BaseException:
        reader.drop()
        raise
    finally:
        os.close(root_fd)
    return taken


def _take_group(reader: Reader, root_fd: int, group: Group, real_name: bytes) -> None:
    prefix = group.folder + b"/" if group.folder else b""
    try:
        folder_fd = open_folder(root_fd, group.folder)
    except (OSError, DataverError):
        for name in group.names:
            reader.fail(ChangedWhileReadError(prefix + name), prefix + name)
        return
    cells = group.cells
    try:
        for number, name in enumerate(group.names):
            at = number * STAT_FIELDS
            try:
                reader.take(folder_fd, real_name or name, prefix + name, cells[at : at + STAT_FIELDS])
            except DataverError as error:
                if error.code == "disk-full":
                    raise
                reader.fail(error, prefix + name)
            except FileNotFoundError:
                reader.fail(ChangedWhileReadError(prefix + name), prefix + name)
            except OSError as error:
                reader.fail(local_error(error, prefix + name), prefix + name)
    finally:
        os.close(folder_fd)
