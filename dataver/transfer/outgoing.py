"""What a push has to send, in path order, in eight bytes an object.

Which objects of a cache pack are wanted is one byte per row: so a pack of which everything is
wanted is known, and sent without packing its objects anew.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dataver.formats.pack import Row
from dataver.model.names import ObjectName, Oid, blob_name
from dataver.model.tree import Entry
from dataver.store.cache import Cache, CachedPack

_PACKED, _LOOSE = 0, 1
_ROW_BITS = 32
WHOLE_FROM = 4 * 1024 * 1024
"""Smaller cache packs are packed anew: many small packs would become as many requests."""


class Packed(NamedTuple):
    """An object in a cache pack that is not sent as a whole."""

    pack: CachedPack
    row: Row


class Loose(NamedTuple):
    """A loose blob; size in bytes."""

    oid: Oid
    size: int


Item = CachedPack | Packed | Loose
"""A cache pack is one that is sent whole, in the place of its first object."""


class Outgoing:
    """The objects to send.  The cache's packs must not be listed anew while it is used."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._packs: Sequence[CachedPack] = cache.packs(structure=False)
        self._marks: dict[int, bytearray] = {}
        self._loose: dict[Oid, int] = {}
        self._order = array("Q")
        self.size = 0
        """Bytes of the objects, not compressed."""

    def __len__(self) -> int:
        return len(self._order)

    def take(self, wanted: dict[ObjectName, Entry]) -> list[ObjectName]:
        """Take blobs by name, in path order; return those that the cache does not have."""
        names = list(wanted)
        unpacked: list[ObjectName] = []
        for name, found in zip(names, self._cache.positions(names), strict=True):
            if found is None:
                unpacked.append(name)
            else:
                self._mark(*found, wanted[name].size)
        oids = [Oid(wanted[name].oid or b"") for name in unpacked]
        there = self._cache.loose.present(oids)
        lost = []
        for name, oid in zip(unpacked, oids, strict=True):
            if oid not in there:
                lost.append(name)
            elif oid not in self._loose:
                self._order.append(len(self._loose) << 1 | _LOOSE)
                self._loose[oid] = wanted[name].size
                self.size += wanted[name].size
        return lost

    def _mark(self, number: int, row: int, size: int) -> None:
        marks = self._marks.get(number)
        if marks is None:
            marks = self._marks[number] = bytearray(self._packs[number].table.count)
        if not marks[row]:
            marks[row] = 1
            self._order.append((number << _ROW_BITS | row) << 1 | _PACKED)
            self.size += size

    def items(self) -> Iterator[Item]:
        """Yield what to send, in path order."""
        whole = {n for n, marks in self._marks.items() if self._packs[n].size >= WHOLE_FROM and all(marks)}
        begun: set[int] = set()
        loose = list(self._loose.items())
        for word in self._order:
            if word & 1 == _LOOSE:
                yield Loose(*loose[word >> 1])
                continue
            number, row = word >> 1 >> _ROW_BITS, word >> 1 & (1 << _ROW_BITS) - 1
            if number not in whole:
                yield Packed(self._packs[number], self._packs[number].table.row(row))
            elif number not in begun:
                begun.add(number)
                yield self._packs[number]


def named(entries: Sequence[Entry]) -> dict[ObjectName, Entry]:
    """Return the files among *entries* by their content's name, in path order, each content once."""
    found: dict[ObjectName, Entry] = {}
    for entry in entries:
        if entry.oid is not None:
            found.setdefault(blob_name(entry.oid), entry)
    return found
