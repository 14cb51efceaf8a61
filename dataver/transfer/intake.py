"""What arrives goes into the cache in batches: written to `tmp/`, synced together, then named.

A transfer that is killed keeps every batch that was named, and the next one goes on from there.
"""

from __future__ import annotations

import contextlib
from types import TracebackType

from dataver.disk.disk import Clock, Disk
from dataver.formats import codec
from dataver.formats.pack import TARGET_SIZE
from dataver.hashing import Buffer, xxh3_64
from dataver.model.names import STRUCTURE_KINDS, ObjectName, Oid
from dataver.store.cache import Cache
from dataver.store.cache_writer import CacheWriter
from dataver.store.packfile import PackWriter, WrittenPack

BATCH_SIZE = 128 * 1024 * 1024
"""Bytes that wait in `tmp/` before they are synced and named together."""
_BATCH_BLOBS = 4096
_BATCH_AGE_S = 10.0
"""On a slow network a batch is smaller: what a kill costs is some seconds of transfer."""


class Intake:
    """Takes verified objects for a cache.  Not for several threads at once.

    Used as a context manager: leaving it publishes what came, unless the user interrupts.
    """

    def __init__(self, cache: Cache, disk: Disk, clock: Clock | None = None) -> None:
        self._cache, self._disk, self._clock = cache, disk, clock or Clock()
        self._published_at = self._clock.monotonic()
        self._open: dict[str, PackWriter] = {}
        self._packs: list[WrittenPack] = []
        self._blobs: list[tuple[str, Oid]] = []
        self._compressor = codec.Compressor()
        self._waiting = 0
        self.rounds = 0
        """How often what had come was made part of the cache."""

    def __enter__(self) -> Intake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, Exception):
            self.publish()
        else:
            self._drop()

    def add(self, name: ObjectName, data: Buffer) -> None:
        """Take an object's bytes."""
        kind, stored = self._compressor.encode(data)
        self.add_stored(name, kind, stored, len(data))

    def add_stored(self, name: ObjectName, kind: int, stored: Buffer, raw: int) -> None:
        """Take an object as a remote's pack stored it."""
        letter = "s" if name[0] in STRUCTURE_KINDS else "d"
        writer = self._open.get(letter)
        if writer is None:
            writer = self._open[letter] = PackWriter(self._disk, self._cache.temp_path())
        # The writer keeps parts until it has enough of them: never a view into a larger buffer.
        writer.add_stored(name, kind, bytes(stored), raw, xxh3_64(stored))
        if writer.size >= TARGET_SIZE:
            self.take_pack(self._open.pop(letter).close())

    def take_pack(self, pack: WrittenPack) -> None:
        """Take a pack that was written into the cache's `tmp/`."""
        self._packs.append(pack)
        self._count(pack.size)

    def take_blob(self, temp: str, oid: Oid, size: int) -> None:
        """Take a loose blob of *size* bytes that was written into the cache's `tmp/`."""
        self._blobs.append((temp, oid))
        self._count(size)

    def _count(self, size: int) -> None:
        self._waiting += size
        age_s = self._clock.monotonic() - self._published_at
        if self._waiting >= BATCH_SIZE or len(self._blobs) >= _BATCH_BLOBS or age_s >= _BATCH_AGE_S:
            self.publish()

    def publish(self) -> None:
        """Make everything that was taken part of the cache, durably."""
        while self._open:
            _, writer = self._open.popitem()
            self._packs.append(writer.close())
        packs, blobs = self._packs, self._blobs
        self._packs, self._blobs, self._waiting = [], [], 0
        if packs or blobs:
            with CacheWriter(self._cache) as writer_of_cache:
                writer_of_cache.take(packs, blobs)
                writer_of_cache.commit()
        self.rounds += 1
        self._published_at = self._clock.monotonic()

    def _drop(self) -> None:
        for writer in self._open.values():
            writer.abort()
        for path in [p.path for p in self._packs] + [temp for temp, _ in self._blobs]:
            with contextlib.suppress(OSError):
                self._disk.unlink(path)
        self._open, self._packs, self._blobs = {}, [], []
