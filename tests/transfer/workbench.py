"""Two ends under test: a cache in a folder, a remote in memory, and trees made of plain bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataver.disk.disk import Disk
from dataver.formats.tree import leaf_key
from dataver.hashing import BLAKE3, digest
from dataver.model.names import Oid, blob_name, oid_of_digest
from dataver.model.tree import FILE, Entry
from dataver.progress import SILENT
from dataver.store.bucket import Bucket
from dataver.store.cache import Cache
from dataver.store.cache_writer import CacheWriter
from dataver.store.memory import MemoryBucket
from dataver.store.remote import Remote
from dataver.store.treewriter import save
from dataver.transfer.receive import Received, receive
from dataver.transfer.send import Sent, Writer, send
from dataver.transfer.wanted import EVERYTHING, Ends, Scope, Version

KEY = b"k" * 32
WRITER = Writer("c" * 32, "d" * 32)


def noise(seed: int, size: int) -> bytes:
    """Return *size* bytes that do not compress, the same for the same *seed*."""
    import hashlib

    return hashlib.shake_128(seed.to_bytes(8, "big")).digest(size)


def oid_of(data: bytes) -> Oid:
    return oid_of_digest(BLAKE3, digest(BLAKE3, data))


@dataclass(frozen=True, slots=True)
class Clone:
    """One clone's cache."""

    cache: Cache
    disk: Disk

    def commit(self, files: Mapping[bytes, bytes]) -> Version:
        """Put *files* into the cache, as `add` does, and return the version that they make."""
        entries = []
        with CacheWriter(self.cache) as writer:
            blobs = []
            for path in sorted(files):
                data = files[path]
                oid = oid_of(data)
                entries.append(Entry(path, FILE, oid, len(data)))
                if len(data) >= self.cache.pack_below:
                    temp = self.cache.temp_path()
                    Path(temp).write_bytes(data)
                    blobs.append((temp, oid))
                else:
                    writer.add(blob_name(oid), data)
            root_id = save(entries, writer, lambda encoded: leaf_key(KEY, encoded))
            writer.take((), blobs)
            writer.commit()
        return Version(root_id, b"data", True, len(files), sum(map(len, files.values())))

    def ends(self, bucket: Bucket, **changes: object) -> Ends:
        remote = Remote.open(bucket)
        remote.refresh()
        return Ends(self.cache, remote, self.disk, **changes)  # type: ignore[arg-type]

    def push(self, bucket: Bucket, *versions: Version, dry_run: bool = False) -> Sent:
        return send(self.ends(bucket), versions, WRITER, dry_run=dry_run)

    def fetch(self, bucket: Bucket, *versions: Version, dry_run: bool = False) -> Received:
        return receive(self.ends(bucket), versions, dry_run=dry_run, progress=SILENT)

    def files(self, version: Version, scope: Scope = EVERYTHING) -> dict[bytes, bytes]:
        """Return path -> content of what the cache has of a version."""
        from dataver.store.trees import Trees

        return {
            e.path: bytes(self.cache.read(blob_name(e.oid)))
            for e in Trees(self.cache).entries(version.root_id)
            if e.oid is not None and scope.matches(e.path) and self.cache.has(blob_name(e.oid))
        }


def new_clone(folder: Path, *, pack_below: int = 64 * 1024) -> Clone:
    os.makedirs(folder, exist_ok=True)
    disk = Disk()
    return Clone(Cache(str(folder / "cache"), disk, pack_below=pack_below), disk)


def new_remote() -> MemoryBucket:
    bucket = MemoryBucket()
    Remote.create(bucket)
    return bucket


def packs_of(bucket: MemoryBucket) -> Sequence[str]:
    return [info.key for info in bucket.list("packs/")]
