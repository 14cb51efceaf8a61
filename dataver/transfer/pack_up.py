"""Packs to send: cache packs as they are, everything else packed anew in path order.

The builder runs in the caller's thread, one pack ahead of the senders; what is read from the cache
is verified object by object, and what is damaged is left out and named.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from dataver.disk.disk import Disk
from dataver.errors import CorruptObjectError, DataverError, MissingObjectError, local_error
from dataver.formats import pack
from dataver.formats.pack import Table
from dataver.formats.recipe import CHUNK_ABOVE, Recipe, encode_recipe
from dataver.hashing import Buffer, xxh3_64
from dataver.model.names import ObjectName, Oid, blob_name, chunk_name, oid_of_name, recipe_name
from dataver.store.cache import Cache, CachedPack
from dataver.store.packbuilder import NewPack, PackBuilder
from dataver.store.packfile import PackWriter, WrittenPack
from dataver.transfer.cut import cut_blob, read_chunks
from dataver.transfer.outgoing import Item, Loose, Packed
from dataver.transfer.verify import damaged_rows, is_sound, opened

Lacks = Callable[[list[ObjectName]], list[ObjectName]]
"""Returns those names that the remote does not have."""


class Parcel(NamedTuple):
    """A pack to send."""

    source: str | CachedPack | memoryview
    """A temp file's path, a pack of the cache to be sent as it is, or all bytes."""
    table: Table
    size: int
    """Of the pack, in bytes."""
    raw: int
    """Bytes of its objects; 0 for a pack of the cache that was not read yet."""


def temp_pack(cache: Cache, disk: Disk) -> PackWriter:
    """Return a writer of a pack that will be sent and dropped."""
    return PackWriter(disk, cache.scratch_path())


def parcel_of(written: WrittenPack) -> Parcel:
    return _parcel(written.path, Table(written.table), written.size)


def _parcel_of_new(new: NewPack) -> Parcel:
    return _parcel(new.data, new.table, len(new.data))


def _parcel(source: str | memoryview, table: Table, size: int) -> Parcel:
    return Parcel(source, table, size, sum(row.raw for row in table.rows()))


class PackUp:
    """Makes packs of the data to send; what it could not take is in `bad`."""

    def __init__(self, cache: Cache, lacks: Lacks, take: Callable[[], bytearray]) -> None:
        """Ask *lacks* what the remote has not, and *take* for the memory of each pack."""
        self._cache, self._lacks = cache, lacks
        self._builder = PackBuilder(take)
        self._chunks: set[Oid] = set()
        self.recipes: dict[Oid, Recipe] = {}
        """Of the large blobs that were cut, to be sent after their chunks."""
        self.bad: dict[ObjectName, bool] = {}
        """True for damaged objects, False for missing ones."""
        self.reused = 0
        """Bytes of large blobs whose chunks the remote has already."""

    def parcels(self, items: Iterable[Item]) -> Iterator[Parcel]:
        """Yield the packs that hold *items*, each when it is full."""
        try:
            for item in items:
                if isinstance(item, CachedPack):
                    yield Parcel(item, item.table, item.size, 0)
                elif isinstance(item, Packed):
                    yield from self._packed(item)
                elif item.size > CHUNK_ABOVE:
                    yield from self._large(item)
                else:
                    yield from self._loose(item)
            yield from self._closed()
        finally:
            self.drop()

    def drop(self) -> None:
        """Drop a pack that is not complete."""
        self._builder = PackBuilder()

    def _add(self, name: ObjectName, data: Buffer) -> Iterator[Parcel]:
        self._builder.add_new(name, data)
        if self._builder.is_full:
            yield from self._closed()

    def _closed(self) -> Iterator[Parcel]:
        yield from map(_parcel_of_new, self._builder.closed())

    def _packed(self, item: Packed) -> Iterator[Parcel]:
        row = item.row
        try:
            stored = bytes(item.pack.reader.stored(row))
        except DataverError:
            self.bad[row.name] = True
            return
        if opened(row.name, row.codec, stored, row.raw) is None:
            self.bad[row.name] = True
            return
        self._builder.add(row._replace(check=xxh3_64(stored)), stored)
        if self._builder.is_full:
            yield from self._closed()

    def _loose(self, item: Loose) -> Iterator[Parcel]:
        name = blob_name(item.oid)
        fd = self._cache.loose.open(item.oid)
        if fd is None:
            self.bad[name] = False
            return
        try:
            with open(fd, "rb", buffering=0) as file:
                data = file.read()
        except OSError as error:
            raise local_error(error, self._cache.loose.path(item.oid)) from error
        if not is_sound(name, data):
            self.bad[name] = True
            return
        yield from self._add(name, data)

    def _large(self, item: Loose) -> Iterator[Parcel]:
        """Pack the chunks that the remote lacks; the recipe goes with the structure, after them."""
        name = blob_name(item.oid)
        try:
            recipe = cut_blob(self._cache, item.oid)
            fresh = {oid for oid, _ in recipe.chunks} - self._chunks
            wanted = {oid_of_name(n) for n in self._lacks([chunk_name(oid) for oid in sorted(fresh)])}
            sent = 0
            for chunk, data in read_chunks(self._cache, item.oid, recipe, wanted):
                self._chunks.add(chunk)
                sent += len(data)
                yield from self._add(chunk_name(chunk), data)
        except CorruptObjectError:
            self.bad[name] = True
        except MissingObjectError:
            self.bad[name] = False
        else:
            self.recipes[item.oid] = recipe
            self.reused += recipe.size - sent


def recipe_objects(recipes: dict[Oid, Recipe]) -> Iterator[tuple[ObjectName, bytes]]:
    """Yield recipes as objects."""
    for oid, recipe in recipes.items():
        yield recipe_name(oid), encode_recipe(recipe)


# -- a pack of the cache, as it is ------------------------------------------------------------------


class Checked(NamedTuple):
    """A cache pack in the caller's memory, and its damaged objects."""

    is_sound: bool
    """Whether it lies there whole, under a new id, and may be sent as it is."""
    table: Table
    raw: int
    bad: list[ObjectName]


def checked_pack(cached: CachedPack, memory: memoryview) -> Checked:
    """Read a pack of the cache into *memory* of its size, verify each object, and give it a new nonce.

    A pack's id is never used twice on a remote: one that gc removed must not come back under
    its old name, since whoever removes it may still be at it.
    """
    if not _is_read(cached, memory):
        return Checked(is_sound=False, table=cached.table, raw=0, bad=[])
    bad, raw = damaged_rows(cached.table, memory)
    table = os.urandom(pack.NONCE_SIZE) + bytes(cached.table.rows_data)
    start = len(memory) - pack.FOOTER_SIZE - len(table)
    if bad or start < pack.HEADER_SIZE:
        return Checked(is_sound=False, table=cached.table, raw=raw, bad=bad)
    memory[start:] = table + pack.encode_footer(table, start)
    return Checked(is_sound=True, table=Table(table), raw=raw, bad=[])


def _is_read(cached: CachedPack, memory: memoryview) -> bool:
    """Read a pack into *memory*; False where another process has folded it away."""
    try:
        with open(cached.path, "rb", buffering=0) as file:
            return file.readinto(memory) == len(memory)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise local_error(error, cached.path) from error


def repacked(cached: CachedPack, bad: set[ObjectName]) -> tuple[Parcel | None, list[ObjectName]]:
    """Pack the sound objects of a cache pack anew; return the pack and the names of the others."""
    builder = PackBuilder()
    lost = list(bad)
    for row in sorted(cached.table.rows(), key=lambda r: r.offset):
        if row.name in bad:
            continue
        try:
            stored = bytes(cached.reader.stored(row))
        except DataverError:
            lost.append(row.name)
            continue
        if opened(row.name, row.codec, stored, row.raw) is None:
            lost.append(row.name)
        else:
            builder.add(row._replace(check=xxh3_64(stored)), stored)
    return next(map(_parcel_of_new, builder.closed()), None), lost
