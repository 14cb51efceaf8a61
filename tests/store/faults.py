"""A bucket that misbehaves on purpose, and a clock that a test moves."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from dataver.disk.disk import Clock
from dataver.errors import OfflineError
from dataver.hashing import Buffer
from dataver.store.bucket import Bucket, Info, KeyMissingError, Request


class Faulty:
    """Passes on to another bucket, except where a test says otherwise.

    A fault is called before (`before`) or after (`after`) an operation with its name and key, and
    may raise; `hidden` keys are missing from listings, as where listings are stale.
    """

    def __init__(self, inner: Bucket) -> None:
        self.inner = inner
        self.before: Callable[[str, str], None] = lambda operation, key: None
        self.after: Callable[[str, str], None] = lambda operation, key: None
        self.altered: Callable[[str, bytes], bytes] = lambda key, data: data
        self.hidden: set[str] = set()
        self.log: list[tuple[str, str]] = []
        self.url, self.page_size = inner.url, inner.page_size
        self.listing_good_s = inner.listing_good_s
        self.packs_at_once = inner.packs_at_once
        self.has_create_if_absent = inner.has_create_if_absent
        self.requests = self.sent = self.received = 0

    def _begin(self, operation: str, key: str) -> None:
        self.requests += 1
        self.log.append((operation, key))
        self.before(operation, key)

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        self._begin("get", key)
        data = self.altered(key, self.inner.get(key))
        self.after("get", key)
        return data[start:] if size is None else data[start : start + size]

    def get_many(self, requests: Sequence[Request], jobs: int) -> list[bytes | KeyMissingError]:
        found: list[bytes | KeyMissingError] = []
        for request in requests:
            try:
                found.append(self.get(*request))
            except KeyMissingError as error:
                found.append(error)
        return found

    def put(self, key: str, data: Buffer) -> None:
        self._begin("put", key)
        self.inner.put(key, data)
        self.after("put", key)

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        self._begin("put", key)
        self.inner.put_file(key, path)
        self.after("put", key)

    def put_new(self, key: str, data: bytes) -> bool:
        self._begin("put_new", key)
        won = self.inner.put_new(key, data)
        self.after("put_new", key)
        return won

    def head(self, key: str) -> Info | None:
        self._begin("head", key)
        return self.inner.head(key)

    def list(self, prefix: str) -> Iterator[Info]:
        self._begin("list", prefix)
        return (info for info in self.inner.list(prefix) if info.key not in self.hidden)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._begin("delete", key)
            self.inner.delete([key])

    def prepare(self) -> None:
        self.inner.prepare()

    def keys(self, prefix: str = "") -> builtins.list[str]:
        """Return what lies there, uncounted."""
        return [info.key for info in self.inner.list(prefix)]


def once(operation: str, prefix: str, *, times: int = 1) -> Callable[[str, str], None]:
    """Return a fault that loses the connection at the first *times* such operations below *prefix*."""
    left = [times]

    def fault(found: str, key: str) -> None:
        if found == operation and key.startswith(prefix) and left[0]:
            left[0] -= 1
            raise OfflineError("test", "connection lost")

    return fault


class MovedClock(Clock):
    """A clock that stands still between sleeps and where a test sets it."""

    __slots__ = ("now", "slept")

    def __init__(self, now: float = 1_760_000_000.0) -> None:
        self.now = now
        self.slept = 0.0

    def now_ns(self) -> int:
        return int(self.now * 1e9)

    def now_s(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds
