"""Take away from a cache what is not needed: first what costs no space, then packs written anew.

The only module that removes sound objects from a cache.  The order is the promise: what stays of
a pack is durable under its new name before the old one goes, so that a run that is killed anywhere
leaves everything that is needed with a name, and the next one finishes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from dataver.disk.space import free_space
from dataver.errors import (
    CorruptObjectError,
    DiskFullError,
    Failure,
    FormatError,
    PermissionDeniedError,
    local_error,
)
from dataver.formats.pack import ROW_SIZE, TARGET_SIZE, Row
from dataver.hashing import xxh3_64
from dataver.model.names import ObjectName
from dataver.store.cache import Cache, CachedPack
from dataver.store.lookup import Lookup
from dataver.store.packfile import PackWriter, WrittenPack
from dataver.store.sweep_plan import Count, PackPlan, Plan
from dataver.store.trash import Trash

RESERVE = 256 * 1024
"""Bytes that stay free while packs are written anew."""

T = TypeVar("T")


@dataclass(slots=True)
class Swept:
    """What a sweep came to."""

    dead: Count = field(default_factory=Count)
    freed: Count = field(default_factory=Count)
    failed: list[Failure] = field(default_factory=list)
    warnings: list[Failure] = field(default_factory=list)


def apply_sweep(cache: Cache, plan: Plan, trash: Trash, *, is_final: bool) -> Swept:
    """Do what *plan* says; with *is_final* nothing is set aside, all of it is deleted.

    What needs no space comes first, so that a full disk has room for the rest.  Raises: local
    errors; what only lacks permission is in `failed`, and the others go on.
    """
    return _Sweep(cache, plan, trash, is_final=is_final).run()


class _Sweep:
    """One sweep under way."""

    def __init__(self, cache: Cache, plan: Plan, trash: Trash, *, is_final: bool) -> None:
        self._cache, self._plan, self._trash, self._is_final = cache, plan, trash, is_final
        self._done = Swept()

    def run(self) -> Swept:
        for oid, size in self._plan.freed_loose:
            if self._tried(self._unlink, self._cache.loose.path(oid)):
                self._done.freed.add(size)
        for oid, size in self._plan.dead_loose:
            if (
                self._tried(self._unlink, self._cache.loose.path(oid))
                if self._is_final
                else self._tried(self._trash.take_loose, oid)
            ):
                self._done.dead.add(size)
        mixed = []
        for plan in self._plan.packs:
            if plan.is_whole:
                self._drop(plan)
            else:
                mixed.append(plan)
        if mixed:
            self._write_anew(mixed)
        self._cache.refresh()
        return self._done

    # -- what costs no space

    def _tried(self, step: Callable[[T], None], what: T) -> bool:
        """Do one step; files of another user that may not be touched are listed, and the others go on."""
        try:
            step(what)
        except PermissionDeniedError as error:
            self._done.failed.append(error.failure())
            return False
        return True

    def _unlink(self, path: str) -> None:
        try:
            self._cache.disk.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise local_error(error, path, "delete") from error

    def _drop(self, plan: PackPlan) -> None:
        """Take away a pack's file: all that stays of it, if anything, is durable elsewhere."""
        if self._is_final or plan.freed_count.objects:
            is_gone = self._tried(self._unlink, plan.pack.path)
            if is_gone:
                # An open file that has no name any more still takes its space.
                plan.pack.reader.close()
        else:
            is_gone = self._tried(self._trash.take_pack, plan.pack)
        if is_gone:
            self._done.dead.add(plan.dead_count.size, plan.dead_count.objects)
            self._done.freed.add(plan.freed_count.size, plan.freed_count.objects)

    # -- packs of which something stays

    def _write_anew(self, plans: Sequence[PackPlan]) -> None:
        """Write what stays of *plans* into new packs, as far as there is room."""
        others = _Others(self._cache, [plan.pack for plan in plans])
        waiting = sorted(plans, key=lambda plan: plan.staying_size)
        for structure in (True, False):
            mine = [plan for plan in waiting if _is_structure(plan) is structure]
            while mine:
                group = self._group(mine)
                if not group or not self._replace(group, others):
                    self._say_full(len(mine))
                    break
                mine = mine[len(group) :]

    def _group(self, plans: Sequence[PackPlan]) -> list[PackPlan]:
        """Return the first of *plans* that fit into one pack and on the disk, at least one that does."""
        free = free_space(self._cache.folder)
        group: list[PackPlan] = []
        size = 0
        for plan in plans:
            size += plan.staying_size
            # Where nobody can say, the writing itself will.
            is_full = free is not None and size > free - RESERVE
            if is_full or (group and size > TARGET_SIZE):
                break
            group.append(plan)
        return group

    def _replace(self, group: Sequence[PackPlan], others: _Others) -> bool:
        """Publish what stays of *group* as one pack, then take the old ones away; False on a full disk."""
        try:
            written, sound = self._written(group, others)
            if written is not None:
                self._cache.publish([written])
        except DiskFullError:
            return False
        for plan in sound:
            self._drop(plan)
        return True

    def _written(
        self, group: Sequence[PackPlan], others: _Others
    ) -> tuple[WrittenPack | None, list[PackPlan]]:
        """Write what stays of *group*; return the pack, None if none is needed, and whose it is."""
        writer = PackWriter(self._cache.disk, self._cache.temp_path())
        sound = []
        try:
            for plan in group:
                rows = others.without(list(plan.staying()))
                if self._is_sound(plan.pack, rows):
                    for row in sorted(rows, key=lambda r: r.offset):
                        stored = bytes(plan.pack.reader.stored(row))
                        writer.add_stored(row.name, row.codec, stored, row.raw, row.check)
                    sound.append(plan)
            if not len(writer):
                writer.abort()
                return None, sound
            return writer.close(), sound
        except BaseException:
            writer.abort()
            raise

    def _is_sound(self, pack: CachedPack, rows: Sequence[Row]) -> bool:
        """Tell whether *rows* can be read; a pack that is damaged stays as it is, for who mends it."""
        try:
            in_order = sorted(rows, key=lambda row: row.offset)  # else each would be a read of its own
            if all(xxh3_64(pack.reader.stored(row)) == row.check for row in in_order):
                return True
        except FormatError:
            pass
        what = f"pack {os.path.basename(pack.path)[2:14]}"
        self._done.failed.append(CorruptObjectError(what, "the cache").failure())
        return False

    def _say_full(self, count: int) -> None:
        text = f"{count} packs of the cache hold what nothing needs, and there is no room to write them anew"
        self._done.warnings.append(Failure(b"", "no-room", text, "dataver gc --now", 0))


class _Others:
    """The packs that stay as they are: what they hold need not be written again."""

    def __init__(self, cache: Cache, going: Sequence[CachedPack]) -> None:
        paths = {pack.path for pack in going}
        packs = [*cache.packs(structure=True), *cache.packs(structure=False)]
        self._packs = [pack for pack in packs if pack.path not in paths and pack.reader.is_open]
        self._lookup = Lookup([pack.table.rows_data for pack in self._packs], ROW_SIZE)

    def without(self, rows: Sequence[Row]) -> list[Row]:
        """Return those of *rows* of which no other pack has a sound copy.

        A run that was killed after it published and before it deleted leaves such copies.
        """
        names = [row.name for row in rows]
        return [
            row
            for row, found in zip(rows, self._lookup.find_many(names), strict=True)
            if found is None or not self._is_sound(found, row.name)
        ]

    def _is_sound(self, found: tuple[int, int], name: ObjectName) -> bool:
        pack = self._packs[found[0]]
        row = pack.table.row(found[1])
        try:
            return row.name == name and xxh3_64(pack.reader.stored(row)) == row.check
        except FormatError:
            return False


def _is_structure(plan: PackPlan) -> bool:
    return os.path.basename(plan.pack.path).startswith("s-")
