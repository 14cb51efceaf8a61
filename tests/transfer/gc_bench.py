"""A remote whose clock a test moves, and clones that push to it, collect from it and restore from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from dataver.disk.disk import Disk
from dataver.errors import DataverError, MissingObjectError
from dataver.hashing import Buffer
from dataver.store.bucket import Bucket
from dataver.store.memory import MemoryBucket
from dataver.store.remote import Remote, Surroundings
from dataver.transfer.collecting import Collection, Keep, collect, rehearse
from dataver.transfer.keeping import Unreadable
from dataver.transfer.receive import receive
from dataver.transfer.send import Sent, send
from dataver.transfer.wanted import Ends, Version
from tests.store.faults import MovedClock
from tests.transfer.workbench import WRITER, Clone, new_clone

DAY_S = 86_400


class DatedBucket(MemoryBucket):
    """A bucket in memory that dates its objects by the clock of a test."""

    def __init__(self, clock: MovedClock) -> None:
        super().__init__()
        self.clock = clock

    def put(self, key: str, data: Buffer) -> None:
        super().put(key, data)
        self._objects[key] = (bytes(data), self.clock.now)

    def put_new(self, key: str, data: bytes) -> bool:
        if not super().put_new(key, data):
            return False
        self._objects[key] = (data, self.clock.now)
        return True

    def copy(self) -> DatedBucket:
        """Return a bucket with the same objects, and the same clock."""
        made = DatedBucket(self.clock)
        made._objects = dict(self._objects)
        return made

    def date(self, key: str, modified_s: float) -> None:
        """Say that *key* was stored at *modified_s*."""
        self._objects[key] = (self._objects[key][0], modified_s)

    def keys(self, prefix: str) -> list[str]:
        return [info.key for info in self.list(prefix)]


def new_remote() -> DatedBucket:
    bucket = DatedBucket(MovedClock())
    Remote.create(bucket, around=Surroundings(Disk(), bucket.clock, None))
    return bucket


def opened(bucket: Bucket, clock: MovedClock, folder: Path | None = None) -> Remote:
    remote = Remote.open(bucket, around=Surroundings(Disk(), clock, str(folder) if folder else None))
    remote.refresh()
    return remote


def ends(clone: Clone, bucket: Bucket, clock: MovedClock, folder: Path | None = None) -> Ends:
    return Ends(clone.cache, opened(bucket, clock, folder), clone.disk)


def push(clone: Clone, bucket: Bucket, clock: MovedClock, *versions: Version) -> Sent:
    return send(ends(clone, bucket, clock), versions, WRITER)


def refusal(unreadable: list[Unreadable]) -> DataverError:
    return MissingObjectError(f"{len(unreadable)} versions")


def keep(
    *versions: Version,
    grace_s: int = 0,
    since: int = 10**9,
    others: Iterable[Version] = (),
    ignores_missing: bool = False,
) -> Keep:
    """Return that *versions* stay, asked by the repository of `WRITER`."""
    return Keep(
        roots=frozenset(version.root_id for version in versions),
        others=frozenset(version.root_id for version in others),
        grace_s=grace_s,
        since=since,
        repos=frozenset((WRITER.repo_id,)),
        ignores_missing=ignores_missing,
        refuse=refusal,
    )


def gc(clone: Clone, bucket: Bucket, clock: MovedClock, what: Keep, *, is_dry: bool = False) -> Collection:
    there = ends(clone, bucket, clock)
    what = replace(what, since=min(what.since, there.remote.seen.seq))
    if is_dry:
        return rehearse(there, what)
    return collect(there, what, (WRITER.clone_id, WRITER.repo_id))


def restored(folder: Path, bucket: Bucket, clock: MovedClock, version: Version) -> dict[bytes, bytes] | None:
    """Return what a fresh clone in *folder* gets of a version; None when not all of it can be had."""
    fresh = new_clone(folder)
    got = receive(ends(fresh, bucket, clock), [version])
    return None if got.failed else fresh.files(version)
