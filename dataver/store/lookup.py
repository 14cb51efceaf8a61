"""Find objects by name in many sorted tables at once.

The only module that knows how: bisection per table for a few names, one dictionary for up to
some hundred thousand rows, and vectorised search above that (numpy costs 0.1 s to import).
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dataver.hashing import Buffer
from dataver.model.names import NAME_SIZE, ObjectName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEW = 200
"""Names asked for one by one before an index over all rows pays."""
DICTIONARY_ROWS = 200_000
"""Rows up to which a dictionary is quicker than importing numpy."""

Found = tuple[int, int]
"""(table, row), both positions."""


class Lookup:
    """Sorted tables of fixed-size rows that begin with an object's 34-byte name."""

    def __init__(self, tables: Sequence[Buffer], row_size: int) -> None:
        """Take *tables*, each the rows alone, sorted by name; earlier tables win."""
        self._tables = [memoryview(t) for t in tables]
        self._row_size = row_size
        self._counts = [len(t) // row_size for t in self._tables]
        self._asked = 0
        self._index: dict[bytes, Found] | _Vectors | None = None

    @property
    def rows(self) -> int:
        return sum(self._counts)

    def prepare(self, count: int) -> None:
        """Build the index now when *count* look-ups are to come."""
        self._asked += count
        if self._index is None and self._asked > FEW:
            self._index = self._built()

    def find(self, name: ObjectName) -> Found | None:
        """Return where *name* stands, or None."""
        self._asked += 1
        if self._index is None:
            if self._asked <= FEW:
                return self._bisect(name)
            self._index = self._built()
        if isinstance(self._index, dict):
            return self._index.get(name)
        return self._index.find([name])[0]

    def find_many(self, names: Sequence[ObjectName]) -> list[Found | None]:
        """Return for each of *names* where it stands, or None."""
        self._asked += len(names)
        if self._index is None:
            if self._asked <= FEW:
                return [self._bisect(name) for name in names]
            self._index = self._built()
        if isinstance(self._index, dict):
            return list(map(self._index.get, names))
        return self._index.find(names)

    def _bisect(self, name: ObjectName) -> Found | None:
        size = self._row_size
        for number, table in enumerate(self._tables):
            names = partial(_name_at, table, size)
            row = bisect.bisect_left(range(self._counts[number]), name, key=names)
            if row < self._counts[number] and names(row) == name:
                return number, row
        return None

    def _built(self) -> dict[bytes, Found] | _Vectors:
        if self.rows > DICTIONARY_ROWS:
            return _Vectors(self._tables, self._row_size)
        size = self._row_size
        index: dict[bytes, Found] = {}
        for number, table in reversed(list(enumerate(self._tables))):
            data = bytes(table)
            for row, start in enumerate(range(0, len(data), size)):
                index[data[start : start + NAME_SIZE]] = (number, row)
        return index


def _name_at(table: memoryview, row_size: int, row: int) -> ObjectName:
    return ObjectName(bytes(table[row * row_size : row * row_size + NAME_SIZE]))


class _Vectors:
    """All names' first eight digest bytes in one sorted array; 16 bytes a row."""

    def __init__(self, tables: Sequence[memoryview], row_size: int) -> None:
        import numpy as np  # 0.1 s: only for hundreds of thousands of rows

        self._np = np
        self._tables, self._row_size = tables, row_size
        counts = np.array([len(t) // row_size for t in tables], dtype=np.int64)
        self._starts = np.concatenate(([0], np.cumsum(counts)))
        keys = np.empty(int(self._starts[-1]), dtype=np.uint64)
        for number, table in enumerate(tables):
            rows = np.frombuffer(table, dtype=np.uint8).reshape(-1, row_size)
            keys[self._starts[number] : self._starts[number + 1]] = self._keys(rows[:, :NAME_SIZE])
        self._order = np.argsort(keys, kind="stable").astype(np.uint32)
        self._keys_sorted = keys[self._order]

    def _keys(self, names: NDArray[np.uint8]) -> NDArray[np.uint64]:
        # The digest is uniform; kind and algorithm are compared with the whole name afterwards.
        np = self._np
        head: Any = np.ascontiguousarray(names[:, 2:10])
        return head.view(">u8").reshape(-1).astype(np.uint64)  # type: ignore[no-any-return]

    def find(self, names: Sequence[ObjectName]) -> list[Found | None]:
        np = self._np
        if not names:
            return []
        wanted = np.frombuffer(b"".join(names), dtype=np.uint8).reshape(-1, NAME_SIZE)
        keys = self._keys(wanted)
        low = np.searchsorted(self._keys_sorted, keys, side="left").tolist()
        high = np.searchsorted(self._keys_sorted, keys, side="right").tolist()
        return [self._first(name, low[n], high[n]) for n, name in enumerate(names)]

    def _first(self, name: bytes, low: int, high: int) -> Found | None:
        for position in range(low, high):
            flat = int(self._order[position])
            table = int(self._np.searchsorted(self._starts, flat, side="right")) - 1
            row = flat - int(self._starts[table])
            start = row * self._row_size
            if bytes(self._tables[table][start : start + NAME_SIZE]) == name:
                return table, row
        return None


def distinct(names: Iterable[ObjectName]) -> list[ObjectName]:
    """Return *names* without repetition, in their order."""
    return list(dict.fromkeys(names))
