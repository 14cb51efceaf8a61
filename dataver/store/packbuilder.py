"""A pack that is built in memory, to be sent.

The bytes are `formats.pack`'s; `store.packfile` lays them into files of the cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from dataver.formats import codec, pack
from dataver.formats.pack import Row, Table
from dataver.hashing import Buffer, xxh3_64
from dataver.model.names import ObjectName


class NewPack(NamedTuple):
    """A pack in memory."""

    data: memoryview
    table: Table


class PackBuilder:
    """A pack that grows in memory, up to about the size of any other."""

    def __init__(self, take: Callable[[], bytearray] = bytearray) -> None:
        """Get the memory of each pack from *take*: of any length and content, and kept until it is closed."""
        self._take = take
        self._memory: bytearray | None = None
        self._size = 0
        self._rows: dict[ObjectName, Row] = {}
        self._compress = codec.Compressor().encode

    def add(self, row: Row, stored: Buffer) -> None:
        """Take an object over as it is stored; one that stands here already is not taken again."""
        if row.name not in self._rows:
            if not self._rows:
                self._append(pack.HEADER)
            self._rows[row.name] = row._replace(offset=self._size)
            self._append(stored)

    def add_new(self, name: ObjectName, data: Buffer) -> None:
        """Take an object of which the bytes are new."""
        kind, stored = self._compress(data)
        self.add(Row(name, kind, 0, 0, len(stored), len(data), xxh3_64(stored)), stored)

    def _append(self, data: Buffer) -> None:
        if self._memory is None:
            self._memory = self._take()
        end = self._size + len(data)
        if end <= len(self._memory):
            # A bytearray would copy what it is given once more.
            with memoryview(self._memory) as view:
                view[self._size : end] = data
        else:
            del self._memory[self._size :]
            self._memory += data
        self._size = end

    @property
    def is_full(self) -> bool:
        return self._size >= pack.TARGET_SIZE

    def closed(self) -> Iterator[NewPack]:
        """Yield the pack unless it is empty, and begin another."""
        if not self._rows:
            return
        table = pack.encode_table(os.urandom(pack.NONCE_SIZE), self._rows.values())
        self._append(table + pack.encode_footer(table, self._size))
        assert self._memory is not None
        new = NewPack(memoryview(self._memory)[: self._size], Table(table))
        self._memory, self._size, self._rows = None, 0, {}
        yield new
