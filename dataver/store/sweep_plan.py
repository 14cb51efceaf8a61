"""What of a cache goes and what stays: decided before anything is touched.

The caller holds the cache's lock exclusively from before it looks until `store.sweep` is done.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from dataver.disk.folders import entries_of
from dataver.errors import local_error
from dataver.formats.pack import Row
from dataver.hashing import ALGORITHM_NAMES
from dataver.model.names import ObjectName, Oid, blob_name
from dataver.store.cache import Cache, CachedPack
from dataver.store.cache_marks import NameSet
from dataver.store.trash import is_old

WORTH = 0.2
"""Share of a pack's bytes that nothing needs from which it is written anew."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What stays and what goes."""

    live: NameSet
    """What is needed."""
    keeps_contents: bool
    """Whether every content stays, since it is not known what some trees name."""
    now_s: float
    young_s: float
    """Seconds that what was just written stays."""
    is_final: bool
    """Whether what goes is deleted at once rather than set aside."""
    freed: NameSet | None = None
    """Contents that a remote was just shown to hold, and whose local copies go at once."""
    linked: frozenset[Oid] = frozenset()
    """Loose blobs that files of a work tree are symlinks to."""


@dataclass(slots=True)
class Count:
    """Objects and their bytes."""

    objects: int = 0
    size: int = 0

    def add(self, size: int, objects: int = 1) -> None:
        self.objects += objects
        self.size += size


@dataclass(slots=True)
class PackPlan:
    """What becomes of one pack."""

    pack: CachedPack
    dead: bytearray
    """One byte for each row: 1 for what nothing needs."""
    freed: bytearray
    """1 for what a remote holds."""
    dead_count: Count = field(default_factory=Count)
    freed_count: Count = field(default_factory=Count)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it stays."""
        return all(a or b for a, b in zip(self.dead, self.freed, strict=True))

    def staying(self) -> Iterator[Row]:
        for position, row in enumerate(self.pack.table.rows()):
            if not (self.dead[position] or self.freed[position]):
                yield row

    @property
    def staying_size(self) -> int:
        """Bytes of what stays, and at most of a table for it."""
        return max(self.pack.size - self.dead_count.size - self.freed_count.size, 0)


@dataclass(slots=True)
class Plan:
    """What a sweep would do."""

    dead_loose: list[tuple[Oid, int]] = field(default_factory=list)
    freed_loose: list[tuple[Oid, int]] = field(default_factory=list)
    packs: list[PackPlan] = field(default_factory=list)
    kept: Count = field(default_factory=Count)
    dead: Count = field(default_factory=Count)
    freed: Count = field(default_factory=Count)

    def dead_objects(self) -> Iterator[tuple[ObjectName, int]]:
        """Yield name and size of everything that nothing needs or that is freed."""
        for oid, size in (*self.dead_loose, *self.freed_loose):
            yield blob_name(oid), size
        for plan in self.packs:
            for position, row in enumerate(plan.pack.table.rows()):
                if plan.dead[position] or plan.freed[position]:
                    yield row.name, row.raw


def plan_sweep(cache: Cache, rule: Rule) -> Plan:
    """Return what goes from *cache*, whose packs were listed under the lock.  Raises: local errors."""
    plan = Plan()
    for oid, found in loose_blobs(cache):
        name, size = blob_name(oid), found.st_size
        if oid in rule.linked:
            plan.kept.add(size)
        elif rule.freed is not None and name in rule.freed:
            plan.freed_loose.append((oid, size))
            plan.freed.add(size)
        elif rule.keeps_contents or name in rule.live or not is_old(found, rule.now_s, rule.young_s):
            plan.kept.add(size)
        else:
            plan.dead_loose.append((oid, size))
            plan.dead.add(size)
    for is_structure in (True, False):
        for pack in cache.packs(structure=is_structure):
            _plan_pack(pack, rule, plan, is_structure=is_structure)
    return plan


def _plan_pack(pack: CachedPack, rule: Rule, plan: Plan, *, is_structure: bool) -> None:
    count = pack.table.count
    freed = bytearray(count)
    if not is_structure and rule.freed is not None:
        freed = rule.freed.rows(pack.table)
    if (rule.keeps_contents and not is_structure) or not _is_old(pack, rule):
        dead = bytearray(count)
    else:
        live = rule.live.rows(pack.table)
        dead = bytearray(not (a or b) for a, b in zip(live, freed, strict=True))
    found = PackPlan(pack, dead, freed)
    rows = list(pack.table.rows()) if any(dead) or any(freed) else []
    for position, row in enumerate(rows):
        if dead[position]:
            found.dead_count.add(row.stored)
        elif freed[position]:
            found.freed_count.add(row.stored)
    if found.freed_count.objects and not rule.is_final:
        # Its file goes at once: what has a grace period moves on with what stays.
        found.dead, found.dead_count = bytearray(count), Count()
    going = found.dead_count.size + found.freed_count.size
    is_worth = rule.is_final or found.freed_count.objects or going >= WORTH * pack.size
    if not rows or not (is_worth or found.is_whole):
        plan.kept.add(pack.size, count)
        return
    gone = found.dead_count.objects + found.freed_count.objects
    if not gone:
        plan.kept.add(pack.size, count)
        return
    plan.kept.add(max(pack.size - going, 0) if gone < count else 0, count - gone)
    plan.dead.add(found.dead_count.size, found.dead_count.objects)
    plan.freed.add(found.freed_count.size, found.freed_count.objects)
    plan.packs.append(found)


def _is_old(pack: CachedPack, rule: Rule) -> bool:
    try:
        return is_old(os.stat(pack.path, follow_symlinks=False), rule.now_s, rule.young_s)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise local_error(error, pack.path) from error


def loose_blobs(cache: Cache) -> Iterator[tuple[Oid, os.stat_result]]:
    """Yield every loose blob with its stat.  Raises: local errors."""
    for algorithm in ALGORITHM_NAMES.values():
        top = f"{cache.folder}/objects/{algorithm}"
        for folder in entries_of(top):
            for entry in entries_of(folder.path) if folder.is_dir(follow_symlinks=False) else ():
                oid = cache.loose.oid_of_path(entry.path)
                if oid is not None and entry.is_file(follow_symlinks=False):
                    yield oid, entry.stat(follow_symlinks=False)
