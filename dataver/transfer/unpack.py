"""From a remote's packs into the cache: each object verified, small ones packed, large ones loose.

Runs in threads: what arrives is written to the cache's `tmp/` there, and only its name returned.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from dataver.disk.disk import Disk
from dataver.errors import DataverError, local_error
from dataver.formats import pack
from dataver.hashing import Buffer, xxh3_64
from dataver.model.names import BLOB, ObjectName, Oid, StructureId, oid_of_name
from dataver.parallel import threads_map_ordered
from dataver.store.packfile import PackWriter, WrittenPack
from dataver.transfer.orders import Order, Part, Wanted, parts_of, read_ranges, read_whole
from dataver.transfer.verify import damaged_rows, opened
from dataver.transfer.wanted import Ends


class Arrived(NamedTuple):
    """What became of one pack's objects."""

    pack_id: StructureId
    """Of the remote's pack."""
    pack: WrittenPack | None
    blobs: list[tuple[str, Oid, int]]
    """(temp path, oid, size) of loose blobs."""
    good: int
    size: int
    """Bytes of the sound objects."""
    missing: list[ObjectName]
    corrupt: list[ObjectName]


def unpack(ends: Ends, orders: Iterable[Order]) -> Iterator[Arrived]:
    """Read what is wanted of each pack and write what is sound of it into the cache's `tmp/`."""
    jobs = min(ends.jobs, ends.remote.bucket.packs_at_once)
    return threads_map_ordered(partial(_unpack, ends), orders, jobs)


def _unpack(ends: Ends, order: Order) -> Arrived:
    data = read_whole(ends.remote, order) if order.is_whole else None
    if data is not None:
        whole = _as_it_is(ends, order, data)
        if whole is not None:
            return whole
    return _picked(ends, order, data)


# -- a pack as it is --------------------------------------------------------------------------------


def _as_it_is(ends: Ends, order: Order, data: bytes) -> Arrived | None:
    """Put a whole pack into `tmp/`, None where it holds anything else than wanted, sound, small blobs.

    What nobody asked for never comes along: it may be content that was erased.
    """
    wanted = {one.name for one in order.wanted}
    try:
        table, view = pack.split(data)
    except DataverError:
        return None
    if table.pack_id != order.pack_id or table.count != len(wanted) or not wanted.issuperset(table.names()):
        return None
    if any(one.name[0] != BLOB or one.raw >= ends.cache.pack_below for one in order.wanted):
        return None
    bad, size = damaged_rows(table, view)
    if bad:
        return None
    path = ends.cache.temp_path()
    _write(ends.disk, path, data, 0o600)
    whole = WrittenPack(path, order.pack_id, len(data), bytes(table.data))
    return Arrived(order.pack_id, whole, [], table.count, size, [], [])


def _write(disk: Disk, path: str, data: Buffer, mode: int) -> None:
    try:
        fd = disk.create(path, mode)
        try:
            disk.write(fd, data)
        except BaseException:
            with contextlib.suppress(OSError):
                disk.unlink(path)
            raise
        finally:
            os.close(fd)
    except OSError as error:
        raise local_error(error, path, "write") from error


# -- objects one by one -----------------------------------------------------------------------------


def _picked(ends: Ends, order: Order, data: bytes | None) -> Arrived:
    """Write the sound objects of a pack into `tmp/`; what is not sound is read a second time."""
    sink = _Sink(ends)
    try:
        bad = sink.take(read_ranges(ends.remote, order) if data is None else parts_of(data, order.wanted))
        if bad:
            # A client library may return wrong bytes with success; asked again it rarely does.
            bad = sink.take(read_ranges(ends.remote, order._replace(wanted=[one for one, _ in bad])))
        missing = [one.name for one, stored in bad if stored is None]
        return sink.arrived(order, missing, [one.name for one, stored in bad if stored is not None])
    except BaseException:
        sink.drop()
        raise


class _Sink:
    """Where one thread writes what it received."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self._writer: PackWriter | None = None
        self._blobs: list[tuple[str, Oid, int]] = []
        self._good = 0
        self._size = 0

    def take(self, parts: Iterable[Part]) -> list[Part]:
        """Write what is sound of *parts*; return the others."""
        bad = []
        for one, stored in parts:
            data = None if stored is None else opened(one.name, one.codec, stored, one.raw)
            if stored is None or data is None:
                bad.append((one, stored))
            else:
                self._put(one, stored, data)
        return bad

    def _put(self, one: Wanted, stored: Buffer, data: Buffer) -> None:
        cache = self._ends.cache
        if one.name[0] == BLOB and one.raw >= cache.pack_below:
            path = cache.temp_path()
            _write(self._ends.disk, path, data, 0o444)
            self._blobs.append((path, oid_of_name(one.name), one.raw))
        else:
            if self._writer is None:
                self._writer = PackWriter(self._ends.disk, cache.temp_path())
            self._writer.add_stored(one.name, one.codec, stored, one.raw, xxh3_64(stored))
        self._good += 1
        self._size += one.raw

    def arrived(self, order: Order, missing: list[ObjectName], corrupt: list[ObjectName]) -> Arrived:
        written = self._writer.close() if self._writer is not None else None
        self._writer = None
        return Arrived(order.pack_id, written, self._blobs, self._good, self._size, missing, corrupt)

    def drop(self) -> None:
        if self._writer is not None:
            self._writer.abort()
        for path, _, _ in self._blobs:
            try:
                self._ends.disk.unlink(path)
            except OSError:
                continue
