"""Leases: who is writing to a remote now, so that nobody deletes what is not in the journal yet.

A lease is put before a writer's first byte, renewed while it works and removed last.  One that was
not renewed for 15 minutes belongs to a writer that died.  On storage without create-if-absent the
only writer's lock, an object of the same kind, is taken as well.
"""

from __future__ import annotations

import math
import os

from dataver.disk.disk import Clock
from dataver.errors import LockTimeoutError, RemoteError
from dataver.formats.layout import LEASES_PREFIX, WRITER_LOCK_KEY, lease_key
from dataver.store.bucket import Bucket, Info, KeyMissingError

DEAD_S = 15 * 60.0
_RENEW_S = 5 * 60.0
_LOCK_WAIT_S = 600.0
_LOCK_TURN_S = 1.0
_TICK_S = 2.0
"""Stores date objects to the second."""


class Lease:
    """One writer's lease while it holds it."""

    def __init__(self, bucket: Bucket, clock: Clock, writer: str) -> None:
        """Put the lease.  Raises: RemoteError."""
        self.writer = f"{writer[:48]}-{os.urandom(6).hex()}"
        self._bucket, self._clock = bucket, clock
        self._key = lease_key(self.writer)
        self._holds_lock = False
        self._began_at = clock.monotonic()
        self._put()
        found = bucket.head(self._key)
        # The store's clock counts: entries are dated, and gc decides, by it.
        is_dated = found is not None and found.modified_s > 0
        self._ahead_s = found.modified_s - clock.now_s() if found is not None and is_dated else 0.0

    def store_time_s(self) -> int:
        """Return the time by the store's clock, in whole seconds since 1970."""
        return int(self._clock.now_s() + self._ahead_s)

    @property
    def skew_s(self) -> float:
        """How far the store's clock is ahead of ours."""
        return self._ahead_s

    def take_writer_lock(self) -> None:
        """Become the only writer of a store that has no create-if-absent.

        Lock object, pause, read back: of two that come at once at most one reads its own name.
        Raises: LockTimeoutError after 10 minutes.
        """
        deadline = self._clock.monotonic() + _LOCK_WAIT_S
        while True:
            holder = self._lock_holder()
            if not holder:
                self._bucket.put(WRITER_LOCK_KEY, self.writer.encode())
                self._clock.sleep(_LOCK_TURN_S)
                if self._lock_holder() == self.writer:
                    self._holds_lock = True
                    return
            if self._clock.monotonic() > deadline:
                raise LockTimeoutError(self._bucket.url, holder, _LOCK_WAIT_S)
            self._clock.sleep(_LOCK_TURN_S)

    def _lock_holder(self) -> str:
        """Return who holds the lock; nobody when its holder died."""
        found = self._bucket.head(WRITER_LOCK_KEY)
        if found is None or (found.modified_s and self._age_s(found) > DEAD_S):
            return ""
        try:
            return self._bucket.get(WRITER_LOCK_KEY, 0, 256).decode("ascii", "replace")
        except KeyMissingError:
            return ""

    def _age_s(self, info: Info) -> float:
        return self._clock.now_s() + self._ahead_s - info.modified_s

    def _put(self) -> None:
        self._put_at = self._clock.monotonic()
        # How long it is held already: the store dates the renewal, a remover asks for the beginning.
        text = f"{self.writer}\n{self._put_at - self._began_at:.0f}\n"
        self._bucket.put(self._key, text.encode())

    def renew(self) -> None:
        """Say that the writer is still at work; costs a request every five minutes only."""
        if self._clock.monotonic() - self._put_at >= _RENEW_S:
            self._put()
            if self._holds_lock:
                self._bucket.put(WRITER_LOCK_KEY, self.writer.encode())

    def release(self) -> None:
        """Remove the lease; where that fails it dies by itself."""
        keys = [WRITER_LOCK_KEY, self._key] if self._holds_lock else [self._key]
        try:
            self._bucket.delete(keys)
        except RemoteError:
            return


def live_leases(bucket: Bucket, now_s: float) -> tuple[str, ...]:
    """Return the writers at work when it is *now_s* by the store's clock."""
    return tuple(
        info.key.removeprefix(LEASES_PREFIX)
        for info in bucket.list(LEASES_PREFIX)
        if not info.key.startswith(f"{LEASES_PREFIX}.") and now_s - info.modified_s <= DEAD_S
    )


def oldest_beginning_s(bucket: Bucket, now_s: float, *, but: str = "") -> float:
    """Return when the writer that is at work longest began, by the store's clock, or *now_s* for nobody.

    The lease of the writer *but* does not count; of one that does not say when it began anything may
    be: minus infinity.
    """
    oldest = now_s
    for writer in live_leases(bucket, now_s):
        if writer == but:
            continue
        key = lease_key(writer)
        info = bucket.head(key)
        try:
            name, held_s, _ = bucket.get(key, 0, 256).decode("ascii", "replace").split("\n")
        except KeyMissingError:
            continue  # it has just ended
        except ValueError:
            return -math.inf
        if info is None:
            continue
        if name != writer or not held_s.isdigit() or not info.modified_s:
            return -math.inf
        oldest = min(oldest, info.modified_s - int(held_s) - _TICK_S)
    return oldest


def dead_leases(bucket: Bucket, now_s: float) -> list[Info]:
    """Return the leases of writers that died, and what a probe of the store left."""
    return [
        info
        for info in bucket.list(LEASES_PREFIX)
        if info.key != WRITER_LOCK_KEY and info.modified_s and now_s - info.modified_s > DEAD_S
    ]
