"""Many ranges of packs in few requests."""

from __future__ import annotations

from collections.abc import Sequence

from dataver.errors import CorruptObjectError, DataverError, MissingObjectError
from dataver.formats import layout
from dataver.model.names import StructureId
from dataver.store.bucket import Bucket, KeyMissingError, get_all

GAP = 256 * 1024
"""Ranges of one pack that lie less than this many bytes apart are read in one request."""

Range = tuple[StructureId, int, int]
"""(pack, offset, size in bytes)."""


def read_ranges(bucket: Bucket, ranges: Sequence[Range], jobs: int) -> list[bytes | DataverError]:
    """Return the bytes of each range, in order; see `Remote.read_ranges`.

    Memory is that of all that is returned, and of the gaps between.
    """
    by_pack: dict[StructureId, list[int]] = {}
    for position, (pack_id, _, _) in enumerate(ranges):
        by_pack.setdefault(pack_id, []).append(position)
    reads: list[tuple[StructureId, int, int, list[int]]] = []
    for pack_id, positions in by_pack.items():
        spans = [(ranges[position][1], ranges[position][2]) for position in positions]
        for start, size, members in coalesced(spans, GAP):
            reads.append((pack_id, start, size, [positions[member] for member in members]))
    requests = [(layout.pack_key(pack_id), start, size) for pack_id, start, size, _ in reads]
    found: list[bytes | DataverError] = [b""] * len(ranges)
    for (pack_id, start, _, members), data in zip(reads, get_all(bucket, requests, jobs), strict=True):
        what = f"pack {pack_id.hex()[:12]}"
        for position in members:
            _, offset, size = ranges[position]
            found[position] = _part(data, offset - start, size, what, bucket.url)
    return found


def coalesced(spans: Sequence[tuple[int, int]], gap: int) -> list[tuple[int, int, list[int]]]:
    """Join spans (start, size) that lie less than *gap* bytes apart into one read each.

    Returns (start, size, positions in *spans*), ascending by start; spans may overlap.
    """
    joined: list[tuple[int, int, list[int]]] = []
    for position in sorted(range(len(spans)), key=lambda at: spans[at]):
        start, size = spans[position]
        if joined and start - (joined[-1][0] + joined[-1][1]) < gap:
            low, length, positions = joined[-1]
            positions.append(position)
            joined[-1] = (low, max(length, start + size - low), positions)
        else:
            joined.append((start, size, [position]))
    return joined


def _part(
    data: bytes | KeyMissingError, offset: int, size: int, what: str, where: str
) -> bytes | DataverError:
    if isinstance(data, KeyMissingError):
        return MissingObjectError(what, where)
    part = data[offset : offset + size]
    if len(part) != size:
        return CorruptObjectError(f"{what} (truncated)", where)
    return part
