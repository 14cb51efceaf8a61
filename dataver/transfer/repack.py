"""What is needed of packs that are mostly not, in new packs: as it is stored, each object checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from dataver.errors import CorruptObjectError, DataverError, MissingObjectError
from dataver.formats.pack import Row
from dataver.model.names import STRUCTURE_KINDS, ObjectName, StructureId
from dataver.store.marks import Marks
from dataver.store.packbuilder import NewPack, PackBuilder
from dataver.store.remote import Remote
from dataver.store.repacking import read_opened, stored_of


class Repacking:
    """Copies what is needed out of packs that go."""

    def __init__(self, remote: Remote, marks: Marks, copied: Iterable[ObjectName]) -> None:
        """*copied* lies in new packs already."""
        self._remote, self._marks = remote, marks
        self._copied = set(copied)
        self._builders = {True: PackBuilder(), False: PackBuilder()}
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
        table, view = read_opened(self._remote, pack_id, size)
        parts = []
        rows = list(table.rows())
        for row, is_needed in zip(rows, self._marks.is_needed([row.name for row in rows]), strict=True):
            if not is_needed or row.name in self._copied:
                continue
            stored = stored_of(row, view)
            if stored is None:
                raise CorruptObjectError(f"pack {pack_id.hex()[:12]}", self._remote.url)
            parts.append((row, stored))
        return sorted(parts, key=lambda part: part[0].offset)
