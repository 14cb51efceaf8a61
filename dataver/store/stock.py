"""What a remote holds, counted: one listing of all of it, and the beginnings of its segments.

Never a request per object or pack.  How many objects there are of each kind is exact; how many bytes
they have is told from a sample where a segment is large: its rows are sorted by hash, so that any run
of them is a random choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from dataver.errors import DataverError, FormatError
from dataver.formats import layout, segment
from dataver.formats.segment import Head, SegmentRef
from dataver.hashing import Buffer
from dataver.model.names import StructureId
from dataver.store.bucket import Bucket, Info, KeyMissingError, get_all
from dataver.store.leases import DEAD_S
from dataver.store.remote import Remote
from dataver.store.segment_reading import lost_segment

_SMALL_SIZE = 4 << 20
"""A segment of at most so many bytes is read whole, in one request."""
_SAMPLE_ROWS = 1 << 14
_STATES_PREFIX = "states/"
_JOBS = 8


@dataclass(slots=True)
class Amount:
    """Things and their bytes."""

    count: int = 0
    size: int = 0

    def add(self, size: int, count: int = 1) -> None:
        self.count += count
        self.size += size


@dataclass(slots=True)
class Listed:
    """What a listing of a whole remote showed."""

    packs: dict[StructureId, int] = field(default_factory=dict)
    """With their sizes in bytes; so are the segments."""
    segments: dict[StructureId, int] = field(default_factory=dict)
    journal: Amount = field(default_factory=Amount)
    states: Amount = field(default_factory=Amount)
    writers: list[str] = field(default_factory=list)
    """Writers at work."""
    requests: int = 0
    """Pages that the listing took."""

    def has_pack(self, pack_id: StructureId, size: int) -> bool:
        """Tell whether a pack of that size lies there; a web server's listing says no sizes at all."""
        found = self.packs.get(pack_id)
        return found == size or (found == 0 and not any(self.packs.values()))


@dataclass(slots=True)
class Stock:
    """What a remote holds."""

    listed: Listed
    live_packs: dict[StructureId, int] = field(default_factory=dict)
    """The packs that a live segment names, and the size that each should have."""
    objects: dict[int, Amount] = field(default_factory=dict)
    """By kind; of an object that lies in several packs each copy counts, by its stored bytes."""
    is_sampled: bool = False
    """Whether bytes of objects were told from a sample."""
    unreadable: list[DataverError] = field(default_factory=list)
    """What is wrong with live segments: gone or damaged.  What they list counts only by a copy here."""


class _Segment(NamedTuple):
    ref: SegmentRef
    head: Head
    rows: Buffer | None
    """All rows; None where they were too many to read."""


def take_stock(remote: Remote) -> Stock:
    """Return what lies on *remote*, whose journal was read.  Raises: RemoteError."""
    stock = Stock(_listed(remote.bucket, remote.now_s()))
    large = []
    gone = {ref for ref in remote.live_segments() if ref.segment_id not in stock.listed.segments}
    stock.unreadable += [lost_segment(ref) for ref in sorted(gone)]
    for found in _segments(remote, gone, stock.unreadable):
        stock.live_packs.update(found.head.packs)
        if found.rows is None:
            large.append(found)
            continue
        for kind, size in _stored(found.rows):
            stock.objects.setdefault(kind, Amount()).add(size)
    if large:
        stock.is_sampled = True
        _sample(remote.bucket, large, stock)
    return stock


def _listed(bucket: Bucket, now_s: float) -> Listed:
    listed = Listed()
    before = bucket.requests
    for info in bucket.list(""):
        pack_id = layout.pack_id_of_key(info.key)
        segment_id = layout.segment_id_of_key(info.key)
        if pack_id is not None:
            listed.packs[pack_id] = info.size
        elif segment_id is not None:
            listed.segments[segment_id] = info.size
        elif info.key.startswith(layout.JOURNAL_PREFIX) and info.key != layout.HINT_KEY:
            listed.journal.add(info.size)
        elif info.key.startswith(_STATES_PREFIX):
            listed.states.add(info.size)
        elif _is_at_work(info, now_s):
            listed.writers.append(info.key.removeprefix(layout.LEASES_PREFIX))
    listed.requests = bucket.requests - before
    return listed


def _is_at_work(info: Info, now_s: float) -> bool:
    """Tell whether a key is the lease of a writer that is alive, as far as our own clock tells."""
    if not info.key.startswith(layout.LEASES_PREFIX) or info.key.startswith(f"{layout.LEASES_PREFIX}."):
        return False
    return not info.modified_s or now_s - info.modified_s <= DEAD_S


# -- segments -------------------------------------------------------------------------------------


def _segments(remote: Remote, gone: Set[SegmentRef], unreadable: list[DataverError]) -> Iterator[_Segment]:
    """Yield the live segments: small ones whole, from copies where there are any; heads of others."""
    lacking: list[SegmentRef] = []
    for ref in remote.live_segments():
        copy = remote.segment_copy(ref) if _size_of(ref) <= _SMALL_SIZE else None
        if copy is None and ref not in gone:
            lacking.append(ref)
        elif copy is not None:
            yield _Segment(ref, *segment.decode_segment(copy, ref))
    requests = [(layout.segment_key(ref.segment_id), 0, _read_size(ref)) for ref in lacking]
    for ref, data in zip(lacking, get_all(remote.bucket, requests, _JOBS), strict=True):
        try:
            if isinstance(data, KeyMissingError):
                raise lost_segment(ref)
            if _size_of(ref) <= _SMALL_SIZE:
                yield _Segment(ref, *segment.decode_segment(data, ref))
            else:
                yield _Segment(ref, segment.decode_head(data, ref), None)
        except DataverError as error:
            unreadable.append(error)


def _size_of(ref: SegmentRef) -> int:
    """Return at most how many bytes a segment has."""
    return segment.size_limit_of_head(ref.packs) + ref.rows * segment.ROW_SIZE


def _read_size(ref: SegmentRef) -> int:
    whole = _size_of(ref)
    return whole if whole <= _SMALL_SIZE else segment.size_limit_of_head(ref.packs)


def _stored(rows: Buffer) -> Iterator[tuple[int, int]]:
    """Yield kind and stored bytes of each row."""
    for kind, stored, _ in segment.sizes_of(rows):
        yield kind, stored


def _sample(bucket: Bucket, large: Sequence[_Segment], stock: Stock) -> None:
    """Count the objects of *large*, and tell their bytes from the middle of each run."""
    runs: list[tuple[int, int, int]] = []
    requests = []
    for found in large:
        low = 0
        for name, count in found.head.runs:
            rows = min(count, _SAMPLE_ROWS)
            start = found.head.size + (low + (count - rows) // 2) * segment.ROW_SIZE
            key = layout.segment_key(found.ref.segment_id)
            requests.append((key, start, rows * segment.ROW_SIZE))
            runs.append((name[0], count, rows))
            low += count
    for (kind, count, rows), data in zip(runs, get_all(bucket, requests, _JOBS), strict=True):
        amount = stock.objects.setdefault(kind, Amount())
        if isinstance(data, KeyMissingError) or len(data) != rows * segment.ROW_SIZE:
            stock.unreadable.append(FormatError("a live segment", "its rows cannot be read"))
            amount.add(0, count)
            continue
        amount.add(sum(size for _, size in _stored(data)) * count // rows, count)
