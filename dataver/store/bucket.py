"""What a remote asks of the place where it lies: a flat space of keys, as small as it can be.

One contract (tests/store/test_bucket_contract.py) holds for every implementation, so that a test
may put one that misbehaves in the place of any other.  Keys are `formats.layout`'s, relative to
the remote's prefix.  All methods raise errors of `dataver.errors`, never foreign ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from dataver.errors import DataverError, RemoteError, UnsafeError, show_path
from dataver.hashing import Buffer

Request = tuple[str, int, int | None]
"""(key, first byte, how many bytes; None for all that follow)."""

DEFAULT_TIMEOUT_S = 60.0
_FIRST_PROBE_CONTENT = b"first"
_BYTES_PER_TIMEOUT = 12_000_000
"""200 kB/s where a request has 60 seconds: what is slower counts as broken off."""


class KeyMissingError(RemoteError):
    """Nothing lies under a key, in a place that does exist."""

    code = "missing-key"
    exit_status = 3

    def __init__(self, where: str, key: str) -> None:
        self.where, self.key = where, key
        super().__init__(f"{key} is not in {where}")


class Info(NamedTuple):
    """What a listing or `head` says of a key."""

    key: str
    size: int
    modified_s: float
    """Seconds since 1970 by the store's clock; 0.0 where the store does not say."""


class Probe(NamedTuple):
    """What one is able to do in a bucket, as trying showed."""

    can_list: bool
    can_write: bool
    can_delete: bool
    has_create_if_absent: bool


class Bucket(Protocol):
    """Keys and their bytes.  Safe to use from several threads at once."""

    has_create_if_absent: bool
    """Whether `put_new` has one winner of any number of writers; where not, one writer at a time.

    Set to False where a probe found that a store ignores the condition.
    """

    @property
    def url(self) -> str:
        """For people: without credentials."""

    @property
    def page_size(self) -> int:
        """How many keys one listing request gives: what makes a listing cheaper than single requests."""

    @property
    def listing_good_s(self) -> float:
        """For how long a listing may be relied on before it is asked for again; 0: for one command."""

    @property
    def packs_at_once(self) -> int:
        """Packs worth sending or reading at the same time; each takes 32 MiB of memory."""

    @property
    def requests(self) -> int:
        """Requests so far; a listing counts once per page."""

    @property
    def sent(self) -> int:
        """Bytes so far."""

    @property
    def received(self) -> int:
        """Bytes so far."""

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """Return *size* bytes from *start* on, fewer where the object ends before.

        Raises: KeyMissingError, AccessDeniedError, OfflineError, BucketNotFoundError.
        """

    def get_many(self, requests: Sequence[Request], jobs: int) -> Sequence[bytes | RemoteError]:
        """Return what `get` gives for each request or its error as a value; *jobs* at a time.

        What concerns all of them (no bucket, no credentials) may be raised instead.
        """

    def put(self, key: str, data: Buffer) -> None:
        """Store *data* whole or not at all, over whatever was there; no view of it is kept."""

    def put_file(self, key: str, path: str | os.PathLike[str]) -> None:
        """Store a local file's bytes as `put` does."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Store *data* if nothing is under *key*; False where something is."""

    def head(self, key: str) -> Info | None:
        """Return what lies under *key*, None for nothing."""

    def list(self, prefix: str) -> Iterator[Info]:
        """Yield every key that begins with *prefix*, in any order; other keys never."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete keys; those that are not there are passed over."""

    def prepare(self) -> None:
        """Make the place where a new remote will lie, where that is ours to make: a folder is."""


def get_all(bucket: Bucket, requests: Sequence[Request], jobs: int) -> list[bytes | KeyMissingError]:
    """Return what `get_many` gives, where every answer is bytes or a missing key.  Raises: RemoteError."""
    found: list[bytes | KeyMissingError] = []
    for answer in bucket.get_many(requests, jobs):
        if isinstance(answer, RemoteError) and not isinstance(answer, KeyMissingError):
            raise answer
        found.append(answer)
    return found


def get_or_error(bucket: Bucket, request: Request) -> bytes | RemoteError:
    """Return what `get` gives for a request, or its error as a value."""
    try:
        return bucket.get(*request)
    except RemoteError as error:
        return error


def put_unless_there(bucket: Bucket, key: str, data: bytes) -> bool:
    """Store *data* if nothing is under *key*, in a store that knows no such condition.

    Nothing forbids two winners: the one whose bytes remained is it.
    """
    if bucket.head(key) is not None:
        return False
    bucket.put(key, data)
    return bucket.get(key, 0, len(data) + 1) == data


def deadline_s(size: int, timeout_s: float) -> float:
    """Return how long a request of *size* bytes may take; one without a body has *timeout_s*."""
    return timeout_s * (1 + size / _BYTES_PER_TIMEOUT)


def probe(bucket: Bucket) -> Probe:
    """Return what can be done in *bucket*, found out with one small key that is deleted again.

    Raises: OfflineError, BucketNotFoundError, NoCredentialsError.
    """
    key = f"leases/.probe-{os.urandom(8).hex()}"
    try:
        # A put that answers "stored" twice is a store that ignores the condition.
        first = bucket.put_new(key, _FIRST_PROBE_CONTENT)
        second = bucket.put_new(key, b"second")
        can_write = first
        one_winner = first and not second and bucket.get(key) == _FIRST_PROBE_CONTENT
    except RemoteError as error:
        _raise_unless_denied(error)
        can_write = one_winner = False
    try:
        listed = any(info.key == key for info in bucket.list("leases/"))
        can_list = listed or not can_write
    except RemoteError as error:
        _raise_unless_denied(error)
        can_list = False
    can_delete = False
    if can_write:
        try:
            bucket.delete([key])
            can_delete = bucket.head(key) is None
        except RemoteError as error:
            _raise_unless_denied(error)
    return Probe(can_list, can_write, can_delete, one_winner and bucket.has_create_if_absent)


def _raise_unless_denied(error: DataverError) -> None:
    if error.code != "access-denied":
        raise error


def check_key(key: str) -> str:
    """Return *key* when it can lie nowhere but below the prefix; layout makes no others.

    Raises: UnsafeError.
    """
    if not key or key[0] == "/" or "\\" in key or any(part in ("", ".", "..") for part in key.split("/")):
        raise UnsafeError(f"{show_path(key)!r} is no key")
    return key
