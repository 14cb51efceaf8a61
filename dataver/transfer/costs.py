"""How many requests transfers take, derived from how they ask: for dry runs and `remote stats`.  Pure.

What is constant is counted here request by request; a test holds it against real transfers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from dataver.formats.pack import TARGET_SIZE
from dataver.formats.segment import ROW_SIZE
from dataver.store.push import SEGMENT_PACKS, SEGMENT_ROWS
from dataver.store.ranges import GAP, Range, coalesced
from dataver.transfer.orders import Order

OPENING = 2
"""The remote's description, and the journal's next entry, which is not there."""
MEETING = 3
"""More in a clone that knows nothing yet: the journal's hint and newest entry, and the secret."""
WRITING = 8
"""A lease, its date, the journal's end and last entry; then entry, hint, and the lease's end."""
FIRST_PUSH = 4
"""The secret put and read, the repository and the clone registered."""
STRUCTURE = 2
"""Of a version: its root, and the first of its leaves."""
REGISTERING = 1
"""The clone says what it applied last."""
_PART_SIZE = 32 << 20
"""Bytes of a segment that one request reads."""


def requests_to_write(packs: int, rows: int) -> int:
    """Return how many requests it takes to send *packs* packs of *rows* objects, when all is looked up."""
    return WRITING + packs + segments_for(packs, rows)


def segments_for(packs: int, rows: int) -> int:
    """Return in how many segments a push lists *packs* packs of *rows* objects."""
    return max(math.ceil(packs / SEGMENT_PACKS), math.ceil(rows / SEGMENT_ROWS))


def requests_to_read(ranges: Iterable[Range], most: int) -> int:
    """Return how many requests read *ranges*: near ones come together, *most* bytes at a time."""
    spans: dict[bytes, list[tuple[int, int]]] = {}
    for pack_id, start, size in ranges:
        spans.setdefault(pack_id, []).append((start, size))
    return sum(math.ceil(size / most) for one in spans.values() for _, size, _ in coalesced(one, GAP))


def requests_of(order: Order) -> int:
    """Return how many requests read what is wanted of a pack."""
    if order.is_whole:
        return 1
    return requests_to_read(
        ((order.pack_id, one.offset, one.stored) for one in order.wanted), order.pack_size
    )


def push_of(
    files: int, *, pack_size_per_file: float, rows_per_file: float, live_packs: int, page: int
) -> int:
    """Return about how many requests a push of *files* new files takes.

        OPENING + pages(live packs) + WRITING + packs + segments,
        packs = files * pack bytes per file / 32 MiB

    Packs of one push are filled to 32 MiB.  *page* is how many keys a listing request gives.
    """
    packs = math.ceil(files * pack_size_per_file / TARGET_SIZE)
    return OPENING + _pages(live_packs, page) + requests_to_write(packs, math.ceil(files * rows_per_file))


def pull_of(files: int, *, packs_per_file: float, rows_per_file: float, segments: int) -> int:
    """Return about how many requests a pull of *files* files into an empty clone takes.

        OPENING + MEETING + STRUCTURE + REGISTERING + packs + segment reads,
        packs = files * packs per file as they lie there,
        segment reads = live segments + 64 bytes * objects / 32 MiB

    Every pack is wanted whole, and read in one request.
    """
    constant = OPENING + MEETING + STRUCTURE + REGISTERING
    read = segments + int(files * rows_per_file * ROW_SIZE / _PART_SIZE)
    return constant + math.ceil(files * packs_per_file) + read


def idle_of(packs: int, *, page: int) -> int:
    """Return how many requests a push takes that finds all there, among *packs* packs."""
    return OPENING + _pages(packs, page)


def _pages(keys: int, page: int) -> int:
    # A folder is listed in one go; it gives 1 because a look at one file costs no more than its share.
    return 1 + keys // page if page > 1 else 1
