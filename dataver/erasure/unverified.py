"""Erasing through a bucket's own listing and deletion, where nothing better is known.

In this process's memory that is all there is.  Of any other storage nobody can tell whether versions,
copies or a trash stay behind, which is said as an obstacle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

from dataver.erasure.eraser import UNVERIFIABLE_HINT, Facts, Obstacle, Stored, Upload
from dataver.errors import AccessDeniedError, Failure
from dataver.store.bucket import Bucket, KeyMissingError, probe


class BucketEraser:
    """A remote's storage as its bucket shows it."""

    def __init__(self, bucket: Bucket, kind: Literal["memory", "other"]) -> None:
        self.kind = kind
        self._bucket = bucket

    def examine(self) -> Facts:
        if self.kind == "memory":
            return Facts("memory", "off")
        scheme = self._bucket.url.partition("://")[0]
        message = (
            f"{self._bucket.url}: whether {scheme} keeps versions or copies of what is deleted cannot be seen"
        )
        obstacles = [Obstacle("unverifiable", message, UNVERIFIABLE_HINT)]
        able = probe(self._bucket)
        lacking = [
            what
            for what, is_able in (
                ("list", able.can_list),
                ("write", able.can_write),
                ("delete", able.can_delete),
            )
            if not is_able
        ]
        if lacking:
            message = f"not allowed to {', '.join(lacking)} in {self._bucket.url}"
            obstacles.append(Obstacle("access-denied", message, "dataver doctor"))
        return Facts("other", "unknown", tuple(obstacles))

    def versions(self, prefix: str) -> Iterator[Stored]:
        for info in self._bucket.list(prefix):
            yield Stored(info.key, "", info.size, info.modified_s, is_marker=False, is_current=True)

    def uploads(self, prefix: str) -> Iterator[Upload]:
        """Yield nothing: they cannot be seen; `examine` says so."""
        return iter(())

    def soft_deleted(self, prefix: str) -> Iterator[Stored]:
        """Yield nothing: it cannot be seen; `examine` says so."""
        return iter(())

    def holds(self, keys: Collection[str]) -> list[Obstacle]:
        """Return nothing: they cannot be seen; `examine` says so."""
        return []

    def read(self, stored: Stored) -> bytes:
        return self._bucket.get(stored.key)

    def is_readable(self, stored: Stored) -> bool:
        try:
            self._bucket.get(stored.key, 0, 1)
        except KeyMissingError:
            return False
        return True

    def erase(self, items: Sequence[Stored | Upload]) -> list[Failure]:
        keys = list(dict.fromkeys(item.key for item in items))
        try:
            self._bucket.delete(keys)
        except AccessDeniedError:
            # One of them, or all: each is told of by itself.
            return [failure for key in keys if (failure := self._refused(key)) is not None]
        return []

    def _refused(self, key: str) -> Failure | None:
        try:
            self._bucket.delete([key])
        except AccessDeniedError as error:
            return error.failure()
        return None
