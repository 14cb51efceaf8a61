"""What is needed of packs that are mostly not, in new packs: as it is stored, each object checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from dataver.errors import CorruptObjectError, DataverError, MissingObjectError
from dataver.formats import pack
from dataver.formats.pack import Row, Table
from dataver.hashing import Buffer, xxh3_64
from dataver.model.names import STRUCTURE_KINDS, ObjectName, StructureId
from dataver.store.marks import Marks
from dataver.store.remote import Remote


class NewPack(NamedTuple):
    """A pack in memory."""

    data: Buffer
    table: Table


class _Builder:
    """A pack that grows in memory, up to about the size of any other."""

    def __init__(self) -> None:
        self._data = bytearray(pack.HEADER)
        self._rows: list[Row] = []

    def add(self, row: Row, stored: Buffer) -> None:
        self._rows.append(row._replace(offset=len(self._data)))
        self._data += stored

    @property
    def is_full(self) -> bool:
        return len(self._data) >= pack.TARGET_SIZE

    def closed(self) -> Iterator[NewPack]:
        """Yield the pack unless it is empty, and begin another."""
        if self._rows:
            table = pack.encode_table(os.urandom(pack.NONCE_SIZE), self._rows)
            footer = pack.encode_footer(table, len(self._data))
            self._data += table + footer
            yield NewPack(self._data, Table(table))
        self._data, self._rows = bytearray(pack.HEADER), []


class Repacking:
    """Copies what is needed out of packs that go."""

    def __init__(self, remote: Remote, marks: Marks, copied: Iterable[ObjectName]) -> None:
        """*copied* lies in new packs already."""
        self._remote, self._marks = remote, marks
        self._copied = set(copied)
        self._builders = {True: _Builder(), False: _Builder()}
        self.damaged: dict[StructureId, DataverError] = {}
        """Packs of which something needed cannot be read: they stay."""

    def packs(self, old: Mapping[StructureId, int], read: Callable[[int], None]) -> Iterator[NewPack]:
        """Yield new packs with what is needed of the packs *old* (with their sizes); *read* hears of each."""
        for pack_id, size in old.items():
            try:
                parts = self._needed(pack_id, size)
            except (MissingObjectError, CorruptObjectError) as error:
                self.damaged[pack_id] = error
                continue
            for row, stored in parts:
                # Structure and data have packs of their own.
                builder = self._builders[row.name[0] in STRUCTURE_KINDS]
                builder.add(row, stored)
                self._copied.add(row.name)
                if builder.is_full:
                    yield from builder.closed()
            read(size)
        for builder in self._builders.values():
            yield from builder.closed()

    def _needed(self, pack_id: StructureId, size: int) -> list[tuple[Row, memoryview]]:
        """Return the needed objects of a pack that are not copied yet, in its order, each checked.

        Raises: MissingObjectError, CorruptObjectError.
        """
        what = f"pack {pack_id.hex()[:12]}"
        data = self._remote.read_pack(pack_id, size)
        try:
            table, view = pack.split(data)
        except DataverError as error:
            raise CorruptObjectError(what, self._remote.url) from error
        if table.pack_id != pack_id:
            raise CorruptObjectError(what, self._remote.url)
        parts = []
        rows = list(table.rows())
        for row, is_needed in zip(rows, self._marks.is_needed([row.name for row in rows]), strict=True):
            if not is_needed or row.name in self._copied:
                continue
            stored = view[row.offset : row.offset + row.stored]
            if xxh3_64(stored) != row.check:
                raise CorruptObjectError(what, self._remote.url)
            parts.append((row, stored))
        return sorted(parts, key=lambda part: part[0].offset)
