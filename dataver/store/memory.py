"""A bucket in this process's memory: for tests, and for `memory://` while a program runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence

from dataver.hashing import Buffer
from dataver.store.bucket import Info, KeyMissingError, Request, check_key

_NAMED: dict[str, dict[str, tuple[bytes, float]]] = {}


class MemoryBucket:
    """A bucket over a dict; buckets of one *name* share it."""

    page_size = 1000
    listing_good_s = 0.0
    packs_at_once = 1

    def __init__(self, name: str = "") -> None:
        self.url = f"memory://{name}"
        self.has_create_if_absent = True
        self.requests = self.sent = self.received = 0
        self._objects: dict[str, tuple[bytes, float]] = _NAMED.setdefault(name, {}) if name else {}

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        self.requests += 1
        try:
            data, _ = self._objects[check_key(key)]
        except KeyError:
            raise KeyMissingError(self.url, key) from None
        found = data[start:] if size is None else data[start : start + size]
        self.received += len(found)
        return found

    def get_many(self, requests: Sequence[Request], jobs: int) -> list[bytes | KeyMissingError]:
        found: list[bytes | KeyMissingError] = []
        for key, start, size in requests:
            try:
                found.append(self.get(key, start, size))
            except KeyMissingError as error:
                found.append(error)
        return found

    def put(self, key: str, data: Buffer) -> None:
        self.requests += 1
        self.sent += len(data)
        self._objects[check_key(key)] = (bytes(data), time.time())

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            self.put(key, file.read())

    def put_new(self, key: str, data: bytes) -> bool:
        self.requests += 1
        self.sent += len(data)
        mine = (bytes(data), time.time())
        # One call into C: of several threads one wins.
        return self._objects.setdefault(check_key(key), mine) is mine

    def head(self, key: str) -> Info | None:
        self.requests += 1
        found = self._objects.get(check_key(key))
        return None if found is None else Info(key, len(found[0]), found[1])

    def list(self, prefix: str) -> Iterator[Info]:
        found = [
            Info(key, len(data), modified_s)
            for key, (data, modified_s) in sorted(self._objects.copy().items())
            if key.startswith(prefix)
        ]
        self.requests += 1 + len(found) // self.page_size
        return iter(found)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.requests += 1
            self._objects.pop(check_key(key), None)

    def prepare(self) -> None:
        return None
