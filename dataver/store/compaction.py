"""Segments written and merged: the only module that stores them.

When a level holds more than eight segments a push merges them into one of the next level, eight
times as large: a remote of a million pushes is searched in a few dozen segments.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import chain
from typing import NamedTuple

from dataver.formats import segment
from dataver.formats.layout import segment_key
from dataver.formats.segment import PackRef, SegmentRef
from dataver.model.names import NAME_SIZE, ObjectName
from dataver.store.bucket import Bucket
from dataver.store.segments import Segments

_FANOUT = 8
_LOWEST_ROWS = 4096
_MOST_MERGED_ROWS = 1 << 20
"""A merge of more would be felt in a push; gc does it."""


class Merge(NamedTuple):
    """Live segments, and the one that takes their place."""

    sources: tuple[SegmentRef, ...]
    result: SegmentRef | None
    """None where nothing of them is left."""


def write_segment(
    bucket: Bucket, segments: Segments, packs: Sequence[PackRef], rows: Iterable[bytes]
) -> SegmentRef:
    """Store a segment of *packs* (ascending) and *rows*, keep a copy, return what names it."""
    data = segment.encode_segment(os.urandom(segment.NONCE_SIZE), packs, rows)
    rows_size = len(data) - segment.rows_start(data)
    ref = SegmentRef(segment.segment_id(data), len(packs), rows_size // segment.ROW_SIZE)
    bucket.put(segment_key(ref.segment_id), data)
    segments.keep(ref, data)
    return ref


def level_of(rows: int) -> int:
    """Return a segment's level: 0 for up to 4,096 rows, one more for each eightfold."""
    level = 0
    while rows > _LOWEST_ROWS * _FANOUT**level:
        level += 1
    return level


def plan_merge(live: Iterable[SegmentRef]) -> tuple[SegmentRef, ...]:
    """Return the segments of the lowest level that holds too many, in a stable order; or nothing."""
    levels: dict[int, list[SegmentRef]] = {}
    for ref in sorted(live):
        levels.setdefault(level_of(ref.rows), []).append(ref)
    for _, refs in sorted(levels.items()):
        if len(refs) > _FANOUT and sum(ref.rows for ref in refs) <= _MOST_MERGED_ROWS:
            return tuple(refs)
    return ()


def merge(bucket: Bucket, segments: Segments, sources: Sequence[SegmentRef]) -> Merge:
    """Write the segment that holds all that *sources* do."""
    return Merge(tuple(sources), rewrite(bucket, segments, sources, without=frozenset()))


def rewrite(
    bucket: Bucket,
    segments: Segments,
    sources: Sequence[SegmentRef],
    *,
    without: Set[bytes],
    dropped: Set[ObjectName] = frozenset(),
) -> SegmentRef | None:
    """Write one segment of all that *sources* hold outside the packs *without*; None when that is nothing.

    The objects *dropped* are left out wherever they lie.
    """
    loaded = [segments.rows_of(ref) for ref in sources]
    packs = sorted({pack for head, _ in loaded for pack in head.packs if pack.pack_id not in without})
    if not packs:
        return None
    ordinal_of = {pack.pack_id: ordinal for ordinal, pack in enumerate(packs)}
    streams = []
    for head, rows in loaded:
        ordinals = {
            old: ordinal_of[pack.pack_id] for old, pack in enumerate(head.packs) if pack.pack_id in ordinal_of
        }
        streams.append(segment.remapped(rows, ordinals))
    kept: Iterator[bytes] = segment.merged(streams)
    if dropped:
        kept = (row for row in kept if row[:NAME_SIZE] not in dropped)
        first = next(kept, None)
        if first is None:
            return None
        kept = chain((first,), kept)
    return write_segment(bucket, segments, packs, kept)
