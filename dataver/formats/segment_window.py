"""Finding a row among a segment's sorted rows: windows for ranged reads, bisection within what was read.

Hashes are uniform, so a name's place is known up to a few standard deviations before anything is
read.  See docs/format.md, chapter "Segments".
"""

from __future__ import annotations

import bisect
import math
from typing import NamedTuple

from dataver.formats.segment import ROW_SIZE
from dataver.hashing import Buffer
from dataver.model.names import NAME_SIZE


class Bracket(NamedTuple):
    """Rows `low <= row < high` among which a name is, and the hash prefixes that stand around them."""

    low: int
    high: int
    above: int = 0
    below: int = 1 << 64


def prefix_of(name: Buffer) -> int:
    """Return the first 64 bits of a name's hash."""
    return int.from_bytes(name[2:10], "big")


def window_rows(rows: int) -> int:
    """Return how many rows a window among *rows* has, at most."""
    return 2 * math.isqrt(rows) + 18


def window(name: bytes, bracket: Bracket) -> tuple[int, int]:
    """Return the rows, first and one past the last, among which *name* most likely is.

    Hashes are uniform: the width is two standard deviations of the expected place on either side.
    """
    count = bracket.high - bracket.low
    share = (prefix_of(name) - bracket.above) / max(bracket.below - bracket.above, 1)
    share = min(max(share, 0.0), 1.0)
    middle = bracket.low + int(share * count)
    spread = int(2 * math.sqrt(count * share * (1 - share))) + 8
    return max(bracket.low, middle - spread), min(bracket.high, middle + spread + 1)


def narrowed(name: bytes, bracket: Bracket, start: int, rows: Buffer) -> Bracket:
    """Return where *name* may stand yet, when the rows from *start* on are *rows*; empty: nowhere.

    The caller has looked for it among *rows* itself.
    """
    view = memoryview(rows)
    stop = start + len(view) // ROW_SIZE
    if stop == start:
        return Bracket(bracket.low, bracket.low)
    first = bytes(view[:NAME_SIZE])
    last = bytes(view[-ROW_SIZE : len(view) - ROW_SIZE + NAME_SIZE])
    if name < first and start > bracket.low:
        return Bracket(bracket.low, start, bracket.above, prefix_of(first))
    if name > last and stop < bracket.high:
        return Bracket(stop, bracket.high, prefix_of(last), bracket.below)
    return Bracket(start, start)


def find_row(rows: Buffer, low: int, high: int, name: bytes) -> int:
    """Return the first row in `low <= row < high` that is not below *name*, by bisection."""
    view = memoryview(rows)
    return bisect.bisect_left(
        range(high), name, low, high, key=lambda at: bytes(view[at * ROW_SIZE : at * ROW_SIZE + NAME_SIZE])
    )
