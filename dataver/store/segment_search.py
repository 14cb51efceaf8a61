"""One segment held locally, searched: bisection for a few names, one pass for many, numpy for very many."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any

from dataver.formats import segment, segment_window
from dataver.formats.segment import Head, Place
from dataver.model.names import NAME_SIZE, ObjectName

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VECTORS_FROM = 50_000
"""Names asked for so far, and rows, above which importing numpy (0.16 s) pays."""
_FEW = 100
_ROW_COST = 0.25
_BISECT_COST = 6.0
"""Microseconds for a row in one pass, and for a name by bisection."""


class WholeSegment:
    """A segment's head and all its rows, verified by who made this."""

    def __init__(self, head: Head, rows: memoryview) -> None:
        self.head, self.rows = head, rows
        self._asked = 0
        self._prefixes: NDArray[Any] | None = None

    def search(self, names: Sequence[ObjectName], excluded: Set[int]) -> tuple[list[int], list[int]]:
        """Return (positions in *names*, their rows), both in one order, of those that are here.

        Rows of the packs whose ordinals are *excluded* count as not there.  Of an object that has
        several rows the first counts.
        """
        self._asked += len(names)
        is_large = self._asked > _VECTORS_FROM and self.head.rows > _VECTORS_FROM
        if len(names) <= _FEW or (not is_large and len(names) * _BISECT_COST < self.head.rows * _ROW_COST):
            positions, rows = self._search_by_bisection(names)
        elif is_large:
            positions, rows = self._search_by_vectors(names)
        else:
            positions, rows = self._search_in_one_pass(names)
        if excluded and positions:
            allowed = [
                (position, row)
                for position, first in zip(positions, rows, strict=True)
                if (row := self._allowed(names[position], first, excluded)) >= 0
            ]
            positions, rows = [position for position, _ in allowed], [row for _, row in allowed]
        return positions, rows

    def _allowed(self, name: ObjectName, row: int, excluded: Set[int]) -> int:
        """Return the first row of *name*, from *row* on, whose pack is not excluded; -1 for none."""
        while self.name(row) == name:
            if self.ordinal(row) not in excluded:
                return row
            row += 1
        return -1

    def name(self, row: int) -> bytes:
        """Return the name of row number *row*."""
        at = row * segment.ROW_SIZE
        return bytes(self.rows[at : at + NAME_SIZE])

    def place(self, row: int) -> Place:
        """Return where the object of row number *row* lies.  Raises: FormatError, UnsupportedError."""
        return self.head.place(self.rows, row * segment.ROW_SIZE)

    def ordinal(self, row: int) -> int:
        """Return the pack ordinal of row number *row*."""
        end = (row + 1) * segment.ROW_SIZE
        return int.from_bytes(self.rows[end - 4 : end], "little")

    def ordinals(self, rows: Sequence[int]) -> set[int]:
        """Return the pack ordinals of *rows*, each once."""
        if len(rows) <= _FEW or self._prefixes is None:
            return {self.ordinal(row) for row in rows}
        import numpy as np  # see _search_by_vectors

        column = np.frombuffer(self.rows, dtype="<u4").reshape(-1, segment.ROW_SIZE // 4)[:, -1]
        return set(np.unique(column[np.asarray(rows)]).tolist())

    def _search_by_bisection(self, names: Sequence[ObjectName]) -> tuple[list[int], list[int]]:
        positions, rows = [], []
        for position, name in enumerate(names):
            low, high = self.head.bounds(name)
            row = segment_window.find_row(self.rows, low, high, name)
            if row < high and self.name(row) == name:
                positions.append(position)
                rows.append(row)
        return positions, rows

    def _search_in_one_pass(self, names: Sequence[ObjectName]) -> tuple[list[int], list[int]]:
        wanted = set(names)
        row_of: dict[ObjectName, int] = {}
        for row, name in enumerate(segment.names_of(self.rows)):
            if name in wanted:
                row_of.setdefault(name, row)
        positions = [position for position, name in enumerate(names) if name in row_of]
        return positions, [row_of[names[position]] for position in positions]

    def _search_by_vectors(self, names: Sequence[ObjectName]) -> tuple[list[int], list[int]]:
        import numpy as np  # 0.16 s: only for look-ups that would take longer without it

        table = np.frombuffer(self.rows, dtype=np.uint8).reshape(-1, segment.ROW_SIZE)
        if self._prefixes is None:
            self._prefixes = _prefixes_of(table)
        wanted = np.frombuffer(b"".join(names), dtype=np.uint8).reshape(-1, NAME_SIZE)
        asked = _prefixes_of(wanted)
        kinds = wanted[:, 0].astype(np.uint16) << 8 | wanted[:, 1]
        guess = np.full(len(names), -1, dtype=np.int64)
        low = 0
        for run, count in self.head.runs:
            mine = np.flatnonzero(kinds == int.from_bytes(run, "big"))
            if len(mine):
                at = np.searchsorted(self._prefixes[low : low + count], asked[mine])
                guess[mine] = np.where(at < count, at + low, -1)
            low += count
        known = np.flatnonzero(guess >= 0)
        known = known[self._prefixes[guess[known]] == asked[known]]
        equal = (table[guess[known], :NAME_SIZE] == wanted[known]).all(axis=1)
        positions: list[int] = known[equal].tolist()
        rows: list[int] = guess[known[equal]].tolist()
        # Prefixes that collide, by accident or on purpose, are looked at one by one.
        for position in known[~equal].tolist():
            found_positions, found_rows = self._search_by_bisection([names[position]])
            positions.extend(position for _ in found_positions)
            rows.extend(found_rows)
        return positions, rows


def _prefixes_of(table: NDArray[Any]) -> NDArray[Any]:
    import numpy as np  # see _search_by_vectors

    return np.ascontiguousarray(table[:, 2:10]).view(">u8").reshape(-1).astype(np.uint64)
