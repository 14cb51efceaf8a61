"""Which rows of the live segments somebody needs: one byte a row, however many names are asked.

Every row of a needed object is marked: an object that lies in several packs may lose one of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dataver.formats import segment
from dataver.formats.pack import FOOTER_SIZE, HEADER_SIZE, NONCE_SIZE
from dataver.formats.pack import ROW_SIZE as PACK_ROW_SIZE
from dataver.formats.segment import Head, Place
from dataver.model.names import STRUCTURE_KINDS, ObjectName, StructureId, root_name
from dataver.store.segment_search import WholeSegment

_MOST_NAMES = 1 << 16


@dataclass(slots=True)
class Use:
    """How much of one pack is needed; sizes in bytes."""

    size: int
    live: int = 0
    live_size: int = HEADER_SIZE + NONCE_SIZE + FOOTER_SIZE
    """What a pack of the needed objects alone would take."""
    dead: int = 0
    has_dead_structure: bool = False

    @property
    def dead_size(self) -> int:
        """What nobody needs, or no live segment lists any more."""
        return max(self.size - self.live_size, 0) if self.live else self.size


class Largest(NamedTuple):
    """One object that nobody needs."""

    size: int
    name: ObjectName


class _Part:
    __slots__ = ("head", "marks", "whole")

    def __init__(self, head: Head, rows: memoryview) -> None:
        self.head = head
        self.whole = WholeSegment(head, rows)
        self.marks = bytearray(head.rows)


class Marks:
    """The rows of some segments, none of them needed at first."""

    def __init__(self, segments: Iterable[tuple[Head, memoryview]]) -> None:
        self._parts = [_Part(head, rows) for head, rows in segments]

    def mark(self, names: Sequence[ObjectName]) -> tuple[list[ObjectName], int]:
        """Take *names* for needed; return those that no segment lists, and how many rows that is news of."""
        unlisted: list[ObjectName] = []
        news = 0
        for start in range(0, len(names), _MOST_NAMES):
            asked = names[start : start + _MOST_NAMES]
            is_listed = bytearray(len(asked))
            for part in self._parts:
                for position, row in self._rows(part, asked):
                    is_listed[position] = 1
                    if not part.marks[row]:
                        part.marks[row] = 1
                        news += 1
            unlisted += [name for name, listed in zip(asked, is_listed, strict=True) if not listed]
        return unlisted, news

    def is_needed(self, names: Sequence[ObjectName]) -> list[bool]:
        """Tell of each of *names* whether it was marked."""
        needed = [False] * len(names)
        for part in self._parts:
            for position, row in self._rows(part, names):
                needed[position] = needed[position] or bool(part.marks[row])
        return needed

    def places(self, names: Sequence[ObjectName]) -> list[tuple[ObjectName, Place]]:
        """Return every place of *names*."""
        return [
            (names[position], part.whole.place(row))
            for part in self._parts
            for position, row in self._rows(part, names)
        ]

    @staticmethod
    def _rows(part: _Part, names: Sequence[ObjectName]) -> Iterator[tuple[int, int]]:
        """Yield (position in *names*, row) for every row of *names* in one segment."""
        positions, rows = part.whole.search(names, set())
        count = part.head.rows
        for position, first in zip(positions, rows, strict=True):
            yield position, first
            row = first + 1
            while row < count and part.whole.name(row) == names[position]:
                yield position, row
                row += 1

    def uses(self) -> dict[StructureId, Use]:
        """Return how much of each pack is needed."""
        found: dict[StructureId, Use] = {}
        for part in self._parts:
            uses = [found.setdefault(pack.pack_id, Use(pack.size)) for pack in part.head.packs]
            rows = segment.sizes_of(part.whole.rows)
            for is_live, (kind, stored, ordinal) in zip(part.marks, rows, strict=True):
                use = uses[ordinal]
                if is_live:
                    use.live += 1
                    use.live_size += stored + PACK_ROW_SIZE
                else:
                    use.dead += 1
                    if kind in STRUCTURE_KINDS:
                        use.has_dead_structure = True
        return found

    def dead_roots(self) -> frozenset[ObjectName]:
        """Return the roots that nobody needs."""
        found: set[ObjectName] = set()
        for part in self._parts:
            low, high = part.head.bounds(root_name(bytes(32)))
            dead = (row for row in range(low, high) if not part.marks[row])
            found.update(ObjectName(part.whole.name(row)) for row in dead)
        return frozenset(found)

    def largest_dead(self, packs: frozenset[StructureId], count: int) -> list[Largest]:
        """Return the *count* largest objects in *packs* that nobody needs, the largest first."""

        def dead() -> Iterator[Largest]:
            for part in self._parts:
                going = [pack.pack_id in packs for pack in part.head.packs]
                rows = segment.sizes_of(part.whole.rows)
                for row, (is_live, (_, stored, ordinal)) in enumerate(zip(part.marks, rows, strict=True)):
                    if not is_live and going[ordinal]:
                        yield Largest(stored, ObjectName(part.whole.name(row)))

        return heapq.nlargest(count, dead())
