"""A remote that delays, fails before or after it did what it was asked, and garbles what it gives."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Sequence

from dataver.errors import OfflineError
from dataver.hashing import Buffer
from dataver.store.bucket import Info, KeyMissingError, Request
from dataver.store.memory import MemoryBucket
from tests.simulation.clock import SimulatedClock
from tests.simulation.power import Power

_SLOW_S = 3600.0
_NEVER = float("-inf")


class SimulatedBucket:
    """A bucket in memory behind a bad line; `power` says which request goes wrong, and how.

    Dates are those of *clock*, set wrong by *ahead_s*.  A listing shows what was there *lag_s*
    seconds ago; everything else is as it is now.  With *is_cloud* it says of itself what a cloud's
    bucket does: large pages, and a listing that is good for an hour.
    """

    def __init__(
        self,
        inner: MemoryBucket,
        power: Power,
        clock: SimulatedClock,
        *,
        lag_s: float = 0.0,
        ahead_s: float = 0.0,
        is_cloud: bool = False,
    ) -> None:
        self.inner = inner
        self.url = inner.url
        self.page_size = 1000 if is_cloud else 1
        self.listing_good_s = 3600.0 if is_cloud else 0.0
        self.packs_at_once = 1
        self.has_create_if_absent = True
        self.requests = self.sent = self.received = 0
        self.lag_s, self.ahead_s = lag_s, ahead_s
        self._power, self._clock = power, clock
        self._dates: dict[str, float] = {}
        self._history: dict[str, list[tuple[float, Info | None]]] = {}
        for info in inner.list(""):
            self._remember(info.key, since=_NEVER)

    # -- what a test asks

    def keys(self, prefix: str = "") -> list[str]:
        """Return what lies there now, uncounted."""
        return [info.key for info in self.inner.list(prefix)]

    def replace(self, key: str, data: bytes | None) -> None:
        """Spoil or lose (None) what lies under *key*, as no client of ours would."""
        if data is None:
            self.inner.delete([key])
        else:
            self.inner.put(key, data)
        self._remember(key, since=_NEVER)

    # -- what goes wrong

    def _remember(self, key: str, since: float | None = None) -> None:
        found = self.inner.head(key)
        self._dates.setdefault(key, self._clock.now_s() + self.ahead_s)
        info = None if found is None else found._replace(modified_s=self._dates[key])
        self._history.setdefault(key, []).append((self._clock.monotonic() if since is None else since, info))

    def _before(self) -> str:
        self.requests += 1
        kind = self._power.remote_step()
        if kind == "slow":
            self._clock.sleep(_SLOW_S)
        elif kind == "cut-before":
            self._power.stop()
        elif kind in ("lost-before", "outage"):
            raise OfflineError(self.url, "connection lost")
        elif kind == "throttled":
            raise OfflineError(self.url, "SlowDown: reduce your request rate")
        return kind

    def _after(self, kind: str) -> None:
        if kind == "cut-after":
            self._power.stop()
        if kind == "lost-after":
            raise OfflineError(self.url, "connection lost")

    def _garbled(self, kind: str, data: bytes) -> bytes:
        assert self._power.fault is not None or not kind
        if not kind or not data or self._power.fault is None:
            return data
        choice = random.Random(self._power.fault.seed)
        if kind == "truncated":
            return data[: choice.randrange(len(data))]
        if kind == "flipped":
            bit = choice.randrange(len(data) * 8)
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            return bytes(flipped)
        return data

    # -- the bucket

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        kind = self._before()
        data = self._garbled(kind, self.inner.get(key, start, size))
        self.received += len(data)
        self._after(kind)
        return data

    def get_many(self, requests: Sequence[Request], jobs: int) -> list[bytes | KeyMissingError]:
        found: list[bytes | KeyMissingError] = []
        for request in requests:
            try:
                found.append(self.get(*request))
            except KeyMissingError as error:
                found.append(error)
        return found

    def put(self, key: str, data: Buffer) -> None:
        kind = self._before()
        self._dates.pop(key, None)
        self.inner.put(key, data)
        self._remember(key)
        self.sent += len(data)
        self._after(kind)

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            self.put(key, file.read())

    def put_new(self, key: str, data: bytes) -> bool:
        kind = self._before()
        is_new = self.inner.put_new(key, data)
        if is_new:
            self._dates.pop(key, None)
            self._remember(key)
            self.sent += len(data)
        self._after(kind)
        return is_new

    def head(self, key: str) -> Info | None:
        kind = self._before()
        found = self.inner.head(key)
        self._after(kind)
        return None if found is None else found._replace(modified_s=self._dates[key])

    def list(self, prefix: str) -> Iterator[Info]:
        kind = self._before()
        self._after(kind)
        limit = self._clock.monotonic() - self.lag_s
        shown = []
        for key, history in sorted(self._history.items()):
            known = [info for since, info in history if since <= limit] if key.startswith(prefix) else []
            if known and known[-1] is not None:
                shown.append(known[-1])
        return iter(shown)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            kind = self._before()
            self.inner.delete([key])
            if key in self._history:
                self._remember(key)
            self._after(kind)

    def prepare(self) -> None:
        return None
