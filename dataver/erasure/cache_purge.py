"""Take out of a cache what erasure records forbid: contents and recipes, entries of leaves, guides.

The caller holds the cache's lock exclusively.  What costs no room comes first, then packs are
written anew: the new one is durable under its name before the old one goes, so that a run that is
killed anywhere leaves every survivor readable, and the next one finishes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from dataver.disk.abandoned import remove_abandoned
from dataver.disk.atomic import publish_many
from dataver.disk.disk import Clock
from dataver.disk.folders import entries_of
from dataver.erasure.cache_examine import CacheFindings, PackFinding, examine_cache
from dataver.erasure.examine import Examiner
from dataver.errors import (
    CorruptObjectError,
    DiskFullError,
    Failure,
    FormatError,
    PermissionDeniedError,
    local_error,
)
from dataver.formats.pack import TARGET_SIZE, Row
from dataver.formats.root import decode_root, encode_root
from dataver.formats.tree import Leaf, decode_leaf
from dataver.hashing import xxh3_64
from dataver.model.names import ROOT, ObjectName
from dataver.progress import SILENT, Progress
from dataver.store.cache import Cache, CachedPack
from dataver.store.packfile import PackReader, PackWriter, WrittenPack
from dataver.store.sharing import open_to_readers
from dataver.store.sweep import apply_sweep
from dataver.store.sweep_plan import PackPlan, Plan
from dataver.store.trash import Trash


@dataclass(slots=True)
class CachePurged:
    """What was taken out of a cache."""

    objects: int = 0
    """Contents and recipes."""
    leaves: int = 0
    """Leaves and roots that were written anew, or dropped for a fetch to bring again."""
    failed: list[Failure] = field(default_factory=list)
    """What stands in the way: then the cache is not clean yet."""


def purge_cache(
    cache: Cache,
    examiner: Examiner,
    *,
    leaves: Collection[bytes] = (),
    found: CacheFindings | None = None,
    clock: Clock | None = None,
    progress: Progress = SILENT,
) -> CachePurged:
    """Take out of *cache* what *examiner* says; the caller holds the cache's lock exclusively.

    *found* is what `examine_cache` saw of these very packs; without it everything is looked at
    here, with *leaves* as there.  What lacks a right or room is in `failed`, and the others go on.
    A leaf whose replaced entries are not known here is dropped.  Raises: local errors.
    """
    trash = Trash(cache, clock or Clock())
    if found is None:
        found = examine_cache(cache, examiner, leaves=leaves, trash=trash.files(), progress=progress)
    return _Purge(cache, examiner, found, trash, clock or Clock()).run()


class _Purge:
    """One purge under way."""

    def __init__(
        self, cache: Cache, examiner: Examiner, found: CacheFindings, trash: Trash, clock: Clock
    ) -> None:
        self._cache, self._examiner, self._found = cache, examiner, found
        self._trash, self._clock = trash, clock
        self._done = CachePurged(failed=list(found.failed))

    def run(self) -> CachePurged:
        found, done = self._found, self._done
        done.objects, done.leaves = len(found.gone), len(found.changed)
        self._empty_unnamed()
        for file in found.trash:
            self._tried(self._unlink, file.path)
        live = {pack.path: pack for pack in self._packs()}
        mine = [(live[path], finding) for path, finding in found.packs.items() if path in live]
        data = [(pack, finding) for pack, finding in mine if not _is_structure(pack.path)]
        self._sweep(Plan(dead_loose=list(found.loose), packs=list(self._plans(data))))
        structure = [(pack, finding) for pack, finding in mine if _is_structure(pack.path)]
        if structure and self._write_changed(structure):
            self._sweep(Plan(packs=list(self._plans(structure))))
        for path in found.packs:
            if path not in live:
                self._tried(self._rewrite_aside, path)
        self._trash.tidy()
        self._cache.refresh()
        return done

    def _packs(self) -> list[CachedPack]:
        return [*self._cache.packs(structure=True), *self._cache.packs(structure=False)]

    # -- what costs no room -------------------------------------------------------------------

    def _tried(self, step: Callable[[str], None], path: str) -> None:
        """Do one step; what lacks a right or room is listed, and the others go on."""
        try:
            step(path)
        except (PermissionDeniedError, DiskFullError) as error:
            self._done.failed.append(error.failure())

    def _unlink(self, path: str) -> None:
        try:
            self._cache.disk.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise local_error(error, path, "delete") from error

    def _empty_unnamed(self) -> None:
        """Remove what no name leads to: damaged files, which nobody can look into, and temp files."""
        for entry in entries_of(f"{self._cache.folder}/quarantine"):
            self._tried(self._unlink, entry.path)
        remove_temps(self._cache, self._clock)

    # -- packs --------------------------------------------------------------------------------

    def _plans(self, packs: Iterable[tuple[CachedPack, PackFinding]]) -> Iterator[PackPlan]:
        for pack, finding in packs:
            plan = PackPlan(pack, bytearray(pack.table.count), bytearray(pack.table.count))
            rows = sorted(enumerate(pack.table.rows()), key=lambda item: item[1].offset)
            for position, row in rows:
                is_out = position in finding.gone or position in finding.changed
                if is_out or not self._is_sound(pack, row):
                    plan.dead[position] = 1
                    plan.dead_count.add(row.stored)
            yield plan

    def _is_sound(self, pack: CachedPack, row: Row) -> bool:
        """Tell whether a row can be read: one that cannot must not keep the others' pack here."""
        try:
            if xxh3_64(pack.reader.stored(row)) == row.check:
                return True
        except FormatError:
            pass
        what = f"an object in pack {os.path.basename(pack.path)[2:14]}"
        failure = CorruptObjectError(what, "the cache").failure()
        self._done.failed.append(failure._replace(exit_status=0))
        return False

    def _sweep(self, plan: Plan) -> None:
        swept = apply_sweep(self._cache, plan, self._trash, is_final=True)
        self._done.failed += swept.failed
        if any(warning.code == "no-room" for warning in swept.warnings):
            self._done.failed.append(DiskFullError(self._cache.folder).failure())

    def _write_changed(self, packs: Iterable[tuple[CachedPack, PackFinding]]) -> bool:
        """Publish leaves and roots as they are to be, before their old packs go; False on a full disk."""
        written: list[WrittenPack] = []
        writer: PackWriter | None = None
        seen = set(self._found.settled)
        try:
            for pack, finding in packs:
                for name, data in self._changed(pack, finding):
                    if name in seen:
                        continue
                    seen.add(name)
                    if writer is None:
                        writer = PackWriter(self._cache.disk, self._cache.temp_path())
                    writer.add(name, data)
                    if writer.size >= TARGET_SIZE:
                        written.append(writer.close())
                        writer = None
            if writer is not None:
                written.append(writer.close())
            self._cache.publish(written)
        except BaseException as error:
            if writer is not None:
                writer.abort()
            for one in written:
                with contextlib.suppress(OSError):
                    self._cache.disk.unlink(one.path)
            if isinstance(error, DiskFullError):
                self._done.failed.append(error.failure())
                return False
            raise
        return True

    def _changed(self, pack: CachedPack, finding: PackFinding) -> Iterator[tuple[ObjectName, bytes]]:
        """Yield the new bytes of the leaves and roots of one pack that change."""
        rows = sorted(enumerate(pack.table.rows()), key=lambda item: item[1].offset)
        for position, row in rows:
            if position not in finding.changed:
                continue
            data = pack.reader.read(row)
            if row.name[0] == ROOT:
                yield row.name, encode_root(decode_root(data, row.name[2:]).leaves, ())[1]
                continue
            leaf = decode_leaf(data, row.name[2:])
            change = self._examiner.redacted(leaf, self._found.known.get(leaf.leaf_id, ()))
            if change is not None and not self._is_lacking(decode_leaf(change.data, leaf.leaf_id)):
                yield row.name, change.data

    def _is_lacking(self, leaf: Leaf) -> bool:
        """Tell whether another copy of *leaf* holds an entry that stands for one that is gone here."""
        return any(self._examiner.is_replaced(commitment) for commitment in leaf.erased)

    def _rewrite_aside(self, path: str) -> None:
        """Write a pack in the trash anew, in its batch.  Raises: local errors."""
        finding = self._found.packs[path]
        try:
            pack = CachedPack(path, PackReader(path))
        except FileNotFoundError:
            return
        temp = self._cache.temp_path()
        writer = PackWriter(self._cache.disk, temp)
        try:
            (plan,) = self._plans([(pack, finding)])
            for row in sorted(plan.staying(), key=lambda row: row.offset):
                stored = bytes(pack.reader.stored(row))
                writer.add_stored(row.name, row.codec, stored, row.raw, row.check)
            for name, data in self._changed(pack, finding):
                writer.add(name, data)
            if len(writer):
                written = writer.close()
                open_to_readers(self._cache.disk, self._cache.folder, [temp])
                final = f"{os.path.dirname(path)}/{os.path.basename(path)[:2]}{written.pack_id.hex()}"
                publish_many(self._cache.disk, [(temp, final)])
        finally:
            pack.reader.close()
            writer.abort()
        self._unlink(path)


def remove_temps(cache: Cache, clock: Clock) -> int:
    """Remove what killed processes left in the cache's `tmp/`; return how much there was.

    The caller holds the cache's lock exclusively: whoever writes there holds it shared, or the folder's own.
    """
    folder = f"{cache.folder}/tmp"
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return remove_abandoned(cache.disk, clock, fd, [os.fsencode(e.name) for e in entries_of(folder)])
    finally:
        os.close(fd)


def _is_structure(path: str) -> bool:
    return os.path.basename(path).startswith("s-")
