"""Lost packs taken out of the live segments, once all that they held lies elsewhere.

While a live segment lists a pack that is gone, no root is surely complete and every push looks at
every object.  A pack of which anything has no other copy stays listed: a root above it would else
count as complete, and a pack that is only out of sight for a while would be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from dataver.formats import segment
from dataver.model.names import ObjectName, StructureId
from dataver.store.bucket import Bucket
from dataver.store.compaction import Merge, rewrite
from dataver.store.segments import Segments


def replaced_packs(
    segments: Segments, lost: Set[StructureId], missing: Callable[[Sequence[ObjectName]], list[ObjectName]]
) -> frozenset[StructureId]:
    """Return those of the *lost* packs of which every object lies in a pack that is there.

    *missing* returns the names that lie in none.
    """
    held: dict[ObjectName, set[StructureId]] = {}
    for ref in segments.live:
        if lost.isdisjoint(pack.pack_id for pack in segments.packs_of(ref)):
            continue
        head, rows = segments.rows_of(ref)
        wanted = {n: pack.pack_id for n, pack in enumerate(head.packs) if pack.pack_id in lost}
        for name, ordinal in segment.names_in_packs(rows, wanted):
            held.setdefault(name, set()).add(wanted[ordinal])
    needed: set[StructureId] = set()
    for name in missing(list(held)):
        needed |= held[name]
    return frozenset(set().union(*held.values()) - needed)


def prune(bucket: Bucket, segments: Segments, packs: frozenset[StructureId]) -> list[Merge]:
    """Write the live segments that list any of *packs* anew without them, each for itself."""
    return [
        Merge((ref,), rewrite(bucket, segments, [ref], without=packs))
        for ref in segments.live
        if not packs.isdisjoint(pack.pack_id for pack in segments.packs_of(ref))
    ]
