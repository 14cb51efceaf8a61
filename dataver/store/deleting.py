"""Keys deleted from a remote, many at a time: the only module that deletes packs and segments.

Only what a journal entry named, or what none ever names, may be given to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from dataver.errors import Failure, OfflineError, RemoteError, show_bytes
from dataver.store.bucket import Bucket

_AT_ONCE = 100


class Doomed(NamedTuple):
    """Something to delete, and its size in bytes."""

    key: str
    size: int


def delete_all(bucket: Bucket, doomed: Sequence[Doomed], alive: Callable[[], None]) -> list[Failure]:
    """Delete *doomed* and return one failure for all that stays; *alive* is called now and then."""
    staying: list[Doomed] = []
    failure: RemoteError | None = None
    for start in range(0, len(doomed), _AT_ONCE):
        batch = doomed[start : start + _AT_ONCE]
        if isinstance(failure, OfflineError):
            staying += batch
            continue
        try:
            bucket.delete([one.key for one in batch])
        except RemoteError as error:
            failure = error
            staying += _left_of(bucket, batch)
        alive()
    if failure is None or not staying:
        return []
    what = staying[0].key + (f" and {len(staying) - 1} more" if len(staying) > 1 else "")
    verb = "stays" if len(staying) == 1 else "stay"
    size = show_bytes(sum(one.size for one in staying))
    message = f"{what} {verb} on {bucket.url} ({size}): {failure.message}"
    return [Failure(b"", failure.code, message, failure.hint, failure.exit_status)]


def _left_of(bucket: Bucket, batch: Sequence[Doomed]) -> list[Doomed]:
    try:
        return [one for one in batch if bucket.head(one.key) is not None]
    except RemoteError:
        return list(batch)
