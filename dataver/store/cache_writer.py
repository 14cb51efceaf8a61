"""New objects on their way into the cache: all of them visible at once, and few packs in the end.

The order is the promise: bytes are synced before anything has a name, and content has its name
before the structure that names it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from dataver.errors import DataverError
from dataver.formats.pack import TARGET_SIZE, Table
from dataver.hashing import Buffer
from dataver.model.names import STRUCTURE_KINDS, ObjectName, Oid
from dataver.store.cache import Cache
from dataver.store.packfile import PackWriter, WrittenPack

FOLD_COUNT = 24
"""Small packs of one group from which they are written together."""
FOLD_BELOW = 4 * 1024 * 1024


class CacheWriter:
    """Collects new objects and puts them into the cache all at once.

    Used as a context manager: leaving it without `commit` drops everything it took.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache, self._disk = cache, cache.disk
        self._open: dict[str, PackWriter] = {}
        self._packs: list[WrittenPack] = []
        self._blobs: list[tuple[str, Oid]] = []
        self.published: list[str] = []
        """Names of the packs that `commit` made part of the cache."""

    def __enter__(self) -> CacheWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._open.values():
            writer.abort()
        for path in [p.path for p in self._packs] + [temp for temp, _ in self._blobs]:
            with contextlib.suppress(OSError):
                self._disk.unlink(path)
        self._open, self._packs, self._blobs = {}, [], []

    def add(self, name: ObjectName, data: Buffer) -> None:
        """Take an object whose name was computed from *data*."""
        letter = "s" if name[0] in STRUCTURE_KINDS else "d"
        writer = self._open.get(letter)
        if writer is None:
            writer = self._open[letter] = PackWriter(self._disk, self._cache.temp_path())
        writer.add(name, data)
        if writer.size >= TARGET_SIZE:
            self._packs.append(self._open.pop(letter).close())

    def take(self, packs: Iterable[WrittenPack], blobs: Iterable[tuple[str, Oid]]) -> None:
        """Take pack files and loose blobs that were written into the cache's `tmp/`."""
        self._packs += packs
        self._blobs += blobs

    def commit(self) -> None:
        """Make everything durable and visible: blobs before the structure that names them."""
        for letter in list(self._open):
            self._packs.append(self._open.pop(letter).close())
        structure = [p for p in self._packs if Table(p.table).name(0)[0] in STRUCTURE_KINDS]
        data = [p for p in self._packs if p not in structure]
        packs, blobs = self._packs, self._blobs
        self._packs, self._blobs = [], []
        try:
            # One sync covers both; the names of structure come last.
            self._cache.publish([*data, *structure], blobs)
            self.published += [f"d-{pack.pack_id.hex()}" for pack in data]
            self.published += [f"s-{pack.pack_id.hex()}" for pack in structure]
        finally:
            for path in [p.path for p in packs] + [temp for temp, _ in blobs]:
                with contextlib.suppress(OSError):
                    self._disk.unlink(path)
        fold(self._cache)


def fold(cache: Cache) -> None:
    """Write many small packs of one group together as one: publish the new, then drop the old."""
    for letter in ("s", "d"):
        small = [p for p in cache.packs(structure=letter == "s") if p.size < FOLD_BELOW]
        if len(small) < FOLD_COUNT:
            continue
        writer = PackWriter(cache.disk, cache.temp_path())
        taken = []
        try:
            for pack in small:
                if writer.size > 8 * FOLD_BELOW:
                    break
                for row in sorted(pack.table.rows(), key=lambda r: r.offset):
                    writer.add_stored(row.name, row.codec, bytes(pack.reader.stored(row)), row.raw, row.check)
                taken.append(pack)
            written = writer.close()
        except (DataverError, OSError):
            # Folding only saves time: a damaged pack is left for who reads from it.
            writer.abort()
            continue
        cache.publish([written])
        for pack in taken:
            with contextlib.suppress(OSError):
                cache.disk.unlink(pack.path)
        cache.refresh()
