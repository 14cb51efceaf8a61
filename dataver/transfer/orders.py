"""Where wanted objects lie on a remote, and how each pack is read: as a whole, or in ranges.

Places are kept as packed rows, 59 bytes each, so that a million of them take 60 MB.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from functools import partial
from typing import NamedTuple

from dataver.errors import CorruptObjectError, DataverError, MissingObjectError
from dataver.formats.pack import split
from dataver.formats.segment import Place
from dataver.hashing import Buffer
from dataver.model.names import STRUCTURE_KINDS, ObjectName, StructureId
from dataver.parallel import threads_map_ordered
from dataver.store.ranges import GAP
from dataver.store.remote import Remote
from dataver.transfer.verify import opened, opened_or_fault

_ROW = struct.Struct("<Q34sQQB")
"""Offset first: rows sort by it."""
_UNKNOWN_SIZE = 1 << 62


class Wanted(NamedTuple):
    """One object to read out of a pack; offset and sizes in bytes."""

    offset: int
    name: ObjectName
    stored: int
    raw: int
    codec: int


class Order(NamedTuple):
    """All that is wanted of one pack, by offset."""

    pack_id: StructureId
    pack_size: int
    wanted: list[Wanted]

    @property
    def is_whole(self) -> bool:
        """Whether the whole pack is read: when more than half of it is wanted."""
        return 2 * sum(w.stored for w in self.wanted) > self.pack_size


class Places:
    """Objects to read, grouped by pack, in few bytes; the same object may be put in twice."""

    def __init__(self) -> None:
        self._packs: dict[StructureId, bytearray] = {}
        self.count = self.raw = 0
        """Objects put in and their bytes; those that were put in twice count twice."""

    def add(self, name: ObjectName, place: Place) -> None:
        row = _ROW.pack(place.offset, name, place.stored, place.raw, place.codec)
        self._packs.setdefault(place.pack_id, bytearray()).extend(row)
        self.count += 1
        self.raw += place.raw

    def orders(self, sizes: Mapping[StructureId, int]) -> Iterator[Order]:
        """Yield what is wanted of each pack, in the order in which packs were first named, and forget it."""
        packs, self._packs, self.count, self.raw = self._packs, {}, 0, 0
        while packs:
            pack_id = next(iter(packs))
            rows = sorted(set(_ROW.iter_unpack(packs.pop(pack_id))))
            # One that is listed no more since its place was looked up may be there yet: in ranges, then.
            yield Order(pack_id, sizes.get(pack_id, _UNKNOWN_SIZE), [Wanted._make(row) for row in rows])


Part = tuple[Wanted, Buffer | None]
"""An object and its stored bytes; None where they did not arrive."""


def read_whole(remote: Remote, order: Order) -> bytes | None:
    """Return a whole pack, None where it is gone or of another size."""
    try:
        return remote.read_pack(order.pack_id, order.pack_size)
    except (MissingObjectError, CorruptObjectError):
        return None


def parts_of(data: bytes, wanted: Iterable[Wanted]) -> Iterator[Part]:
    """Yield *wanted* with their stored bytes out of a whole pack."""
    view = memoryview(data)
    for one in wanted:
        yield one, view[one.offset : one.offset + one.stored]


def read_ranges(remote: Remote, order: Order) -> Iterator[Part]:
    """Yield what is wanted of a pack, read in ranges; near ones come in one request."""
    ranges = [(order.pack_id, one.offset, one.stored) for one in order.wanted]
    for one, data in zip(order.wanted, remote.read_ranges(ranges), strict=True):
        yield one, None if isinstance(data, DataverError) else data


def find_elsewhere(
    remote: Remote, names: Collection[ObjectName], damaged: Set[bytes]
) -> dict[ObjectName, Place]:
    """Return where else objects lie that packs did not give, after a gc that moved them too."""
    found = remote.find(names, damaged)
    if len(found) < len(names) and remote.refresh():
        found.update(remote.find([name for name in names if name not in found], damaged))
    return found


def read_sound(
    remote: Remote,
    names: Iterable[ObjectName],
    jobs: int,
    refused: dict[ObjectName, DataverError] | None = None,
    *,
    takes_more: bool = False,
) -> Iterator[list[tuple[ObjectName, Buffer]]]:
    """Yield those of *names* that lie soundly on the remote, pack by pack: for few bytes, they are held.

    With *takes_more* the other structure comes too of a pack that is no longer than what is read over to
    spare a request.
    What a damaged pack holds is looked for in other packs, and then in those that came since the
    journal was read, since a gc moves objects; what is wrong with those that are sound in none is in
    *refused* afterwards.
    """
    refused = {} if refused is None else refused
    lacking = set(names)
    damaged: set[StructureId] = set()
    for number in range(3):
        if not lacking or (number == 2 and not remote.refresh()):
            return
        found = remote.find(lacking, damaged)
        places = Places()
        for name, place in found.items():
            places.add(name, place)
        for sound in threads_map_ordered(
            partial(_sound, remote, refused, takes_more=takes_more), places.orders(remote.pack_sizes()), jobs
        ):
            lacking.difference_update(name for name, _ in sound)
            yield sound
        damaged |= {found[name].pack_id for name in lacking if name in found}


def _sound(
    remote: Remote, refused: dict[ObjectName, DataverError], order: Order, *, takes_more: bool
) -> list[tuple[ObjectName, Buffer]]:
    is_small = takes_more and order.pack_size <= GAP
    data = read_whole(remote, order) if is_small or order.is_whole else None
    parts = parts_of(data, order.wanted) if data is not None else read_ranges(remote, order)
    found = []
    for one, stored in parts:
        if stored is None:
            continue
        content = opened_or_fault(one.name, one.codec, stored, one.raw)
        if isinstance(content, DataverError):
            refused[one.name] = content
        else:
            refused.pop(one.name, None)
            found.append((one.name, content))
    if data is not None and is_small:
        found += _more_of(data, {one.name for one in order.wanted})
    return found


def _more_of(data: bytes, taken: Set[ObjectName]) -> Iterator[tuple[ObjectName, Buffer]]:
    """Yield the structure of a pack that is not among *taken*, as far as it is sound: nobody asked for it."""
    try:
        table, view = split(data)
    except DataverError:
        return
    for row in table.rows():
        if row.name[0] in STRUCTURE_KINDS and row.name not in taken:
            stored = view[row.offset : row.offset + row.stored]
            content = opened(row.name, row.codec, stored, row.raw)
            if content is not None:
                yield row.name, content
