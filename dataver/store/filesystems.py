"""What fsspec's filesystems differ in: their own retries, and their words for what a listing says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from dataver.store.bucket import Info


def try_once(fs: Any) -> None:
    """Turn a filesystem's own retries off: the transfer has the policy, and two of them would multiply."""
    if hasattr(fs, "retries"):
        fs.retries = 1
    # gcsfs wraps the one function that sends, and its number of tries is fixed with the wrapper.
    once = getattr(getattr(type(fs), "_request", None), "__wrapped__", None)
    if once is not None:
        fs._request = partial(once, fs)


def info(key: str, found: Mapping[str, Any]) -> Info:
    """Return what a filesystem says of a key; each has its own word for the time.

    A web server's listing says no sizes: they count as 0, and whoever needs them asks for the key itself.
    """
    size = int(found.get("size") or 0)
    for word in ("LastModified", "last_modified", "mtime", "updated", "modified", "created"):
        when = found.get(word)
        if isinstance(when, datetime):
            return Info(key, size, when.timestamp())
        if isinstance(when, int | float):
            return Info(key, size, float(when))
        if isinstance(when, str) and when:
            return Info(key, size, datetime.fromisoformat(when).timestamp())
    return Info(key, size, 0.0)
